//! What it costs to watch: steps that tell of their inside, in turns with steps that do not.
//!
//! Watching is for every k-th step, so its price is the longer time of that step, divided by k. Watched and plain steps
//! train the same network on the same batch, in blocks of equal length one after the other, and each round gives one ratio:
//! what slows the machine down slows both.

use std::time::Instant;

use barun_engine::{Device, DeviceOptions};
use serde::Serialize;

use crate::error::Result;
use crate::measure::{Pace, Tell, median, median_interval};
use crate::workloads::{Precision, Training, Workload};

/// The share of a run's time that watching should cost at most.
const AFFORDED: f64 = 0.01;

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WatchingReport {
    /// Threads used.
    pub threads: usize,
    /// What was computed in.
    pub precision: String,
    /// Rounds of each.
    pub rounds: usize,
    /// Which steps of the watched blocks were watched: every so manieth.
    pub every: usize,
    /// One for each workload.
    pub workloads: Vec<Watching>,
}

/// The price for one workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Watching {
    /// The workload.
    pub workload: String,
    /// The median microseconds of a plain step.
    pub us_per_step: f64,
    /// How much longer a step takes where every [`every`](WatchingReport::every)-th is watched, in per cent: the median of
    /// the rounds.
    pub overhead_percent: f64,
    /// The interval that holds the median of all rounds with 95 % confidence.
    pub overhead_interval: [f64; 2],
    /// The same where every 20th step is watched.
    pub overhead_percent_at_20: f64,
    /// Its interval.
    pub overhead_interval_at_20: [f64; 2],
    /// The k from which on watching every k-th step costs no more than 1 %; at least 20.
    pub every_for_one_percent: usize,
}

/// Measures the steps of `workloads` with every `every`-th watched, in turns with plain ones. `tell` hears what is done
/// next.
pub fn watching(
    workloads: &[&Workload],
    threads: Option<usize>,
    precision: Precision,
    every: usize,
    pace: &Pace,
    tell: &mut Tell<'_>,
) -> Result<WatchingReport> {
    let device = Device::new(DeviceOptions { threads, ..DeviceOptions::default() })?;
    let every = every.max(1);
    let mut found = Vec::new();
    for workload in workloads {
        tell(workload.name)?;
        let mut training = workload.training(&device, precision)?;
        let steps = pace.steps(training.warm_up(pace)?).next_multiple_of(every);
        training.block(every, Some(every))?;
        let rounds = (0..pace.rounds.max(1)).map(|round| {
            // Whoever comes first in one round comes second in the next.
            let [first, second] = if round % 2 == 0 { [None, Some(every)] } else { [Some(every), None] };
            let us = [training.block(steps, first)?, training.block(steps, second)?];
            Ok(if round % 2 == 0 { us } else { [us[1], us[0]] })
        });
        let rounds: Result<Vec<[f64; 2]>> = rounds.collect();
        found.push(Watching::of(workload, every, &rounds?));
    }
    Ok(WatchingReport {
        threads: device.threads(),
        precision: precision.name().to_string(),
        rounds: pace.rounds.max(1),
        every,
        workloads: found,
    })
}

impl Watching {
    /// From the microseconds of a plain and a watched step in each round.
    fn of(workload: &Workload, every: usize, rounds: &[[f64; 2]]) -> Watching {
        let mut overheads: Vec<f64> =
            rounds.iter().map(|[plain, watched]| 100.0 * (watched / plain - 1.0)).collect();
        let overhead_percent = median(&mut overheads);
        let overhead_interval = median_interval(&overheads);
        let at_20 = every as f64 / 20.0;
        // What is a whole number but for rounding is that number.
        let affordable = (overhead_percent * every as f64 / (100.0 * AFFORDED) - 1e-9).ceil();
        Watching {
            workload: workload.name.to_string(),
            us_per_step: median(&mut rounds.iter().map(|[plain, _]| *plain).collect::<Vec<_>>()),
            overhead_percent,
            overhead_interval,
            overhead_percent_at_20: overhead_percent * at_20,
            overhead_interval_at_20: overhead_interval.map(|end| end * at_20),
            every_for_one_percent: affordable.max(20.0) as usize,
        }
    }
}

impl Training {
    /// The mean microseconds of `steps` steps, of which every `every`-th is watched.
    fn block(&mut self, steps: usize, every: Option<usize>) -> Result<f64> {
        let start = Instant::now();
        for step in 1..=steps {
            match every {
                Some(every) if step % every == 0 => drop(self.watched_step()?),
                _ => drop(self.step()?),
            }
        }
        Ok(start.elapsed().as_secs_f64() * 1e6 / steps.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads;

    #[test]
    fn what_watching_costs_at_20_follows_from_what_it_cost_at_another_k() {
        let workload = workloads::by_name("tab32").unwrap();
        let rounds = [[100.0, 110.0], [200.0, 220.0], [50.0, 60.0], [10.0, 11.0], [10.0, 10.5], [10.0, 11.0]];
        let found = Watching::of(workload, 5, &rounds);
        assert!((found.overhead_percent - 10.0).abs() < 1e-9, "{found:?}");
        assert!((found.overhead_percent_at_20 - 2.5).abs() < 1e-9, "{found:?}");
        assert_eq!(found.every_for_one_percent, 50);
        assert!(
            (found.overhead_interval[0] - 5.0).abs() < 1e-9
                && (found.overhead_interval[1] - 20.0).abs() < 1e-9
        );
    }
}
