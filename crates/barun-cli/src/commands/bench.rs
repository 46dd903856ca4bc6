//! `barun bench`: how fast a training step is here, and beside PyTorch and JAX; below it, a file each, the other
//! measurements.

mod compile;
mod doctor;
mod fleet;
mod latency;
mod loader;
mod memory;
mod optimizers;
mod oversubscription;
mod scaling;
mod watching;

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use barun_bench::{
    Compared, Comparison, Measured, Pace, Precision, Report, StepProfile, Workload, workloads,
};
use clap::{Args, Subcommand};

use crate::error::Result;
use crate::{Outcome, interrupt, output};

/// Measure training steps on fixed workloads
///
/// Every step is forward, cross-entropy, backward and Adam on made-up data. A time alone says little, since machines
/// differ from each other and from hour to hour: --compare trains the same networks with PyTorch and JAX in turns
/// with Barun's, with the same threads, and prints how many times as long they take.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  barun bench
  barun bench --only mlp128,lenet64 --threads 1 --json
  barun bench --precision bf16 --only cnn64
  barun bench --describe lenet64                         the kernels of the compiled step
  barun bench --profile lenet64                          where the time of a step goes
  barun bench --compare --python venv/bin/python         a Python with torch, jax or both
  barun bench latency --python venv/bin/python           another measurement; `barun bench latency --help` says more

With --json: threads, precision, workloads[] with workload, us_per_step (median), us_per_step_range (of the rounds),
samples_per_second; with --compare also rounds, peers[] with peer and version, and in each workload peers[] with peer,
mode, us_per_step, ratio (the peer's time over Barun's, median of the rounds), ratio_range. With --profile: workload,
threads, precision, us_per_step, waiting_us, floor_us, peak_gflops, bandwidths[], and kernels[] with kernel, layer, shape, us,
percent_of_step, gflops, gb_per_second, percent_of_limit.")]
pub struct Bench {
    #[command(subcommand)]
    other: Option<Other>,

    /// Workloads by name, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,

    /// Threads to compute with [default: as many as the machine lends]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,

    /// What to compute in: f32, or bf16 (weights and sums in f32)
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    precision: String,

    /// Rounds of each workload [default: 7]
    #[arg(long, value_name = "N")]
    rounds: Option<NonZeroUsize>,

    /// Print one JSON document on standard output; everything else goes to standard error
    #[arg(long)]
    json: bool,

    /// Print the kernels of a workload's compiled step with their FLOPs and bytes, and measure nothing
    #[arg(long, value_name = "WORKLOAD", conflicts_with_all = ["only", "json", "compare", "profile"])]
    describe: Option<String>,

    /// Print the time of each kernel of a workload's step, its share, GFLOP/s, GB/s, and per cent of the machine's limit,
    /// which is measured first. FLOPs are those of the operation's definition, so an algorithm that gets by with fewer,
    /// as Winograd's for convolutions, can pass the limit
    #[arg(long, value_name = "WORKLOAD", conflicts_with_all = ["only", "compare", "rounds"])]
    profile: Option<String>,

    /// Measure PyTorch and JAX too, in turns
    #[arg(long, requires = "python")]
    compare: bool,

    /// The Python of --compare
    #[arg(long, value_name = "PATH", requires = "compare")]
    python: Option<PathBuf>,

    /// Ways in which the peers train, separated by commas [default: all of the same precision]
    #[arg(long, value_name = "MODES", value_delimiter = ',', requires = "compare")]
    modes: Vec<String>,
}

/// What can be measured beside the steps.
#[derive(Debug, Subcommand)]
enum Other {
    Compile(compile::Compile),
    Doctor(doctor::Doctor),
    Fleet(fleet::Fleet),
    Latency(latency::Latency),
    Loader(loader::Loader),
    Memory(memory::Memory),
    Optimizers(optimizers::Optimizers),
    Oversubscription(oversubscription::Oversubscription),
    Scaling(scaling::Scaling),
    Watching(watching::Watching),
}

impl Other {
    fn run(self) -> Result<Outcome> {
        match self {
            Other::Compile(compile) => compile.run(),
            Other::Doctor(doctor) => doctor.run(),
            Other::Fleet(fleet) => fleet.run(),
            Other::Latency(latency) => latency.run(),
            Other::Loader(loader) => loader.run(),
            Other::Memory(memory) => memory.run(),
            Other::Optimizers(optimizers) => optimizers.run(),
            Other::Oversubscription(oversubscription) => oversubscription.run(),
            Other::Scaling(scaling) => scaling.run(),
            Other::Watching(watching) => watching.run(),
        }
    }
}

