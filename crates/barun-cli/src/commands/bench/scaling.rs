//! `barun bench scaling`: what more threads bring.

use barun_bench::{ScalingReport, scaling};
use clap::Args;

use super::{Measuring, Rounds, chosen};
use crate::error::Result;
use crate::{Outcome, output};

/// Measure how much faster a step is on all threads than on one
///
/// Beside it, in the same rounds, how much faster all threads are than one at pure multiply-adds and at reading and writing
/// memory: cores that share a clock, a cache or an arithmetic unit gain less than their number.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: threads, rounds, and workloads[] with workload, us_per_step_alone, us_per_step, speedup, speedup_range,
multiply_add_speedup, bandwidth_speedup, of_multiply_adds (speedup over multiply_add_speedup, median of the rounds).")]
pub struct Scaling {
    /// Workloads by name, separated by commas [default: cnn64,resnet18_64]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,

    #[command(flatten)]
    rounds: Rounds,

    #[command(flatten)]
    measuring: Measuring,
}

impl Scaling {
    pub fn run(self) -> Result<Outcome> {
        let workloads = chosen(&self.only, &scaling::DEFAULT)?;
        let (threads, pace) = (self.measuring.threads(), self.rounds.pace());
        let measure = |tell: &mut barun_bench::Tell<'_>| scaling::scaling(&workloads, threads, &pace, tell);
        self.measuring.report(measure, table)
    }
}

fn table(report: &ScalingReport) -> String {
    let rows: Vec<(String, String)> = report
        .workloads
        .iter()
        .map(|row| {
            let figures = format!(
                "{:>12.1} -> {:.1} us/step  {:.2} x; multiply-adds {:.2} x, memory {:.2} x; {:.2} of multiply-adds",
                row.us_per_step_alone,
                row.us_per_step,
                row.speedup,
                row.multiply_add_speedup,
                row.bandwidth_speedup,
                row.of_multiply_adds
            );
            (row.workload.clone(), figures)
        })
        .collect();
    let (threads, rounds) = (report.threads, report.rounds);
    format!("1 thread -> {threads} threads, {rounds} rounds in turns\n{}", output::columns(&rows))
}
