//! Cosine annealing.

use super::Schedule;
use crate::Hyper;

/// Down along half a cosine, from the optimiser's rate to `min_lr`.
///
/// ```text
/// lr(t) = min_lr + (base - min_lr) (1 + cos(pi t / T)) / 2
/// ```
///
/// T is `steps`, or the whole run. After it the rate stays at `min_lr`. Loshchilov & Hutter, 2016, without restarts,
/// as PyTorch's CosineAnnealingLR. [SCHED-03]
#[derive(Clone, Debug, Default, Hyper)]
#[hyper(name = "cosine")]
pub struct CosineAnnealing {
    /// The rate at the end; 0 unless set.
    pub min_lr: f64,
    /// Steps until then; the whole run if none.
    pub steps: Option<u64>,
}

impl CosineAnnealing {
    /// To 0 at the end of the run.
    pub fn over_run() -> Self {
        CosineAnnealing::default()
    }
}

impl Schedule for CosineAnnealing {
    fn lr(&self, base: f64, step: u64, total: u64) -> f64 {
        let length = self.steps.unwrap_or(total).max(1);
        let part = step.min(length) as f64 / length as f64;
        self.min_lr + (base - self.min_lr) * (1.0 + (std::f64::consts::PI * part).cos()) / 2.0
    }
    fn clone_box(&self) -> Box<dyn Schedule> {
        Box::new(self.clone())
    }
}