/// The options of every measurement beside the steps.
#[derive(Debug, Args)]
struct Measuring {
    /// Threads to compute with [default: as many as the machine lends]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,

    /// Print one JSON document on standard output; everything else goes to standard error
    #[arg(long)]
    json: bool,
}

impl Measuring {
    fn threads(&self) -> Option<usize> {
        self.threads.map(NonZeroUsize::get)
    }

    /// Measures and prints what was found.
    fn report<T: serde::Serialize>(
        &self,
        measure: impl FnOnce(&mut barun_bench::Tell<'_>) -> barun_bench::Result<T>,
        table: impl Fn(&T) -> String,
    ) -> Result<Outcome> {
        let stop = interrupt::flag()?;
        match measure(&mut |text: &str| tell(text, &stop)) {
            Err(barun_bench::Error::Stopped) => return Ok(Outcome::Interrupted),
            report => print(self.json, &report?, table)?,
        }
        Ok(Outcome::Done)
    }
}

/// The option of every measurement in rounds.
#[derive(Debug, Args)]
struct Rounds {
    /// Rounds of everyone, in turns [default: 7]
    #[arg(long, value_name = "N")]
    rounds: Option<NonZeroUsize>,
}

impl Rounds {
    fn pace(&self) -> Pace {
        pace(self.rounds)
    }
}

fn pace(rounds: Option<NonZeroUsize>) -> Pace {
    let default = Pace::default();
    Pace { rounds: rounds.map_or(default.rounds, NonZeroUsize::get), ..default }
}

impl Bench {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        if let Some(other) = self.other {
            return other.run();
        }
        let threads = self.threads.map(NonZeroUsize::get);
        let precision = Precision::by_name(&self.precision)?;
        if let Some(name) = &self.describe {
            output::text(&barun_bench::describe(workloads::by_name(name)?, threads, precision)?)?;
            return Ok(Outcome::Done);
        }
        if let Some(name) = &self.profile {
            let profile =
                barun_bench::profile(workloads::by_name(name)?, threads, precision, &Pace::default())?;
            print(self.json, &profile, profile_table)?;
            return Ok(Outcome::Done);
        }
        let all: Vec<&str> = workloads::ALL.iter().map(|workload| workload.name).collect();
        let chosen = chosen(&self.only, &all)?;
        let pace = pace(self.rounds);
        let stop = interrupt::flag()?;
        let mut tell = |text: &str| tell(text, &stop);
        match &self.python {
            Some(python) => {
                match barun_bench::compare(&chosen, python, &self.modes, threads, precision, &pace, &mut tell)
                {
                    Err(barun_bench::Error::Stopped) => return Ok(Outcome::Interrupted),
                    comparison => print(self.json, &comparison?, comparison_table)?,
                }
            }
            None => match barun_bench::measure(&chosen, threads, precision, &pace, &mut tell) {
                Err(barun_bench::Error::Stopped) => return Ok(Outcome::Interrupted),
                report => print(self.json, &report?, table)?,
            },
        }
        Ok(Outcome::Done)
    }
}

/// The workloads called `only`, or else those called `default`.
fn chosen(only: &[String], default: &[&str]) -> Result<Vec<&'static Workload>> {
    let chosen: barun_bench::Result<_> = match only {
        [] => default.iter().map(|name| workloads::by_name(name)).collect(),
        only => only.iter().map(|name| workloads::by_name(name)).collect(),
    };
    Ok(chosen?)
}

/// Who took part beside Barun, for the head of a table.
fn beside(peers: &[barun_bench::PeerVersion]) -> String {
    peers.iter().map(|peer| format!(", {} {}", peer.peer, peer.version)).collect()
}

fn print<T: serde::Serialize>(json: bool, document: &T, table: impl Fn(&T) -> String) -> Result<()> {
    if json { output::json(document) } else { output::text(&table(document)) }
}

