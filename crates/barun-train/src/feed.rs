//! From gathered rows to the buffers a step takes, in memory that is used again.

use barun_data::{BatchFeatures, BatchTargets, Features, FeaturesRef, Target, Targets};
use barun_engine::{Buffer, DType, Element};
use barun_nn::Batch;

use crate::error::{Error, Result};
use crate::objective::Objective;

/// A batch whose buffers are filled again and again.
pub(crate) struct Feed {
    objective: Objective,
    pub batch: Batch,
    pixels: Vec<u8>,
    values: Vec<f32>,
    labels: Vec<i64>,
    /// Also shares of classes.
    numbers: Vec<f32>,
}

impl Feed {
    pub fn new(objective: Objective) -> Feed {
        let empty = || Buffer::zeros([0], DType::U8);
        let batch = Batch { x: empty(), y: empty() };
        let (pixels, values, labels, numbers) = Default::default();
        Feed { objective, batch, pixels, values, labels, numbers }
    }

    /// Takes what a loader has gathered.
    pub fn fill(&mut self, gathered: &barun_data::Batch) -> &Batch {
        let (shape, rows) = (gathered.shape(), gathered.len());
        match &gathered.features {
            BatchFeatures::Images(pixels) => refill(&mut self.batch.x, pixels, &shape),
            BatchFeatures::Rows(values) => refill(&mut self.batch.x, values, &shape),
        }
        let shape = self.objective.target_shape(rows);
        match &gathered.targets {
            BatchTargets::Classes(labels) => refill(&mut self.batch.y, labels, &shape),
            BatchTargets::Shares(shares) if self.objective == Objective::Binary => {
                // One output says how much of the second class there is.
                self.numbers.clear();
                self.numbers.extend(shares.chunks_exact(2).map(|shares| shares[1]));
                refill(&mut self.batch.y, &self.numbers, &shape);
            }
            BatchTargets::Shares(shares) => {
                refill(&mut self.batch.y, shares, &[rows, shares.len() / rows.max(1)]);
            }
            BatchTargets::Values(values) => refill(&mut self.batch.y, values, &shape),
        }
        &self.batch
    }

    /// Gathers the rows `indices` themselves.
    pub fn gather(
        &mut self,
        features: &Features,
        targets: Option<&Targets>,
        indices: &[usize],
    ) -> Result<&Batch> {
        let missing = |index| Error::Data(barun_data::Error::OutOfRange { index, len: features.len() });
        self.pixels.clear();
        self.values.clear();
        self.labels.clear();
        self.numbers.clear();
        if let Features::Lazy(images) = features {
            self.pixels = images.get_all(indices)?;
        }
        for &index in indices {
            match features {
                Features::Lazy(_) => {}
                _ => match features.get(index)? {
                    FeaturesRef::Image(pixels) => self.pixels.extend_from_slice(&pixels),
                    FeaturesRef::Row(values) => self.values.extend_from_slice(values),
                },
            }
            let Some(targets) = targets else { continue };
            match targets.get(index).ok_or_else(|| missing(index))? {
                Target::Class(label) => self.labels.push(label),
                Target::Value(value) => self.numbers.push(value),
            }
        }
        let shape = [&[indices.len()], &features.sample_shape()[..]].concat();
        match features {
            Features::Images { .. } | Features::Lazy(_) => refill(&mut self.batch.x, &self.pixels, &shape),
            Features::Rows { .. } => refill(&mut self.batch.x, &self.values, &shape),
        }
        let shape = self.objective.target_shape(indices.len());
        match targets {
            Some(Targets::Classes { .. }) => refill(&mut self.batch.y, &self.labels, &shape),
            Some(Targets::Values { .. }) => refill(&mut self.batch.y, &self.numbers, &shape),
            None => {}
        }
        Ok(&self.batch)
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
