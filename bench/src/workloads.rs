//! The workloads: a network, a batch of fixed random numbers, mean cross-entropy and Adam(1e-3).
//!
//! The peers' twins of these networks are in `peers/torch_nets.py` and `peers/jax_peer.py`.

use std::sync::Arc;

use barun_engine::random::Stream;
use barun_engine::{Buffer, Device, Options, Profile, Program, State};
use barun_nn::layers::{BatchNorm, Dropout, Linear, Relu, Sequential};
use barun_nn::losses::CrossEntropy;
use barun_nn::models::{Architecture, Cnn, Lenet, LstmModel, Mlp, Resnet18, Transformer};
use barun_nn::optimizers::Adam;
use barun_nn::{Batch, DType, Hyper, Mode, Shape, Step, StepOptions};

use crate::error::Result;

/// A network with the shape of its batch.
pub struct Workload {
    /// Its name, which the peers know too.
    pub name: &'static str,
    /// The shape of a batch, rows first.
    pub input: &'static [usize],
    /// Classes to tell apart.
    pub classes: usize,
    architecture: fn() -> Box<dyn Architecture>,
}

/// Every workload: those without convolutions, with convolutions, and over sequences, each from the smallest step to the
/// largest.
pub static ALL: [Workload; 8] = [
    Workload { name: "tab32", input: &[32, 16], classes: 3, architecture: || mlp([64, 64]) },
    Workload { name: "mlp128", input: &[128, 784], classes: 10, architecture: || mlp([512, 256]) },
    Workload { name: "mlpbn128", input: &[128, 784], classes: 10, architecture: || Box::new(NormedMlp {}) },
    Workload {
        name: "lenet64",
        input: &[64, 28, 28, 1],
        classes: 10,
        architecture: || Box::new(Lenet::default()),
    },
    Workload { name: "cnn64", input: &[64, 28, 28, 1], classes: 10, architecture: cnn },
    Workload {
        name: "resnet18_64",
        input: &[64, 32, 32, 3],
        classes: 10,
        architecture: || Box::new(Resnet18::default()),
    },
    Workload {
        name: "lstm64",
        input: &[64, 28, 28],
        classes: 10,
        architecture: || Box::new(LstmModel::default()),
    },
    Workload {
        name: "transformer64",
        input: &[64, 28, 28],
        classes: 10,
        architecture: || Box::new(Transformer::default()),
    },
];

fn mlp(hidden: [usize; 2]) -> Box<dyn Architecture> {
    Box::new(Mlp { hidden: hidden.into(), ..Mlp::default() })
}

/// The network of PyTorch's MNIST example.
fn cnn() -> Box<dyn Architecture> {
    Box::new(Cnn { batch_norm: false, dropout: 0.25, ..Cnn::default() })
}

/// Batch norm before each ReLU, dropout 0.3 after it. As the peers have it, whose layers keep the bias that the
/// normalisation makes superfluous.
#[derive(Clone, Debug, Hyper)]
struct NormedMlp {}

impl Architecture for NormedMlp {
    fn build(&self, input: &Shape, outputs: usize) -> barun_nn::Result<Sequential> {
        let mut model = Sequential::default();
        let mut inputs = input.elements();
        for units in [512, 256] {
            model.push(Linear::new(inputs, units));
            model.push(BatchNorm::new(units));
            model.push(Relu::default());
            model.push(Dropout::new(0.3));
            inputs = units;
        }
        Ok(model.then(Linear::new(inputs, outputs)))
    }
}

/// The workload called `name`.
pub fn by_name(name: &str) -> Result<&'static Workload> {
    let unknown = || barun_nn::Error::UnknownName {
        family: "workload".to_string(),
        name: name.to_string(),
        known: ALL.iter().map(|workload| workload.name.to_string()).collect(),
    };
    Ok(ALL.iter().find(|workload| workload.name == name).ok_or_else(unknown)?)
}

/// What a step computes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 32 bits for weights and sums, 16 for what is multiplied and kept.
    Bf16,
}

impl Precision {
    /// Both.
    pub const ALL: [Precision; 2] = [Precision::F32, Precision::Bf16];

    /// `f32` or `bf16`; the peers' modes in bf16 begin with this too.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        }
    }

    /// The precision called `name`.
    pub fn by_name(name: &str) -> Result<Precision> {
        let unknown = || barun_nn::Error::UnknownName {
            family: "precision".to_string(),
            name: name.to_string(),
            known: Precision::ALL.iter().map(|precision| precision.name().to_string()).collect(),
        };
        Ok(Precision::ALL.into_iter().find(|precision| precision.name() == name).ok_or_else(unknown)?)
    }

    fn dtype(self) -> DType {
        match self {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
        }
    }
}

