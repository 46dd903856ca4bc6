//! What the commands ask for, and the functions that answer.

mod check;
mod data;
mod evaluate;
mod export;
mod folds;
#[cfg(feature = "images")]
mod gallery;
mod judge;
mod memory;
mod predict;
mod preflight;
mod record;
mod resume;
mod rows;
mod seeds;
mod train;

pub use check::{check, rehearse};
pub use evaluate::evaluate;
pub use export::export;
pub use folds::cross_validate;
#[cfg(feature = "images")]
pub use gallery::{GalleryReport, GalleryRequest, gallery};
pub use memory::memory_of;
pub use predict::predict;
pub use preflight::{LrFindPoint, LrFindReport, OverfitReport, find_lr, overfit_batch};
pub use resume::resume;
pub use seeds::{resume_seeds, train_seeds};
pub use train::train;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use barun_data::OpenOptions;
use barun_engine::{Device, DeviceOptions};

use crate::error::Result;
use crate::recipe::Recipe;

/// What every command that computes may be told.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Threads; not given: as many as the machine lends.
    pub threads: Option<usize>,
    /// Where known data sets are looked for before they are downloaded.
    pub data_dir: Option<PathBuf>,
    /// Nothing is fetched.
    pub offline: bool,
    /// Who is told what takes long, and what reading data has decided; not given: nobody.
    pub tell: Option<fn(&str)>,
    /// Set to true when the user wants to stop: the command ends at the next step, its state saved.
    pub stop: Arc<AtomicBool>,
}

/// A training.
#[derive(Clone, Debug)]
pub struct TrainRequest {
    /// What to do.
    pub recipe: Recipe,
    /// The run folder; not given: the next number under `runs/`.
    pub out: Option<PathBuf>,
    /// Train over an earlier run in `out`.
    pub force: bool,
    /// The bytes it may take; not given: what the machine has free, where that is known.
    pub memory_limit: Option<usize>,
    /// Whether the folder gets what people look at: a report, and event files for TensorBoard, as far as this library was
    /// built with them.
    pub report: bool,
    /// With what.
    pub machine: Machine,
}

/// A look at data before a training.
#[derive(Clone, Debug)]
pub struct CheckRequest {
    /// The training.
    pub recipe: Recipe,
    /// With what.
    pub machine: Machine,
}

/// A run that goes on.
#[derive(Clone, Debug)]
pub struct ResumeRequest {
    /// The run folder.
    pub run: PathBuf,
    /// Other epochs in all than its recipe says.
    pub epochs: Option<usize>,
    /// Another time in all, in seconds, than its recipe says.
    pub max_seconds: Option<f64>,
    /// The bytes it may take; not given: what the machine has free, where that is known.
    pub memory_limit: Option<usize>,
    /// Whether the folder gets a report and event files, as in a [`TrainRequest`].
    pub report: bool,
    /// With what.
    pub machine: Machine,
}

/// What a training would take.
#[derive(Clone, Debug)]
pub struct MemoryRequest {
    /// The training.
    pub recipe: Recipe,
    /// The bytes it may take; not given: what the machine has free, where that is known.
    pub memory_limit: Option<usize>,
    /// With what.
    pub machine: Machine,
}

/// An evaluation.
#[derive(Clone, Debug)]
pub struct EvalRequest {
    /// A run folder or a model file.
    pub model: PathBuf,
    /// The data; not given: that of the recipe.
    pub source: Option<String>,
    /// Which part of the recipe's data. Other data is used whole.
    pub part: Part,
    /// With what.
    pub machine: Machine,
}

/// A part of split data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What the network learnt from.
    Train,
    /// What chose among its states.
    Valid,
    /// What neither has seen.
    Test,
}

/// A prediction.
#[derive(Clone, Debug)]
pub struct PredictRequest {
    /// A run folder or a model file.
    pub model: PathBuf,
    /// Tables, IDX files of images, image files or folders of them, or names of data sets.
    pub inputs: Vec<PathBuf>,
    /// With what.
    pub machine: Machine,
}

/// An export.
#[derive(Clone, Debug)]
pub struct ExportRequest {
    /// A run folder or a model file.
    pub model: PathBuf,
    /// As what.
    pub format: ExportFormat,
    /// The file; not given: the run's name with the format's ending, in the working folder.
    pub out: Option<PathBuf>,
    /// Write over an existing file.
    pub force: bool,
    /// With what.
    pub machine: Machine,
}

/// What a network is exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// A graph that other programs run.
    #[cfg(feature = "onnx")]
    Onnx(crate::export::ImageLayout),
    /// The weights and statistics alone.
    Safetensors,
}

impl ExportFormat {
    /// The ending of its files.
    pub fn ending(self) -> &'static str {
        match self {
            #[cfg(feature = "onnx")]
            ExportFormat::Onnx(_) => "onnx",
            ExportFormat::Safetensors => "safetensors",
        }
    }
}

impl Machine {
    /// How known data is opened here.
    fn open_options(&self) -> OpenOptions {
        OpenOptions {
            data_dir: self.data_dir.clone(),
            offline: self.offline,
            tell: self.tell.unwrap_or(|_| ()),
            ..OpenOptions::default()
        }
    }

    /// The device to compute on.
    fn device(&self) -> Result<Device> {
        match self.threads {
            Some(_) => Ok(Device::new(DeviceOptions { threads: self.threads, ..DeviceOptions::default() })?),
            None => Ok(Device::shared()?),
        }
    }
}
