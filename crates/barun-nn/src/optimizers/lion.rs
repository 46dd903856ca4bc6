//! Lion.

use super::{Context, DecayForm, Optimizer, ema};
use crate::{Hyper, Slots, Tensor};

/// Lion: steps of one size, along the sign of a momentum.
///
/// ```text
/// p <- p - lr (sign(beta1 m + (1 - beta1) g) + weight_decay p);      m <- beta2 m + (1 - beta2) g
/// ```
///
/// Half of Adam's memory, for large networks and batches. Every weight moves by lr each step, so take 3 to 10 times less
/// than for Adam, and as many times more decay. Defaults are the paper's (lr 1e-4, beta1 0.9, beta2 0.99, no decay). Chen
/// et al., 2023, "Symbolic discovery of optimization algorithms".
#[derive(Clone, Debug, Hyper)]
pub struct Lion {
    /// Learning rate: what every weight moves by.
    #[hyper(positive)]
    pub lr: f64,
    /// The part of the momentum in a step.
    #[hyper(below_one)]
    pub beta1: f64,
    /// Decay of the momentum.
    #[hyper(below_one)]
    pub beta2: f64,
    /// The part of the weights, times the learning rate, that each step takes away; biases and normalisations are
    /// exempt.
    #[hyper(not_negative)]
    pub weight_decay: f64,
}

impl Default for Lion {
    fn default() -> Self {
        Lion { lr: 1e-4, beta1: 0.9, beta2: 0.99, weight_decay: 0.0 }
    }
}

/// What Lion remembers.
#[derive(Clone, Debug, Slots)]
pub struct LionSlots {
    /// The average of gradients.
    pub mean: Tensor,
}

impl Optimizer for Lion {
    type Slots = LionSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: LionSlots, context: &Context) -> (Tensor, LionSlots) {
        let (p, g) = context.decayed(DecayForm::Decoupled, self.weight_decay, p, g);
        let direction = ema(self.beta1, &slots.mean, &g).sign();
        (p - &context.lr * direction, LionSlots { mean: ema(self.beta2, &slots.mean, &g) })
    }
}
