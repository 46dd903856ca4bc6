//! A gentle start before another schedule.

use super::{Constant, Schedule};
use crate::Hyper;

/// Up in a line over the first `steps`, then another schedule over the rest.
///
/// ```text
/// t < steps:   lr(t) = base (start + (1 - start) t / steps),   or base (t + 1) / steps without a start
/// ```
///
/// With a start as PyTorch's LinearLR; without one the first step already moves and the last reaches the base.
#[derive(Clone, Debug, Hyper)]
pub struct Warmup {
    /// Steps of the rise.
    pub steps: u64,
    /// The part of the base rate to start with, if not `1 / steps`.
    pub start: Option<f64>,
    /// The schedule over the remaining steps.
    pub then: Box<dyn Schedule>,
}

impl Default for Warmup {
    fn default() -> Self {
        Warmup::new(100, Constant::default())
    }
}

impl Warmup {
    /// Rises over `steps`, then goes on with `then`.
    pub fn new(steps: u64, then: impl Schedule + 'static) -> Self {
        Warmup { steps, start: None, then: Box::new(then) }
    }
}

impl Schedule for Warmup {
    fn lr(&self, base: f64, step: u64, total: u64) -> f64 {
        if step >= self.steps {
            return self.then.lr(base, step - self.steps, total.saturating_sub(self.steps));
        }
        let steps = self.steps as f64;
        match self.start {
            Some(start) => base * (start + (1.0 - start) * step as f64 / steps),
            None => base * (step + 1) as f64 / steps,
        }
    }
    fn clone_box(&self) -> Box<dyn Schedule> {
        Box::new(self.clone())
    }
}
