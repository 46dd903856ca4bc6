//! How much faster a step is on all threads than on one, beside how much faster pure multiply-adds and the memory are:
//! more than the machine's own gain cannot be had.

use barun_engine::cpu::limits::Limits;
use barun_engine::{Device, DeviceOptions};
use serde::Serialize;

use crate::error::Result;
use crate::measure::{Pace, Tell, median, one_and, ratio};
use crate::workloads::{Precision, Training, Workload};

/// The workloads that are measured unless others are asked for.
pub const DEFAULT: [&str; 2] = ["cnn64", "resnet18_64"];

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScalingReport {
    /// Threads that are held against one.
    pub threads: usize,
    /// Rounds of each.
    pub rounds: usize,
    /// One for each workload.
    pub workloads: Vec<Scaling>,
}

/// The gain of a workload's step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scaling {
    /// The workload.
    pub workload: String,
    /// The median microseconds of a step on one thread.
    pub us_per_step_alone: f64,
    /// And on all.
    pub us_per_step: f64,
    /// How many times as fast: the median of rounds in turns.
    pub speedup: f64,
    /// The least and the greatest round's.
    pub speedup_range: [f64; 2],
    /// The same of multiply-adds in registers, in the same rounds.
    pub multiply_add_speedup: f64,
    /// The same of the bandwidth of the memory.
    pub bandwidth_speedup: f64,
    /// The step's gain over that of multiply-adds, the median of rounds.
    pub of_multiply_adds: f64,
}

/// Measures the steps of `workloads` on one thread and on `threads` in turns.
pub fn scaling(
    workloads: &[&Workload],
    threads: Option<usize>,
    pace: &Pace,
    tell: &mut Tell<'_>,
) -> Result<ScalingReport> {
    let most = Device::new(DeviceOptions { threads, ..DeviceOptions::default() })?.threads();
    let mut found = Vec::new();
    for workload in workloads {
        found.push(one(workload, most, pace, tell)?);
    }
    Ok(ScalingReport { threads: most, rounds: pace.rounds.max(1), workloads: found })
}

fn one(workload: &Workload, most: usize, pace: &Pace, tell: &mut Tell<'_>) -> Result<Scaling> {
    tell(&format!("{}: warming up", workload.name))?;
    let teams: Result<Vec<OnThreads>> =
        one_and(most).into_iter().map(|threads| OnThreads::new(workload, threads, pace)).collect();
    let mut teams = teams?;
    for round in 1..=pace.rounds.max(1) {
        tell(&format!("{}: round {round} of {}", workload.name, pace.rounds.max(1)))?;
        for team in &mut teams {
            std::thread::sleep(pace.rest);
            team.round()?;
        }
    }
    let (alone, all) = (&teams[0], &teams[teams.len() - 1]);
    let (speedup, speedup_range) = ratio(&alone.us, &all.us);
    let gains: Vec<f64> = alone.us.iter().zip(&all.us).map(|(alone, all)| alone / all).collect();
    let multiply_adds: Vec<f64> =
        all.flops.iter().zip(&alone.flops).map(|(all, alone)| all / alone).collect();
    Ok(Scaling {
        workload: workload.name.to_string(),
        us_per_step_alone: median(&mut alone.us.clone()),
        us_per_step: median(&mut all.us.clone()),
        speedup,
        speedup_range,
        multiply_add_speedup: ratio(&all.flops, &alone.flops).0,
        bandwidth_speedup: ratio(&all.bandwidth, &alone.bandwidth).0,
        of_multiply_adds: ratio(&gains, &multiply_adds).0,
    })
}

/// A workload on so many threads, with the times and the machine's limits so far.
struct OnThreads {
    device: Device,
    training: Training,
    steps: usize,
    us: Vec<f64>,
    flops: Vec<f64>,
    bandwidth: Vec<f64>,
}

impl OnThreads {
    fn new(workload: &Workload, threads: usize, pace: &Pace) -> Result<OnThreads> {
        let device = Device::new(DeviceOptions { threads: Some(threads), ..DeviceOptions::default() })?;
        let mut training = workload.training(&device, Precision::F32)?;
        let steps = pace.steps(training.warm_up(pace)?);
        let [us, flops, bandwidth] = Default::default();
        Ok(OnThreads { device, training, steps, us, flops, bandwidth })
    }

    fn round(&mut self) -> Result<()> {
        let limits = Limits::measure(&self.device);
        self.flops.push(limits.flops_per_second);
        self.bandwidth.extend(limits.bytes_per_second.last().map(|(_, rate)| *rate));
        self.us.push(self.training.round(self.steps)?);
        Ok(())
    }
}
