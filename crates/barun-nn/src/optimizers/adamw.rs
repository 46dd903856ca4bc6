//! Adam with decoupled weight decay.

use super::adam::{Adam, AdamSlots};
use super::{Context, Optimizer};
use crate::{Hyper, Tensor};

/// Adam with weight decay beside the gradient instead of in it.
///
/// ```text
/// p <- p - lr weight_decay p, then as Adam
/// ```
///
/// Adam divides a penalty in the gradient by the gradient's own size, so large gradients decay less; here all weights
/// decay alike. Defaults follow PyTorch (weight decay 0.01, the rest as Adam). Loshchilov & Hutter, 2017.
#[derive(Clone, Debug, Hyper)]
#[hyper(name = "adamw")]
pub struct AdamW {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the average of gradients.
    pub beta1: f64,
    /// Decay of the average of squared gradients.
    pub beta2: f64,
    /// Keeps the division finite.
    pub eps: f64,
    /// The part of the weights, times the learning rate, that each step takes away; biases and normalisations are
    /// exempt.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        let Adam { lr, beta1, beta2, eps, .. } = Adam::default();
        AdamW { lr, beta1, beta2, eps, weight_decay: 0.01 }
    }
}

impl Optimizer for AdamW {
    type Slots = AdamSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: AdamSlots, context: &Context) -> (Tensor, AdamSlots) {
        let AdamW { lr, beta1, beta2, eps, weight_decay } = *self;
        let adam = Adam { lr, beta1, beta2, eps, weight_decay: 0.0 };
        let decays = context.decays && weight_decay != 0.0;
        let shrunk = if decays { p - (&context.lr * weight_decay) * p } else { p.clone() };
        adam.update(&shrunk, g, slots, context)
    }
}
