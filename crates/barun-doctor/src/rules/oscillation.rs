//! The loss swings up and down instead of falling.
//!
//! Of the loss smoothed in stretches, the trend is taken away; what is left swings by more than a tenth of the loss and
//! changes its sign in more than half of the stretches.
//!
//! Threshold: 0.1 of the mean, and half of 50 stretches of the last 512 steps, in 3 of 3 checks while the run is in trouble:
//! WARN. AutoTrainer has 0.03, TheDeepChecker 50 % changes of sign.
//!
//! Cannot see: whether the batches are noisy or the steps too large; `NOISE_SCALE` measures the one, `SHARPNESS` the other.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, lr_times, percent};
use crate::curve::{deviation, mean, stretches};
use crate::history::History;

/// See the [module](self).
pub struct Oscillation;

const STRETCHES: usize = 50;
const LEAST_STEPS: usize = 200;
const SWING: f64 = 0.1;
const TURNS: f64 = 0.5;

impl Rule for Oscillation {
    fn about(&self) -> About {
        About {
            id: "R17",
            name: "OSCILLATION",
            summary: "The loss swings up and down instead of falling.",
            kind: Kind::Symptom,
            persist: (3, 3),
            explains: &[],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        if history.recent.len() < LEAST_STEPS {
            return None;
        }
        let losses: Vec<f64> = history.recent.iter().map(|step| step.loss).collect();
        let stretched = stretches(&losses, STRETCHES);
        let level = mean(&stretched);
        let left = detrended(&stretched);
        let swing = deviation(&left) / level.abs().max(f64::MIN_POSITIVE);
        let turns = left.windows(2).filter(|pair| (pair[0] < 0.0) != (pair[1] < 0.0)).count();
        let turns = turns as f64 / (left.len() - 1) as f64;
        if swing <= SWING || turns <= TURNS || !swing.is_finite() {
            return None;
        }
        let message = format!("the loss swings by {} of its size, and turns in {} of the stretches", percent(swing), percent(turns));
        let why = "Steps that jump from one side of the valley to the other do not come down";
        let found = Found::new(Level::Warn, (swing, SWING), message, why);
        let larger = (history.case.batch_size > 0).then(|| format!("train.batch_size={}", 4 * history.case.batch_size));
        let found = found.cure("Take larger batches", &larger.into_iter().collect::<Vec<_>>());
        Some(found.cure("Lower the learning rate", &lr_times(history, 1.0 / 3.0)))
    }
}

/// What is left of the values without the straight line through them.
fn detrended(values: &[f64]) -> Vec<f64> {
    let count = values.len() as f64;
    let (center, level) = ((count - 1.0) / 2.0, mean(values));
    let spread: f64 = (0..values.len()).map(|at| (at as f64 - center).powi(2)).sum();
    let slope: f64 =
        values.iter().enumerate().map(|(at, value)| (at as f64 - center) * (value - level)).sum::<f64>() / spread;
    values.iter().enumerate().map(|(at, value)| value - level - slope * (at as f64 - center)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{course, noise};

    #[test]
    fn a_loss_that_jumps_from_side_to_side_is_told() {
        let swinging = course(500, |at| 2.0 + if at / 10 % 2 == 0 { 0.6 } else { -0.6 });
        assert!(Oscillation.judge(&swinging).is_some());
        assert_eq!(Oscillation.judge(&course(500, |at| 2.0 + 0.2 * noise(at))), None);
        assert_eq!(Oscillation.judge(&course(500, |at| 2.0 / (1.0 + at as f64 / 100.0))), None);
    }
}
