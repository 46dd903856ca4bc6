//! An optimiser's update alone, against the time the memory needs to hold and to give what it works on.
//!
//! An element-wise update reads parameters, gradients and what it remembers, and writes parameters and what it remembers:
//! nothing it computes takes as long. So its measure is the bandwidth of the memory, taken by the same threads in the same
//! minute. Those that look at a whole tensor first (LAMB's norms, Muon's products) have more to do and are shown beside.

use std::sync::Arc;
use std::time::Instant;

use barun_engine::cpu::limits::Limits;
use barun_engine::{Device, DeviceOptions, Options, Program, ProgramSpec, Tensor};
use barun_nn::optimizers::{self, AnyOptimizer, Context};
use barun_nn::{Buffer, DType, Hyper, Layout, Shape, State};
use serde::Serialize;

use crate::error::Result;
use crate::measure::{Pace, Tell, median};

/// Parameters that are updated, as one matrix: more than any cache holds.
pub const PARAMETERS: usize = 10_000_000;

/// The matrix they form, which is what Muon looks at.
const SHAPE: [usize; 2] = [2_500, 4_000];

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OptimizerReport {
    /// Threads of the updates and of the memory's measurement.
    pub threads: usize,
    /// Parameters that are updated.
    pub parameters: usize,
    /// Rounds of each optimiser.
    pub rounds: usize,
    /// The memory's bandwidth for arrays that fit in no cache: the best of those taken before and after the rounds.
    pub gb_per_second: f64,
    /// The optimisers in the order of the list.
    pub optimizers: Vec<OptimizerTime>,
}

/// One optimiser's update.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OptimizerTime {
    /// Its name.
    pub optimizer: String,
    /// Its kernels: one where the update is element-wise.
    pub kernels: usize,
    /// Bytes read and written once: parameters, gradients, what it remembers.
    pub bytes: usize,
    /// The median microseconds of an update.
    pub us_per_update: f64,
    /// The least and the greatest round.
    pub us_range: [f64; 2],
    /// The microseconds the memory needs for these bytes.
    pub floor_us: f64,
    /// How many times as long as that the update takes.
    pub ratio: f64,
}

/// Measures the updates called `names`, or all.
pub fn optimizers(
    names: &[String],
    threads: Option<usize>,
    pace: &Pace,
    tell: &mut Tell<'_>,
) -> Result<OptimizerReport> {
    let device = Device::new(DeviceOptions { threads, ..DeviceOptions::default() })?;
    let chosen: Vec<AnyOptimizer> = match names {
        [] => optimizers::all(),
        names => names.iter().map(|name| optimizers::by_name(name)).collect::<barun_nn::Result<_>>()?,
    };
    let mut bandwidth = memory_bandwidth(&device);
    let mut times = Vec::new();
    for optimizer in chosen {
        tell(optimizer.name())?;
        let mut update = Update::new(&optimizer, &device)?;
        times.push((optimizer.name(), update.measure(pace)?, update.bytes, update.kernels));
    }
    bandwidth = bandwidth.max(memory_bandwidth(&device));
    let optimizers = times.into_iter().map(|(name, mut rounds, bytes, kernels)| {
        let floor_us = bytes as f64 / bandwidth * 1e6;
        let us_per_update = median(&mut rounds);
        OptimizerTime {
            optimizer: name.to_string(),
            kernels,
            bytes,
            us_per_update,
            us_range: [rounds[0], rounds[rounds.len() - 1]],
            floor_us,
            ratio: us_per_update / floor_us,
        }
    });
    Ok(OptimizerReport {
        threads: device.threads(),
        parameters: PARAMETERS,
        rounds: pace.rounds,
        gb_per_second: bandwidth / 1e9,
        optimizers: optimizers.collect(),
    })
}

/// Bytes a second for arrays that fit in no cache.
fn memory_bandwidth(device: &Device) -> f64 {
    let limits = Limits::measure(device);
    limits.bytes_per_second.last().map_or(f64::NAN, |(_, bandwidth)| *bandwidth)
}

/// One optimiser's compiled update over its state.
struct Update {
    program: Program,
    state: State,
    bytes: usize,
    kernels: usize,
    taken: f64,
}

impl Update {
    fn new(optimizer: &AnyOptimizer, device: &Device) -> Result<Update> {
        let shape = Shape::from(SHAPE);
        let slots = optimizer.slots(&shape);
        let slot = |(name, shape): &(&'static str, Shape)| (name.to_string(), shape.clone(), DType::F32);
        let own = ["parameter", "gradient"].map(|name| (name.to_string(), shape.clone(), DType::F32));
        let layout: Arc<Layout> = Layout::new(own.into_iter().chain(slots.iter().map(slot)).collect())?;
        let step = Tensor::placeholder("step", [], DType::F64);
        let lr = Tensor::placeholder("lr", [], DType::F64);
        let context = Context { lr: lr.cast(DType::F32), step: step.clone(), decays: true };
        let remembered = (0..slots.len()).map(|index| layout.tensor(index + 2)).collect();
        let (new, remembered) = optimizer.update(&layout.tensor(0), &layout.tensor(1), remembered, &context);
        let mut updates = vec![(0, new)];
        updates.extend(remembered.into_iter().enumerate().map(|(index, slot)| (index + 2, slot)));
        let (inputs, outputs) = ([step, lr], []);
        let spec = ProgramSpec { layout: &layout, inputs: &inputs, outputs: &outputs, updates: &updates };
        let program =
            Program::compile(&spec, &Options { device: Some(device.clone()), ..Options::default() })?;
        let mut state = State::zeros(&layout);
        let values = |phase: f32| -> Vec<f32> {
            (0..PARAMETERS).map(|index| (index as f32 * 0.37 + phase).sin()).collect()
        };
        state.set("parameter", &Buffer::new(&values(0.0), shape.clone()))?;
        state.set("gradient", &Buffer::new(&values(1.0), shape.clone()))?;
        let remembered: usize = slots.iter().map(|(_, shape)| shape.elements()).sum();
        // Parameters and what is remembered come and go; gradients only come.
        let bytes = (3 * PARAMETERS + 2 * remembered) * size_of::<f32>();
        let kernels = program.kernels().len();
        Ok(Update { program, state, bytes, kernels, taken: 0.0 })
    }

    /// The microseconds of one update.
    fn run(&mut self) -> Result<f64> {
        self.taken += 1.0;
        let inputs = [Buffer::new(&[self.taken], []), Buffer::new(&[1e-3f64], [])];
        let start = Instant::now();
        self.program.run(&mut self.state, &[&inputs[0], &inputs[1]])?;
        Ok(start.elapsed().as_secs_f64() * 1e6)
    }

    /// The median of each round.
    fn measure(&mut self, pace: &Pace) -> Result<Vec<f64>> {
        let us = (0..3).map(|_| self.run()).collect::<Result<Vec<f64>>>()?;
        let steps = pace.steps(us[2]);
        let round = |update: &mut Update| {
            std::thread::sleep(pace.rest);
            let mut times = (0..steps).map(|_| update.run()).collect::<Result<Vec<f64>>>()?;
            Ok(median(&mut times))
        };
        (0..pace.rounds.max(1)).map(|_| round(self)).collect()
    }
}
