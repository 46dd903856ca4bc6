//! What a network looks like inside: how its weights are distributed, now and at the start, and what its layers give.

use barun_data::PreparedData;
use barun_nn::{DType, Forward, Module, summary};
use barun_view::Histogram;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::feed::Feed;
use crate::predictor::Predictor;

/// Rows are looked at together as long as all that layers give of them are no more numbers than this, and no more rows: what
/// they give of pictures is large, and a look at the end must not take more memory than the training did.
const MOST_NUMBERS: usize = 1 << 23;
const MOST_ROWS: usize = 256;

/// A network inside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Layers {
    /// The calls of its layers in their order: path, kind, shape of what one row becomes, numbers learned.
    pub calls: Vec<LayerCall>,
    /// Its parameters.
    pub weights: Vec<Weights>,
    /// What its layers give.
    pub activations: Vec<Activations>,
    /// Of how many rows, and of which part.
    pub rows: (usize, String),
}

/// A call of a layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerCall {
    /// The layer's path.
    pub path: String,
    /// Its kind.
    pub kind: String,
    /// The shape of what a row becomes.
    pub output: Vec<usize>,
    /// How many numbers it learns.
    pub params: usize,
}

/// The numbers of a parameter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// Its path.
    pub path: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Before the first step.
    pub start: Histogram,
    /// As they were kept.
    pub now: Histogram,
}

/// What a layer gives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Activations {
    /// Its path; of further calls with their number.
    pub path: String,
    /// What it gives, of all rows together.
    pub values: Histogram,
}

impl Layers {
    /// Of a trained network and a few rows of its validation part, or of its training part where there is no other. The
    /// rows go through the network as a new row would. `seed` is that of its first weights.
    pub(super) fn of<M: Module + Forward>(
        model: &Predictor<M>,
        data: &PreparedData,
        seed: u64,
    ) -> Result<Option<Layers>> {
        let part = if data.valid().is_empty() { data.train() } else { data.valid() };
        let features = data.dataset().features();
        let calls = calls_of(model)?;
        let of_row = calls.iter().map(|call| call.output.iter().product::<usize>()).sum::<usize>();
        let most = (MOST_NUMBERS / (features.width() + of_row).max(1)).clamp(1, MOST_ROWS);
        let rows = &part.indices()[..part.len().min(most)];
        if rows.is_empty() {
            return Ok(None);
        }
        let (step, state) = (model.step(), model.state());
        let start = step.init(seed)?;
        let histogram = |values: Vec<f64>| Histogram::of(values.iter().copied());
        let mut weights = Vec::new();
        for entry in &step.inventory().parameters {
            let of =
                |state: &barun_nn::State| Ok::<_, crate::Error>(histogram(state.get(&entry.path)?.to_f64()));
            let (path, shape) = (entry.path.clone(), entry.shape.to_vec());
            weights.push(Weights { path, shape, start: of(&start)?, now: of(state)? });
        }
        let mut feed = Feed::new(model.objective);
        let batch = feed.gather(features, None, rows)?;
        let observed = step.observe(state, &batch.x)?;
        let activations = observed
            .into_iter()
            .map(|(path, values)| Activations { path, values: histogram(values.to_f64()) })
            .collect();
        let rows = (rows.len(), part.name().to_string());
        Ok(Some(Layers { calls, weights, activations, rows }))
    }
}

fn calls_of<M: Module + Forward>(model: &Predictor<M>) -> Result<Vec<LayerCall>> {
    let input = [&[1], &model.preparation().input[..]].concat();
    let calls = summary(model.step().model(), input, DType::F32)?.rows;
    let calls = calls.into_iter().map(|row| LayerCall {
        path: row.path,
        kind: row.kind.to_string(),
        output: row.output[1..].to_vec(),
        params: row.trainable,
    });
    Ok(calls.collect())
}
