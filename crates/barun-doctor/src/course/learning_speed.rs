//! How fast the loss falls, and where it stands still. [DIAG-16]
//!
//! The curve is cut into 40 stretches. Between two of them it stands still if it falls by less than 1 % of what it has fallen in
//! all, or of itself if that is more; four such stretches in a row are a plateau. What the last quarter does, if it is more than
//! noise (by the test of Mann and Kendall), says where the run stands at its end.

use std::fmt;

use crate::curve::{stretches, trend};
use crate::history::History;
use crate::rules::{percent, short};

const STRETCHES: usize = 40;
const LEAST: usize = 8;
const STILL: f64 = 0.01;
/// So many stretches without progress are a plateau.
const PLATEAU: usize = 4;
/// So sure must a rise be, in standard errors,
const SURE: f64 = 2.33;
/// and so sure a fall, over this many stretches at least.
const FALLS: f64 = 1.64;
const TAIL: usize = 6;

/// What a loss does at the end of what has been seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It falls, and more steps would make it fall further.
    Falling,
    /// It falls at less than a tenth of its first pace.
    Slowing,
    /// It stands still.
    Stalled,
    /// It rises.
    Rising,
}

/// How learning went.
#[derive(Clone, Debug, PartialEq)]
pub struct LearningSpeed {
    /// The loss at the beginning and at the end, over a fortieth of the run each.
    pub from: f64,
    /// See [`from`](LearningSpeed::from).
    pub to: f64,
    /// What it does at the end.
    pub phase: Phase,
    /// By which part of itself it falls over the last quarter; below 0 where it rises.
    pub in_last_quarter: f64,
    /// The same for an epoch.
    pub per_epoch: f64,
    /// Where it stood still and went on: first and last step.
    pub plateaus: Vec<(usize, usize)>,
}

/// How the loss of a run went; none before there is enough of it.
pub fn learning_speed(history: &History) -> Option<LearningSpeed> {
    let points = history.losses.points();
    let parts = stretches(points, STRETCHES);
    if parts.len() < LEAST {
        return None;
    }
    let (&from, &to) = (parts.first()?, parts.last()?);
    let per_stretch = history.steps as f64 / parts.len() as f64;
    let epochs_of =
        |stretches: usize| stretches as f64 * per_stretch / history.case.steps_per_epoch.max(1) as f64;
    let lowest = parts.iter().copied().fold(f64::INFINITY, f64::min);
    let unit = STILL * (from - lowest).max(0.0);
    let is_still = |pair: &[f64]| pair[0] - pair[1] < unit.max(STILL * pair[0].abs() / PLATEAU as f64);
    let still: Vec<bool> = parts.windows(2).map(is_still).collect();
    let quarter = &parts[parts.len() - parts.len() / 4..];
    let tail = &parts[parts.len() - quarter.len().max(TAIL)..];
    let falls = quarter[0] - to;
    let first_quarter = from - parts[parts.len() / 4];
    let in_last_quarter = falls / quarter[0].abs().max(f64::MIN_POSITIVE);
    let per_epoch = in_last_quarter / epochs_of(quarter.len() - 1).max(f64::MIN_POSITIVE);
    let phase = match () {
        () if trend(quarter) > SURE && -falls > STILL * quarter[0].abs() => Phase::Rising,
        () if falls < STILL * quarter[0].abs() || trend(tail) > -FALLS => Phase::Stalled,
        () if falls < 0.1 * first_quarter => Phase::Slowing,
        () => Phase::Falling,
    };
    let plateaus = plateaus(&still, |stretch| (stretch as f64 * per_stretch) as usize);
    Some(LearningSpeed { from, to, phase, in_last_quarter, per_epoch, plateaus })
}

/// Rows of at least [`PLATEAU`] stretches without progress that progress follows.
fn plateaus(still: &[bool], step_of: impl Fn(usize) -> usize) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut begin = 0;
    for (at, is_still) in still.iter().enumerate() {
        if !is_still {
            if at - begin >= PLATEAU {
                found.push((step_of(begin), step_of(at)));
            }
            begin = at + 1;
        }
    }
    found
}

impl fmt::Display for LearningSpeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the loss went from {} to {}", short(self.from), short(self.to))?;
        // What a part of an epoch brought is not what a whole one would bring.
        let pace = match self.per_epoch < self.in_last_quarter {
            true => format!("by {} an epoch", percent(self.per_epoch)),
            false => format!("by {} over the last quarter", percent(self.in_last_quarter)),
        };
        match self.phase {
            Phase::Falling => write!(f, " and still falls, {pace}: more epochs would help")?,
            Phase::Slowing => write!(f, " and falls slowly at the end, {pace}")?,
            Phase::Stalled => write!(f, " and stands still at the end")?,
            Phase::Rising => write!(f, " and rises at the end")?,
        }
        let stood = self.plateaus.iter().take(3).map(|(from, to)| format!("from step {from} to {to}"));
        let stood: Vec<String> = stood.collect();
        match stood.is_empty() {
            true => Ok(()),
            false => write!(f, "; it stood still {} and then went on", stood.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{course, noise};

    fn of(steps: usize, loss: impl Fn(usize) -> f64) -> LearningSpeed {
        learning_speed(&course(steps, loss)).unwrap()
    }

    /// DIAG-16
    #[test]
    fn curves_that_fall_slow_down_stand_still_and_rise_are_told_apart() {
        let noisy = |at: usize| 0.02 * noise(at);
        assert_eq!(of(2000, |at| 2.3 - 0.001 * at as f64 + noisy(at)).phase, Phase::Falling);
        assert_eq!(of(2000, |at| 2.0 / (1.0 + at as f64 / 100.0) + noisy(at)).phase, Phase::Slowing);
        assert_eq!(of(2000, |at| (2.3 - 0.01 * at as f64).max(0.5) + noisy(at)).phase, Phase::Stalled);
        assert_eq!(of(2000, |at| 0.5 + 0.001 * at as f64 + noisy(at)).phase, Phase::Rising);
        assert_eq!(of(12, |at| 2.3 - 0.1 * at as f64).phase, Phase::Falling);
    }

    #[test]
    fn noise_neither_falls_nor_rises() {
        for (begin, steps) in (0..10).flat_map(|begin| [(1000 * begin, 120), (1000 * begin, 2000)]) {
            let phase = of(steps, |at| 0.7 + 0.1 * noise(begin + at)).phase;
            assert_eq!(phase, Phase::Stalled, "{steps} steps from {begin}");
        }
    }

    #[test]
    fn a_plateau_that_is_left_again_is_told_with_its_steps() {
        let stairs = of(4000, |at| match at {
            0..1000 => 2.3 - 0.001 * at as f64,
            1000..2500 => 1.3,
            _ => (1.3 - 0.001 * (at - 2500) as f64).max(0.2),
        });
        let (from, to) = stairs.plateaus[0];
        assert!(from.abs_diff(1000) <= 200 && to.abs_diff(2500) <= 200, "{:?}", stairs.plateaus);
        assert!(stairs.to_string().contains("stood still"), "{stairs}");
    }
}
