//! A rate that falls in steps.

use super::{Moment, Schedule, Span};
use crate::Hyper;

/// The rate times `gamma` after each of equal spans.
///
/// ```text
/// lr(t) = base gamma^floor(t / every)
/// ```
///
/// The schedule of the early image networks, whose loss falls at each step down. As PyTorch's StepLR, gamma 0.1; it has
/// no default for `every`, here it is a third of the run. Krizhevsky, Sutskever & Hinton, 2012, "ImageNet classification
/// with deep convolutional neural networks". [SCHED-01]
#[derive(Clone, Debug, Hyper)]
#[hyper(name = "step")]
pub struct StepDecay {
    /// The length at one rate.
    pub every: Span,
    /// The factor of each step down.
    #[hyper(positive)]
    pub gamma: f64,
}

impl Default for StepDecay {
    fn default() -> Self {
        StepDecay { every: Span::Share(1.0 / 3.0), gamma: 0.1 }
    }
}

impl Schedule for StepDecay {
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64 {
        base * self.gamma.powf(self.every.passed(moment).floor())
    }
}
