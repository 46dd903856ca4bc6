//! Adam.

use super::{Context, Optimizer, ema};
use crate::{Hyper, Slots, Tensor};

/// Adam: momentum over gradients, each divided by its running root-mean-square.
///
/// ```text
/// m <- beta1 m + (1 - beta1) g;      v <- beta2 v + (1 - beta2) g^2
/// p <- p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
/// ```
///
/// The averages start at 0; dividing by `1 - beta^t` makes up for it, so the first step is `lr sign(g)`. Defaults
/// follow PyTorch (lr 1e-3, beta1 0.9, beta2 0.999, eps 1e-8 outside the root). Kingma & Ba, 2014. [OPT-23, OPT-24]
#[derive(Clone, Debug, Hyper)]
pub struct Adam {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the average of gradients.
    pub beta1: f64,
    /// Decay of the average of squared gradients.
    pub beta2: f64,
    /// Keeps the division finite.
    pub eps: f64,
    /// L2 penalty, added to the gradient; biases and normalisations are exempt.
    pub weight_decay: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

/// What Adam remembers.
#[derive(Clone, Debug, Slots)]
pub struct AdamSlots {
    /// The average of gradients.
    pub mean: Tensor,
    /// The average of squared gradients.
    pub mean_square: Tensor,
}

impl Optimizer for Adam {
    type Slots = AdamSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: AdamSlots, context: &Context) -> (Tensor, AdamSlots) {
        let g = context.with_decay(self.weight_decay, p, g);
        let mean = ema(self.beta1, &slots.mean, &g);
        let mean_square = ema(self.beta2, &slots.mean_square, &g.square());
        // The corrections are scalars: dividing them into lr and root leaves less to do for each element.
        let rate = &context.lr / context.bias_correction(self.beta1, p.dtype());
        let root = mean_square.sqrt() * context.bias_correction(self.beta2, p.dtype()).sqrt().recip();
        (p - rate * &mean / (root + self.eps), AdamSlots { mean, mean_square })
    }
}
