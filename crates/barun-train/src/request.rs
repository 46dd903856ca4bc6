//! What the commands ask for, and the functions that answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::recipe::Recipe;
use crate::report::{EvalReport, PredictReport, TrainReport};

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
    /// Tables, images, or folders of images.
    pub inputs: Vec<PathBuf>,
    /// With what.
    pub machine: Machine,
}

/// Trains a network and leaves it in a run folder.
pub fn train(_request: &TrainRequest, _callback: &mut dyn Callback) -> Result<TrainReport> {
    Err(Error::NotYet("train"))
}

/// Measures a trained model on data.
pub fn evaluate(_request: &EvalRequest) -> Result<EvalReport> {
    Err(Error::NotYet("eval"))
}

/// Asks a trained model about new rows. Changes nothing of the model. [TRAIN-13, EVAL-12]
pub fn predict(_request: &PredictRequest) -> Result<PredictReport> {
    Err(Error::NotYet("predict"))
}
