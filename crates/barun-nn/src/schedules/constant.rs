//! No schedule.

use super::Schedule;
use crate::Hyper;

/// The optimiser's own rate, all along. [SCHED-04]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Constant {}

impl Schedule for Constant {
    fn lr(&self, base: f64, _: u64, _: u64) -> f64 {
        base
    }
    fn clone_box(&self) -> Box<dyn Schedule> {
        Box::new(self.clone())
    }
}
