//! Cosine annealing, again and again.

use super::{Moment, Schedule, Span, half_cosine};
use crate::Hyper;

/// Down along half a cosine, then up at once and down again, each round `growth` times as long as the one before.
///
/// ```text
/// lr(t) = min_lr + (base - min_lr) (1 + cos(pi t_i / T_i)) / 2,      T_0 = first, T_(i+1) = growth T_i
/// ```
///
/// Each round ends in a model that is worth keeping, so the rounds' ends make an ensemble for the price of one run (see
/// the module `ensemble`). As PyTorch's CosineAnnealingWarmRestarts, which has no default for the first round; here it is
/// a fifth of the run. Loshchilov & Hutter, 2016, "SGDR: stochastic gradient descent with warm restarts"; Huang et al.,
/// 2017, "Snapshot ensembles: train 1, get M for free".
#[derive(Clone, Debug, Hyper)]
pub struct CosineRestarts {
    /// The length of the first round.
    pub first: Span,
    /// How many times as long each round is as the one before.
    #[hyper(at_least_one)]
    pub growth: f64,
    /// The rate at the end of each round; 0 unless set.
    #[hyper(not_negative)]
    pub min_lr: f64,
}

impl Default for CosineRestarts {
    fn default() -> Self {
        CosineRestarts { first: Span::Share(0.2), growth: 1.0, min_lr: 0.0 }
    }
}

impl CosineRestarts {
    /// How much of the round at `moment` has passed, and how many rounds before it.
    fn round(&self, moment: &Moment<'_>) -> (f64, usize) {
        let (mut passed, mut length, mut rounds) = (moment.step as f64, self.first.steps(moment).max(1.0), 0);
        while passed >= length {
            passed -= length;
            length *= self.growth.max(1.0);
            rounds += 1;
        }
        (passed / length, rounds)
    }

    /// Whether a round ends with the step at `moment`: the time for a snapshot.
    pub fn ends_round(&self, moment: &Moment<'_>) -> bool {
        let next = Moment { step: moment.step + 1, ..*moment };
        self.round(&next).1 > self.round(moment).1
    }
}

impl Schedule for CosineRestarts {
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64 {
        self.min_lr + (base - self.min_lr) * half_cosine(self.round(moment).0)
    }
}
