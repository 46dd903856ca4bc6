//! `barun report`: the page of a run, written anew.

use std::path::PathBuf;

use barun_train::page;
use clap::Args;

use crate::error::Result;
use crate::{Outcome, output};

/// Write the report of a run anew
///
/// RUN is a run folder. Everything the report shows is in the folder, so neither the data nor the network is needed; a run that
/// still goes on, or broke off, gets a report of what there is. `barun train` writes it by itself at the end.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun report runs/digits-mlp-1
  barun report runs/digits-mlp-1 --json

The report is RUN/report.html, one file that opens in any browser without a network. With --json: run, report.")]
pub struct Report {
    /// A run folder
    run: PathBuf,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Report {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        let written = page::write(&self.run)?;
        if self.json {
            let [run, report] = [&self.run, &written].map(|path| path.display().to_string());
            output::json(&serde_json::json!({ "run": run, "report": report }))?;
        } else {
            output::text(&format!("{}\n", written.display()))?;
        }
        Ok(Outcome::Done)
    }
}
