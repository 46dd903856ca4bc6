//! A rate that falls at given places.

use super::{Moment, Schedule, Span};
use crate::Hyper;

/// The rate times `gamma` at each milestone.
///
/// ```text
/// lr(t) = base gamma^(number of milestones <= t)
/// ```
///
/// Where a published run says at which epochs it lowered the rate. As PyTorch's MultiStepLR, gamma 0.1; the default
/// milestones, 50 % and 75 % of the run, are those of He et al., 2016, "Deep residual learning for image recognition",
/// on CIFAR-10. [SCHED-01]
#[derive(Clone, Debug, Hyper)]
pub struct MultiStep {
    /// Where the rate falls, each counted from the start.
    pub milestones: Vec<Span>,
    /// The factor at each.
    #[hyper(positive)]
    pub gamma: f64,
}

impl Default for MultiStep {
    fn default() -> Self {
        MultiStep { milestones: vec![Span::Share(0.5), Span::Share(0.75)], gamma: 0.1 }
    }
}

impl Schedule for MultiStep {
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64 {
        let is_behind = |milestone: &&Span| milestone.steps(moment) <= moment.step as f64;
        base * self.gamma.powi(self.milestones.iter().filter(is_behind).count() as i32)
    }
}
