//! Learning-rate schedules: the rate as a function of the step. One file each.

use std::fmt;

use crate::hyper::{HyperValue, Value, by_name as find};
use crate::{Hyper, Result};

/// The learning rate over a run. It has no memory, so a resumed run has the same rates. [SCHED-06]
pub trait Schedule: Hyper + fmt::Debug + Send + Sync {
    /// The rate of step `step` (from 0) of `total`, for an optimiser whose own rate is `base`.
    fn lr(&self, base: f64, step: u64, total: u64) -> f64;

    /// A copy.
    fn clone_box(&self) -> Box<dyn Schedule>;
}

impl Clone for Box<dyn Schedule> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}

impl Schedule for Box<dyn Schedule> {
    fn lr(&self, base: f64, step: u64, total: u64) -> f64 {
        (**self).lr(base, step, total)
    }
    fn clone_box(&self) -> Box<dyn Schedule> {
        (**self).clone_box()
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
    cosine: CosineAnnealing,
    warmup: Warmup,
}

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