/// What is done next, on standard error (with that closed, nobody wants to know), unless the user has asked to stop.
fn tell(text: &str, stop: &AtomicBool) -> barun_bench::Result<()> {
    if stop.load(Ordering::Relaxed) {
        return Err(barun_bench::Error::Stopped);
    }
    let _ = writeln!(std::io::stderr(), "{text}");
    Ok(())
}

fn table(report: &Report) -> String {
    let rows: Vec<_> = report.workloads.iter().map(|row| (row.workload.clone(), figures(row))).collect();
    format!("{} threads, {}\n{}", report.threads, report.precision, output::columns(&rows))
}

fn figures(row: &Measured) -> String {
    format!("{:>12.1} us/step  {:>10.0} samples/s", row.us_per_step, row.samples_per_second)
}

fn profile_table(profile: &StepProfile) -> String {
    let bandwidths = profile
        .bandwidths
        .iter()
        .map(|level| format!("{:.0} GB/s in {} kB", level.gb_per_second, level.bytes >> 10));
    let mut text = format!(
        "{}, {} threads, {}: {:.1} us a step, {:.1} us of it waiting; {:.1} us at the machine's limit\n\
         limit: {:.0} GFLOP/s, {}\n\n\
         {:>10} {:>6} {:>9} {:>8} {:>7}  {:<18} {:<21} kernel\n",
        profile.workload,
        profile.threads,
        profile.precision,
        profile.us_per_step,
        profile.waiting_us,
        profile.floor_us,
        profile.peak_gflops,
        bandwidths.collect::<Vec<_>>().join(", "),
        "us",
        "% step",
        "GFLOP/s",
        "GB/s",
        "% limit",
        "shape",
        "layer"
    );
    for kernel in &profile.kernels {
        text.push_str(&format!(
            "{:>10.1} {:>6.1} {:>9.1} {:>8.1} {:>7.0}  {:<18} {:<21} {}\n",
            kernel.us,
            kernel.percent_of_step,
            kernel.gflops,
            kernel.gb_per_second,
            kernel.percent_of_limit,
            kernel.shape,
            kernel.layer,
            kernel.kernel,
        ));
    }
    text
}

fn comparison_table(comparison: &Comparison) -> String {
    let peers: Vec<String> =
        comparison.peers.iter().map(|peer| format!("{} {}", peer.peer, peer.version)).collect();
    let mut text = format!(
        "{} threads, {}, {} rounds in turns; {}. Above 1.00 x Barun is faster.\n",
        comparison.threads,
        comparison.precision,
        comparison.rounds,
        peers.join(", ")
    );
    let rows: Vec<(String, String)> = comparison.workloads.iter().flat_map(compared_rows).collect();
    text.push_str(&output::columns(&rows));
    text
}

fn compared_rows(compared: &Compared) -> Vec<(String, String)> {
    let mut rows =
        vec![(compared.barun.workload.clone(), format!("{:>12.1} us/step", compared.barun.us_per_step))];
    rows.extend(compared.peers.iter().map(|peer| {
        let [least, greatest] = peer.ratio_range;
        let figures = format!(
            "{:>12.1} us/step  {:>7.2} x  ({least:.2} to {greatest:.2})",
            peer.us_per_step, peer.ratio
        );
        (format!("  {} {}", peer.peer, peer.mode), figures)
    }));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use barun_bench::{PeerResult, PeerVersion};

    #[test]
    fn the_comparison_shows_each_ratio_with_its_spread() {
        let barun = Measured {
            workload: "mlp128".into(),
            us_per_step: 2000.0,
            us_per_step_range: [1900.0, 2100.0],
            samples_per_second: 64_000.0,
        };
        let peer = PeerResult {
            peer: "torch".into(),
            mode: "eager".into(),
            us_per_step: 3000.0,
            ratio: 1.5,
            ratio_range: [1.4, 1.625],
        };
        let comparison = Comparison {
            threads: 2,
            precision: "f32".into(),
            rounds: 7,
            peers: vec![PeerVersion { peer: "torch".into(), version: "2.15.0".into() }],
            workloads: vec![Compared { barun, peers: vec![peer] }],
        };
        assert_eq!(
            comparison_table(&comparison),
            "2 threads, f32, 7 rounds in turns; torch 2.15.0. Above 1.00 x Barun is faster.\n\
             \x20 mlp128               2000.0 us/step\n\
             \x20   torch eager        3000.0 us/step     1.50 x  (1.40 to 1.62)\n"
        );
    }
}
