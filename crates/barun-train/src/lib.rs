//! Training: from a recipe to a run folder with a trained model in it.

pub mod error;
pub mod metrics;
pub mod nearest;
pub mod network;
pub mod recipe;

pub use error::{Error, Result};
pub use recipe::{Draft, Recipe};
