//! Rectified Adam.

use super::adam::{AdamSlots, adam_settings};
use super::{Context, DecayForm, Optimizer, ema};
use crate::Tensor;

adam_settings! {
    /// RAdam: Adam that takes plain momentum steps until its average of squares is worth something.
    ///
    /// ```text
    /// m, v as Adam;      n = 2 / (1 - beta2) - 1;      n_t = n - 2 t beta2^t / (1 - beta2^t)
    /// r = sqrt((n_t - 4) (n_t - 2) n / ((n - 4) (n - 2) n_t))
    /// p <- p - lr r (m / (1 - beta1^t)) sqrt(1 - beta2^t) / (sqrt(v) + eps)      where n_t > 5
    /// p <- p - lr (m / (1 - beta1^t))                                               before
    /// ```
    ///
    /// The first averages of squares are of a few gradients and vary widely, which is what a warm-up guards Adam against; `r`
    /// grows from 0 to 1 as they settle, so no warm-up has to be set. Defaults follow PyTorch. Liu et al., 2020, "On the
    /// variance of the adaptive learning rate and beyond".
    #[hyper(name = "radam")]
    pub struct RAdam, lr = 1e-3 {
        /// Pulls the weights to 0; biases and normalisations are exempt.
        #[hyper(not_negative)]
        pub weight_decay: f64 = 0.0,
        /// Whether the pull goes through the gradient.
        pub decay_form: DecayForm = DecayForm::Coupled,
    }
}

impl RAdam {
    /// The rectification `r` of update `step` and whether there is one yet; f64 scalars.
    fn rectification(&self, step: &Tensor) -> (Tensor, Tensor) {
        let longest = 2.0 / (1.0 - self.beta2) - 1.0;
        let power = step.like(self.beta2).pow(step);
        let length = longest - step * &power * 2.0 / (1.0 - &power);
        let square = (&length - 4.0) * (&length - 2.0) * longest
            / (&length * ((longest - 4.0) * (longest - 2.0)));
        // The root of a negative number would be NaN, also where it is not taken.
        (square.maximum(&square.like(0.0)).sqrt(), length.greater(&length.like(5.0)))
    }
}

impl Optimizer for RAdam {
    type Slots = AdamSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: AdamSlots, context: &Context) -> (Tensor, AdamSlots) {
        let (p, g) = context.decayed(self.decay_form, self.weight_decay, p, g);
        let mean = ema(self.beta1, &slots.mean, &g);
        let mean_square = ema(self.beta2, &slots.mean_square, &g.square());
        let rate = context.corrected_rate(self.beta1);
        let (rectification, is_rectified) = self.rectification(&context.step);
        let correction = context.bias_correction(self.beta2, p.dtype()).sqrt();
        let step = &mean * rate;
        let root = self.epsilon.root(&mean_square, self.eps);
        let scaled = &step * (rectification.cast(p.dtype()) * correction) / root;
        (p - is_rectified.where_(&scaled, &step), AdamSlots { mean, mean_square })
    }
}
