//! The options that several commands share.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use barun_train::request::Machine;
use clap::Args;
use clap::builder::FalseyValueParser;

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

    /// Fetch nothing: known data sets that are not there are an error
    #[arg(long, env = "BARUN_OFFLINE", value_parser = FalseyValueParser::new())]
    offline: bool,
}

/// A line on standard error. With nobody there to read it, it is lost.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

impl Common {
    /// What the options say of the machine, with Ctrl-C watched from now on.
    pub fn machine(&self) -> Result<Machine> {
        Ok(Machine {
            threads: self.threads.map(NonZeroUsize::get),
            data_dir: self.data_dir.clone(),
            offline: self.offline,
            tell: Some(tell),
            stop: interrupt::flag()?,
        })
    }
}

/// A time such as `10m` or `1h30m`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it as 90s, 10m or 1h30m"))
}
