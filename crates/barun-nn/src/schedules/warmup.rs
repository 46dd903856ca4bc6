//! A gentle start before another schedule.

use super::{Constant, Moment, Schedule, Span};
use crate::Hyper;

/// Up in a line over the first part of the run, then another schedule over the rest.
///
/// ```text
/// t < over:   lr(t) = base (start + (1 - start) t / over),   or base (t + 1) / over without a start
/// ```
///
/// For large rates, large batches, and adaptive optimisers, whose averages are poor at first. With a start as PyTorch's
/// LinearLR; without one the first step already moves and the last reaches the base. Recipes have it as the key
/// `warmup` of every schedule. Goyal et al., 2017, "Accurate, large minibatch SGD: training ImageNet in 1 hour".
#[derive(Clone, Debug, Hyper)]
pub struct Warmup {
    /// The length of the rise.
    pub over: Span,
    /// The part of the base rate to start with, if not that of the first step.
    #[hyper(share)]
    pub start: Option<f64>,
    /// The schedule over the rest.
    pub then: Box<dyn Schedule>,
}

impl Default for Warmup {
    fn default() -> Self {
        Warmup::new(Span::Steps(100), Constant::default())
    }
}

impl Warmup {
    /// Rises over `over`, then goes on with `then`.
    pub fn new(over: Span, then: impl Schedule + 'static) -> Self {
        Warmup { over, start: None, then: Box::new(then) }
    }
}

impl Schedule for Warmup {
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64 {
        let length = self.over.steps(moment).round();
        if moment.step as f64 >= length {
            let (step, total) = (moment.step - length as u64, moment.total.saturating_sub(length as u64));
            return self.then.lr(base, &Moment { step, total, ..*moment });
        }
        match self.start {
            Some(start) => base * (start + (1.0 - start) * moment.step as f64 / length),
            None => base * (moment.step + 1) as f64 / length,
        }
    }
}
