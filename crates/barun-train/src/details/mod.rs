//! What a run's report shows beside recipe, log and outcome: `details.json`.
//!
//! It is gathered once, when the training is over, from the kept weights; nothing of it is needed to go on or to predict.
//! Only the losses of single steps are collected on the way, by a [`Recorder`]. With it the report can be written anew from
//! the run's folder alone, without the data.

mod layers;
mod mistakes;
mod recorder;

use std::path::Path;

use barun_data::{Dataset, PreparedData, Targets};
use barun_nn::{Forward, Module};
use barun_view::Thinned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files::{io_error, read, write_atomically};
use crate::metrics::Predictions;
use crate::predictor::Predictor;
use crate::run::details_of;

pub use layers::{Activations, Layers, Weights};
pub use mistakes::{Input, Mistake, Mistakes};
pub(crate) use recorder::Recorder;

/// What a run's report shows beside recipe, log and outcome.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// With what the run was made.
    pub made_with: MadeWith,
    /// What it was made from.
    pub data: DataDetails,
    /// The loss of every step, thinned.
    pub losses: Thinned,
    /// What the network looks like inside; null where it could not be looked at.
    pub layers: Option<Layers>,
    /// Where it is wrong; null where it was judged on nothing, or gives its input again.
    pub mistakes: Option<Mistakes>,
}

/// With what a run was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MadeWith {
    /// The version of barun.
    pub version: String,
    /// The operating system: `linux`.
    pub system: String,
    /// The kind of processor: `x86_64`.
    pub architecture: String,
    /// The instructions of it that were used: `AVX2`.
    pub instructions: String,
    /// On how many threads.
    pub threads: usize,
    /// When the training ended, as RFC 3339 in UTC.
    pub ended: String,
}

/// What a run was made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataDetails {
    /// The data in a line.
    pub about: String,
    /// What the target is called.
    pub target: String,
    /// Rows of the train, valid and test part.
    pub parts: [usize; 3],
    /// Of classes: how many rows of each there are in each part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<(String, [usize; 3])>,
}

impl Details {
    /// Of a trained network, its data as it was read and as it was prepared, what it said of the part it was judged on - the
    /// rows and the predictions - and the losses on the way.
    pub(crate) fn of<M: Module + Forward>(
        model: &Predictor<M>,
        (raw, data): (&Dataset, &PreparedData),
        judged: Option<(&[usize], &Predictions)>,
        losses: Thinned,
        seed: u64,
    ) -> Result<Details> {
        Ok(Details {
            made_with: MadeWith::of(model)?,
            data: DataDetails::of(raw, data),
            losses,
            layers: Layers::of(model, data, seed)?,
            mistakes: judged.and_then(|(rows, said)| Mistakes::of(raw.features(), rows, said)),
        })
    }

    /// The details of the run at `path`; none where it has none.
    pub fn read(path: &Path) -> Result<Option<Details>> {
        let path = details_of(path);
        if !path.exists() {
            return Ok(None);
        }
        let details = serde_json::from_slice(&read(&path)?);
        details.map(Some).map_err(|error| Error::BadDetails { path, message: error.to_string() })
    }

    /// Writes them into the folder of the run at `path`.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let path = details_of(path);
        let text = serde_json::to_vec(self).map_err(|error| io_error("write", &path, error.into()))?;
        write_atomically(&path, &text)
    }
}

impl MadeWith {
    fn of<M: Module + Forward>(model: &Predictor<M>) -> Result<MadeWith> {
        let device = match &model.step().options().engine.device {
            Some(device) => device.clone(),
            None => barun_engine::Device::shared()?,
        };
        Ok(MadeWith {
            version: env!("CARGO_PKG_VERSION").to_string(),
            system: std::env::consts::OS.to_string(),
            architecture: std::env::consts::ARCH.to_string(),
            instructions: device.isa().to_string(),
            threads: device.threads(),
            ended: humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
        })
    }
}

impl DataDetails {
    fn of(raw: &Dataset, data: &PreparedData) -> DataDetails {
        let parts = [data.train(), data.valid(), data.test()];
        let mut classes: Vec<(String, [usize; 3])> = Vec::new();
        if let Targets::Classes { labels, classes: names, .. } = data.dataset().targets() {
            classes = names.iter().map(|name| (name.clone(), [0; 3])).collect();
            for (number, part) in parts.iter().enumerate() {
                part.indices().iter().for_each(|&row| classes[labels[row] as usize].1[number] += 1);
            }
        }
        DataDetails {
            about: raw.to_string(),
            target: data.dataset().targets().name().to_string(),
            parts: parts.map(|part| part.len()),
            classes,
        }
    }
}