impl Workload {
    /// Rows in a batch.
    pub fn rows(&self) -> usize {
        self.input[0]
    }

    /// The network at its first step, with its batch.
    pub fn training(&self, device: &Device, precision: Precision) -> Result<Training> {
        let step = step(&*(self.architecture)(), self.input, self.classes, device, precision)?;
        Training::new(step, self.batch(0))
    }

    /// The network alone.
    pub(crate) fn network(&self) -> Result<Sequential> {
        Ok((self.architecture)().build(&self.input[1..].into(), self.classes)?)
    }

    /// Its step in f32, of which nothing is compiled yet.
    pub(crate) fn step(&self, device: &Device) -> Result<Step<Sequential>> {
        step(&*(self.architecture)(), self.input, self.classes, device, Precision::F32)
    }

    /// A batch of random numbers that are fixed by `seed`.
    pub(crate) fn batch(&self, seed: u64) -> Batch {
        batch(self.input, self.classes, &mut Stream::new(seed, self.name))
    }

    /// The first row of its batch, as a batch of one.
    pub(crate) fn single(&self) -> Buffer {
        let shape = [&[1], &self.input[1..]].concat();
        batch(&shape, self.classes, &mut Stream::new(0, self.name)).x
    }
}

/// The step of a network for batches of shape `input`, with mean cross-entropy and Adam.
pub(crate) fn step(
    architecture: &dyn Architecture,
    input: &[usize],
    classes: usize,
    device: &Device,
    precision: Precision,
) -> Result<Step<Sequential>> {
    let model = architecture.build(&input[1..].into(), classes)?;
    let engine = Options { device: Some(device.clone()), ..Options::default() };
    let options = StepOptions { engine, precision: precision.dtype(), ..StepOptions::default() };
    Ok(Step::with(model, &Adam::default(), &CrossEntropy::default(), options)?)
}

/// Normal numbers of shape `input`, each row with a random class.
pub(crate) fn batch(input: &[usize], classes: usize, stream: &mut Stream) -> Batch {
    let values = input.iter().product();
    let x: Vec<f32> = (0..values).map(|_| stream.normal() as f32).collect();
    let y: Vec<i64> = (0..input[0]).map(|_| stream.below(classes as u64) as i64).collect();
    Batch { x: Buffer::new(&x, input), y: Buffer::new(&y, [input[0]]) }
}

/// A workload in training.
pub struct Training {
    step: Step<Sequential>,
    state: State,
    batch: Batch,
}

impl Training {
    /// At the first step.
    pub(crate) fn new(step: Step<Sequential>, batch: Batch) -> Result<Training> {
        let state = step.init(0)?;
        Ok(Training { step, state, batch })
    }

    /// Numbers of the network that are trained.
    pub(crate) fn trainable(&self) -> usize {
        self.step.inventory().trainable()
    }

    /// Goes on with another batch; gives the one before.
    pub(crate) fn feed(&mut self, batch: Batch) -> Batch {
        std::mem::replace(&mut self.batch, batch)
    }

    /// One whole step; the loss before its update.
    pub fn step(&mut self) -> Result<f64> {
        Ok(self.step.run(&mut self.state, &self.batch, 1e-3)?.loss)
    }

    /// The same step, watched; the largest number in its record of activations.
    pub(crate) fn watched_step(&mut self) -> Result<f64> {
        let (_, record) = self.step.run_watched(&mut self.state, &self.batch, 1e-3)?;
        Ok(record.activations.iter().map(|call| call.max_abs).fold(0.0, f64::max))
    }

    /// Runs `steps` steps and tells where their time went.
    pub fn profile(&mut self, steps: usize) -> Result<Profile> {
        Ok(self.step.profile(&mut self.state, &self.batch, 1e-3, steps)?)
    }

    /// The compiled step that is watched, to look at.
    pub fn watched_program(&self) -> Result<Arc<Program>> {
        let kind = |buffer: &Buffer| (buffer.shape().clone(), buffer.dtype());
        let (x, y) = (kind(&self.batch.x), kind(&self.batch.y));
        Ok(self.step.watched_program((&x.0, x.1), (&y.0, y.1))?)
    }

    /// The compiled step, to look at.
    pub fn program(&self) -> Result<Arc<Program>> {
        training_program(&self.step, &self.batch)
    }
}

/// The program that trains on batches like this one.
pub(crate) fn training_program(step: &Step<Sequential>, batch: &Batch) -> Result<Arc<Program>> {
    let kind = |buffer: &Buffer| (buffer.shape().clone(), buffer.dtype());
    let (x, y) = (kind(&batch.x), kind(&batch.y));
    Ok(step.program(Mode::Train, (&x.0, x.1), (&y.0, y.1))?)
}
