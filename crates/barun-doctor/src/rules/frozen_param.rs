//! A parameter that is to be trained, and stays as it is.
//!
//! - Its gradient is exactly 0 in 5 checks in a row: it is not connected to the loss, or everything behind it is dead: ERROR
//!   for weights, INFO for biases (what follows a bias may make it useless).
//! - It has a gradient, and 5 steps in a row add nothing to it while others move, or the learning rate is 0: it has a group of
//!   its own with rate 0, or nobody has it: WARN. Where nothing moves at a rate above 0, steps are too small for the precision
//!   of the weights, and `UPDATE_RATIO` tells of it.
//!
//! - Steps are made of old gradients as well: the first one is the gradient times the rate, so there is nothing else to them, and
//!   for half of the weights the last ones, in 5 checks in a row, are more than 12 times that, and three times what a momentum
//!   comes to: gradients seem to be added up and never set to zero again: WARN.
//! - Weights are frozen by the run's options. A training begins with weights that were drawn at random, so that what comes before
//!   the first layer that learns, or between those that do, is noise for ever: WARN.
//!
//! Threshold: 5 checks, exact zeros; SageMaker Debugger and TrainCheck (Jiang et al., 2025) likewise.
//!
//! Cannot see: a parameter that gets a gradient from a part of the rows only. With accumulated gradients updates are not
//! judged, since most steps make none.

use barun_nn::Role;
use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, short};
use crate::history::{Check, History, ParameterCheck};

/// See the [module](self).
pub struct FrozenParam;

const CHECKS: usize = 5;
/// Steps of so many times the gradient; and by how much the first may miss it.
const ADDED_UP: f64 = 12.0;
const EXACT: f64 = 0.01;
/// What moves by less than this part of itself hardly moves.
const LEAST: f64 = 1e-6;

