//! Units that give 0 for every row, and so learn nothing any more.
//!
//! A ReLU whose input is below 0 for all rows has slope 0 for all rows: its weights stay as they are, for good, and nothing
//! behind it gets a gradient through it. A unit is dead if it gave exactly 0 for every row of at least 10 checks with at
//! least 1000 rows together. The share of zeros in a layer says nothing: a healthy ReLU gives them half of the time.
//!
//! A layer whose last 5 checks have nothing but zeros is dead without counting. Units that are given nothing but zeros have not
//! died: `FROZEN_PARAM` tells of what is before them.
//!
//! Threshold: a quarter of a layer's units: INFO, half: ERROR while the run is in trouble; 95 % of a layer, whatever the
//! loss does. SageMaker Debugger and TheDeepChecker have 50 %; DeepDiagnosis's 70 % zeros made 58 of 68 false alarms.
//!
//! Cannot see: units of leaky activations, which never die, but may be as good as dead.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, lr_times, percent};
use crate::history::{Check, History};

/// See the [module](self).
pub struct DeadUnits;

const MANY: f64 = 0.25;
const HALF: f64 = 0.5;
const NEARLY_ALL: f64 = 0.95;

impl Rule for DeadUnits {
    fn about(&self) -> About {
        About {
            id: "R11",
            name: "DEAD_UNITS",
            summary: "Units give 0 for every row, and so learn nothing any more.",
            kind: Kind::Symptom,
            persist: (1, 1),
            explains: &["R06", "R07", "R09", "R14", "R16", "R22", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let layers = (0..history.activations.len()).filter_map(|at| {
            // Units that are given nothing have not died.
            let is_given_nothing = |check: &Check| check.activations[at.saturating_sub(1)].max_abs == 0.0;
            if at > 0 && history.checks.back().is_some_and(is_given_nothing) {
                return None;
            }
            let (dead, units) = history.dead_units(at)?;
            Some((at, dead, units, dead as f64 / units.max(1) as f64))
        });
        let (at, dead, units, share) = layers.max_by(|a, b| a.3.total_cmp(&b.3).then(b.0.cmp(&a.0)))?;
        if share < MANY {
            return None;
        }
        let level = if share >= HALF { Level::Error } else { Level::Info };
        let message = format!("{dead} of {units} units ({}) gave 0 for every row of the last checks", percent(share));
        let why = "A dead unit gets no gradient, so that it stays dead, and the network is smaller than it seems";
        let found = Found::new(level, (share, MANY), message, why).at(history.activations[at].0.clone());
        let found = found.cure("Lower the learning rate: large steps push units where they die", &lr_times(history, 0.3));
        let found = found.cure("Use an activation without a flat side", &["model.activation=leaky_relu".to_string()]);
        let found = found.cure("Put batch normalisation before the activation", &["model.batch_norm=true".to_string()]);
        Some(if share >= NEARLY_ALL { found.certain() } else { found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{layer, step};
    use barun_nn::{ActivationRecord, StepRecord};

    fn judge(alive: impl Fn(usize, usize) -> bool) -> Option<Found> {
        let mut history = History::default();
        for check in 0..10 {
            let mut relu = layer("1", "Relu", 0.5);
            relu.unit_max_abs = (0..20).map(|unit| f32::from(u8::from(alive(check, unit)))).collect();
            history.add_check((check + 1, 100), step(1.0), &StepRecord { activations: vec![relu], ..StepRecord::default() });
        }
        DeadUnits.judge(&history)
    }

    /// ACT-15
    #[test]
    fn units_that_never_give_anything_are_told_with_their_layer() {
        let found = judge(|_, unit| unit < 5).unwrap();
        assert_eq!((found.layer.as_deref(), found.level, found.value), (Some("1"), Level::Error, 0.75));
        assert!(judge(|_, _| false).unwrap().is_certain);
        assert_eq!(judge(|_, unit| unit < 14).unwrap().level, Level::Info);
    }

    #[test]
    fn units_that_are_given_nothing_have_not_died() {
        let judge = |given: f64| {
            let mut history = History::default();
            let before = ActivationRecord { max_abs: given, ..layer("0", "Linear", 0.0) };
            let silent = ActivationRecord { unit_max_abs: vec![0.0; 20], zeros: 1.0, ..layer("1", "Relu", 0.0) };
            let record = StepRecord { activations: vec![before, silent], ..StepRecord::default() };
            (1..=5).for_each(|number| history.add_check((number, 32), step(1.0), &record));
            DeadUnits.judge(&history)
        };
        assert!(judge(10.0).unwrap().is_certain, "a layer that is silent though it is given something");
        assert_eq!(judge(0.0), None);
    }

    #[test]
    fn units_that_are_0_most_of_the_time_live() {
        assert_eq!(judge(|check, unit| check == unit % 10), None);
        assert_eq!(judge(|_, unit| unit != 3), None);
    }
}
