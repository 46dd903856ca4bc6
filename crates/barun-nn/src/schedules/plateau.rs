//! A rate that falls when learning stalls.

use super::{Moment, Schedule};
use crate::Hyper;

/// The rate times `factor` whenever the validation loss has not fallen for `patience` epochs.
///
/// ```text
/// an epoch is better if  loss < best (1 - threshold);   more than `patience` others in a row:  lr <- max(factor lr, min_lr)
/// ```
///
/// For runs of open length, where the loss itself says when to go slower. As PyTorch's ReduceLROnPlateau with its
/// defaults (factor 0.1, patience 10, relative threshold 1e-4, cooldown 0). The losses of all epochs are given each time,
/// so there is nothing to save; without a validation part the rate stays. [SCHED-06]
#[derive(Clone, Debug, Hyper)]
#[hyper(name = "plateau")]
pub struct ReduceOnPlateau {
    /// The factor of each fall.
    #[hyper(positive)]
    pub factor: f64,
    /// Epochs without improvement that are borne.
    pub patience: u64,
    /// By which part the loss must fall to count.
    #[hyper(share)]
    pub threshold: f64,
    /// Epochs after a fall in which none is counted.
    pub cooldown: u64,
    /// The lowest rate.
    #[hyper(not_negative)]
    pub min_lr: f64,
}

impl Default for ReduceOnPlateau {
    fn default() -> Self {
        ReduceOnPlateau { factor: 0.1, patience: 10, threshold: 1e-4, cooldown: 0, min_lr: 0.0 }
    }
}

/// A change of the rate that is smaller is not made, as in PyTorch.
const LEAST_CHANGE: f64 = 1e-8;

impl Schedule for ReduceOnPlateau {
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64 {
        let (mut lr, mut best, mut bad, mut cooling) = (base, f64::INFINITY, 0, 0);
        for &loss in moment.losses {
            // Not from infinity, nor by a part of a negative loss the wrong way round.
            let is_better = best == f64::INFINITY && loss < best || loss < best - self.threshold * best.abs();
            if is_better {
                (best, bad) = (loss, 0);
            } else {
                bad += 1;
            }
            if cooling > 0 {
                (cooling, bad) = (cooling - 1, 0);
            }
            if bad > self.patience {
                let lower = (lr * self.factor).max(self.min_lr);
                if lr - lower > LEAST_CHANGE {
                    lr = lower;
                }
                (cooling, bad) = (self.cooldown, 0);
            }
        }
        lr
    }
}