impl Rule for FrozenParam {
    fn about(&self) -> About {
        About {
            id: "R14",
            name: "FROZEN_PARAM",
            summary: "A parameter that is to be trained stays as it is.",
            kind: Kind::Step,
            persist: (1, 1),
            explains: &["R06", "R07", "R09", "R16", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        if let Some(found) = frozen_as_drawn(history) {
            return Some(found);
        }
        let checks = history.last_checks(CHECKS)?;
        if !checks.iter().all(|check| check.applied) {
            return None;
        }
        let found = without_gradient(history, &checks).or_else(|| without_update(history, &checks));
        found.or_else(|| added_up(history))
    }
}

fn frozen_as_drawn(history: &History) -> Option<Found> {
    let case = &history.case;
    let first = case.frozen.first()?;
    let learning = case.weights.iter().filter(|weight| weight.role == Role::Weight).count();
    let all = case.frozen.len() + learning;
    let message = format!("{} of {all} weights are frozen as they were drawn at random", case.frozen.len());
    let why = "What they give is the same mixture of the inputs for ever; the other layers must make do with it";
    let found = Found::new(Level::Warn, (case.frozen.len() as f64, 0.0), message, why).at(first.clone());
    Some(found.cure("Let them learn as well: take them out of `StepOptions::frozen`", &[]))
}

fn always(checks: &[&Check], at: usize, is: impl Fn(&ParameterCheck) -> bool) -> bool {
    checks.iter().all(|check| check.parameters.get(at).is_some_and(&is))
}

fn without_gradient(history: &History, checks: &[&Check]) -> Option<Found> {
    let still: Vec<usize> =
        (0..history.parameters.len()).filter(|at| always(checks, *at, |parameter| parameter.gradient == 0.0)).collect();
    let is_weight = |at: &usize| history.weight(*at).is_some_and(|weight| weight.role == Role::Weight);
    let at = *still.iter().find(|at| is_weight(at)).or(still.first())?;
    let (level, others) = (if is_weight(&at) { Level::Error } else { Level::Info }, still.len() - 1);
    let more = if others > 0 { format!(", and {others} others") } else { String::new() };
    let message = format!("its gradient is exactly 0 in {CHECKS} checks in a row{more}");
    let why = "It does not take part in learning: the loss does not depend on it, or all units behind it are dead";
    let found = Found::new(level, (0.0, 0.0), message, why).at(history.parameters[at].clone());
    let found = if is_weight(&at) { found.certain() } else { found };
    Some(found.cure("Look whether its layer is used in `forward`, and whether something behind it gives only zeros", &[]))
}

fn without_update(history: &History, checks: &[&Check]) -> Option<Found> {
    if history.case.accumulate > 1 {
        return None;
    }
    let still = |at: &usize| {
        always(checks, *at, |parameter| parameter.gradient > 0.0 && parameter.update == 0.0 && parameter.weight > 0.0)
    };
    let all: Vec<usize> = (0..history.parameters.len()).filter(still).collect();
    let at = *all.first()?;
    let lr = checks.last()?.lr;
    let moves = |at: usize| checks.iter().any(|check| check.parameters.get(at).is_some_and(|own| own.update > LEAST * own.weight));
    if lr > 0.0 && !history.weight_indices().into_iter().any(moves) {
        return None;
    }
    let (message, advice) = match lr {
        0.0 => (format!("the learning rate is 0 in {CHECKS} checks in a row"), "Look at the schedule and its first and last rates"),
        _ => (
            format!("{CHECKS} steps in a row add nothing to it, at a learning rate of {}", short(lr)),
            "Look whether the optimiser has it, with a rate above 0; in 16 bits, steps may be too small to count",
        ),
    };
    // A run whose rate has come down to 0 at its end has done what it was to do.
    let is_over = history.case.total_steps() > 0 && history.steps + CHECKS * 40 >= history.case.total_steps();
    if lr == 0.0 && is_over {
        return None;
    }
    let found = Found::new(Level::Warn, (0.0, 0.0), message, "What is never changed learns nothing");
    Some(found.at(history.parameters[at].clone()).cure(advice, &[]))
}

/// Steps that are far larger than the gradient they should be made of.
pub(super) fn added_up(history: &History) -> Option<Found> {
    if history.case.accumulate > 1 {
        return None;
    }
    let checks = history.last_checks(CHECKS)?;
    let weights = history.weight_indices();
    let times = |check: &Check| {
        let own = |at: &usize| check.parameters.get(*at).filter(|own| own.gradient > 0.0);
        let times = weights.iter().filter_map(own).map(|own| own.update / (check.lr * own.gradient));
        times.filter(|times| times.is_finite()).collect::<Vec<f64>>()
    };
    let first = times(history.first_check.as_ref().filter(|check| check.applied && check.lr > 0.0)?);
    let is_descent = !first.is_empty() && first.iter().all(|times| (times - 1.0).abs() < EXACT);
    let of_momentum = 3.0 / (1.0 - history.case.optimizer.momentum.clamp(0.0, 0.999));
    let most = of_momentum.max(ADDED_UP);
    if !is_descent || !checks.iter().all(|check| crate::curve::median(&times(check)) > most) {
        return None;
    }
    let last = crate::curve::median(&times(checks.last()?));
    let message = format!("steps are {} times the gradient times the learning rate, and the first one was just that", short(last.round()));
    let why = "Gradients of earlier batches seem to be added up: the steps go where the loss fell long ago, and no longer stop";
    let found = Found::new(Level::Warn, (last, most), message, why).at(history.parameters[*weights.first()?].clone());
    Some(found.cure("Set the gradients to zero before each batch, or after each step", &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Weight;
    use crate::testing::{record, step, ten_classes};

    fn judge(gradient: f64, update: f64) -> Option<Found> {
        let weight = |path: &str| Weight { path: path.into(), role: Role::Weight, count: 100, fan_in: 10 };
        let mut history = History::of(ten_classes(), None);
        history.case.weights = vec![weight("0.weight"), weight("1.weight")];
        for number in 1..=5 {
            let parameters = [("0.weight", 0.1, 0.01, 1e-4), ("1.weight", 0.1, gradient, update)];
            history.add_check((number, 32), step(1.0), &record(&parameters));
        }
        FrozenParam.judge(&history)
    }

    #[test]
    fn a_weight_without_gradient_or_without_updates_is_told() {
        let detached = judge(0.0, 0.0).unwrap();
        assert_eq!((detached.level, detached.layer.as_deref()), (Level::Error, Some("1.weight")));
        assert!(judge(0.01, 0.0).unwrap().message.contains("add nothing"));
        assert_eq!(judge(1e-9, 1e-9), None);
    }

    /// Update and rate times gradient of the same step; the first is exact.
    fn judge_steps(of_gradient: &dyn Fn(usize) -> f64, momentum: f64) -> Option<Found> {
        let mut history = crate::testing::history_of_updates(&[1e-3, 1e-3]);
        history.case.optimizer.momentum = momentum;
        for number in 2..=30 {
            let own = 0.01 * 0.01 * of_gradient(number);
            let parameters = [("0.weight", 0.1, 0.01, own), ("1.weight", 0.1, 0.01, own)];
            history.add_check((number, 32), step(1.0), &record(&parameters));
        }
        FrozenParam.judge(&history)
    }

    #[test]
    fn steps_that_old_gradients_are_added_to_are_told_and_a_momentum_is_not() {
        let found = judge_steps(&|number| number as f64, 0.0).unwrap();
        assert!(found.message.contains(" times the gradient times the learning rate"), "{}", found.message);
        assert_eq!(judge_steps(&|_| 1.0, 0.0), None, "plain descent");
        assert_eq!(judge_steps(&|number| 20.0 * (1.0 - 0.95f64.powi(number as i32)), 0.95), None, "a momentum");
    }

    #[test]
    fn where_no_weight_moves_at_all_it_is_the_rate_that_is_to_blame() {
        let mut history = crate::testing::history_of_updates(&[0.0, 0.0]);
        for number in 2..=5 {
            let parameters = [("0.weight", 0.1, 0.01, 0.0), ("1.weight", 0.1, 0.01, 0.0)];
            history.add_check((number, 32), step(1.0), &record(&parameters));
        }
        assert_eq!(FrozenParam.judge(&history), None);
    }
}
