//! AdaGrad.

use super::{Context, DecayForm, Epsilon, Optimizer};
use crate::{Hyper, Slots, Tensor};

/// AdaGrad: each weight's steps shrink with the gradients it has already had.
///
/// ```text
/// G <- G + g^2;      p <- p - lr g / (sqrt(G) + eps)
/// ```
///
/// For sparse features: a weight that is rarely moved keeps its large steps. Of a constant gradient step t is `lr /
/// sqrt(t)`, so training stops late; RMSProp forgets instead. Defaults follow PyTorch (lr 0.01, eps 1e-10 outside the
/// root). Duchi, Hazan & Singer, 2011, "Adaptive subgradient methods for online learning". [OPT-16 .. OPT-18]
#[derive(Clone, Debug, Hyper)]
#[hyper(name = "adagrad")]
pub struct AdaGrad {
    /// Learning rate.
    #[hyper(positive)]
    pub lr: f64,
    /// How much the rate itself falls: `lr / (1 + lr_decay (t - 1))`.
    #[hyper(not_negative)]
    pub lr_decay: f64,
    /// Keeps the division finite.
    #[hyper(positive)]
    pub eps: f64,
    /// Whether eps is added to the root or under it.
    pub epsilon: Epsilon,
    /// Pulls the weights to 0; biases and normalisations are exempt.
    #[hyper(not_negative)]
    pub weight_decay: f64,
    /// Whether the pull goes through the gradient.
    pub decay_form: DecayForm,
}

impl Default for AdaGrad {
    fn default() -> Self {
        AdaGrad {
            lr: 0.01,
            lr_decay: 0.0,
            eps: 1e-10,
            epsilon: Epsilon::Outside,
            weight_decay: 0.0,
            decay_form: DecayForm::Coupled,
        }
    }
}

/// What AdaGrad remembers.
#[derive(Clone, Debug, Slots)]
pub struct AdaGradSlots {
    /// The sum of squared gradients.
    pub sum_square: Tensor,
}

impl Optimizer for AdaGrad {
    type Slots = AdaGradSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: AdaGradSlots, context: &Context) -> (Tensor, AdaGradSlots) {
        let (p, g) = context.decayed(self.decay_form, self.weight_decay, p, g);
        let sum_square = slots.sum_square + g.square();
        let lr = match self.lr_decay {
            0.0 => context.lr.clone(),
            decay => &context.lr / (1.0 + (&context.step - 1.0) * decay).cast(context.lr.dtype()),
        };
        (p - lr * g / self.epsilon.root(&sum_square, self.eps), AdaGradSlots { sum_square })
    }
}
