//! `barun bench`: how fast a training step is here.

use barun_train::report::BenchReport;
use barun_train::request::BenchRequest;
use clap::Args;

use crate::common::Common;
use crate::error::Result;
use crate::{Outcome, output};

/// Measure training steps on fixed workloads
///
/// Every step is forward, cross-entropy, backward and Adam on made-up data. Compare with other programs on the same machine, with
/// the same threads, in the same minute.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun bench
  barun bench mlp128 lenet64 --threads 1 --json

With --json: threads, workloads[] with workload, us_per_step (median), samples_per_second.")]
pub struct Bench {
    /// Workloads by name [default: all]
    workloads: Vec<String>,

    #[command(flatten)]
    common: Common,
}

impl Bench {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        let machine = self.common.machine()?;
        let report = barun_train::bench(&BenchRequest { workloads: self.workloads, machine })?;
        if self.common.json {
            output::json(&report)?;
        } else {
            output::text(&table(&report))?;
        }
        Ok(Outcome::Done)
    }
}

fn table(report: &BenchReport) -> String {
    let rows: Vec<_> = report
        .workloads
        .iter()
        .map(|row| {
            let figures =
                format!("{:>12.1} us/step  {:>12.0} samples/s", row.us_per_step, row.samples_per_second);
            (row.workload.clone(), figures)
        })
        .collect();
    format!("{} threads\n{}", report.threads, output::columns(&rows))
}
