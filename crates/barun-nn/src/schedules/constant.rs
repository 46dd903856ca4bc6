//! No schedule.

use super::{Moment, Schedule};
use crate::Hyper;

/// The optimiser's own rate, all along.
///
/// ```text
/// lr(t) = base
/// ```
///
/// To see what an optimiser does by itself; nearly every run ends lower with a rate that falls. PyTorch's
/// optimisers without a scheduler. [SCHED-04]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Constant {}

impl Schedule for Constant {
    fn lr(&self, base: f64, _: &Moment<'_>) -> f64 {
        base
    }
}
