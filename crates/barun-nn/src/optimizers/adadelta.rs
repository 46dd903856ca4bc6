//! Adadelta.

use super::{Context, DecayForm, Optimizer, ema};
use crate::{Hyper, Slots, Tensor};

/// Adadelta: steps as large as the last ones were, so there is no learning rate to set.
///
/// ```text
/// G <- rho G + (1 - rho) g^2;      d = sqrt(H + eps) / sqrt(G + eps) g
/// H <- rho H + (1 - rho) d^2;      p <- p - d
/// ```
///
/// The ratio of both roots has the unit of the weights, which no other rule's step has. It begins slowly, by steps of
/// about sqrt(eps), and a schedule scales them all. Defaults follow PyTorch (rho 0.9, eps 1e-6); the paper has rho 0.95.
/// Zeiler, 2012, "ADADELTA: an adaptive learning rate method". [OPT-19, OPT-20]
#[derive(Clone, Debug, Hyper)]
pub struct Adadelta {
    /// Decay of both averages.
    #[hyper(below_one)]
    pub rho: f64,
    /// Keeps the division finite, and gives the first steps their size.
    #[hyper(positive)]
    pub eps: f64,
    /// Pulls the weights to 0; biases and normalisations are exempt.
    #[hyper(not_negative)]
    pub weight_decay: f64,
    /// Whether the pull goes through the gradient.
    pub decay_form: DecayForm,
}

impl Default for Adadelta {
    fn default() -> Self {
        Adadelta { rho: 0.9, eps: 1e-6, weight_decay: 0.0, decay_form: DecayForm::Coupled }
    }
}

/// What Adadelta remembers.
#[derive(Clone, Debug, Slots)]
pub struct AdadeltaSlots {
    /// The average of squared gradients.
    pub mean_square: Tensor,
    /// The average of squared steps.
    pub mean_square_step: Tensor,
}

impl Optimizer for Adadelta {
    type Slots = AdadeltaSlots;

    /// What schedules start from: all of a step.
    fn lr(&self) -> f64 {
        1.0
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: AdadeltaSlots, context: &Context) -> (Tensor, AdadeltaSlots) {
        let (p, g) = context.decayed(self.decay_form, self.weight_decay, p, g);
        let mean_square = ema(self.rho, &slots.mean_square, &g.square());
        let step = ((&slots.mean_square_step + self.eps) / (&mean_square + self.eps)).sqrt() * g;
        let mean_square_step = ema(self.rho, &slots.mean_square_step, &step.square());
        (p - &context.lr * step, AdadeltaSlots { mean_square, mean_square_step })
    }
}
