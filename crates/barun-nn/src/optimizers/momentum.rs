//! Momentum.

use super::{Context, DecayForm, Optimizer};
use crate::hyper::named_cases;
use crate::{Hyper, Slots, Tensor};

/// Where the learning rate enters. Both walk the same way while it is constant; when a schedule changes it, `Gradient`
/// applies the new rate to the whole velocity and `Step` only to the new gradient. [OPT-10, OPT-11]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MomentumForm {
    /// `v <- momentum v + g; p <- p - lr v`, as in PyTorch. [OPT-11]
    #[default]
    Gradient,
    /// `v <- momentum v + lr g; p <- p - v`. [OPT-10]
    Step,
}
named_cases!(MomentumForm { Gradient = "gradient", Step = "step" });

/// Momentum: step along a decaying sum of past gradients.
///
/// ```text
/// v <- momentum v + (1 - dampening) g;      p <- p - lr v        (the first v is g)
/// ```
///
/// Noise cancels in the sum and slopes add up, so it is faster along valleys and rolls over small bumps; with a good
/// schedule still the best on images. Defaults: lr 1e-3 and no dampening as PyTorch, momentum 0.9 as the notes. Polyak,
/// 1964, "Some methods of speeding up the convergence of iteration methods". [OPT-10 .. OPT-13]
#[derive(Clone, Debug, Hyper)]
pub struct Momentum {
    /// Learning rate.
    #[hyper(positive)]
    pub lr: f64,
    /// The part of the velocity that is kept.
    #[hyper(below_one)]
    pub momentum: f64,
    /// The part of the gradient that is left out, but for the first.
    #[hyper(share)]
    pub dampening: f64,
    /// Pulls the weights to 0; biases and normalisations are exempt.
    #[hyper(not_negative)]
    pub weight_decay: f64,
    /// Whether the pull goes through the velocity.
    pub decay_form: DecayForm,
    /// Where the learning rate enters.
    pub form: MomentumForm,
}

impl Default for Momentum {
    fn default() -> Self {
        Momentum {
            lr: 1e-3,
            momentum: 0.9,
            dampening: 0.0,
            weight_decay: 0.0,
            decay_form: DecayForm::Coupled,
            form: MomentumForm::Gradient,
        }
    }
}

/// What momentum remembers.
#[derive(Clone, Debug, Slots)]
pub struct MomentumSlots {
    /// The decaying sum of gradients (of steps, in the form [`MomentumForm::Step`]).
    pub velocity: Tensor,
}

impl Optimizer for Momentum {
    type Slots = MomentumSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn is_adaptive(&self) -> bool {
        false
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: MomentumSlots, context: &Context) -> (Tensor, MomentumSlots) {
        let (p, g) = context.decayed(self.decay_form, self.weight_decay, p, g);
        let added = match self.form {
            MomentumForm::Gradient => g,
            MomentumForm::Step => &context.lr * g,
        };
        let mut velocity = slots.velocity * self.momentum + &added * (1.0 - self.dampening);
        if self.dampening != 0.0 {
            velocity = context.is_first().where_(&added, &velocity);
        }
        let p = match self.form {
            MomentumForm::Gradient => p - &context.lr * &velocity,
            MomentumForm::Step => p - &velocity,
        };
        (p, MomentumSlots { velocity })
    }
}
