//! From gathered rows to the buffers a step takes, in memory that is used again.

use barun_data::{BatchFeatures, BatchTargets, Features, Targets};
use barun_engine::{Buffer, DType, Element};
use barun_nn::Batch;

use crate::error::Result;
use crate::objective::Objective;

/// A batch whose buffers are filled again and again.
pub(crate) struct Feed {
    objective: Objective,
    pub batch: Batch,
    features: BatchFeatures,
    targets: BatchTargets,
    /// Of two classes mixed, the share of the second.
    second: Vec<f32>,
}

impl Feed {
    pub fn new(objective: Objective) -> Feed {
        let empty = || Buffer::zeros([0], DType::U8);
        let batch = Batch { x: empty(), y: empty() };
        let (features, targets) = (BatchFeatures::Rows(Vec::new()), BatchTargets::Classes(Vec::new()));
        Feed { objective, batch, features, targets, second: Vec::new() }
    }

    /// Takes what a loader has gathered.
    pub fn fill(&mut self, gathered: &barun_data::Batch) -> &Batch {
        refill_features(&mut self.batch.x, &gathered.features, &gathered.shape());
        let to = (self.objective, gathered.len());
        refill_targets(&mut self.batch.y, &gathered.targets, to, &mut self.second);
        &self.batch
    }

    /// Gathers the rows `indices` themselves.
    pub fn gather(
        &mut self,
        features: &Features,
        targets: Option<&Targets>,
        indices: &[usize],
    ) -> Result<&Batch> {
        features.gather(indices, &mut self.features)?;
        let shape = [&[indices.len()], &features.sample_shape()[..]].concat();
        refill_features(&mut self.batch.x, &self.features, &shape);
        if let Some(targets) = targets {
            targets.gather(indices, &mut self.targets)?;
            let to = (self.objective, indices.len());
            refill_targets(&mut self.batch.y, &self.targets, to, &mut self.second);
        }
        Ok(&self.batch)
    }
}

fn refill_features(buffer: &mut Buffer, features: &BatchFeatures, shape: &[usize]) {
    match features {
        BatchFeatures::Images(pixels) => refill(buffer, pixels, shape),
        BatchFeatures::Rows(values) => refill(buffer, values, shape),
    }
}

/// `second` is room for the shares of the second of two classes.
fn refill_targets(
    buffer: &mut Buffer,
    targets: &BatchTargets,
    (objective, rows): (Objective, usize),
    second: &mut Vec<f32>,
) {
    let shape = objective.target_shape(rows);
    match targets {
        BatchTargets::Classes(labels) => refill(buffer, labels, &shape),
        BatchTargets::Values(values) => refill(buffer, values, &shape),
        BatchTargets::Shares(shares) if objective == Objective::Binary => {
            // One output says how much of the second class there is.
            second.clear();
            second.extend(shares.chunks_exact(2).map(|shares| shares[1]));
            refill(buffer, second, &shape);
        }
        BatchTargets::Shares(shares) => refill(buffer, shares, &[rows, shares.len() / rows.max(1)]),
    }
}

fn refill<T: Element>(buffer: &mut Buffer, values: &[T], shape: &[usize]) {
    if buffer.shape()[..] == *shape
        && let Ok(old) = buffer.as_mut_slice::<T>()
    {
        return old.copy_from_slice(values);
    }
    *buffer = Buffer::new(values, shape);
}
