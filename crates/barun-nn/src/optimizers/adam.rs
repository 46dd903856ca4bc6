//! Adam, and the settings of all that are made like it.

use super::{Context, DecayForm, Optimizer, ema};
use crate::{Slots, Tensor};

/// Declares an optimiser with Adam's settings: its documentation, its default rate, and the settings of its own with their
/// defaults.
macro_rules! adam_settings {
    (
        $(#[$about:meta])*
        pub struct $type:ident, lr = $lr:literal {
            $($(#[$of_own:meta])* pub $own:ident: $kind:ty = $default:expr,)*
        }
    ) => {
        #[derive(Clone, Debug, $crate::Hyper)]
        $(#[$about])*
        pub struct $type {
            /// Learning rate.
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
            /// Whether eps is added to the root or under it.
            pub epsilon: $crate::optimizers::Epsilon,
            $($(#[$of_own])* pub $own: $kind,)*
        }

        impl Default for $type {
            fn default() -> Self {
                $type {
                    lr: $lr,
                    beta1: 0.9,
                    beta2: 0.999,
                    eps: 1e-8,
                    epsilon: $crate::optimizers::Epsilon::Outside,
                    $($own: $default,)*
                }
            }
        }
    };
}
pub(super) use adam_settings;

adam_settings! {
    /// Adam: momentum over gradients, each divided by its running root-mean-square.
    ///
    /// ```text
    /// m <- beta1 m + (1 - beta1) g;      v <- beta2 v + (1 - beta2) g^2
    /// p <- p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
    /// ```
    ///
    /// The choice where nothing else is known: its steps are about lr whatever the size of the gradient. The averages start at
    /// 0; dividing by `1 - beta^t` makes up for it, so the first step is `lr sign(g)`. Defaults follow PyTorch (lr 1e-3, beta1
    /// 0.9, beta2 0.999, eps 1e-8 outside the root). Kingma & Ba, 2014, "Adam: a method for stochastic optimization".
    /// [OPT-23 .. OPT-25]
    pub struct Adam, lr = 1e-3 {
        /// L2 penalty, added to the gradient; biases and normalisations are exempt.
        #[hyper(not_negative)]
        pub weight_decay: f64 = 0.0,
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
        let (p, g) = context.decayed(DecayForm::Coupled, self.weight_decay, p, g);
        let mean = ema(self.beta1, &slots.mean, &g);
        let mean_square = ema(self.beta2, &slots.mean_square, &g.square());
        let rate = context.corrected_rate(self.beta1);
        let root = context.corrected_root(self.beta2, &mean_square, self.eps, self.epsilon);
        (p - rate * &mean / root, AdamSlots { mean, mean_square })
    }
}
