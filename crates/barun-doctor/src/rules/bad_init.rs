//! First weights that keep what passes through from keeping its size, or units from differing.
//!
//! In the first step:
//! - a hidden layer of weights 0 gives the very same for every row and unit (deviation 0), or all its units reach the same largest value:
//!   ERROR, since units that are equal get equal gradients and stay equal;
//! - what the weighted layers give differs by more than 100 times from layer to layer (without normalisation): WARN, more than
//!   10,000 times: ERROR;
//! - for at least half of the weighted layers, and at least two, the variance of the weights times their inputs is below
//!   1/32 or above 16: WARN. He's rule has 2, LeCun's and Glorot's about 1, PyTorch's layers 1/3;
//! - the variance of recurrent weights times the units is below 1/32 or above 8: WARN.
//!
//! The last layer may start at 0: that is a known trick.
//!
//! Threshold: after SageMaker Debugger (10) and TheDeepChecker, widened on healthy runs: residual stages and PyTorch's own first
//! weights lie outside of theirs.
//!
//! Cannot see: equal units of layers that cannot die, such as tanh, unless their values are all the same.

use barun_nn::Role;
use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, short};
use crate::case::{is_normalization, is_weighted};
use crate::history::{Check, History};

/// See the [module](self).
pub struct BadInit;

const SPREAD: (f64, f64) = (100.0, 1e4);
const RECURRENT_GAIN: (f64, f64) = (1.0 / 32.0, 8.0);
const GAIN: (f64, f64) = (1.0 / 32.0, 16.0);

