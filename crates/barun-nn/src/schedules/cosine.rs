//! Cosine annealing.

use super::{Moment, Schedule, Span, half_cosine};
use crate::Hyper;

/// Down along half a cosine, from the optimiser's rate to `min_lr`.
///
/// ```text
/// lr(t) = min_lr + (base - min_lr) (1 + cos(pi t / over)) / 2
/// ```
///
/// The default where nothing speaks against it: high rates for most of the run, a gentle end, one setting less than
/// steps. After `over` the rate stays at `min_lr`. Loshchilov & Hutter, 2016, "SGDR", without restarts, as PyTorch's
/// CosineAnnealingLR. [SCHED-03]
#[derive(Clone, Debug, Hyper)]
#[hyper(name = "cosine")]
pub struct CosineAnnealing {
    /// The rate at the end; 0 unless set.
    #[hyper(not_negative)]
    pub min_lr: f64,
    /// The length of the fall; the whole run unless set.
    pub over: Span,
}

impl CosineAnnealing {
    /// To 0 at the end of the run.
    pub fn over_run() -> Self {
        CosineAnnealing { min_lr: 0.0, over: Span::RUN }
    }
}

impl Default for CosineAnnealing {
    fn default() -> Self {
        CosineAnnealing::over_run()
    }
}

impl Schedule for CosineAnnealing {
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64 {
        self.min_lr + (base - self.min_lr) * half_cosine(self.over.part(moment))
    }
}
