//! The options that several commands share.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use barun_train::request::Machine;
use clap::Args;

use crate::error::Result;
use crate::interrupt;

/// Options of every command that computes.
#[derive(Debug, Args)]
pub struct Common {
    /// Print one JSON document on standard output; everything else goes to standard error
    #[arg(long)]
    pub json: bool,

    /// Threads to compute with [default: as many as the machine lends]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,

    /// Folder with data sets to use before downloading them
    #[arg(long, value_name = "FOLDER", env = "BARUN_DATA")]
    data_dir: Option<PathBuf>,
}

impl Common {
    /// What the options say of the machine, with Ctrl-C watched from now on.
    pub fn machine(&self) -> Result<Machine> {
        Ok(Machine {
            threads: self.threads.map(NonZeroUsize::get),
            data_dir: self.data_dir.clone(),
            stop: interrupt::flag()?,
        })
    }
}

/// A time such as `10m` or `1h30m`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it as 90s, 10m or 1h30m"))
}
