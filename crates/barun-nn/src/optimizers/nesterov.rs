//! Nesterov's accelerated gradient.

use super::momentum::MomentumSlots;
use super::{Context, DecayForm, Optimizer};
use crate::{Hyper, Tensor};

/// Nesterov's accelerated gradient: momentum with the gradient taken where the momentum leads.
///
/// ```text
/// textbook, at w:            a <- momentum a + grad(w - lr momentum a);      w <- w - lr a
/// here, at p = w - lr momentum a:   v <- momentum v + g;                     p <- p - lr (g + momentum v)
/// ```
///
/// Momentum that brakes earlier, so it overshoots less. Both forms are the same walk: `p` is the point the textbook looks
/// ahead to, which is where the gradient is known. This is PyTorch's form. Nesterov, 1983; Sutskever et al., 2013, "On
/// the importance of initialization and momentum in deep learning". [OPT-14]
#[derive(Clone, Debug, Hyper)]
pub struct Nesterov {
    /// Learning rate.
    #[hyper(positive)]
    pub lr: f64,
    /// The part of the velocity that is kept.
    #[hyper(below_one)]
    pub momentum: f64,
    /// Pulls the weights to 0; biases and normalisations are exempt.
    #[hyper(not_negative)]
    pub weight_decay: f64,
    /// Whether the pull goes through the velocity.
    pub decay_form: DecayForm,
}

impl Default for Nesterov {
    fn default() -> Self {
        Nesterov { lr: 1e-3, momentum: 0.9, weight_decay: 0.0, decay_form: DecayForm::Coupled }
    }
}

impl Optimizer for Nesterov {
    type Slots = MomentumSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn is_adaptive(&self) -> bool {
        false
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: MomentumSlots, context: &Context) -> (Tensor, MomentumSlots) {
        let (p, g) = context.decayed(self.decay_form, self.weight_decay, p, g);
        let velocity = slots.velocity * self.momentum + &g;
        (p - &context.lr * (g + &velocity * self.momentum), MomentumSlots { velocity })
    }
}
