//! `barun bench watching`: what it costs to see inside of a step.

use std::num::NonZeroUsize;

use barun_bench::{Precision, WatchingReport, describe_watched, watching, workloads};
use clap::Args;

use super::{Measuring, chosen, pace};
use crate::error::Result;
use crate::{Outcome, output};

/// Measure what it costs to watch steps from inside
///
/// A watched step is the same step, bit for bit, and tells of each parameter and of what each layer gave. Plain and watched
/// steps train the same network in turns; the overhead is the median over the rounds, with the interval that holds it with
/// 95 % confidence. One round gives the mean of a block of steps.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun bench watching
  barun bench watching --only tab32 --every 20           as it is in a run: every 20th step is watched
  barun bench watching --describe lenet64                the kernels of the watched step

With --json: threads, precision, rounds, every, and workloads[] with workload, us_per_step (plain), overhead_percent,
overhead_interval, overhead_percent_at_20, overhead_interval_at_20, every_for_one_percent.")]
pub struct Watching {
    /// Workloads by name, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,

    /// Which steps are watched: every so manieth
    #[arg(long, value_name = "K", default_value = "1")]
    every: NonZeroUsize,

    /// What to compute in: f32 or bf16
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    precision: String,

    /// Rounds of each workload [default: 20]
    #[arg(long, value_name = "N")]
    rounds: Option<NonZeroUsize>,

    /// How long a block of steps lasts, of which a round has two, in milliseconds [default: 700]
    #[arg(long, value_name = "MS")]
    block_ms: Option<NonZeroUsize>,

    /// Print the kernels of a workload's watched step, and measure nothing
    #[arg(long, value_name = "WORKLOAD", conflicts_with_all = ["only", "json", "every"])]
    describe: Option<String>,

    #[command(flatten)]
    measuring: Measuring,
}

/// Rounds, unless others are asked for.
const ROUNDS: NonZeroUsize = NonZeroUsize::new(20).unwrap();

impl Watching {
    pub fn run(self) -> Result<Outcome> {
        let precision = Precision::by_name(&self.precision)?;
        let threads = self.measuring.threads();
        if let Some(name) = &self.describe {
            output::text(&describe_watched(workloads::by_name(name)?, threads, precision)?)?;
            return Ok(Outcome::Done);
        }
        let all: Vec<&str> = workloads::ALL.iter().map(|workload| workload.name).collect();
        let workloads = chosen(&self.only, &all)?;
        let mut pace = pace(Some(self.rounds.unwrap_or(ROUNDS)));
        if let Some(ms) = self.block_ms {
            pace.round = std::time::Duration::from_millis(ms.get() as u64);
        }
        let measure = |tell: &mut barun_bench::Tell<'_>| {
            watching(&workloads, threads, precision, self.every.get(), &pace, tell)
        };
        self.measuring.report(measure, table)
    }
}

fn table(report: &WatchingReport) -> String {
    let which = match report.every {
        1 => "every step watched".to_string(),
        every => format!("every {every}th step watched"),
    };
    let title = |text: &str| text.to_string();
    let mut rows = vec![
        ["workload", "us/step", &which, "(95 %)", "at k = 20", "(95 %)", "1 % at k"].map(title).to_vec(),
    ];
    rows.extend(report.workloads.iter().map(|row| {
        let interval = |[low, high]: [f64; 2]| format!("({low:+.2} to {high:+.2})");
        vec![
            row.workload.clone(),
            format!("{:.1}", row.us_per_step),
            format!("{:+.2} %", row.overhead_percent),
            interval(row.overhead_interval),
            format!("{:+.2} %", row.overhead_percent_at_20),
            interval(row.overhead_interval_at_20),
            row.every_for_one_percent.to_string(),
        ]
    }));
    let WatchingReport { threads, precision, rounds, .. } = report;
    format!("{threads} threads, {precision}, {rounds} rounds in turns\n{}", output::table(&rows))
}
