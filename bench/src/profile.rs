//! Where a training step's time goes, kernel by kernel, against what the machine can do at most.

use barun_engine::cpu::limits::Limits;
use barun_engine::{Device, DeviceOptions};
use serde::Serialize;

use crate::error::Result;
use crate::measure::Pace;
use crate::workloads::{Precision, Workload};

/// A workload's step, kernel by kernel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepProfile {
    /// The workload.
    pub workload: String,
    /// Threads of the step.
    pub threads: usize,
    /// What was computed in.
    pub precision: String,
    /// Microseconds of a step, with a look at the clock around every task.
    pub us_per_step: f64,
    /// Of these, the microseconds threads waited: for each other, or for work too small to share.
    pub waiting_us: f64,
    /// The microseconds a step would take if every kernel ran at the machine's limit and nobody waited.
    pub floor_us: f64,
    /// The machine's rate of f32 multiply-adds in registers.
    pub peak_gflops: f64,
    /// The machine's bandwidth for arrays of so many bytes.
    pub bandwidths: Vec<Bandwidth>,
    /// The kernels, dearest first.
    pub kernels: Vec<KernelProfile>,
}

/// The machine's bandwidth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bandwidth {
    /// For arrays of so many bytes together.
    pub bytes: usize,
    /// Gigabytes a second.
    pub gb_per_second: f64,
}

/// A kernel's share of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelProfile {
    /// What it computes.
    pub kernel: String,
    /// Layer path, empty outside layers.
    pub layer: String,
    /// Shape of what it iterates over or makes.
    pub shape: String,
    /// Microseconds, all threads' time in it divided by their number.
    pub us: f64,
    /// Per cent of the step.
    pub percent_of_step: f64,
    /// Billion floating-point operations a second. Those of a convolution are counted by its definition, whatever the
    /// algorithm.
    pub gflops: f64,
    /// Gigabytes a second, each buffer counted once.
    pub gb_per_second: f64,
    /// Per cent of the machine's limit: the least time for its operations at the peak rate and for its bytes at the
    /// bandwidth of the memory they fit in, over its time.
    pub percent_of_limit: f64,
}

/// Profiles a workload's step.
pub fn profile(
    workload: &Workload,
    threads: Option<usize>,
    precision: Precision,
    pace: &Pace,
) -> Result<StepProfile> {
    let device = Device::new(DeviceOptions { threads, ..DeviceOptions::default() })?;
    let limits = Limits::measure(&device);
    let mut training = workload.training(&device, precision)?;
    let steps = pace.steps(training.warm_up(pace)?);
    let profile = training.profile(steps)?;
    let floor = |kernel: &barun_engine::KernelInfo| limits.seconds(kernel.flops, kernel.bytes);
    let mut kernels: Vec<KernelProfile> = profile
        .kernels
        .iter()
        .map(|time| {
            let (kernel, seconds) = (&time.kernel, time.seconds.max(1e-12));
            KernelProfile {
                kernel: kernel.name.clone(),
                layer: kernel.layer.clone(),
                shape: kernel.shape.clone(),
                us: time.seconds * 1e6,
                percent_of_step: 100.0 * time.seconds / profile.seconds,
                gflops: kernel.flops / seconds / 1e9,
                gb_per_second: kernel.bytes as f64 / seconds / 1e9,
                percent_of_limit: 100.0 * floor(kernel) / seconds,
            }
        })
        .collect();
    kernels.sort_by(|a, b| b.us.total_cmp(&a.us));
    let bandwidths = limits.bytes_per_second.iter();
    Ok(StepProfile {
        workload: workload.name.to_string(),
        threads: profile.threads,
        precision: precision.name().to_string(),
        us_per_step: profile.seconds * 1e6,
        waiting_us: profile.waiting_seconds() * 1e6,
        floor_us: profile.kernels.iter().map(|time| floor(&time.kernel)).sum::<f64>() * 1e6,
        peak_gflops: limits.flops_per_second / 1e9,
        bandwidths: bandwidths.map(|&(bytes, rate)| Bandwidth { bytes, gb_per_second: rate / 1e9 }).collect(),
        kernels,
    })
}
