//! Training: from a recipe to a run folder with a trained model in it.

pub mod build;
pub mod callback;
pub mod checkpoint;
pub mod error;
mod feed;
pub mod files;
mod keeper;
pub mod log;
pub mod memory;
pub mod metrics;
pub mod nearest;
pub mod network;
pub mod objective;
pub mod predictor;
pub mod preparation;
pub mod progress;
pub mod recipe;
pub mod report;
pub mod request;
pub mod run;
mod setup;
pub mod trainer;

pub use error::{Error, Result};
pub use predictor::Predictor;
pub use preparation::Preparation;
pub use recipe::{Draft, Recipe};
pub use request::{columns_of, evaluate, memory_of, predict, train};
pub use trainer::{Trained, Trainer};
