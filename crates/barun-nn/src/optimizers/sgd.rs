//! Gradient descent.

use super::{Context, DecayForm, Optimizer};
use crate::{Hyper, Tensor};

/// Stochastic gradient descent: a step against the gradient.
///
/// ```text
/// p <- p - lr (g + weight_decay p)
/// ```
///
/// With batches of all data it is gradient descent, of one row the original SGD. It remembers nothing, so it takes the
/// least memory; momentum is nearly always better. Defaults follow PyTorch (lr 1e-3, no decay). Robbins & Monro, 1951, "A
/// stochastic approximation method". [OPT-01, OPT-04 .. OPT-06]
#[derive(Clone, Debug, Hyper)]
pub struct Sgd {
    /// Learning rate.
    #[hyper(positive)]
    pub lr: f64,
    /// Pulls the weights to 0; biases and normalisations are exempt.
    #[hyper(not_negative)]
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Sgd { lr: 1e-3, weight_decay: 0.0 }
    }
}

impl Optimizer for Sgd {
    type Slots = ();

    fn lr(&self) -> f64 {
        self.lr
    }

    fn is_adaptive(&self) -> bool {
        false
    }

    fn update(&self, p: &Tensor, g: &Tensor, _: (), context: &Context) -> (Tensor, ()) {
        let (p, g) = context.decayed(DecayForm::Coupled, self.weight_decay, p, g);
        (p - &context.lr * g, ())
    }
}
