//! Learning-rate schedules: the rate as a function of the step. One file each.
//!
//! A schedule is a pure function of the [`Moment`]: it has no memory of its own, so a resumed run has the same rates.
//! [SCHED-06] Lengths are given as a [`Span`]: steps, epochs, or a share of the run.

use std::fmt;

use crate::hyper::{HyperValue, Value, by_name as find};
use crate::{Hyper, Result};

mod span;

pub use span::{Moment, Span};

/// The learning rate over a run.
pub trait Schedule: Hyper + fmt::Debug + Send + Sync + CloneSchedule {
    /// The rate at `moment`, for an optimiser whose own rate is `base`.
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64;
}

/// A copy behind a pointer; every schedule that is `Clone` has it.
pub trait CloneSchedule {
    /// The copy.
    fn clone_box(&self) -> Box<dyn Schedule>;
}

impl<S: Schedule + Clone + 'static> CloneSchedule for S {
    fn clone_box(&self) -> Box<dyn Schedule> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Schedule> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}

impl Schedule for Box<dyn Schedule> {
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64 {
        (**self).lr(base, moment)
    }
}

macro_rules! schedules {
    ($($file:ident: $type:ident),* $(,)?) => {
        $(mod $file; pub use $file::$type;)*

        /// Every schedule with its default settings.
        pub fn all() -> Vec<Box<dyn Schedule>> {
            vec![$(Box::new($type::default())),*]
        }
    };
}
schedules! {
    constant: Constant,
    step: StepDecay,
    multi_step: MultiStep,
    exponential: Exponential,
    linear: LinearDecay,
    polynomial: Polynomial,
    cosine: CosineAnnealing,
    cosine_restarts: CosineRestarts,
    one_cycle: OneCycle,
    plateau: ReduceOnPlateau,
    warmup: Warmup,
}
pub use one_cycle::Anneal;

/// The schedule called `name`, with its default settings.
pub fn by_name(name: &str) -> Result<Box<dyn Schedule>> {
    find("schedule", all(), name)
}

impl HyperValue for Box<dyn Schedule> {
    const EXPECTED: &'static str = "the name of a schedule";
    fn to_value(&self) -> Value {
        Value::Text(self.name().to_string())
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(name) => by_name(name).ok(),
            _ => None,
        }
    }
}

/// From 1 down to 0 along half a cosine, as `part` goes from 0 to 1.
fn half_cosine(part: f64) -> f64 {
    (1.0 + (std::f64::consts::PI * part).cos()) / 2.0
}
