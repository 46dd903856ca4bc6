//! The loss grows, and does not come back.
//!
//! Looked at is the loss smoothed over 20 steps, against the smallest it has been, and always against the trivial loss too: a
//! run that has come down to a loss of 0.001 may well double it.
//!
//! - above twice its minimum, and by more than a fifth of the trivial loss: WARN;
//! - above four times its minimum, and by more than half of the trivial loss: ERROR;
//! - above 1.5 times the trivial loss, more than 200 steps after the beginning, and not falling: ERROR.
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
    fn noise_and_a_small_loss_that_doubles_are_no_divergence() {
        assert_eq!(LossDiverge.judge(&course(400, |at| 0.5 + 0.4 * noise(at))), None);
        assert_eq!(LossDiverge.judge(&course(400, |at| if at < 300 { 0.002 } else { 0.02 })), None);
        assert_eq!(LossDiverge.judge(&course(400, |at| 6.0 / (1.0 + at as f64 / 50.0))), None);
    }
}
