//! Optimisers: how a gradient becomes an update. One file each: the formula, with what it remembers as a typed struct.

use std::fmt;

use crate::family::family;
use crate::hyper::{Setting, Value, named_cases};
use crate::{DType, Hyper, Result, Shape, Tensor};

/// What an update knows beside the parameter and its gradient.
#[derive(Clone, Debug)]
pub struct Context {
    /// The learning rate, a scalar of the parameter's type.
    pub lr: Tensor,
    /// The number of this update, 1 for the first: an f64 scalar, so that powers of it are exact enough.
    pub step: Tensor,
    /// Whether weight decay applies to this parameter; by default not to biases and normalisations. [REG-10]
    pub decays: bool,
}

/// Where weight decay enters. Where the gradient is divided by its own size, only `Decoupled` decays all weights alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecayForm {
    /// In the gradient, as a penalty on the loss is: `g + weight_decay p`.
    #[default]
    Coupled,
    /// Beside it: `p - lr weight_decay p`.
    Decoupled,
}
named_cases!(DecayForm { Coupled = "coupled", Decoupled = "decoupled" });

/// Where the number stands that keeps a division by a root finite. [OPT-25]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Epsilon {
    /// `sqrt(v) + eps`, as in PyTorch and the papers.
    #[default]
    Outside,
    /// `sqrt(v + eps)`, as in the notes' figures.
    Inside,
}
named_cases!(Epsilon { Outside = "outside", Inside = "inside" });

impl Epsilon {
    /// The root of `square`, kept off 0.
    pub fn root(self, square: &Tensor, eps: f64) -> Tensor {
        match self {
            Epsilon::Outside => square.sqrt() + eps,
            Epsilon::Inside => (square + eps).sqrt(),
        }
    }
}

impl Context {
    /// Parameter and gradient with the decay in one of them. Coupled it is the gradient of the loss with
    /// `weight_decay / 2 |p|^2` added. [REG-04, REG-06]
    pub fn decayed(&self, form: DecayForm, weight_decay: f64, p: &Tensor, g: &Tensor) -> (Tensor, Tensor) {
        match form {
            _ if !self.decays || weight_decay == 0.0 => (p.clone(), g.clone()),
            DecayForm::Coupled => (p.clone(), g + p * weight_decay),
            DecayForm::Decoupled => (p - (&self.lr * weight_decay) * p, g.clone()),
        }
    }

    /// Whether this is the first update.
    pub fn is_first(&self) -> Tensor {
        self.step.equal(&self.step.like(1.0))
    }

    /// `1 - beta^step`, by which an average that started at 0 is too small. [OPT-24]
    pub fn bias_correction(&self, beta: f64, dtype: DType) -> Tensor {
        (1.0 - self.step.like(beta).pow(&self.step)).cast(dtype)
    }

    /// The learning rate over the correction of the average it multiplies: a scalar, which leaves less to do for each
    /// element than correcting the average.
    fn corrected_rate(&self, beta: f64) -> Tensor {
        &self.lr / self.bias_correction(beta, self.lr.dtype())
    }

    /// The root of a corrected average of squares, kept off 0.
    fn corrected_root(&self, beta: f64, mean_square: &Tensor, eps: f64, epsilon: Epsilon) -> Tensor {
        let correction = self.bias_correction(beta, mean_square.dtype()).recip();
        match epsilon {
            Epsilon::Outside => mean_square.sqrt() * correction.sqrt() + eps,
            Epsilon::Inside => (mean_square * correction + eps).sqrt(),
        }
    }
}

/// `rho old + (1 - rho) new`: an exponential moving average. [OPT-20]
pub fn ema(rho: f64, old: &Tensor, new: &Tensor) -> Tensor {
    old * rho + new * (1.0 - rho)
}

/// What an optimiser remembers about each parameter: tensors of the parameter's shape (unless
/// [`Optimizer::slot_shape`] says otherwise), 0 at first. Derive it.
pub trait Slots: Sized {
    /// The names, under which they are saved.
    fn names() -> Vec<&'static str>;
    /// In the order of the names.
    fn into_tensors(self) -> Vec<Tensor>;
    /// From tensors in the order of the names.
    fn from_tensors(tensors: Vec<Tensor>) -> Self;
}

/// Nothing to remember.
impl Slots for () {
    fn names() -> Vec<&'static str> {
        Vec::new()
    }
    fn into_tensors(self) -> Vec<Tensor> {
        Vec::new()
    }
    fn from_tensors(_: Vec<Tensor>) -> Self {}
}

