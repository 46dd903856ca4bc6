//! `barun bench latency`: how long one prediction takes.

use std::path::PathBuf;

use barun_bench::{LatencyReport, latency};
use clap::Args;

use super::{Measuring, Rounds, beside, chosen};
use crate::error::Result;
use crate::{Outcome, output};

/// Measure how long the prediction of a single row takes
///
/// One call after the other, each timed from the call to the result. PyTorch predicts in inference mode; ONNX Runtime runs
/// the network that PyTorch writes as ONNX. A Python for both has torch, onnx and onnxruntime.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: threads, rounds, peers[] with peer and version, and workloads[] with workload, us_median, us_median_range (of
the rounds), us_p99 (99th percentile), and peers[] with peer, mode, us_median, us_p99, ratio (the peer's median over
Barun's, median of the rounds), ratio_range, ratio_p99.")]
pub struct Latency {
    /// Workloads by name, separated by commas [default: mlp128,cnn64]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,

    /// Compare with PyTorch and ONNX Runtime, by this Python
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,

    #[command(flatten)]
    rounds: Rounds,

    #[command(flatten)]
    measuring: Measuring,
}

impl Latency {
    pub fn run(self) -> Result<Outcome> {
        let workloads = chosen(&self.only, &latency::DEFAULT)?;
        let (threads, pace) = (self.measuring.threads(), self.rounds.pace());
        let measure = |tell: &mut barun_bench::Tell<'_>| {
            latency::latency(&workloads, self.python.as_deref(), threads, &pace, tell)
        };
        self.measuring.report(measure, table)
    }
}

fn table(report: &LatencyReport) -> String {
    let mut rows = Vec::new();
    for row in &report.workloads {
        let figures = format!("{:>10.1} us median  {:>10.1} us 99 %", row.us_median, row.us_p99);
        rows.push((row.workload.clone(), figures));
        rows.extend(row.peers.iter().map(|peer| {
            let [least, greatest] = peer.ratio_range;
            let figures = format!(
                "{:>10.1} us median  {:>10.1} us 99 %  {:>6.2} x  ({least:.2} to {greatest:.2})  {:.2} x at 99 %",
                peer.us_median, peer.us_p99, peer.ratio, peer.ratio_p99
            );
            (format!("  {} {}", peer.peer, peer.mode), figures)
        }));
    }
    format!(
        "a row at a time, {} threads, {} rounds in turns{}\n{}",
        report.threads,
        report.rounds,
        beside(&report.peers),
        output::columns(&rows)
    )
}
