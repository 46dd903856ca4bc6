//! `barun resume`: a run goes on where it stopped.

use std::path::PathBuf;
use std::time::Duration;

use barun_train::memory::parse_bytes;
use barun_train::request::{ResumeRequest, resume_seeds};
use barun_train::run::{SeedsFolder, recipe_of};
use clap::Args;

use super::train::{finish, finish_seeds};
use crate::Outcome;
use crate::common::{Common, parse_duration};
use crate::error::Result;
use crate::follow::Follow;

/// Go on with a run that was interrupted, killed, or out of time or disk
///
/// RUN is a run folder, or the folder of several seeds. The run goes on from its last checkpoint, also in the middle of an epoch, and ends with the very
/// weights that it would have had without the interruption. A damaged checkpoint is told and the one before it used.
///
/// The data must be what it was. What a recipe says may not change on the way but for train.epochs, train.max_seconds,
/// train.early_stopping and train.checkpoint. More epochs stretch the learning-rate schedule from here on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun resume runs/digits-mlp-1
  barun resume runs/digits-mlp-1 --max-time 30m        half an hour in all
  barun resume runs/digits-mlp-1 --epochs 20 --json    twenty epochs in all

With --json: the same document as barun train.")]
pub struct Resume {
    /// A run folder
    run: PathBuf,

    /// Train for so many epochs in all
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,

    /// Train for at most so long in all, such as 10m or 1h30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    max_time: Option<Duration>,

    /// The memory it may take, such as 2GiB: more is refused before anything is trained [default: what is free]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    memory_limit: Option<usize>,

    /// Show curves and progress on the whole terminal while it trains
    #[arg(long)]
    tui: bool,

    /// Write no report.html and no event files for TensorBoard
    #[arg(long)]
    no_report: bool,

    #[command(flatten)]
    common: Common,
}

impl Resume {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        let request = ResumeRequest {
            run: self.run,
            epochs: self.epochs,
            max_seconds: self.max_time.map(|time| time.as_secs_f64()),
            memory_limit: self.memory_limit,
            report: !self.no_report,
            machine: self.common.machine()?,
        };
        if SeedsFolder::is_at(&request.run) {
            let (recipe, seeds) = SeedsFolder::open(&request.run)?.plan()?;
            let (follow, seeds) = (Follow::new(self.tui, &request.machine, &recipe), seeds.len());
            let report = resume_seeds(&request, &mut |number, seed| follow.seed(number, seeds, seed))?;
            return finish_seeds(&report, self.common.json);
        }
        let follow = Follow::new(self.tui, &request.machine, &recipe_of(&request.run)?);
        let report = follow.through(|callback| barun_train::resume(&request, callback))?;
        finish(&report, self.common.json)
    }
}
