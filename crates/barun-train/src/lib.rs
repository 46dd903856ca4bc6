//! Training: from a recipe to a run folder with a trained model in it.

pub mod answers;
mod best_by;
pub mod build;
pub mod callback;
pub mod changes;
pub mod checkpoint;
#[cfg(feature = "terminal")]
pub mod dashboard;
#[cfg(feature = "report")]
pub mod details;
pub mod diagnosis;
pub mod early_stopping;
pub mod error;
pub mod export;
mod feed;
pub mod files;
pub mod judgement;
mod keeper;
pub mod log;
pub mod looks;
pub mod memory;
pub mod mending;
pub mod metrics;
pub mod nearest;
pub mod network;
pub mod objective;
#[cfg(feature = "report")]
pub mod page;
mod position;
pub mod predictor;
pub mod preparation;
pub mod progress;
pub mod recipe;
mod reconstruction;
pub mod repair;
pub mod report;
pub mod request;
mod restore;
pub mod run;
pub mod runs;
pub mod seeds;
mod setup;
pub mod subject;
#[cfg(feature = "tensorboard")]
mod tensorboard;
pub mod tensors;
pub mod trainer;
pub mod watching;

pub use early_stopping::EarlyStopping;
pub use error::{Error, Result};
pub use predictor::Predictor;
pub use preparation::Preparation;
pub use recipe::{Draft, Recipe};
pub use request::{
    check, cross_validate, evaluate, export, memory_of, predict, rehearse, resume, resume_seeds, train,
    train_seeds,
};
pub use seeds::Spread;
pub use trainer::{SeededTrained, SeededTrainer, Trained, Trainer};
