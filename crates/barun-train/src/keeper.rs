//! What a run leaves in its folder while it goes: the recipe, the log, the two checkpoints.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use barun_data::integrity;
use barun_engine::State;
use serde::Serialize;

use crate::checkpoint::{Checkpoint, tensors_of};
use crate::error::Result;
use crate::log::{EpochRecord, Log};
use crate::metrics::Metrics;
use crate::predictor::{DATA, PROGRESS, RECIPE};
use crate::preparation::Preparation;
use crate::recipe::Recipe;
use crate::run::{RUNS, RunFolder, Which};

/// Checkpoints are written at the end of an epoch, but no more often than this: a crash costs at most so much work, and
/// an epoch of a few milliseconds is not spent on writing. The last ones are always written.
const INTERVAL: Duration = Duration::from_secs(2);

/// Where a run is to be kept. Nothing is written before [`open`](RunPlan::open).
#[derive(Clone, Debug)]
pub(crate) struct RunPlan {
    pub out: Option<PathBuf>,
    pub force: bool,
    pub recipe: Recipe,
    pub integrity: Option<integrity::Report>,
}

impl RunPlan {
    pub fn open(&self, preparation: &Preparation) -> Result<Keeper> {
        let run = match &self.out {
            Some(out) => RunFolder::create(out, self.force)?,
            None => RunFolder::create_numbered(Path::new(RUNS), &self.recipe.short_name())?,
        };
        run.write_recipe(&self.recipe)?;
        if let Some(report) = &self.integrity {
            run.write_integrity(report)?;
        }
        let log = run.log()?;
        let texts = [(RECIPE.to_string(), self.recipe.to_toml()), (DATA.to_string(), preparation.to_text())];
        Ok(Keeper { run, log, texts: texts.into(), written: None })
    }
}

/// How far a run has come, as a checkpoint says it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Progress {
    /// Epochs completed.
    pub epochs: usize,
    /// Batches taken of the epoch after them.
    pub batches: usize,
    /// The best epoch so far, from 1; 0 before the first.
    pub best_epoch: usize,
    /// Its figures on the validation part.
    pub best_valid: Option<Metrics>,
}

/// An open run folder.
pub(crate) struct Keeper {
    run: RunFolder,
    log: Log,
    texts: BTreeMap<String, String>,
    written: Option<Instant>,
}

impl Keeper {
    pub fn path(&self) -> &Path {
        self.run.path()
    }

    pub fn add_to_log(&mut self, record: &EpochRecord) -> Result<()> {
        self.log.add(record)
    }

    /// Whether checkpoints are due again.
    pub fn is_due(&self) -> bool {
        self.written.is_none_or(|written| written.elapsed() >= INTERVAL)
    }

    pub fn write(&mut self, which: Which, state: &State, progress: &Progress) -> Result<()> {
        let mut metadata = self.texts.clone();
        metadata.insert(PROGRESS.to_string(), serde_json::to_string(progress).unwrap_or_default());
        Checkpoint { tensors: tensors_of(state), metadata }.write(&self.run.checkpoint(which))?;
        self.written = Some(Instant::now());
        Ok(())
    }
}
