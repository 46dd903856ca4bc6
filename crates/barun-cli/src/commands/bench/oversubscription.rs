//! `barun bench oversubscription`: a step on cores that are wanted by others too.

use barun_bench::{OversubscriptionReport, oversubscription};
use clap::Args;

use super::{Rounds, print, tell};
use crate::error::Result;
use crate::{Outcome, interrupt, output};

/// Measure a step while there are more busy threads than cores
///
/// The step takes a thread for each core, beside as many busy neighbours; then twice the threads, alone and with the
/// neighbours. A fair scheduler would slow it down by so much; more than that is lost where threads wait for each other.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: workload, cores, rounds, us_per_step (undisturbed, mean of a round's steps), and cases[] with threads,
neighbours, us_per_step, slowdown (median of the rounds), slowdown_range, fair_slowdown.")]
pub struct Oversubscription {
    /// The workload by name
    #[arg(long, value_name = "NAME", default_value = oversubscription::DEFAULT)]
    only: String,

    #[command(flatten)]
    rounds: Rounds,

    /// Print one JSON document on standard output; everything else goes to standard error
    #[arg(long)]
    json: bool,
}

impl Oversubscription {
    pub fn run(self) -> Result<Outcome> {
        let stop = interrupt::flag()?;
        let mut tell = |text: &str| tell(text, &stop);
        match oversubscription::oversubscription(&self.only, &self.rounds.pace(), &mut tell) {
            Err(barun_bench::Error::Stopped) => return Ok(Outcome::Interrupted),
            report => print(self.json, &report?, table)?,
        }
        Ok(Outcome::Done)
    }
}

fn table(report: &OversubscriptionReport) -> String {
    let mut rows =
        vec![(format!("{} threads alone", report.cores), format!("{:>10.1} us/step", report.us_per_step))];
    rows.extend(report.cases.iter().map(|case| {
        let [least, greatest] = case.slowdown_range;
        let figures = format!(
            "{:>10.1} us/step  {:>6.2} x  ({least:.2} to {greatest:.2})  fair {:.2} x",
            case.us_per_step, case.slowdown, case.fair_slowdown
        );
        (format!("{} threads, {} busy neighbours", case.threads, case.neighbours), figures)
    }));
    format!(
        "{} on {} cores, {} rounds in turns\n{}",
        report.workload,
        report.cores,
        report.rounds,
        output::columns(&rows)
    )
}
