//! Steps that are far too large, or far too small, for the weights they change.
//!
//! The ratio of the root mean squares of a step's update and the weights it changes is about 1/1000 in runs that go well.
//! Only weights are compared; biases and normalisations start at 0 or 1 and mean nothing here.
//!
//! Threshold: while the run is in trouble, in 3 of 5 checks, for at least half of the weights: above 1/10 the learning rate is
//! too large: ERROR; below 1e-5, or 1e-4 while the loss stands still where it began, too small: WARN. TheDeepChecker has 1/10 and
//! 1e-4, Karpathy's rule of thumb is 1/1000.
//! A step that is too small for the precision of the weights, so that it adds nothing, is too small. In the last tenth of a
//! run small steps are what a schedule comes down to, if its rate is a tenth of what it was: nothing is said.
//!
//! Cannot see: a rate that is too large for a narrow valley and yet moves the weights by little; `SHARPNESS` measures that.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Plateau, Rule, lr_times, short};
use crate::curve::median;
use crate::history::History;

/// See the [module](self).
pub struct UpdateRatio;

const TOO_FAST: f64 = 0.1;
const TOO_SLOW: f64 = 1e-5;
const TOO_SLOW_AT_START: f64 = 1e-4;
/// Where most runs go well.
const HEALTHY: f64 = 3e-3;
/// The rate is never changed by more than this at once.
const MOST_CHANGE: f64 = 30.0;

impl Rule for UpdateRatio {
    fn about(&self) -> About {
        About {
            id: "R13",
            name: "UPDATE_RATIO",
            summary: "Steps are far too large, or far too small, for the weights they change.",
            kind: Kind::Symptom,
            persist: (3, 5),
            explains: &["R07", "R08", "R09", "R10", "R11", "R12", "R14", "R15", "R16", "R17", "R18", "R20", "R21", "R23"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let check = history.checks.back()?;
        let ratios: Vec<f64> = history
            .weight_indices()
            .into_iter()
            .filter_map(|at| check.parameters.get(at))
            .filter(|parameter| parameter.weight > 0.0 && (parameter.update > 0.0 || parameter.gradient > 0.0))
            .map(|parameter| parameter.update / parameter.weight)
            .collect();
        // Of several batches that make one update only the last one moves anything.
        let moves = history.case.accumulate <= 1 || ratios.iter().any(|ratio| *ratio > 0.0);
        if ratios.is_empty() || !check.applied || !moves {
            return None;
        }
        let usual = median(&ratios);
        let beyond = |is: &dyn Fn(f64) -> bool| ratios.iter().filter(|ratio| is(**ratio)).count();
        let too_slow = if Plateau.judge(history).is_some() { TOO_SLOW_AT_START } else { TOO_SLOW };
        let (fast, slow) = (beyond(&|ratio| ratio > TOO_FAST), beyond(&|ratio| ratio < too_slow));
        let factor = (HEALTHY / usual).clamp(1.0 / MOST_CHANGE, MOST_CHANGE);
        if 2 * fast >= ratios.len() {
            let message = format!(
                "a step changes the weights of {fast} of {} layers by more than a tenth (typically by {} of their size)",
                ratios.len(),
                short(usual)
            );
            let why = "Such steps jump over every valley, and undo what the last ones have learned";
            let found = Found::new(Level::Error, (usual, TOO_FAST), message, why);
            let found = found.cure("Lower the learning rate", &lr_times(history, factor));
            return Some(found.cure("Then search it: `barun check RECIPE --lr-find`", &[]));
        }
        if 2 * slow >= ratios.len() && !is_coming_down(history, check.lr) {
            let message = format!(
                "a step changes the weights of {slow} of {} layers by less than {too_slow:e} of their size (typically by {})",
                ratios.len(),
                short(usual)
            );
            let why = "At this pace the weights stay what they were drawn as";
            let found = Found::new(Level::Warn, (usual, too_slow), message, why);
            let found = found.cure("Raise the learning rate", &lr_times(history, factor));
            return Some(found.cure("Then search it: `barun check RECIPE --lr-find`", &[]));
        }
        None
    }
}

/// Whether a schedule has brought the rate down for the end of the run.
fn is_coming_down(history: &History, lr: f64) -> bool {
    let total = history.case.total_steps();
    total > 0 && 10 * history.steps > 9 * total && lr < history.case.optimizer.lr / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::history_of_updates;

    #[test]
    fn steps_are_held_against_the_weights_they_change() {
        let fast = UpdateRatio.judge(&history_of_updates(&[0.5, 0.3, 0.001])).unwrap();
        assert!(fast.message.contains("2 of 3") && fast.level == Level::Error, "{}", fast.message);
        assert_eq!(fast.cure[0].set, ["train.lr=0.00033"]);
        assert_eq!(UpdateRatio.judge(&history_of_updates(&[1e-7, 1e-6, 1e-3])).unwrap().level, Level::Warn);
        assert_eq!(UpdateRatio.judge(&history_of_updates(&[1e-3, 3e-3, 1e-4])), None);
    }

    #[test]
    fn steps_that_add_nothing_at_all_are_too_small() {
        let still = UpdateRatio.judge(&history_of_updates(&[0.0, 0.0, 1e-9])).unwrap();
        assert!(still.message.contains("3 of 3"), "{}", still.message);
    }

    #[test]
    fn a_schedule_may_come_down_to_nothing_at_its_end() {
        let mut history = history_of_updates(&[1e-7, 1e-6, 1e-6]);
        assert!(UpdateRatio.judge(&history).is_some());
        (history.case.optimizer.lr, history.steps) = (1.0, 1950);
        assert_eq!(UpdateRatio.judge(&history), None);
        history.steps = 1000;
        assert!(UpdateRatio.judge(&history).is_some(), "in the middle of the run it is too small");
    }
}
