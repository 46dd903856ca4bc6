//! AMSGrad.

use super::adam::adam_settings;
use super::{Context, DecayForm, Optimizer, ema};
use crate::{Slots, Tensor};

adam_settings! {
    /// AMSGrad: Adam whose divisor never falls.
    ///
    /// ```text
    /// m, v as Adam;      u <- max(u, v)
    /// p <- p - lr (m / (1 - beta1^t)) / (sqrt(u / (1 - beta2^t)) + eps)
    /// ```
    ///
    /// On some problems Adam forgets rare large gradients and walks the wrong way; this one converges there, and is seldom
    /// better elsewhere. Defaults follow PyTorch's Adam with amsgrad. Reddi, Kale & Kumar, 2018, "On the convergence of Adam
    /// and beyond".
    #[hyper(name = "amsgrad")]
    pub struct AmsGrad, lr = 1e-3 {
        /// Pulls the weights to 0; biases and normalisations are exempt.
        #[hyper(not_negative)]
        pub weight_decay: f64 = 0.0,
        /// Whether the pull goes through the gradient.
        pub decay_form: DecayForm = DecayForm::Coupled,
    }
}

/// What AMSGrad remembers.
#[derive(Clone, Debug, Slots)]
pub struct AmsGradSlots {
    /// The average of gradients.
    pub mean: Tensor,
    /// The average of squared gradients.
    pub mean_square: Tensor,
    /// The largest it has been.
    pub largest_mean_square: Tensor,
}

impl Optimizer for AmsGrad {
    type Slots = AmsGradSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: AmsGradSlots, context: &Context) -> (Tensor, AmsGradSlots) {
        let (p, g) = context.decayed(self.decay_form, self.weight_decay, p, g);
        let mean = ema(self.beta1, &slots.mean, &g);
        let mean_square = ema(self.beta2, &slots.mean_square, &g.square());
        let largest_mean_square = slots.largest_mean_square.maximum(&mean_square);
        let rate = context.corrected_rate(self.beta1);
        let root = context.corrected_root(self.beta2, &largest_mean_square, self.eps, self.epsilon);
        (p - rate * &mean / root, AmsGradSlots { mean, mean_square, largest_mean_square })
    }
}
