//! How long a step takes to compile, and whether that and the step's time grow in proportion to the layers and the
//! rows.

use std::time::Instant;

use barun_engine::random::Stream;
use barun_engine::{Device, DeviceOptions};
use barun_nn::models::Mlp;
use serde::Serialize;

use crate::error::Result;
use crate::measure::{Pace, Tell, median, ratio};
use crate::workloads::{self, Precision, Training, Workload, training_program};

/// The network that grows: hidden layers of so many units on as many inputs, and the rows of its batch.
const UNITS: usize = 128;
const LAYERS: usize = 10;
const ROWS: usize = 64;
const CLASSES: usize = 10;

/// By how much it grows.
const GROWTH: usize = 10;

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CompileReport {
    /// Threads of the step.
    pub threads: usize,
    /// Rounds of each.
    pub rounds: usize,
    /// One for each workload.
    pub workloads: Vec<CompileTime>,
    /// How times grow with the network and the batch.
    pub growth: Vec<Growth>,
}

/// The compiling of a workload's step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CompileTime {
    /// The workload.
    pub workload: String,
    /// The median milliseconds from the model to the compiled step: tracing and compiling, no run.
    pub ms: f64,
    /// The least and the greatest.
    pub ms_range: [f64; 2],
    /// Kernels of the compiled step.
    pub kernels: usize,
}

/// What becomes of the times where something is ten times as much.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Growth {
    /// What grows, and from where.
    pub what: String,
    /// How many times as long compiling takes: the median of rounds in turns.
    pub compile_ratio: f64,
    /// How many times as long a step takes.
    pub step_ratio: f64,
    /// The milliseconds of compiling the larger one.
    pub compile_ms: f64,
    /// The microseconds of its step.
    pub us_per_step: f64,
}

/// Measures the compiling of `workloads`, and the growth of a multi-layer perceptron.
pub fn compile_time(
    workloads: &[&Workload],
    threads: Option<usize>,
    pace: &Pace,
    tell: &mut Tell<'_>,
) -> Result<CompileReport> {
    let device = Device::new(DeviceOptions { threads, ..DeviceOptions::default() })?;
    let rounds = pace.rounds.max(1);
    let mut times = Vec::new();
    for workload in workloads {
        tell(workload.name)?;
        times.push(of_workload(workload, &device, rounds)?);
    }
    tell(&format!("{GROWTH} times the layers, {GROWTH} times the rows"))?;
    let growth = growth(&device, pace)?;
    Ok(CompileReport { threads: device.threads(), rounds, workloads: times, growth })
}

fn of_workload(workload: &Workload, device: &Device, rounds: usize) -> Result<CompileTime> {
    let batch = workload.batch(0);
    let compile = || -> Result<(f64, usize)> {
        let start = Instant::now();
        let kernels = training_program(&workload.step(device)?, &batch)?.kernels().len();
        Ok((start.elapsed().as_secs_f64() * 1e3, kernels))
    };
    // The first finds the code cold.
    let (_, kernels) = compile()?;
    let times: Result<Vec<f64>> = (0..rounds).map(|_| Ok(compile()?.0)).collect();
    let mut times = times?;
    let ms = median(&mut times);
    let ms_range = [times[0], times[times.len() - 1]];
    Ok(CompileTime { workload: workload.name.to_string(), ms, ms_range, kernels })
}

fn growth(device: &Device, pace: &Pace) -> Result<Vec<Growth>> {
    let mut base = Grown::new(LAYERS, ROWS, device, pace)?;
    let mut deep = Grown::new(GROWTH * LAYERS, ROWS, device, pace)?;
    let mut wide = Grown::new(LAYERS, GROWTH * ROWS, device, pace)?;
    for _ in 0..pace.rounds.max(1) {
        for grown in [&mut base, &mut deep, &mut wide] {
            grown.round(device, pace)?;
        }
    }
    let all = |what: &str| format!("{LAYERS} hidden layers of {UNITS} units, {ROWS} rows: {what}");
    Ok(vec![
        deep.over(&base, all(&format!("{} layers", GROWTH * LAYERS))),
        wide.over(&base, all(&format!("{} rows", GROWTH * ROWS))),
    ])
}

/// The network with so many layers and rows, and its times so far.
struct Grown {
    layers: usize,
    rows: usize,
    training: Training,
    steps: usize,
    compile_ms: Vec<f64>,
    step_us: Vec<f64>,
}

impl Grown {
    fn new(layers: usize, rows: usize, device: &Device, pace: &Pace) -> Result<Grown> {
        let (mut training, _) = compiled(layers, rows, device)?;
        let steps = pace.steps(training.warm_up(pace)?);
        Ok(Grown { layers, rows, training, steps, compile_ms: Vec::new(), step_us: Vec::new() })
    }

    fn round(&mut self, device: &Device, pace: &Pace) -> Result<()> {
        std::thread::sleep(pace.rest);
        self.compile_ms.push(compiled(self.layers, self.rows, device)?.1);
        self.step_us.push(self.training.round(self.steps)?);
        Ok(())
    }

    fn over(mut self, base: &Grown, what: String) -> Growth {
        Growth {
            what,
            compile_ratio: ratio(&self.compile_ms, &base.compile_ms).0,
            step_ratio: ratio(&self.step_us, &base.step_us).0,
            compile_ms: median(&mut self.compile_ms),
            us_per_step: median(&mut self.step_us),
        }
    }
}

/// The compiled network, and the milliseconds that took.
fn compiled(layers: usize, rows: usize, device: &Device) -> Result<(Training, f64)> {
    let network = Mlp { hidden: vec![UNITS; layers], ..Mlp::default() };
    let input = [rows, UNITS];
    let batch = workloads::batch(&input, CLASSES, &mut Stream::new(0, "growth"));
    let start = Instant::now();
    let step = workloads::step(&network, &input, CLASSES, device, Precision::F32)?;
    training_program(&step, &batch)?;
    let ms = start.elapsed().as_secs_f64() * 1e3;
    Ok((Training::new(step, batch)?, ms))
}
