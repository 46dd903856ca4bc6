//! A rate that falls as a power of what is left.

use super::{Moment, Schedule, Span};
use crate::Hyper;

/// Down to `min_lr` as a power of what is left of the run.
///
/// ```text
/// lr(t) = min_lr + (base - min_lr) (1 - min(t / over, 1))^power
/// ```
///
/// Usual in segmentation, with power 0.9. As PyTorch's PolynomialLR, where power is 1: a line. Chen et al., 2016,
/// "DeepLab: semantic image segmentation".
#[derive(Clone, Debug, Hyper)]
pub struct Polynomial {
    /// The power; 1 is a line, 2 falls fast at first.
    #[hyper(positive)]
    pub power: f64,
    /// The rate at the end, and after it.
    #[hyper(not_negative)]
    pub min_lr: f64,
    /// The length of the fall.
    pub over: Span,
}

impl Default for Polynomial {
    fn default() -> Self {
        Polynomial { power: 1.0, min_lr: 0.0, over: Span::RUN }
    }
}

impl Schedule for Polynomial {
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64 {
        self.min_lr + (base - self.min_lr) * (1.0 - self.over.part(moment)).powf(self.power)
    }
}
