//! Some samples, gathered: what a step takes.

use std::sync::mpsc::Sender;

use crate::dataset::Targets;
use crate::prepared::Part;

/// The features of a batch, sample after sample.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchFeatures {
    /// Bytes, `[batch, height, width, channels]`.
    Images(Vec<u8>),
    /// Numbers, `[batch, columns]`.
    Rows(Vec<f32>),
}

/// The targets of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchTargets {
    /// Class indices.
    Classes(Vec<i64>),
    /// The share of each class in each sample, `[batch, classes]`: of mixed samples, see
    /// [`Mix`](crate::augment::Mix).
    Shares(Vec<f32>),
    /// Numbers.
    Values(Vec<f32>),
}

/// Some samples, gathered. Its buffers go back to the loader when it is dropped.
#[derive(Debug)]
pub struct Batch {
    /// The features.
    pub features: BatchFeatures,
    /// The targets.
    pub targets: BatchTargets,
    /// Which samples of the data set these are.
    pub indices: Vec<usize>,
    sample_shape: Vec<usize>,
    pub(super) recycle: Option<Sender<Batch>>,
}

impl Batch {
    /// The number of samples.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Never: a batch has at least one sample.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// `[batch, height, width, channels]` or `[batch, columns]`.
    pub fn shape(&self) -> Vec<usize> {
        [&[self.len()], self.sample_shape.as_slice()].concat()
    }

    /// `[batch, values]`: the same buffer as a dense layer sees it. [DATA-27]
    pub fn flat_shape(&self) -> [usize; 2] {
        [self.len(), self.sample_shape.iter().product()]
    }

    pub(super) fn empty(part: &Part, is_mixed: bool) -> Batch {
        Batch {
            features: part.dataset().features().batch(),
            targets: match part.dataset().targets() {
                Targets::Classes { .. } if is_mixed => BatchTargets::Shares(Vec::new()),
                targets => targets.batch(),
            },
            indices: Vec::new(),
            sample_shape: part.dataset().features().sample_shape(),
            recycle: None,
        }
    }

    /// Room for so many samples of so many classes and no more: buffers that double when they are full would take up to
    /// twice as much.
    pub(super) fn reserve(&mut self, samples: usize, classes: usize) {
        let width: usize = self.sample_shape.iter().product();
        match &mut self.features {
            BatchFeatures::Images(pixels) => pixels.reserve_exact(samples * width),
            BatchFeatures::Rows(values) => values.reserve_exact(samples * width),
        }
        match &mut self.targets {
            BatchTargets::Classes(labels) => labels.reserve_exact(samples),
            BatchTargets::Shares(shares) => shares.reserve_exact(samples * classes),
            BatchTargets::Values(values) => values.reserve_exact(samples),
        }
        self.indices.reserve_exact(samples);
    }

    pub(super) fn clear(&mut self) {
        match &mut self.features {
            BatchFeatures::Images(pixels) => pixels.clear(),
            BatchFeatures::Rows(values) => values.clear(),
        }
        match &mut self.targets {
            BatchTargets::Classes(labels) => labels.clear(),
            BatchTargets::Shares(shares) => shares.clear(),
            BatchTargets::Values(values) => values.clear(),
        }
        self.indices.clear();
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let Some(recycle) = self.recycle.take() else { return };
        let buffers = Batch {
            features: std::mem::replace(&mut self.features, BatchFeatures::Images(Vec::new())),
            targets: std::mem::replace(&mut self.targets, BatchTargets::Classes(Vec::new())),
            indices: std::mem::take(&mut self.indices),
            sample_shape: std::mem::take(&mut self.sample_shape),
            recycle: None,
        };
        let _ = recycle.send(buffers); // the loader may be gone, and the buffers with it
    }
}