impl Rule for BadInit {
    fn about(&self) -> About {
        About {
            id: "R04",
            name: "BAD_INIT",
            summary: "First weights are too large, too small, or all the same.",
            kind: Kind::FirstStep,
            persist: (1, 1),
            explains: &["R03", "R06", "R07", "R08", "R09", "R10", "R11", "R12", "R13", "R14", "R15", "R16", "R17", "R22", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        // A step that was not taken has numbers that are none.
        let first = history.first_check.as_ref().filter(|first| first.applied)?;
        constant(history, first)
            .or_else(|| recurrent(history, first))
            .or_else(|| gains(history, first))
            .or_else(|| spread(history, first))
    }
}

/// Biases that are as large as this on the whole decide what passes, and not the weights.
const LARGE_BIAS: f64 = 1.0;

fn cure(found: Found, history: &History, first: &Check) -> Found {
    let is_bias = |at: &usize| history.weight(*at).is_some_and(|weight| weight.role == Role::Bias);
    let biases = (0..history.parameters.len()).filter(is_bias).filter_map(|at| first.parameters.get(at));
    let found = match biases.map(|bias| bias.weight).any(|size| size >= LARGE_BIAS) {
        true => found.cure("Begin with biases of 0", &["model.bias_init=zeros".to_string()]),
        false => found,
    };
    found.cure(
        "Draw first weights by the rule for the activation: He for relu, Glorot for tanh and sigmoid, LeCun for selu",
        &["model.init=auto".to_string()],
    )
}

fn constant(history: &History, first: &Check) -> Option<Found> {
    let hidden = first.activations.len().saturating_sub(1);
    let is_constant = |at: &usize| {
        let layer = &first.activations[*at];
        // What gives the same because it is given the same has no weights to blame.
        let weight = format!("{}.weight", history.activations[*at].0);
        let own = history.parameters.iter().position(|path| *path == weight).and_then(|at| first.parameters.get(at));
        is_weighted(&history.activations[*at].1) && own.is_none_or(|own| own.weight == 0.0) && layer.std <= 1e-9 * layer.max_abs.max(f64::MIN_POSITIVE)
    };
    let last_weighted = (0..first.activations.len()).rev().find(|at| is_weighted(&history.activations[*at].1))?;
    let constant = (0..hidden).find(|at| *at != last_weighted && is_constant(at));
    let alike = (0..hidden).find(|at| first.activations[*at].are_alike);
    let at = constant.or(alike)?;
    let what = if constant.is_some() { "gives one and the same value" } else { "has units that are all equal" };
    let message = format!("before the first step the layer {what}");
    let why = "Equal weights get equal gradients, so that many units learn as much as one";
    let found = Found::new(Level::Error, (first.activations[at].std, 0.0), message, why);
    Some(cure(found.at(history.activations[at].0.clone()), history, first))
}

fn gains(history: &History, first: &Check) -> Option<Found> {
    let gains: Vec<(usize, f64)> = history
        .weight_indices()
        .into_iter()
        .filter_map(|at| {
            let weight = history.weight(at).filter(|weight| weight.fan_in > 1)?;
            Some((at, first.parameters.get(at)?.weight.powi(2) * weight.fan_in as f64))
        })
        .collect();
    let is_outside = |gain: f64| !(GAIN.0..=GAIN.1).contains(&gain);
    let outside = gains.iter().filter(|(_, gain)| is_outside(*gain)).count();
    if outside < 2 || 2 * outside < gains.len() {
        return None;
    }
    let (at, gain) = gains.iter().copied().find(|(_, gain)| is_outside(*gain))?;
    let (size, threshold) = if gain > 1.0 { ("large", GAIN.1) } else { ("small", GAIN.0) };
    let message = format!(
        "the first weights of {outside} of {} layers are too {size}: variance times inputs is {}, and should be 1 to 2",
        gains.len(),
        short(gain)
    );
    let why = "What passes through a layer grows or shrinks by the root of it, and the gradients on their way back too";
    let found = Found::new(Level::Warn, (gain, threshold), message, why);
    Some(cure(found.at(history.parameters[at].clone()), history, first))
}

/// What is remembered is multiplied by recurrent weights at each turn: their gain counts as often as the sequence is long.
fn recurrent(history: &History, first: &Check) -> Option<Found> {
    let gain_of = |at: usize| {
        let weight = history.weight(at).filter(|weight| weight.path.ends_with("recurrent_weight"))?;
        Some((at, first.parameters.get(at)?.weight.powi(2) * weight.fan_in as f64))
    };
    let is_outside = |gain: f64| !(RECURRENT_GAIN.0..=RECURRENT_GAIN.1).contains(&gain);
    let (at, gain) = (0..history.parameters.len()).filter_map(gain_of).find(|(_, gain)| is_outside(*gain))?;
    let (size, threshold) = if gain > 1.0 { ("large", RECURRENT_GAIN.1) } else { ("small", RECURRENT_GAIN.0) };
    let message =
        format!("the first recurrent weights are too {size}: variance times units is {}, and should be 1", short(gain));
    let why = "What is remembered grows or fades with each turn, and the gradients on their way back too";
    let found = Found::new(Level::Warn, (gain, threshold), message, why).at(history.parameters[at].clone());
    Some(found.cure("Draw recurrent weights orthogonal, with gain 1", &[]))
}

fn spread(history: &History, first: &Check) -> Option<Found> {
    if history.activations.iter().any(|(_, kind)| is_normalization(kind)) {
        return None;
    }
    let weighted = history.activations.iter().zip(&first.activations).filter(|((_, kind), _)| is_weighted(kind));
    let stds: Vec<(&String, f64)> = weighted.map(|((path, _), layer)| (path, layer.std)).collect();
    // The last layer may start as small as it likes.
    let hidden = &stds[..stds.len().saturating_sub(1)];
    let largest = hidden.iter().map(|(_, std)| *std).fold(0.0, f64::max);
    let (path, smallest) = hidden.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let ratio = largest / smallest.max(f64::MIN_POSITIVE);
    if hidden.len() < 2 || ratio <= SPREAD.0 {
        return None;
    }
    let level = if ratio > SPREAD.1 { Level::Error } else { Level::Warn };
    let message = format!(
        "before the first step what layers give differs {} times in size, from {} to {}",
        short(ratio),
        short(smallest),
        short(largest)
    );
    let why = "Gradients on their way back change as much, so that layers learn at speeds as different";
    Some(cure(Found::new(level, (ratio, SPREAD.0), message, why).at(path.clone()), history, first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Case, Weight};
    use crate::testing::{layer, record, step};
    use barun_nn::{Role, StepRecord};

    fn judge(weights: &[f64], stds: &[f64]) -> Option<Found> {
        let paths: Vec<String> = (0..weights.len()).map(|at| format!("{at}.weight")).collect();
        let parameters: Vec<(&str, f64, f64, f64)> =
            paths.iter().zip(weights).map(|(path, weight)| (path.as_str(), *weight, 0.1, 0.01)).collect();
        let weights = paths.iter().map(|path| Weight { path: path.clone(), role: Role::Weight, count: 100, fan_in: 100 });
        let case = Case { weights: weights.collect(), ..Case::default() };
        let mut history = History::of(case, None);
        let activations = stds.iter().enumerate().map(|(at, std)| layer(&at.to_string(), "Linear", *std)).collect();
        let record = StepRecord { activations, ..record(&parameters) };
        history.add_step(step(1.0));
        history.add_check((1, 32), step(1.0), &record);
        BadInit.judge(&history)
    }

    #[test]
    fn the_usual_first_weights_are_well() {
        // He, Glorot and PyTorch's: variance times inputs 2, 1, 1/3.
        for gain in [2.0f64, 1.0, 1.0 / 3.0] {
            assert_eq!(judge(&[(gain / 100.0).sqrt(); 3], &[1.2, 0.8, 0.3]), None, "{gain}");
        }
        // A last layer that starts at 0.
        assert_eq!(judge(&[0.14, 0.14, 0.0], &[1.2, 0.8, 0.0]), None);
    }

    #[test]
    fn weights_that_are_too_large_too_small_or_zero_are_told() {
        assert!(judge(&[1.4; 3], &[14.0, 140.0, 1400.0]).unwrap().message.contains("too large"));
        assert!(judge(&[0.001; 3], &[0.01, 1e-4, 1e-6]).unwrap().message.contains("too small"));
        let zero = judge(&[0.14, 0.0, 0.14], &[1.0, 0.0, 0.0]).unwrap();
        assert_eq!((zero.level, zero.layer.as_deref()), (Level::Error, Some("1")));
        assert!(judge(&[0.14; 3], &[300.0, 1.0, 1.0]).unwrap().message.contains("differs"));
    }

    #[test]
    fn where_biases_are_large_they_are_to_be_mended_first() {
        let cures = |bias: f64| {
            let weight = |path: &str, role| Weight { path: path.into(), role, count: 100, fan_in: 100 };
            let weights = vec![weight("0.weight", Role::Weight), weight("0.bias", Role::Bias)];
            let mut history = History::of(Case { weights, ..Case::default() }, None);
            let activations = [1.0, 0.001, 1.0].iter().enumerate();
            let activations = activations.map(|(at, std)| layer(&at.to_string(), "Linear", *std)).collect();
            let parameters = record(&[("0.weight", 0.14, 0.1, 0.01), ("0.bias", bias, 0.1, 0.01)]);
            history.add_check((1, 32), step(1.0), &StepRecord { activations, ..parameters });
            BadInit.judge(&history).unwrap().cure
        };
        assert_eq!(cures(5.0)[0].set, ["model.bias_init=zeros"]);
        assert_eq!(cures(0.0)[0].set, ["model.init=auto"]);
    }

    #[test]
    fn recurrent_weights_that_multiply_what_is_remembered_are_told() {
        let judge = |weight: f64| {
            let path = "1.recurrent_weight";
            let recurrent = Weight { path: path.into(), role: Role::Weight, count: 100, fan_in: 10 };
            let mut history = History::of(Case { weights: vec![recurrent], ..Case::default() }, None);
            history.add_check((1, 32), step(1.0), &record(&[(path, weight, 0.1, 0.01)]));
            BadInit.judge(&history).is_some()
        };
        let orthogonal = 0.1f64.sqrt();
        assert!(judge(8.0 * orthogonal) && !judge(orthogonal));
    }

    #[test]
    fn a_step_that_was_not_taken_says_nothing_of_first_weights() {
        let mut history = History::default();
        let layers = ["0", "1"].map(|path| layer(path, "Linear", 0.0)).to_vec();
        let untaken = crate::history::StepScalars { applied: false, ..step(1.0) };
        history.add_check((1, 32), untaken, &StepRecord { activations: layers, ..StepRecord::default() });
        assert_eq!(BadInit.judge(&history), None);
    }

    #[test]
    fn units_that_are_all_equal_are_an_error() {
        let mut history = History::default();
        let mut equal = layer("1", "Relu", 0.5);
        equal.unit_max_abs = vec![0.7; 16];
        let activations = vec![layer("0", "Linear", 0.5), equal, layer("2", "Linear", 0.5)];
        history.add_check((1, 32), step(1.0), &StepRecord { activations, ..StepRecord::default() });
        assert!(BadInit.judge(&history).unwrap().message.contains("all equal"));
    }
}