/// A rule that turns a gradient into an update.
///
/// Plain gradient descent, with `lr` as the base that schedules start from:
/// ```
/// use barun_nn::{Hyper, Tensor, optimizers::{Context, Optimizer}};
///
/// /// Go downhill.
/// #[derive(Clone, Debug, Hyper)]
/// struct Downhill { pub lr: f64 }
///
/// impl Optimizer for Downhill {
///     type Slots = ();
///     fn lr(&self) -> f64 { self.lr }
///     fn update(&self, p: &Tensor, g: &Tensor, _: (), context: &Context) -> (Tensor, ()) {
///         (p - &context.lr * g, ())
///     }
/// }
/// ```
pub trait Optimizer: Hyper + Clone + fmt::Debug + Send + Sync + 'static {
    /// What it remembers about each parameter.
    type Slots: Slots;

    /// The base learning rate.
    fn lr(&self) -> f64;

    /// Whether it divides gradients by their size, as Adam does, so that its learning rate means the same in every network; true
    /// unless this is overridden. Steps of the others grow with the gradient.
    fn is_adaptive(&self) -> bool {
        true
    }

    /// The shape of what it remembers as `slot` about a parameter of this shape: the same, unless this is overridden, as for a
    /// single number for all elements.
    fn slot_shape(&self, _slot: &str, parameter: &Shape) -> Shape {
        parameter.clone()
    }

    /// The new parameter and what to remember, for gradient `g` of parameter `p`.
    fn update(&self, p: &Tensor, g: &Tensor, slots: Self::Slots, context: &Context) -> (Tensor, Self::Slots);
}

/// An [`Optimizer`] whose kind is not known when compiling, such as one that a recipe names.
trait Erased: Hyper + fmt::Debug + Send + Sync {
    fn lr(&self) -> f64;
    fn is_adaptive(&self) -> bool;
    fn slots(&self, parameter: &Shape) -> Vec<(&'static str, Shape)>;
    fn update(&self, p: &Tensor, g: &Tensor, slots: Vec<Tensor>, context: &Context) -> (Tensor, Vec<Tensor>);
    fn clone_box(&self) -> Box<dyn Erased>;
}

impl<O: Optimizer> Erased for O {
    fn lr(&self) -> f64 {
        Optimizer::lr(self)
    }
    fn is_adaptive(&self) -> bool {
        Optimizer::is_adaptive(self)
    }
    fn slots(&self, parameter: &Shape) -> Vec<(&'static str, Shape)> {
        O::Slots::names().into_iter().map(|name| (name, self.slot_shape(name, parameter))).collect()
    }
    fn update(&self, p: &Tensor, g: &Tensor, slots: Vec<Tensor>, context: &Context) -> (Tensor, Vec<Tensor>) {
        let (p, slots) = Optimizer::update(self, p, g, O::Slots::from_tensors(slots), context);
        (p, slots.into_tensors())
    }
    fn clone_box(&self) -> Box<dyn Erased> {
        Box::new(self.clone())
    }
}

/// Any optimiser, such as one that a recipe names.
#[derive(Debug)]
pub struct AnyOptimizer(Box<dyn Erased>);

impl Clone for AnyOptimizer {
    fn clone(&self) -> Self {
        AnyOptimizer(self.0.clone_box())
    }
}

impl<O: Optimizer> From<O> for AnyOptimizer {
    fn from(optimizer: O) -> Self {
        AnyOptimizer(Box::new(optimizer))
    }
}

/// An optimiser, of a kind known when compiling or not; what a step takes.
pub trait ToAny {
    /// A copy whose kind is erased.
    fn to_any(&self) -> AnyOptimizer;
}

impl<O: Optimizer> ToAny for O {
    fn to_any(&self) -> AnyOptimizer {
        self.clone().into()
    }
}

impl ToAny for AnyOptimizer {
    fn to_any(&self) -> AnyOptimizer {
        self.clone()
    }
}

impl Hyper for AnyOptimizer {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn about(&self) -> &'static str {
        self.0.about()
    }
    fn doc(&self) -> &'static str {
        self.0.doc()
    }
    fn settings(&self) -> Vec<Setting> {
        self.0.settings()
    }
    fn set(&mut self, setting: &str, value: &Value) -> Result<()> {
        self.0.set(setting, value)
    }
}

impl AnyOptimizer {
    /// The base learning rate.
    pub fn lr(&self) -> f64 {
        self.0.lr()
    }

    /// See [`Optimizer::is_adaptive`].
    pub fn is_adaptive(&self) -> bool {
        self.0.is_adaptive()
    }

    /// The names and shapes of what it remembers about a parameter of this shape.
    pub fn slots(&self, parameter: &Shape) -> Vec<(&'static str, Shape)> {
        self.0.slots(parameter)
    }

    /// See [`Optimizer::update`]; `slots` in the order of their names.
    pub fn update(
        &self,
        p: &Tensor,
        g: &Tensor,
        slots: Vec<Tensor>,
        context: &Context,
    ) -> (Tensor, Vec<Tensor>) {
        self.0.update(p, g, slots, context)
    }
}

mod clip;

pub use clip::{Clip, norm};

family! {
    an optimizer, AnyOptimizer, AnyOptimizer::from;
    sgd: Sgd,
    momentum: Momentum,
    nesterov: Nesterov,
    adagrad: AdaGrad,
    adadelta: Adadelta,
    rmsprop: RmsProp,
    adam: Adam,
    adamw: AdamW,
    adamax: Adamax,
    nadam: NAdam,
    radam: RAdam,
    amsgrad: AmsGrad,
    lion: Lion,
    lamb: Lamb,
    muon: Muon,
}
pub use adam::AdamSlots;
pub use momentum::{MomentumForm, MomentumSlots};
pub use muon::MuonScale;
