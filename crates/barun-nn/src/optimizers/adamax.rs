//! Adamax.

use super::{Context, DecayForm, Optimizer, ema};
use crate::{Hyper, Slots, Tensor};

/// Adamax: Adam with the largest recent gradient in place of the root-mean-square.
///
/// ```text
/// m <- beta1 m + (1 - beta1) g;      u <- max(beta2 u, |g| + eps)
/// p <- p - lr / (1 - beta1^t) m / u
/// ```
///
/// Its steps are bounded by lr, and a gradient of 0 now and then changes nothing: for sparse gradients, such as those of
/// embeddings. Defaults follow PyTorch (lr 2e-3, beta1 0.9, beta2 0.999, eps 1e-8). Kingma & Ba, 2014, section 7.1.
#[derive(Clone, Debug, Hyper)]
pub struct Adamax {
    /// Learning rate.
    #[hyper(positive)]
    pub lr: f64,
    /// Decay of the average of gradients.
    #[hyper(below_one)]
    pub beta1: f64,
    /// Decay of the largest gradient.
    #[hyper(below_one)]
    pub beta2: f64,
    /// Keeps the division finite.
    #[hyper(positive)]
    pub eps: f64,
    /// Pulls the weights to 0; biases and normalisations are exempt.
    #[hyper(not_negative)]
    pub weight_decay: f64,
    /// Whether the pull goes through the gradient.
    pub decay_form: DecayForm,
}

impl Default for Adamax {
    fn default() -> Self {
        Adamax {
            lr: 2e-3,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
            decay_form: DecayForm::Coupled,
        }
    }
}

/// What Adamax remembers.
#[derive(Clone, Debug, Slots)]
pub struct AdamaxSlots {
    /// The average of gradients.
    pub mean: Tensor,
    /// The largest gradient, slowly forgotten.
    pub largest: Tensor,
}

impl Optimizer for Adamax {
    type Slots = AdamaxSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: AdamaxSlots, context: &Context) -> (Tensor, AdamaxSlots) {
        let (p, g) = context.decayed(self.decay_form, self.weight_decay, p, g);
        let mean = ema(self.beta1, &slots.mean, &g);
        let largest = (slots.largest * self.beta2).maximum(&(g.abs() + self.eps));
        (p - context.corrected_rate(self.beta1) * &mean / &largest, AdamaxSlots { mean, largest })
    }
}
