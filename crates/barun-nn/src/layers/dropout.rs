//! Dropout.

use crate::hyper::named_cases;
use crate::{Feeds, Forward, Hyper, Id, Module, Pass, Result, Tensor, Visitor};

/// Where the loss of a part of the units is made up for. Both give the same expectation. [REG-16]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DropoutScaling {
    /// In training: what is kept is divided by `1 - rate`, and nothing happens at inference, as in PyTorch. [REG-15]
    #[default]
    InTraining,
    /// At inference: everything is multiplied by `1 - rate`, as in the notes' code. [REG-14, REG-17]
    AtInference,
}
named_cases!(DropoutScaling { InTraining = "in_training", AtInference = "at_inference" });

/// Drop units at random in training, others at each step.
///
/// ```text
/// mask = uniform >= rate;   train: y = x mask / (1 - rate);   eval: y = x
/// ```
///
/// The same shape in and out. The gradient passes where the mask is set and is blocked elsewhere. Srivastava et al.,
/// 2014, "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15. [REG-11 .. REG-17]
#[derive(Clone, Debug, Hyper)]
pub struct Dropout {
    /// The part of the units that is dropped, `0 <= rate < 1`; 0.5 unless set. [REG-12]
    #[hyper(below_one)]
    pub rate: f64,
    /// Where the loss of units is made up for.
    pub scaling: DropoutScaling,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Default for Dropout {
    fn default() -> Self {
        Dropout::new(0.5)
    }
}

impl Dropout {
    /// Drops `rate` of the units.
    pub fn new(rate: f64) -> Self {
        Dropout { rate, scaling: DropoutScaling::default(), id: Id::new() }
    }
}

impl Module for Dropout {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
    }
    fn feeds(&self) -> Feeds {
        Feeds::Through
    }
}

impl Forward for Dropout {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        if pass.passes_over(&self.id) {
            return Ok(x.clone());
        }
        pass.layer(&self.id, "Dropout", |pass| {
            let x = &pass.rounded(x);
            match self.scaling {
                DropoutScaling::InTraining => drop_in_training(x, self.rate, pass),
                DropoutScaling::AtInference => Ok(match drawn(x, self.rate, pass)? {
                    Some(is_dropped) => is_dropped.where_(&x.like(0.0), x),
                    None if self.rate == 0.0 => x.clone(),
                    None => x * (1.0 - self.rate),
                }),
            }
        })
    }
}

/// Which elements of `x` this pass drops; none where it drops nothing. Watched as `dropped`.
pub(super) fn drawn(x: &Tensor, rate: f64, pass: &mut Pass) -> Result<Option<Tensor>> {
    if !(0.0..1.0).contains(&rate) {
        let requirement = format!("the rate is {rate}, it must be at least 0 and below 1");
        Tensor::error("dropout", &[x], requirement, "the rate is the part that is dropped").check()?;
    }
    if rate == 0.0 || !pass.drops() {
        return Ok(None);
    }
    let uniform = pass.uniform(x.shape()?, x.dtype().computed());
    let is_dropped = uniform.less(&uniform.like(rate));
    pass.probe("dropped", &is_dropped);
    Ok(Some(is_dropped))
}

/// `x` with a part of it dropped in training and the rest made larger for it.
pub(super) fn drop_in_training(x: &Tensor, rate: f64, pass: &mut Pass) -> Result<Tensor> {
    Ok(match drawn(x, rate, pass)? {
        Some(is_dropped) => is_dropped.where_(&x.like(0.0), &pass.rounded(&(x * (1.0 / (1.0 - rate))))),
        None => x.clone(),
    })
}
