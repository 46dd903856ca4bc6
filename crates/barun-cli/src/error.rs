//! What can go wrong on the command line, and how it is told.

use std::error::Error as _;
use std::io::{ErrorKind, Write};

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong on the command line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something below the command line.
    #[error(transparent)]
    Train(#[from] barun_train::Error),
    /// Measuring.
    #[error(transparent)]
    Bench(#[from] barun_bench::Error),
    /// Standard output cannot be written to.
    #[error("cannot write to standard output")]
    Output(#[source] std::io::Error),
    /// The system refuses a signal handler.
    #[error("cannot watch for Ctrl-C")]
    Signals(#[source] std::io::Error),
    /// The system does not say where this program lies.
    #[error("cannot find this program, to start it once more")]
    Program(#[source] std::io::Error),
    /// A name to explain that nothing has.
    #[error(
        "nothing is called `{name}`{hint}; `barun list` and `barun list library` show the names there are"
    )]
    UnknownName {
        /// What was given.
        name: String,
        /// ` (did you mean ..?)`, or nothing.
        hint: String,
    },
    /// A recipe acknowledges what is no rule.
    #[error("{0}")]
    Acknowledge(String),
    /// A run that nobody watched, and that left no log.
    #[error("{0} has neither a diagnosis nor a log of epochs; let its training finish an epoch first")]
    NoDiagnosis(String),
    /// The file for the output exists.
    #[error("{0} already exists; choose another name with --out, or give --force to write over it")]
    OutputExists(String),
}

impl Error {
    /// Whether the reader of standard output has gone away, as `head` does: no fault of anyone's.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Error::Output(error) if error.kind() == ErrorKind::BrokenPipe)
    }
}

/// Tells an error and its causes on standard error.
pub fn print(error: &Error) {
    let mut text = format!("error: {error}\n");
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        // Some messages already say their cause.
        if !text.contains(&told) {
            text.push_str(&format!("  because: {told}\n"));
        }
        cause = error.source();
    }
    // With standard error closed as well there is nobody left to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
