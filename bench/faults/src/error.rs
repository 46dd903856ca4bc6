//! What can go wrong with the bench itself; a run that fails is a result.

use std::path::PathBuf;

/// An error of the bench.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The library's.
    #[error(transparent)]
    Training(#[from] barun_train::Error),
    /// The engine's.
    #[error(transparent)]
    Engine(#[from] barun_engine::Error),
    /// A file of results.
    #[error("cannot {doing} {path}: {source}")]
    File {
        /// What was tried.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Data that has not what the bench needs.
    #[error("{0}")]
    Data(String),
}

/// With the bench's error.
pub type Result<T> = std::result::Result<T, Error>;
