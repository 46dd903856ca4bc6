//! Learning-rate schedules: the rate as a function of the step. One file each.
//!
//! A schedule is a pure function of the [`Moment`]: it has no memory of its own, so a resumed run has the same rates.
//! [SCHED-06] Lengths are given as a [`Span`]: steps, epochs, or a share of the run.

use std::fmt;

use crate::Hyper;
use crate::family::{clone_behind_pointer, family};

mod span;

pub use span::{Moment, Span};

/// The learning rate over a run.
pub trait Schedule: Hyper + fmt::Debug + Send + Sync + CloneSchedule {
    /// The rate at `moment`, for an optimiser whose own rate is `base`.
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64;
}

clone_behind_pointer!(Schedule, CloneSchedule);

impl Schedule for Box<dyn Schedule> {
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64 {
        (**self).lr(base, moment)
    }
}

family! {
    a schedule, Box<dyn Schedule>, Box::new;
    constant: Constant,
    step: StepDecay,
    multi_step: MultiStep,
    exponential: Exponential,
    linear: LinearDecay,
    polynomial: Polynomial,
    cosine: CosineAnnealing,
    cosine_restarts: CosineRestarts,
    one_cycle: OneCycle,
    stable_decay: StableDecay,
    plateau: ReduceOnPlateau,
    warmup: Warmup,
}
pub use one_cycle::Anneal;

/// From 1 down to 0 along half a cosine, as `part` goes from 0 to 1.
fn half_cosine(part: f64) -> f64 {
    (1.0 + (std::f64::consts::PI * part).cos()) / 2.0
}
