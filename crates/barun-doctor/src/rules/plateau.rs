//! The loss stands still where it began.
//!
//! Over the last epoch, or 300 steps if that is more, the loss has improved by less than 1 % and is still above 0.9 of the
//! trivial loss, that of knowing nothing of the inputs: nothing is being learned. Or it has been within 3 % of what it was in the
//! first steps all the while, above half of the trivial one. Or two thirds of the run are over and it is still above the trivial
//! loss, however it got there.
//!
//! Threshold: WARN; the 1 % is SageMaker Debugger's and AutoTrainer's, the 0.9 leaves a tenth of the headroom. In runs
//! shorter than 600 steps half of the run is looked at, 60 steps at least. While the learning rate still rises from a
//! tenth of its largest, nothing is said.
//!
//! Cannot see: standing still later, after something was learned: that may be the best there is; the course of the run
//! tells of it. Data in which there is nothing to learn looks the same.

use barun_train::diagnosis::Level;

use super::loss_diverge::goes_uphill;
use super::{About, Found, Kind, Rule, percent, short};
use crate::curve::stretches;
use crate::history::History;

/// See the [module](self).
pub struct Plateau;

const WINDOW: usize = 300;
const LEAST_WINDOW: usize = 60;
const IMPROVEMENT: f64 = 0.01;
const NO_PROGRESS: f64 = 0.9;
const WARMING: f64 = 0.1;
const AS_IT_BEGAN: f64 = 0.97;
const HIGH: f64 = 0.5;

impl Rule for Plateau {
    fn about(&self) -> About {
        About {
            id: "R16",
            name: "PLATEAU",
            summary: "The loss stands still where it began: nothing is being learned.",
            kind: Kind::Trouble,
            persist: (3, 5),
            explains: &["R21", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let window = window(history);
        if history.steps < window || is_warming_up(history) || goes_uphill(history) {
            return None;
        }
        let scale = history.loss_scale()?;
        let parts = stretches(history.losses.last(window), 4);
        let (&before, &now) = (parts.first()?, parts.last()?);
        let improvement = (before - now) / before.abs().max(f64::MIN_POSITIVE);
        let stands_still = improvement < IMPROVEMENT && now > NO_PROGRESS * scale;
        let total = history.case.total_steps();
        let is_late = total > 0 && 3 * history.steps > 2 * total;
        let began = crate::curve::median(&history.first_losses);
        let is_as_it_began = now > AS_IT_BEGAN * began && before > AS_IT_BEGAN * began && now > HIGH * scale;
        // That of the first steps, where nothing better is known, is no measure of knowing nothing.
        let is_worse = history.case.trivial_loss().is_some_and(|trivial| now > trivial);
        if parts.len() < 4 || !(stands_still || is_as_it_began || is_late && is_worse) {
            return None;
        }
        let message = format!(
            "over {window} steps the loss has gone from {} to {}, and knowing nothing costs {}",
            short(before),
            short(now),
            short(scale)
        );
        let why = match now > NO_PROGRESS * scale {
            true => "The network knows no more than how frequent each answer is",
            false => "Nothing has been learned since the first step",
        };
        let found = Found::new(Level::Warn, (improvement, IMPROVEMENT), message, why)
            .evidence(format!("it has improved by {}", percent(improvement)))
            .cure("Search the learning rate: `barun check RECIPE --lr-find`", &[])
            .cure("Look whether it can learn a few rows by heart: `barun check RECIPE --overfit-batch`", &[])
            .cure("Use Adam", &["train.optimizer.name=adam".to_string()]);
        Some(found)
    }
}

/// Over how many steps it is looked.
fn window(history: &History) -> usize {
    let case = &history.case;
    let wanted = case.steps_per_epoch.max(WINDOW);
    match case.total_steps() {
        0 => wanted,
        total => wanted.min((total / 2).max(LEAST_WINDOW)),
    }
}

fn is_warming_up(history: &History) -> bool {
    let rates = || history.recent.iter().map(|step| step.lr);
    let (first, last) = (rates().next().unwrap_or(0.0), rates().next_back().unwrap_or(0.0));
    let largest = history.case.optimizer.lr.max(last);
    first < WARMING * largest && last > first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{course, noise};

    #[test]
    fn a_loss_that_stays_at_that_of_knowing_nothing_is_told() {
        assert!(Plateau.judge(&course(400, |at| 2.31 + 0.05 * noise(at))).is_some());
        assert_eq!(Plateau.judge(&course(200, |_| 2.31)), None, "too early to say");
    }

    #[test]
    fn what_falls_or_has_learned_something_is_well() {
        assert_eq!(Plateau.judge(&course(400, |at| 2.4 - 0.001 * at as f64)), None);
        let learned_early = |at| if at < 50 { 2.3 - 0.016 * at as f64 } else { 1.5 };
        assert_eq!(Plateau.judge(&course(400, learned_early)), None);
    }

    #[test]
    fn what_is_as_it_began_or_late_worse_than_knowing_nothing_is_told() {
        let still = Plateau.judge(&course(400, |_| 1.5)).unwrap();
        assert!(still.why.contains("since the first step"), "{}", still.why);
        assert_eq!(Plateau.judge(&course(400, |_| 0.9)), None, "it began well");
        let falls = |at: usize| 40.0 - 0.02 * at as f64;
        assert_eq!(Plateau.judge(&course(600, falls)), None);
        assert!(Plateau.judge(&course(1500, falls)).is_some());
    }
}
