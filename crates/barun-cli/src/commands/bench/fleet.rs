//! `barun bench fleet`: many small models at once.

use std::path::PathBuf;

use barun_bench::{FleetReport, MODELS};
use clap::Args;

use super::{Measuring, Rounds, beside};
use crate::error::Result;
use crate::{Outcome, output};

/// Measure the training of 32 small models at once, on one thread and on all
///
/// The models are those of `tab32`, each with its own weights and its own batch, under one compiled step. JAX trains as
/// many by `vmap`, 50 steps in one call.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: workload, models, rounds, peers[] with peer and version, and fleets[] (one for each number of threads) with
threads, us_per_model_step, model_steps_per_second, speedup (over one thread), speedup_range, and peers[] with peer, mode,
us_per_step (of a model), ratio (the peer's time over Barun's, median of the rounds), ratio_range.")]
pub struct Fleet {
    /// Compare with JAX, by this Python
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,

    #[command(flatten)]
    rounds: Rounds,

    #[command(flatten)]
    measuring: Measuring,
}

impl Fleet {
    pub fn run(self) -> Result<Outcome> {
        let (threads, pace) = (self.measuring.threads(), self.rounds.pace());
        let measure = |tell: &mut barun_bench::Tell<'_>| {
            barun_bench::fleet(self.python.as_deref(), threads, &pace, tell)
        };
        self.measuring.report(measure, table)
    }
}

fn table(report: &FleetReport) -> String {
    let mut rows = Vec::new();
    for fleet in &report.fleets {
        let figures = format!(
            "{:>10.2} us/model-step  {:>10.0} model-steps/s  {:>6.2} x of one thread",
            fleet.us_per_model_step, fleet.model_steps_per_second, fleet.speedup
        );
        rows.push((format!("{} threads", fleet.threads), figures));
        rows.extend(fleet.peers.iter().map(|peer| {
            let [least, greatest] = peer.ratio_range;
            let figures = format!(
                "{:>10.2} us/model-step  {:>7.2} x  ({least:.2} to {greatest:.2})",
                peer.us_per_step, peer.ratio
            );
            (format!("  {} {}", peer.peer, peer.mode), figures)
        }));
    }
    let (rounds, peers) = (report.rounds, beside(&report.peers));
    format!(
        "{MODELS} models of {}, {rounds} rounds in turns{peers}\n{}",
        report.workload,
        output::columns(&rows)
    )
}
