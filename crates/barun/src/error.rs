//! One error for programs that use every part.

use std::error::Error as _;
use std::fmt;

/// The result of a program that uses several parts.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of any part.
///
/// Its `Debug` is meant for people, because that is what Rust prints when `main` returns it:
///
/// ```text
/// Error: mnist: not found in data/mnist; put train-images-idx3-ubyte, .. there
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Tensors, programs, sessions.
    #[error(transparent)]
    Engine(#[from] barun_engine::Error),
    /// Models and steps.
    #[error(transparent)]
    Nn(#[from] barun_nn::Error),
    /// Data.
    #[cfg(feature = "data")]
    #[error(transparent)]
    Data(#[from] barun_data::Error),
    /// Recipes and runs.
    #[cfg(feature = "train")]
    #[error(transparent)]
    Train(#[from] barun_train::Error),
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, "\n  because: {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
