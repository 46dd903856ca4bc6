//! How a step is compiled.

use std::sync::Arc;

use super::{Group, WeightAverage};
use crate::metrics::Metric;
use crate::optimizers::Clip;
use crate::regularization::Penalty;
use crate::{DType, Error, Inventory, Options, Result, Role, Tensor};

/// Which parameters weight decay applies to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decay {
    /// Weights; biases and the scales and shifts of normalisations are exempt. [REG-10]
    #[default]
    Weights,
    /// All, as PyTorch does when given all parameters.
    All,
}

impl Decay {
    pub(super) fn applies_to(self, role: Role) -> bool {
        self == Decay::All || role == Role::Weight
    }
}

/// What happens to inputs inside the step, so that images can travel as bytes: `x scale + shift`, per value of the last
/// axis or with one number for all.
#[derive(Clone, Debug, PartialEq)]
pub struct InputTransform {
    /// Factors: one, or one per size of the last axis.
    pub scale: Vec<f64>,
    /// Summands: one, or one per size of the last axis.
    pub shift: Vec<f64>,
}

impl InputTransform {
    /// Bytes to `[0, 1]`.
    pub fn unit_range() -> Self {
        InputTransform { scale: vec![1.0 / 255.0], shift: vec![0.0] }
    }

    /// To mean 0 and deviation 1, for values with this mean and deviation.
    pub fn standardize(mean: &[f64], std: &[f64]) -> Self {
        let scale: Vec<f64> = std.iter().map(|std| 1.0 / std).collect();
        let shift = mean.iter().zip(std).map(|(mean, std)| -mean / std).collect();
        InputTransform { scale, shift }
    }

    /// The factor and the summand of number `at` of a batch, counted row after row. Of none, what leaves it as it is.
    pub fn at(&self, at: usize) -> (f64, f64) {
        let of = |numbers: &[f64], none: f64| numbers.get(at % numbers.len().max(1)).copied().unwrap_or(none);
        (of(&self.scale, 1.0), of(&self.shift, 0.0))
    }

    /// This one, and `next` on what it gives.
    pub fn then(&self, next: &InputTransform) -> InputTransform {
        let all = [self, next].map(|transform| transform.scale.len().max(transform.shift.len()));
        let both = |at| {
            let ((scale, shift), (next_scale, next_shift)) = (self.at(at), next.at(at));
            (scale * next_scale, shift * next_scale + next_shift)
        };
        let (scale, shift) = (0..all[0].max(all[1])).map(both).unzip();
        InputTransform { scale, shift }
    }

    fn apply(&self, x: &Tensor) -> Tensor {
        let constants = |values: &[f64]| match values {
            [only] => x.like(*only),
            _ => {
                let shape = [values.len()].into();
                Tensor::new(crate::state::buffer(values.iter().copied(), &shape, x.dtype()))
            }
        };
        x * constants(&self.scale) + constants(&self.shift)
    }
}

/// What a step compares the model's output with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Learns {
    /// The targets of the batch.
    #[default]
    Target,
    /// The inputs of the batch, as the model gets them, each as a row of numbers: an autoencoder. The targets are left aside.
    Input,
}

/// How a step is compiled; all have defaults.
#[derive(Clone, Debug)]
pub struct StepOptions {
    /// The type of parameters and arithmetic: f32, or f64 for gradient checks. With bf16 parameters and arithmetic are
    /// f32, and what layers take is rounded to bf16; see [`Pass`](crate::Pass).
    pub precision: DType,
    /// Which parameters weight decay applies to.
    pub decay: Decay,
    /// Parameters that stay as they are: paths or the beginnings of paths, such as `trunk`.
    pub frozen: Vec<String>,
    /// Activations and dropout layers that are passed over, by path: a softmax before a loss that applies its own. Other
    /// layers cannot be.
    pub without: Vec<String>,
    /// Parameters that get an optimiser of their own.
    pub groups: Vec<Group>,
    /// What large weights cost, beside what the optimiser decays.
    pub penalty: Penalty,
    /// The deviation of noise that is added to the weights in each training step, in the forward pass alone; the weights
    /// that are kept have none. 0 is none. [REG-26]
    pub weight_noise: f64,
    /// Whether layers such as dropout draw random numbers in training; without it a network that cannot learn is easier to
    /// find out about.
    pub noise: bool,
    /// How gradients are made smaller before the update.
    pub clip: Option<Clip>,
    /// Batches whose mean gradient makes one update; 1 is an update for each. The last of them makes it, and only finite
    /// ones count.
    pub accumulate: usize,
    /// The average of the weights that is kept beside them.
    pub average: Option<WeightAverage>,
    /// What happens to the inputs first.
    pub input: Option<InputTransform>,
    /// What the loss and the metrics compare the model's output with.
    pub learns: Learns,
    /// What is watched beside the loss.
    pub metrics: Vec<Arc<dyn Metric>>,
    /// The engine's options: threads, instruction set, fusion.
    pub engine: Options,
}

