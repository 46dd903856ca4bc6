//! `barun bench memory`: how much memory training takes.

use std::path::PathBuf;
use std::process::Command;

use barun_bench::{MemoryReport, Workload, workloads};
use clap::Args;

use super::{Measuring, beside, chosen};
use crate::error::{Error, Result};
use crate::{Outcome, output};

/// Measure the memory of training (on Linux)
///
/// The greatest resident memory while a network is built and trained for a few steps, less the memory before: for each
/// workload a fresh process of barun's, and of PyTorch's.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: threads, steps, peers[] with peer and version, and workloads[] with workload, bytes, planned_bytes (of state
and arena, as compiled), and peers[] with peer, mode, bytes, ratio (the peer's bytes over Barun's).")]
pub struct Memory {
    /// Workloads by name, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,

    /// Compare with PyTorch, by this Python
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,

    /// Measure one workload in this very process, and print that as JSON
    #[arg(long, value_name = "WORKLOAD", hide = true, conflicts_with_all = ["only", "python"])]
    here: Option<String>,

    #[command(flatten)]
    measuring: Measuring,
}

impl Memory {
    pub fn run(self) -> Result<Outcome> {
        let threads = self.measuring.threads();
        if let Some(name) = &self.here {
            output::json(&barun_bench::own_memory(workloads::by_name(name)?, threads)?)?;
            return Ok(Outcome::Done);
        }
        let all = workloads::ALL.each_ref().map(|workload| workload.name);
        let workloads = chosen(&self.only, &all)?;
        let program = std::env::current_exe().map_err(Error::Program)?;
        let child = |workload: &Workload| {
            let mut command = Command::new(&program);
            command.args(["bench", "memory", "--here", workload.name]);
            command.args(threads.map(|threads| format!("--threads={threads}")));
            command
        };
        let measure = |tell: &mut barun_bench::Tell<'_>| {
            barun_bench::memory(&workloads, &child, self.python.as_deref(), threads, tell)
        };
        self.measuring.report(measure, table)
    }
}

fn table(report: &MemoryReport) -> String {
    let mb = |bytes: usize| bytes as f64 / 1e6;
    let mut rows = Vec::new();
    for row in &report.workloads {
        let (bytes, planned) = (mb(row.barun.bytes), mb(row.barun.planned_bytes));
        rows.push((row.barun.workload.clone(), format!("{bytes:>9.1} MB  ({planned:.1} MB planned)")));
        rows.extend(row.peers.iter().map(|peer| {
            let figures = format!("{:>9.1} MB  {:>7.2} x", mb(peer.bytes), peer.ratio);
            (format!("  {} {}", peer.peer, peer.mode), figures)
        }));
    }
    format!(
        "resident peak less the memory before, {} threads, {} steps{}\n{}",
        report.threads,
        report.steps,
        beside(&report.peers),
        output::columns(&rows)
    )
}
