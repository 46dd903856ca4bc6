//! A rate on a straight line.

use super::{Moment, Schedule, Span};
use crate::Hyper;

/// In a straight line from one part of the rate to another.
///
/// ```text
/// lr(t) = base (start + (end - start) min(t / over, 1))
/// ```
///
/// Down to 0 over the run it does as well as cosine on large models. As PyTorch's LinearLR, whose defaults (a third up to
/// all in 5 epochs) are a warm-up; here the line falls from all to nothing. Defazio et al., 2023, "Optimal linear decay
/// learning rate schedules and further refinements".
#[derive(Clone, Debug, Hyper)]
#[hyper(name = "linear")]
pub struct LinearDecay {
    /// The part of the rate at the start.
    #[hyper(not_negative)]
    pub start: f64,
    /// The part of the rate at the end, and after it.
    #[hyper(not_negative)]
    pub end: f64,
    /// The length of the line.
    pub over: Span,
}

impl Default for LinearDecay {
    fn default() -> Self {
        LinearDecay { start: 1.0, end: 0.0, over: Span::RUN }
    }
}

impl Schedule for LinearDecay {
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64 {
        base * (self.start + (self.end - self.start) * self.over.part(moment))
    }
}
