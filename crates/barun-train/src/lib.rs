//! Training: from a recipe to a run folder with a trained model in it.

pub mod callback;
pub mod checkpoint;
pub mod error;
pub mod files;
pub mod log;
pub mod metrics;
pub mod nearest;
pub mod network;
pub mod progress;
pub mod recipe;
pub mod report;
pub mod request;
pub mod run;

pub use error::{Error, Result};
pub use recipe::{Draft, Recipe};
pub use request::{evaluate, predict, train};
