//! Noise on what a layer is given.

use crate::{Feeds, Forward, Hyper, Id, Module, Pass, Result, Tensor, Visitor};

/// Gaussian noise: in training each value is a little off, at each step by another amount.
///
/// ```text
/// train: y = x + std normal;   eval: y = x        the same shape in and out
/// ```
///
/// As the first layer it is noise on the input, which makes a network robust against it and acts like a penalty on steep
/// functions; for noise on the weights see [`StepOptions`](crate::StepOptions). Bishop, 1995, "Training with noise is
/// equivalent to Tikhonov regularization". [DATA-16]
#[derive(Clone, Debug, Hyper)]
pub struct GaussianNoise {
    /// The standard deviation; 0 leaves all as it is.
    #[hyper(not_negative)]
    pub std: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl GaussianNoise {
    /// Of this standard deviation.
    pub fn new(std: f64) -> Self {
        GaussianNoise { std, id: Id::new() }
    }
}

impl Default for GaussianNoise {
    fn default() -> Self {
        GaussianNoise::new(0.1)
    }
}

impl Module for GaussianNoise {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
    }
    fn feeds(&self) -> Feeds {
        Feeds::Through
    }
}

impl Forward for GaussianNoise {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "GaussianNoise", |pass| {
            if !pass.is_noisy() || self.std == 0.0 {
                return Ok(x.clone());
            }
            let x = pass.rounded(x);
            let noise = pass.normal(x.shape()?.clone(), x.dtype().computed());
            Ok(x + noise * self.std)
        })
    }
}
