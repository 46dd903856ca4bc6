//! Adam with decoupled weight decay.

use super::adam::{Adam, AdamSlots, adam_settings};
use super::{Context, DecayForm, Optimizer};
use crate::Tensor;

adam_settings! {
    /// Adam with weight decay beside the gradient instead of in it.
    ///
    /// ```text
    /// p <- p - lr weight_decay p, then as Adam
    /// ```
    ///
    /// Adam divides a penalty in the gradient by the gradient's own size, so large gradients decay less; here all weights
    /// decay alike. Prefer it to Adam with a penalty; the usual choice for transformers. Defaults follow PyTorch (weight decay
    /// 0.01, the rest as Adam). Loshchilov & Hutter, 2017, "Decoupled weight decay regularization". [OPT-50]
    #[hyper(name = "adamw")]
    pub struct AdamW, lr = 1e-3 {
        /// The part of the weights, times the learning rate, that each step takes away; biases and normalisations are
        /// exempt.
        #[hyper(not_negative)]
        pub weight_decay: f64 = 0.01,
    }
}

impl Optimizer for AdamW {
    type Slots = AdamSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: AdamSlots, context: &Context) -> (Tensor, AdamSlots) {
        let AdamW { lr, beta1, beta2, eps, epsilon, weight_decay } = *self;
        let (p, g) = context.decayed(DecayForm::Decoupled, weight_decay, p, g);
        Adam { lr, beta1, beta2, eps, epsilon, weight_decay: 0.0 }.update(&p, &g, slots, context)
    }
}
