//! `barun bench doctor`: what the doctor costs.

use std::num::NonZeroUsize;
use std::time::Duration;

use barun_bench::{DoctorReport, doctor};
use clap::Args;

use super::{Measuring, chosen};
use crate::error::Result;
use crate::{Outcome, interrupt, output};

/// Measure what the doctor costs a run
///
/// Steps with the doctor, as `barun train` has it, in turns with steps without it, all of one run through the trainer, with its
/// loader. The overhead is the median over rounds, with the interval that holds it with 95 % confidence; a round is as many
/// steps of either kind as lie between two that are watched, or more where a slice is longer. `barun bench watching` tells what
/// a single watched step takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun bench doctor
  barun bench doctor --only tab32 --rounds 50

With --json: threads, rounds, and workloads[] with workload, steps (of either kind, in a round), slice (steps of
either kind in a row), watched (of the steps with the doctor, in all rounds), us_per_step (without the doctor),
overhead_percent, overhead_interval, alarms (rules with findings above information; R18 where the rows are learned by
heart).")]
pub struct Doctor {
    /// Workloads by name, separated by commas [default: those of rows and images]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,

    /// Rounds that count, of each workload
    #[arg(long, value_name = "N", default_value = "20")]
    rounds: NonZeroUsize,

    /// About how long steps of one kind follow each other, in milliseconds; at least one step
    #[arg(long, value_name = "MS", default_value = "30")]
    slice_ms: NonZeroUsize,

    #[command(flatten)]
    measuring: Measuring,
}

impl Doctor {
    pub fn run(self) -> Result<Outcome> {
        let workloads = chosen(&self.only, barun_bench::DOCTOR_WORKLOADS)?;
        let mut pace = super::pace(Some(self.rounds));
        pace.round = Duration::from_millis(self.slice_ms.get() as u64);
        let stop = interrupt::flag()?;
        let measure = |tell: &mut barun_bench::Tell<'_>| {
            doctor(&workloads, self.measuring.threads(), &pace, &stop, tell)
        };
        self.measuring.report(measure, table)
    }
}

fn table(report: &DoctorReport) -> String {
    let mut rows = vec![
        ["workload", "us/step", "steps", "watched", "overhead", "(95 %)", "alarms"]
            .map(String::from)
            .to_vec(),
    ];
    rows.extend(report.workloads.iter().map(|row| {
        let [low, high] = row.overhead_interval;
        vec![
            row.workload.clone(),
            format!("{:.1}", row.us_per_step),
            (row.steps * report.rounds).to_string(),
            row.watched.to_string(),
            format!("{:+.2} %", row.overhead_percent),
            format!("({low:+.2} to {high:+.2})"),
            if row.alarms.is_empty() { "none".to_string() } else { row.alarms.join(", ") },
        ]
    }));
    let DoctorReport { threads, rounds, .. } = report;
    format!("{threads} threads, {rounds} rounds with and without the doctor\n{}", output::table(&rows))
}
