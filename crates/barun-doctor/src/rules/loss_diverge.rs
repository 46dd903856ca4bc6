//! The loss grows, and does not come back.
//!
//! Looked at is the loss smoothed over 20 steps, against the smallest it has been, and always against the trivial loss too: a
//! run that has come down to a loss of 0.001 may well double it.
//!
//! - above twice its minimum, and by more than a fifth of the trivial loss: WARN;
//! - above four times its minimum, and by more than half of the trivial loss: ERROR;
//! - above 1.5 times the trivial loss, more than 200 steps after the beginning, and not falling: ERROR.
//!
//! - it rises from the first steps on, though these are small: with a trend of 4 deviations or more over the whole run, by a twentieth
//!   at least, never having been below 0.95 of the first losses, and the first step changing weights by less than a hundredth. Small
//!   steps against the gradient cannot do that; steps along it do: ERROR. Rules that would blame the rate are silent then.
//!
//! Threshold: twice is TheDeepChecker's, four times fastai's; the shares of the trivial loss are ours.
//!
//! Cannot see: a slow rise by less than a fifth; `OVERFIT` and the course of the run tell of it.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, lr_times, short};
use crate::curve::trend;
use crate::history::History;

/// See the [module](self).
pub struct LossDiverge;

const TWICE: (f64, f64) = (2.0, 0.2);
const FOUR_TIMES: (f64, f64) = (4.0, 0.5);
const BEYOND_TRIVIAL: f64 = 1.5;
const SETTLED: usize = 200;
/// From so many steps on a rise can be told from the noise of batches.
const EARLY: usize = 20;
const RISES: f64 = 4.0;
const RISEN: f64 = 1.05;
const NEVER_BELOW: f64 = 0.95;
const SMALL_STEP: f64 = 0.01;

impl Rule for LossDiverge {
    fn about(&self) -> About {
        About {
            id: "R15",
            name: "LOSS_DIVERGE",
            summary: "The loss grows, and does not come back.",
            kind: Kind::Trouble,
            persist: (5, 5),
            explains: &["R08", "R10", "R17", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        if let Some(found) = uphill(history) {
            return Some(found);
        }
        let (now, least, scale) = (history.smooth_loss()?, history.least_loss()?, history.loss_scale()?);
        let is = |(times, share): (f64, f64)| now > times * least && now - least > share * scale;
        // The largest a healthy run shows is what it started from.
        let first = crate::curve::median(&history.first_losses);
        let is_lost = history.steps > SETTLED && now > BEYOND_TRIVIAL * scale && now > 0.9 * first && {
            trend(history.losses.last(SETTLED)) > -1.0
        };
        let (level, threshold) = match () {
            () if is(FOUR_TIMES) => (Level::Error, FOUR_TIMES.0),
            () if is_lost => (Level::Error, BEYOND_TRIVIAL),
            () if is(TWICE) => (Level::Warn, TWICE.0),
            () => return None,
        };
        let message = match is(TWICE) {
            true => format!("the loss is {}, after it had been {}", short(now), short(least)),
            false => format!("the loss is {} and does not fall; knowing nothing costs {}", short(now), short(scale)),
        };
        let lr = history.recent.back().map_or(0.0, |step| step.lr);
        let why = "The weights move away from what they had learned";
        let found = Found::new(level, (now / least.max(f64::MIN_POSITIVE), threshold), message, why)
            .evidence(format!("the learning rate is {}, in step {}", short(lr), history.steps))
            .cure("Lower the learning rate", &lr_times(history, 1.0 / 3.0))
            .cure("Limit the gradient", &["train.clip=norm(1)".to_string()])
            .cure("Let the learning rate rise over the first epoch", &["train.schedule.warmup=1 epoch".to_string()]);
        Some(found)
    }
}

/// Whether the steps go up the loss and not down.
pub(super) fn goes_uphill(history: &History) -> bool {
    uphill(history).is_some()
}

fn uphill(history: &History) -> Option<Found> {
    let first = crate::curve::median(&history.first_losses);
    let (now, least) = (history.smooth_loss()?, history.least_loss()?);
    // A sign that is turned turns what is below 0 as well.
    if history.steps < EARLY || first <= 0.0 || now < RISEN * first || least < NEVER_BELOW * first {
        return None;
    }
    let check = history.first_check.as_ref().filter(|check| check.applied)?;
    let weights = history.weight_indices().into_iter().filter_map(|at| check.parameters.get(at));
    let ratios: Vec<f64> = weights.filter(|own| own.weight > 0.0).map(|own| own.update / own.weight).collect();
    let ratio = crate::curve::median(&ratios);
    let is_small = !ratios.is_empty() && ratio > 0.0 && ratio < SMALL_STEP;
    let rise = trend(history.losses.points());
    if !is_small || rise < RISES {
        return None;
    }
    let message = format!("the loss rises from the first step on, from {} to {}, though steps are small", short(first), short(now));
    let why = "Small steps against the gradient make the loss smaller; these go along it";
    let found = Found::new(Level::Error, (rise, RISES), message, why)
        .evidence(format!("the first step changed the weights by {} of their size", short(ratio)))
        .cure("Look at the signs: of the loss, of the gradient, and of what the optimiser adds", &[]);
    Some(found.certain())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{course, noise};

    /// OPT-32
    #[test]
    fn a_loss_that_grows_is_told_with_its_learning_rate_and_step() {
        let found = LossDiverge.judge(&course(400, |at| if at < 200 { 0.5 } else { 0.5 + 0.02 * (at - 200) as f64 })).unwrap();
        assert_eq!(found.level, Level::Error);
        assert!(found.evidence[0].contains("0.010, in step 400"), "{}", found.evidence[0]);
        assert!(LossDiverge.judge(&course(400, |_| 9.0)).is_some());
    }

    #[test]
    fn small_steps_that_make_the_loss_larger_go_the_wrong_way() {
        let seen = |ratio: f64, loss: &dyn Fn(usize) -> f64| {
            let mut history = crate::testing::history_of_updates(&[ratio, ratio]);
            (0..100).for_each(|at| history.add_step(crate::testing::step(loss(at))));
            history
        };
        let rising = |at: usize| 2.3 + 0.01 * at as f64 + 0.1 * noise(at);
        let found = LossDiverge.judge(&seen(1e-3, &rising)).unwrap();
        assert!(found.message.starts_with("the loss rises from the first step on"), "{}", found.message);
        assert!(!goes_uphill(&seen(0.3, &rising)), "steps so large may overshoot");
        assert!(!goes_uphill(&seen(1e-3, &|at| 2.3 + 0.1 * noise(at))), "noise");
        let fell = |at: usize| if (20..50).contains(&at) { 1.0 } else { rising(at) };
        assert!(!goes_uphill(&seen(1e-3, &fell)), "it had been lower");
    }

    #[test]
    fn noise_and_a_small_loss_that_doubles_are_no_divergence() {
        assert_eq!(LossDiverge.judge(&course(400, |at| 0.5 + 0.4 * noise(at))), None);
        assert_eq!(LossDiverge.judge(&course(400, |at| if at < 300 { 0.002 } else { 0.02 })), None);
        assert_eq!(LossDiverge.judge(&course(400, |at| 6.0 / (1.0 + at as f64 / 50.0))), None);
    }
}
