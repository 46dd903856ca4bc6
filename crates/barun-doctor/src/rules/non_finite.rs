//! The loss or a gradient left the finite numbers.
//!
//! The trainer never takes such a step, so the weights stay as they were; what caused it stays too.
//!
//! Threshold: one step: WARN; three steps, or one within the last 20: ERROR. None among the last 500 steps: it is over.
//!
//! Cannot see: numbers that are huge and yet finite; `LOSS_DIVERGE` sees those.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, lr_times};
use crate::history::History;

/// See the [module](self).
pub struct NonFinite;

const FORGOTTEN: usize = 500;
const JUST_NOW: usize = 20;
const SEVERAL: usize = 3;

impl Rule for NonFinite {
    fn about(&self) -> About {
        About {
            id: "R08",
            name: "NON_FINITE",
            summary: "The loss or a gradient is not a finite number; the step was not taken.",
            kind: Kind::Trouble,
            persist: (1, 1),
            explains: &["R06", "R10", "R14", "R15", "R16", "R17", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let (count, last) = history.skipped;
        if count == 0 || history.steps - last > FORGOTTEN {
            return None;
        }
        let is_grave = count >= SEVERAL || history.steps - last < JUST_NOW;
        let level = if is_grave { Level::Error } else { Level::Warn };
        let steps = if count == 1 { "1 step was".to_string() } else { format!("{count} steps were") };
        let message = format!("{steps} not taken, because the loss or a gradient was not finite; the last was step {last}");
        let why = "What is not finite spreads to every weight; the trainer kept it out, but its cause is still there";
        let mut found = Found::new(level, (count as f64, 0.0), message, why);
        if let Some(place) = &history.non_finite {
            found = found.evidence(place.clone());
        }
        let found = found.cure("Lower the learning rate", &lr_times(history, 0.1));
        let found = found.cure("Limit the gradient", &["train.clip=norm(1)".to_string()]);
        Some(found.cure("Where a logarithm, a root or a division is to blame: give it a small number to stand on", &[]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::StepScalars;
    use crate::testing::{course, step};

    #[test]
    fn a_step_that_is_not_finite_is_an_error_until_it_is_long_past() {
        let mut history = course(100, |_| 1.0);
        assert_eq!(NonFinite.judge(&history), None);
        history.add_step(StepScalars { loss: f64::NAN, applied: false, ..step(0.0) });
        assert_eq!(NonFinite.judge(&history).unwrap().level, Level::Error);
        (0..100).for_each(|_| history.add_step(step(1.0)));
        assert_eq!(NonFinite.judge(&history).unwrap().level, Level::Warn);
        (0..500).for_each(|_| history.add_step(step(1.0)));
        assert_eq!(NonFinite.judge(&history), None);
    }
}
