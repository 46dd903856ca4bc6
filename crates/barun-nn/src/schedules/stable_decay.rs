//! Constant, then down at the end.

use super::{Moment, Schedule, Span};
use crate::Hyper;

/// The optimiser's own rate for most of the run, then down in a line to `min_lr` over its last part.
///
/// ```text
/// base  until  decay  is left,  then in a straight line to  min_lr  at the end of the run
/// ```
///
/// With a warm-up before it, this is warm-up, stable, decay. Up to the decay it does not depend on how long the run will be,
/// so a run may go on from there, and is judged after a short decay from any point of it. As good as a cosine for the same
/// length. Zhai et al., 2022, "Scaling vision transformers"; Hu et al., 2024, "MiniCPM".
#[derive(Clone, Debug, Hyper)]
pub struct StableDecay {
    /// The length of the decay at the end of the run.
    pub decay: Span,
    /// The rate at the end.
    #[hyper(not_negative)]
    pub min_lr: f64,
}

impl Default for StableDecay {
    fn default() -> Self {
        StableDecay { decay: Span::Share(0.2), min_lr: 0.0 }
    }
}

impl Schedule for StableDecay {
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64 {
        let left = (moment.total as f64 - moment.step as f64).max(0.0);
        let part = (left / self.decay.steps(moment).max(f64::MIN_POSITIVE)).min(1.0);
        self.min_lr + (base - self.min_lr) * part
    }
}
