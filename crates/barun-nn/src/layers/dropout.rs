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
        pass.layer(&self.id, "Dropout", |pass| {
            let keep = 1.0 - self.rate;
            if !(0.0..1.0).contains(&self.rate) {
                let requirement = format!("the rate is {}, it must be at least 0 and below 1", self.rate);
                return Ok(Tensor::error(
                    "dropout",
                    &[x],
                    requirement,
                    "the rate is the part that is dropped",
                ));
            }
            let x = &pass.rounded(x);
            let dropped = |pass: &mut Pass| -> Result<Tensor> {
                let uniform = pass.uniform(x.shape()?, x.dtype().computed());
                let is_dropped = uniform.less(&uniform.like(self.rate));
                pass.probe("dropped", &is_dropped);
                Ok(is_dropped)
            };
            Ok(match (pass.drops(), self.scaling) {
                _ if self.rate == 0.0 => x.clone(),
                (true, DropoutScaling::InTraining) => {
                    dropped(pass)?.where_(&x.like(0.0), &pass.rounded(&(x * (1.0 / keep))))
                }
                (true, DropoutScaling::AtInference) => dropped(pass)?.where_(&x.like(0.0), x),
                (false, DropoutScaling::InTraining) => x.clone(),
                (false, DropoutScaling::AtInference) => x * keep,
            })
        })
    }
}
