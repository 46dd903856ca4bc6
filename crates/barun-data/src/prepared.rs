//! Split data with its preprocessing fitted on the training part: what training reads from.
//!
//! Rows are scaled and the columns of a table encoded here, once; a table too large for memory is encoded row by row when
//! a batch asks for it. Images stay bytes: [`PreparedData::scaling_in_step`] is what the compiled step must
//! still apply, and is the identity for rows, so a trainer applies it always and never asks.

use std::sync::Arc;

use crate::dataset::{Dataset, Features, Targets};
use crate::encode::{self, Encoding, Preprocess};
use crate::error::{Error, Result};
use crate::loader::{Batches, Loader, LoaderOptions};
use crate::normalize::{Fitted, Scaling, ScalingKind, Scope};
use crate::table::{Column, Table};

/// Train, valid and test parts under one scaling or encoding, fitted on the training part alone. [DATA-08]
#[derive(Clone, Debug)]
pub struct PreparedData {
    dataset: Dataset,
    parts: [Arc<[usize]>; 3],
    scaling: Fitted,
    encoding: Option<Arc<Encoding>>,
    columns: Arc<[Column]>,
    notes: Arc<[String]>,
    target_scaling: Option<Fitted>,
}

impl PreparedData {
    pub(crate) fn fit(dataset: Dataset, parts: [Vec<usize>; 3], preprocess: &Preprocess) -> Result<Self> {
        let parts = parts.map(Arc::from);
        if let Features::Table(table) = dataset.features() {
            return Self::encode(&dataset, table, parts, preprocess);
        }
        if preprocess.scaling.kind == ScalingKind::Quantile {
            return Err(Error::QuantileOfArrays);
        }
        let scaling = fit_on(dataset.features(), &parts[0], preprocess.scaling)?;
        let scaled = match dataset.features() {
            Features::Rows { values, names } => {
                let mut values = values.clone();
                scaling.apply(&mut values)?;
                Some(Features::Rows { values, names: names.clone() })
            }
            Features::Images { .. } | Features::Lazy(_) | Features::Table(_) => None,
        };
        let dataset = dataset.replaced(scaled, None);
        Ok(PreparedData {
            dataset,
            parts,
            scaling,
            encoding: None,
            columns: Arc::default(),
            notes: Arc::default(),
            target_scaling: None,
        })
    }

    fn encode(
        dataset: &Dataset,
        table: &Table,
        parts: [Arc<[usize]>; 3],
        preprocess: &Preprocess,
    ) -> Result<Self> {
        let encoding = encode::fit(table, &parts[0], preprocess)?;
        let left_out = encoding.left_out.iter();
        let mut notes: Vec<String> =
            left_out.map(|column| format!("column '{}' is left out: {}", column.name, column.why)).collect();
        let (features, more) = encoding.apply(table)?;
        notes.extend(more);
        Ok(PreparedData {
            dataset: dataset.replaced(Some(features), None),
            parts,
            scaling: Fitted::identity(),
            encoding: Some(Arc::new(encoding)),
            columns: table.columns().into(),
            notes: notes.into(),
            target_scaling: None,
        })
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

    /// The fitted scaling of images and of rows of numbers, to be kept with the model; the identity for tables.
    pub fn scaling(&self) -> &Fitted {
        &self.scaling
    }

    /// How the columns of a table became features, to be kept with the model; `None` for images and rows of numbers.
    pub fn encoding(&self) -> Option<&Encoding> {
        self.encoding.as_deref()
    }

    /// The columns of a table as they were read; none for images and rows of numbers.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// What was decided, for people: when the data was read, and about its columns.
    pub fn notes(&self) -> Vec<String> {
        self.dataset.notes().iter().chain(&*self.notes).cloned().collect()
    }

    /// What the compiled step must still apply to a batch: the scaling for images, nothing (the identity) for rows.
    pub fn scaling_in_step(&self) -> Fitted {
        match self.dataset.features() {
            Features::Images { .. } | Features::Lazy(_) => self.scaling.clone(),
            Features::Rows { .. } | Features::Table(_) => Fitted::identity(),
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
        (Scope::PerFeature, _) | (Scope::Auto, Features::Rows { .. } | Features::Table(_)) => width,
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
        Features::Table(_) => Fitted::identity(), // tables are encoded
    })
}
