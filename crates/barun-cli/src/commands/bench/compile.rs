//! `barun bench compile`: how long a step takes to compile.

use barun_bench::{CompileReport, workloads};
use clap::Args;

use super::{Measuring, Rounds, chosen};
use crate::error::Result;
use crate::{Outcome, output};

/// Measure how long a step takes to compile, and how that grows
///
/// From the model to the compiled training step, no run. Then an MLP of 10 hidden layers beside one of 100, and a batch
/// beside one of ten times the rows: both the compiling and the step should grow no faster than that.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: threads, rounds, workloads[] with workload, ms, ms_range, kernels, and growth[] with what, compile_ratio,
step_ratio (medians of the rounds), compile_ms, us_per_step (of the larger one).")]
pub struct Compile {
    /// Workloads by name, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,

    #[command(flatten)]
    rounds: Rounds,

    #[command(flatten)]
    measuring: Measuring,
}

impl Compile {
    pub fn run(self) -> Result<Outcome> {
        let all = workloads::ALL.each_ref().map(|workload| workload.name);
        let workloads = chosen(&self.only, &all)?;
        let (threads, pace) = (self.measuring.threads(), self.rounds.pace());
        let measure =
            |tell: &mut barun_bench::Tell<'_>| barun_bench::compile_time(&workloads, threads, &pace, tell);
        self.measuring.report(measure, table)
    }
}

fn table(report: &CompileReport) -> String {
    let mut rows: Vec<(String, String)> = report
        .workloads
        .iter()
        .map(|row| (row.workload.clone(), format!("{:>8.2} ms  {:>4} kernels", row.ms, row.kernels)))
        .collect();
    rows.extend(report.growth.iter().map(|growth| {
        let figures = format!(
            "{:>8.2} ms  {:>6.2} x to compile  {:>6.2} x a step",
            growth.compile_ms, growth.compile_ratio, growth.step_ratio
        );
        (growth.what.clone(), figures)
    }));
    format!("compiling, {} threads, {} rounds\n{}", report.threads, report.rounds, output::columns(&rows))
}
