//! `barun bench optimizers`: the updates against the memory's bandwidth.

use barun_bench::{OptimizerReport, optimizers};
use clap::Args;

use super::{Measuring, Rounds};
use crate::error::Result;
use crate::{Outcome, output};

/// Measure every optimiser's update of 10 million parameters against the bandwidth of the memory
///
/// The ratio is the time of an update over that of reading and writing its parameters, gradients and state once. Only
/// element-wise updates can come near 1; LAMB's norms and Muon's matrix products are more work.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: threads, parameters, rounds, gb_per_second (of the memory), and optimizers[] with optimizer, kernels, bytes,
us_per_update (median), us_range (of the rounds), floor_us, ratio (us_per_update over floor_us).")]
pub struct Optimizers {
    /// Optimisers by name, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,

    #[command(flatten)]
    rounds: Rounds,

    #[command(flatten)]
    measuring: Measuring,
}

impl Optimizers {
    pub fn run(self) -> Result<Outcome> {
        let (threads, pace) = (self.measuring.threads(), self.rounds.pace());
        let measure = |tell: &mut barun_bench::Tell<'_>| optimizers(&self.only, threads, &pace, tell);
        self.measuring.report(measure, table)
    }
}

fn table(report: &OptimizerReport) -> String {
    let row = |row: &barun_bench::OptimizerTime| {
        let figures = format!(
            "{:>10.1} us/update  {:>6.1} GB/s  {:>5.2} x of the memory's time  {:>2} kernels",
            row.us_per_update,
            row.bytes as f64 / row.us_per_update / 1e3,
            row.ratio,
            row.kernels
        );
        (row.optimizer.clone(), figures)
    };
    let rows: Vec<_> = report.optimizers.iter().map(row).collect();
    format!(
        "{} million parameters, {} threads, {} rounds, memory {:.1} GB/s\n{}",
        report.parameters / 1_000_000,
        report.threads,
        report.rounds,
        report.gb_per_second,
        output::columns(&rows)
    )
}
