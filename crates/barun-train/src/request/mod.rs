//! What the commands ask for, and the functions that answer.

mod columns;
mod data;
mod evaluate;
mod memory;
mod predict;
mod train;

pub use columns::columns_of;
pub use evaluate::evaluate;
pub use memory::memory_of;
pub use predict::predict;
pub use train::train;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

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

/// A look at the columns of a table.
#[derive(Clone, Debug)]
pub struct ColumnsRequest {
    /// The training they are for.
    pub recipe: Recipe,
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
    /// Tables, IDX files of images, or names of data sets.
    pub inputs: Vec<PathBuf>,
    /// With what.
    pub machine: Machine,
}

impl Machine {
    /// The device to compute on.
    fn device(&self) -> Result<Device> {
        match self.threads {
            Some(_) => Ok(Device::new(DeviceOptions { threads: self.threads, ..DeviceOptions::default() })?),
            None => Ok(Device::shared()?),
        }
    }
}
