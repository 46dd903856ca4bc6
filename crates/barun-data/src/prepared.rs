//! Split data with its preprocessing fitted on the training part: what training reads from.
//!
//! Rows are scaled here, once. Images stay bytes: [`PreparedData::scaling_in_step`] is what the compiled step must
//! still apply, and is the identity for rows, so a trainer applies it always and never asks.

use std::sync::Arc;

use crate::dataset::{Dataset, Features, Targets};
use crate::error::{Error, Result};
use crate::loader::{Batches, Loader, LoaderOptions};
use crate::normalize::{Fitted, Scaling, ScalingKind, Scope};

/// Train, valid and test parts under one scaling, fitted on the training part alone. [DATA-08]
#[derive(Clone, Debug)]
pub struct PreparedData {
    dataset: Dataset,
    parts: [Arc<[usize]>; 3],
    scaling: Fitted,
    target_scaling: Option<Fitted>,
}

impl PreparedData {
    pub(crate) fn fit(dataset: Dataset, parts: [Vec<usize>; 3], scaling: Scaling) -> Result<Self> {
        let scaling = fit_on(dataset.features(), &parts[0], scaling)?;
        let scaled = match dataset.features() {
            Features::Images { .. } | Features::Lazy(_) => None,
            Features::Rows { values, names } => {
                let mut values = values.clone();
                scaling.apply(&mut values)?;
                Some(Features::Rows { values, names: names.clone() })
            }
        };
        let dataset = dataset.replaced(scaled, None);
        Ok(PreparedData { dataset, parts: parts.map(Arc::from), scaling, target_scaling: None })
    }

    /// Also standardises a regression target, on the training part's mean and σ. Losses and predictions are then in
    /// units of σ; [`target_scaling`](Self::target_scaling) leads back.
    ///
    /// # Errors
    /// [`Error::TargetIsClasses`].
    pub fn standardize_target(mut self) -> Result<Self> {
        let Targets::Values { name, values } = self.dataset.targets() else {
            return Err(Error::TargetIsClasses { target: self.dataset.targets().name().to_string() });
        };
        let train = self.parts[0].iter().map(|&i| &values[i..=i]);
        let fitted = Fitted::on_rows(ScalingKind::Standardize, 1, train);
        let mut values = values.clone();
        fitted.apply(&mut values)?;
        let targets = Targets::Values { name: name.clone(), values };
        self.dataset = self.dataset.replaced(None, Some(targets));
        self.target_scaling = Some(fitted);
        Ok(self)
    }

    /// The data, rows (and the target, if asked for) scaled, images as bytes.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The fitted scaling of the features, to be kept with the model.
    pub fn scaling(&self) -> &Fitted {
        &self.scaling
    }

    /// What the compiled step must still apply to a batch: the scaling for images, nothing (the identity) for rows.
    pub fn scaling_in_step(&self) -> Fitted {
        match self.dataset.features() {
            Features::Images { .. } | Features::Lazy(_) => self.scaling.clone(),
            Features::Rows { .. } => Fitted::identity(),
        }
    }

    /// The fitted scaling of the target, if it was standardised.
    pub fn target_scaling(&self) -> Option<&Fitted> {
        self.target_scaling.as_ref()
    }

    /// The part to train on.
    pub fn train(&self) -> Part {
        self.part("train", 0)
    }

    /// The part to choose by; empty if the split wanted none.
    pub fn valid(&self) -> Part {
        self.part("valid", 1)
    }

    /// The part to measure on at the end; empty if the split wanted none.
    pub fn test(&self) -> Part {
        self.part("test", 2)
    }

    fn part(&self, name: &'static str, index: usize) -> Part {
        Part { name, dataset: self.dataset.clone(), indices: self.parts[index].clone() }
    }
}

/// Some samples of a data set: one part of prepared data. A copy shares the data.
#[derive(Clone, Debug)]
pub struct Part {
    name: &'static str,
    dataset: Dataset,
    indices: Arc<[usize]>,
}

impl Part {
    /// `train`, `valid` or `test`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether the split wanted no such part.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Which samples of [`dataset`](Self::dataset) these are, ascending.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The data the samples come from.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The first `samples` samples, for a quick look or a learning curve.
    pub fn first(&self, samples: usize) -> Part {
        Part { indices: self.indices[..samples.min(self.len())].into(), ..self.clone() }
    }

    /// Those of its samples that are among `indices`, which count in the data set, in that order.
    pub fn only(&self, indices: &[usize]) -> Part {
        let own = indices.iter().copied().filter(|index| self.indices.binary_search(index).is_ok()).collect();
        Part { indices: own, ..self.clone() }
    }

    /// A loader over these samples.
    ///
    /// # Errors
    /// A batch size of 0 or above the number of samples.
    pub fn loader(&self, options: LoaderOptions) -> Result<Loader> {
        Loader::new(self.clone(), options)
    }

    /// One shuffled pass in batches of `batch`; what is wrong with the batch size comes as the first item.
    pub fn batches(&self, batch: usize) -> Batches {
        match self.loader(LoaderOptions { batch, ..LoaderOptions::default() }) {
            Ok(loader) => loader.epoch(0),
            Err(error) => Batches::failed(error),
        }
    }
}

/// Images that are only made when they are asked for are scaled by the statistics of so many of them, spread evenly over
/// the training part: what a mean of more would differ by is far below what a network notices.
const STATISTICS_IMAGES: usize = 1000;

fn fit_on(features: &Features, train: &[usize], Scaling { kind, scope }: Scaling) -> Result<Fitted> {
    let width = features.width();
    let columns = match (scope, features) {
        (Scope::Global, _) | (Scope::Auto, Features::Images { .. } | Features::Lazy(_)) => 1,
        (Scope::PerFeature, _) | (Scope::Auto, Features::Rows { .. }) => width,
    };
    Ok(match features {
        Features::Images { pixels, .. } => {
            Fitted::on_rows(kind, columns, train.iter().map(|&i| &pixels[i * width..][..width]))
        }
        Features::Lazy(images) => {
            let stride = train.len().div_ceil(STATISTICS_IMAGES).max(1);
            let some: Vec<usize> = train.iter().copied().step_by(stride).collect();
            let pixels = images.get_all(&some)?;
            Fitted::on_rows(kind, columns, pixels.chunks_exact(width))
        }
        Features::Rows { values, .. } => {
            Fitted::on_rows(kind, columns, train.iter().map(|&i| &values[i * width..][..width]))
        }
    })
}
