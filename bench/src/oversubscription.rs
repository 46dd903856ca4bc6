//! What becomes of a step when there are fewer cores than threads that want them: neighbours that compute too, or a
//! team of more threads than cores. A fair scheduler gives every thread its share; beyond that share a step loses where
//! its threads wait for each other.

use std::sync::atomic::{AtomicBool, Ordering};

use barun_engine::{Device, DeviceOptions};
use serde::Serialize;

use crate::error::Result;
use crate::measure::{Pace, Tell, median, ratio};
use crate::workloads::{self, Precision, Training, Workload};

/// The workload that is measured unless another is asked for.
pub const DEFAULT: &str = "mlp128";

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OversubscriptionReport {
    /// The workload.
    pub workload: String,
    /// Cores this process may use.
    pub cores: usize,
    /// Rounds of each case.
    pub rounds: usize,
    /// The mean microseconds of a step with a thread for each core and nobody else: the median round's.
    pub us_per_step: f64,
    /// The crowded cases.
    pub cases: Vec<Crowded>,
}

/// A case with more threads than cores.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Crowded {
    /// Threads of the step.
    pub threads: usize,
    /// Threads beside it that compute all the time.
    pub neighbours: usize,
    /// The mean microseconds of a step: the median round's.
    pub us_per_step: f64,
    /// How many times as long as undisturbed: the median of rounds in turns.
    pub slowdown: f64,
    /// The least and the greatest round's.
    pub slowdown_range: [f64; 2],
    /// How many times as long it would take with its fair share of the cores.
    pub fair_slowdown: f64,
}

/// Measures `workload` with a thread for each core: alone, beside as many busy threads, and with twice the threads.
///
/// The neighbours are threads of this process, which to the scheduler are as good as another's, and end with it.
pub fn oversubscription(workload: &str, pace: &Pace, tell: &mut Tell<'_>) -> Result<OversubscriptionReport> {
    let workload = workloads::by_name(workload)?;
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    tell("warming up")?;
    let mut quiet = Case::new(workload, cores, 0, pace)?;
    let mut crowded = [
        Case::new(workload, cores, cores, pace)?,
        Case::new(workload, 2 * cores, 0, pace)?,
        Case::new(workload, 2 * cores, cores, pace)?,
    ];
    for round in 1..=pace.rounds.max(1) {
        tell(&format!("round {round} of {}", pace.rounds.max(1)))?;
        for case in std::iter::once(&mut quiet).chain(&mut crowded) {
            std::thread::sleep(pace.rest);
            case.round(pace)?;
        }
    }
    let cases = crowded.into_iter().map(|case| case.over(&quiet, cores)).collect();
    Ok(OversubscriptionReport {
        workload: workload.name.to_string(),
        cores,
        rounds: pace.rounds.max(1),
        us_per_step: median(&mut quiet.us),
        cases,
    })
}

/// The step on so many threads beside so many neighbours, and its times so far.
struct Case {
    threads: usize,
    neighbours: usize,
    training: Training,
    us: Vec<f64>,
}

impl Case {
    fn new(workload: &Workload, threads: usize, neighbours: usize, pace: &Pace) -> Result<Case> {
        let device = Device::new(DeviceOptions { threads: Some(threads), ..DeviceOptions::default() })?;
        let mut training = workload.training(&device, Precision::F32)?;
        training.warm_up(pace)?;
        Ok(Case { threads: device.threads(), neighbours, training, us: Vec::new() })
    }

    fn round(&mut self, pace: &Pace) -> Result<()> {
        let us = beside(self.neighbours, || self.training.mean(pace))?;
        self.us.push(us);
        Ok(())
    }

    fn over(mut self, quiet: &Case, cores: usize) -> Crowded {
        let (slowdown, slowdown_range) = ratio(&self.us, &quiet.us);
        Crowded {
            threads: self.threads,
            neighbours: self.neighbours,
            us_per_step: median(&mut self.us),
            slowdown,
            slowdown_range,
            fair_slowdown: fair_slowdown(cores, self.threads, self.neighbours),
        }
    }
}

/// `work`, while `neighbours` threads spin.
fn beside<T>(neighbours: usize, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..neighbours {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let result = work();
        over.store(true, Ordering::Relaxed);
        result
    })
}

/// How many times as long a step takes, against a thread for each core, if each thread gets the same share of the cores.
fn fair_slowdown(cores: usize, threads: usize, neighbours: usize) -> f64 {
    let all = (threads + neighbours) as f64;
    let share = threads as f64 * (cores as f64 / all).min(1.0);
    cores as f64 / share
}

#[cfg(test)]
mod tests {
    use super::fair_slowdown;

    #[test]
    fn a_fair_share_is_a_part_of_the_cores_by_heads() {
        assert_eq!(fair_slowdown(2, 2, 0), 1.0);
        assert_eq!(fair_slowdown(2, 2, 2), 2.0);
        assert_eq!(fair_slowdown(2, 4, 0), 1.0);
        assert_eq!(fair_slowdown(2, 4, 2), 1.5);
    }
}
