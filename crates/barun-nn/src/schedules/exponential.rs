//! A rate that falls by the same factor each epoch.

use super::{Moment, Schedule, Span};
use crate::Hyper;

/// The rate times `gamma` with each epoch, evenly in between.
///
/// ```text
/// lr(t) = base gamma^(t / per)
/// ```
///
/// For runs whose length is not known: it never ends, only slows. At whole epochs it is PyTorch's ExponentialLR, which
/// has no default gamma; 0.95 here takes ten epochs to 60 %. [SCHED-02]
#[derive(Clone, Debug, Hyper)]
pub struct Exponential {
    /// The factor.
    #[hyper(positive)]
    pub gamma: f64,
    /// The length in which the rate falls by it.
    pub per: Span,
}

impl Default for Exponential {
    fn default() -> Self {
        Exponential { gamma: 0.95, per: Span::Epochs(1.0) }
    }
}

impl Schedule for Exponential {
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64 {
        base * self.gamma.powf(self.per.passed(moment))
    }
}
