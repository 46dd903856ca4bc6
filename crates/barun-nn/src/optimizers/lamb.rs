//! LAMB.

use super::adam::AdamSlots;
use super::{Context, Epsilon, Optimizer, ema};
use crate::{Hyper, Tensor};

/// LAMB: Adam's direction, with a step in proportion to each layer's weights.
///
/// ```text
/// r = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay p
/// p <- p - lr |p| / |r| r        (lr r where either norm is 0)
/// ```
///
/// For very large batches, whose rates would blow up the layers with small weights. Defaults are the paper's (lr 1e-3,
/// beta1 0.9, beta2 0.999, eps 1e-6, weight decay 0.01). You et al., 2019, "Large batch optimization for deep learning:
/// training BERT in 76 minutes".
#[derive(Clone, Debug, Hyper)]
pub struct Lamb {
    /// Learning rate, as a part of the weights' norm.
    #[hyper(positive)]
    pub lr: f64,
    /// Decay of the average of gradients.
    #[hyper(below_one)]
    pub beta1: f64,
    /// Decay of the average of squared gradients.
    #[hyper(below_one)]
    pub beta2: f64,
    /// Keeps the division finite.
    #[hyper(positive)]
    pub eps: f64,
    /// Pulls the weights to 0 as a part of the direction; biases and normalisations are exempt.
    #[hyper(not_negative)]
    pub weight_decay: f64,
}

impl Default for Lamb {
    fn default() -> Self {
        Lamb { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-6, weight_decay: 0.01 }
    }
}

impl Optimizer for Lamb {
    type Slots = AdamSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: AdamSlots, context: &Context) -> (Tensor, AdamSlots) {
        let mean = ema(self.beta1, &slots.mean, g);
        let mean_square = ema(self.beta2, &slots.mean_square, &g.square());
        let root = context.corrected_root(self.beta2, &mean_square, self.eps, Epsilon::Outside);
        let mut direction = &mean / context.bias_correction(self.beta1, p.dtype()) / root;
        if context.decays {
            direction = direction + p * self.weight_decay;
        }
        let norm = |x: &Tensor| x.square().sum(..).sqrt();
        let (weights, step) = (norm(p), norm(&direction));
        let zero = weights.like(0.0);
        let both = weights.greater(&zero).and(&step.greater(&zero));
        let trust = both.where_(&(weights / both.where_(&step, &step.like(1.0))), &step.like(1.0));
        (p - (&context.lr * trust) * direction, AdamSlots { mean, mean_square })
    }
}
