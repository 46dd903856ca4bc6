//! RMSProp.

use super::{Context, DecayForm, Epsilon, Optimizer, ema};
use crate::{Hyper, Shape, Slots, Tensor};

/// RMSProp: divide each step by a running root-mean-square of the gradient.
///
/// ```text
/// G <- rho G + (1 - rho) g^2;      p <- p - lr g / (sqrt(G) + eps)
/// centred:  G - m^2 in place of G, with  m <- rho m + (1 - rho) g
/// with momentum:  v <- momentum v + g / (sqrt(G) + eps);      p <- p - lr v
/// ```
///
/// AdaGrad that forgets, so its steps do not die; once the choice for recurrent networks. Defaults follow PyTorch (lr
/// 0.01, rho 0.99, eps 1e-8 outside the root). Tieleman & Hinton, 2012, Coursera lecture 6e; centred: Graves, 2013.
/// [OPT-21, OPT-22]
#[derive(Clone, Debug, Hyper)]
#[hyper(name = "rmsprop")]
pub struct RmsProp {
    /// Learning rate.
    #[hyper(positive)]
    pub lr: f64,
    /// Decay of the averages.
    #[hyper(below_one)]
    pub rho: f64,
    /// Keeps the division finite.
    #[hyper(positive)]
    pub eps: f64,
    /// Whether eps is added to the root or under it.
    pub epsilon: Epsilon,
    /// The part of the velocity that is kept; 0 is none.
    #[hyper(below_one)]
    pub momentum: f64,
    /// Divide by the deviation of the gradient instead: its mean is taken off.
    pub centered: bool,
    /// Pulls the weights to 0; biases and normalisations are exempt.
    #[hyper(not_negative)]
    pub weight_decay: f64,
    /// Whether the pull goes through the gradient.
    pub decay_form: DecayForm,
}

impl Default for RmsProp {
    fn default() -> Self {
        RmsProp {
            lr: 0.01,
            rho: 0.99,
            eps: 1e-8,
            epsilon: Epsilon::Outside,
            momentum: 0.0,
            centered: false,
            weight_decay: 0.0,
            decay_form: DecayForm::Coupled,
        }
    }
}

/// What RMSProp remembers.
#[derive(Clone, Debug, Slots)]
pub struct RmsPropSlots {
    /// The average of squared gradients.
    pub mean_square: Tensor,
    /// The average of gradients; one unused number unless centred.
    pub mean: Tensor,
    /// The decaying sum of steps; one unused number without momentum.
    pub velocity: Tensor,
}

impl Optimizer for RmsProp {
    type Slots = RmsPropSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn slot_shape(&self, slot: &str, parameter: &Shape) -> Shape {
        match slot {
            "mean" if !self.centered => [].into(),
            "velocity" if self.momentum == 0.0 => [].into(),
            _ => parameter.clone(),
        }
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: RmsPropSlots, context: &Context) -> (Tensor, RmsPropSlots) {
        let (p, g) = context.decayed(self.decay_form, self.weight_decay, p, g);
        let mut slots = RmsPropSlots { mean_square: ema(self.rho, &slots.mean_square, &g.square()), ..slots };
        let mut variance = slots.mean_square.clone();
        if self.centered {
            slots.mean = ema(self.rho, &slots.mean, &g);
            variance = variance - slots.mean.square();
        }
        let root = self.epsilon.root(&variance, self.eps);
        if self.momentum == 0.0 {
            return (p - &context.lr * g / root, slots);
        }
        slots.velocity = slots.velocity * self.momentum + g / root;
        (p - &context.lr * &slots.velocity, slots)
    }
}