impl Default for StepOptions {
    fn default() -> Self {
        StepOptions {
            precision: DType::F32,
            decay: Decay::default(),
            frozen: Vec::new(),
            without: Vec::new(),
            groups: Vec::new(),
            penalty: Penalty::default(),
            weight_noise: 0.0,
            noise: true,
            clip: None,
            accumulate: 1,
            average: None,
            input: None,
            learns: Learns::Target,
            metrics: Vec::new(),
            engine: Options::default(),
        }
    }
}

impl StepOptions {
    /// Whether the parameter at `path` is updated.
    pub(super) fn is_trained(&self, path: &str) -> bool {
        !self.frozen.iter().any(|frozen| is_at_or_below(path, frozen))
    }

    pub(super) fn check(&self, inventory: &Inventory) -> Result<()> {
        if !self.precision.is_float() {
            let message = format!("a step needs precision f32, bf16 or f64, not {}", self.precision);
            return Err(Error::Model(message));
        }
        if self.accumulate == 0 {
            let message = "an update needs the gradients of at least one batch: accumulate must be 1 or more";
            return Err(Error::Model(message.to_string()));
        }
        let mut paths: Vec<String> = inventory.paths.values().map(|path| path.to_string()).collect();
        paths.sort();
        if let Some(missing) = self.without.iter().find(|path| !paths.contains(path)) {
            let family = "layer to pass over".to_string();
            return Err(Error::UnknownName { family, name: missing.clone(), known: paths });
        }
        for group in &self.groups {
            if !inventory.parameters.iter().any(|entry| group.takes(entry)) {
                let known = inventory.parameters.iter().map(|entry| entry.path.clone()).collect();
                let name = format!("{:?}", group.parameters);
                return Err(Error::UnknownName { family: "parameter for a group".into(), name, known });
            }
        }
        let none =
            |frozen: &&String| !inventory.parameters.iter().any(|entry| is_at_or_below(&entry.path, frozen));
        match self.frozen.iter().find(none) {
            Some(frozen) => {
                let known = inventory.parameters.iter().map(|entry| entry.path.clone()).collect();
                Err(Error::UnknownName { family: "parameter to freeze".into(), name: frozen.clone(), known })
            }
            None => Ok(()),
        }
    }

    /// The type of parameters and arithmetic.
    pub(super) fn dtype(&self) -> DType {
        self.precision.computed()
    }

    /// An input as the model gets it: bytes and floats in the step's type, transformed; whole numbers as they are.
    pub(super) fn prepare(&self, x: &Tensor) -> Tensor {
        let x = if x.dtype() == DType::I64 { x.clone() } else { x.cast(self.dtype()) };
        match &self.input {
            Some(transform) => transform.apply(&x),
            None => x,
        }
    }

    /// A target as the loss gets it: floats in the step's type, labels as whole numbers; or the prepared input as rows.
    pub fn prepare_target(&self, x: &Tensor, y: &Tensor) -> Tensor {
        if self.learns == Learns::Input {
            return self.prepare(x).flatten(1);
        }
        if y.dtype().is_float() { y.cast(self.dtype()) } else { y.cast(DType::I64) }
    }
}

pub(super) fn is_at_or_below(path: &str, ancestor: &str) -> bool {
    path.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
