//! What is to keep the network from learning by heart keeps it from learning at all.
//!
//! - A dropout layer silences more than two thirds of what it gets (measured from its zeros), and the validation part, which is
//!   met without dropout, does better than the training part by more than a tenth of the trivial loss, or the run stands
//!   still: WARN.
//! - Noise that is larger than what it is added to, with the same signs of harm, or the loss above half of the trivial one: WARN.
//! - Something costs large weights, at least half of them are below 0.3 of what they were in the first step, and the loss is
//!   above half of the trivial one, or the run stands still: WARN.
//!
//! - More than 0.7 of each label is given to all classes alike, or the noise on the weights is larger than at least half of them
//!   are, and the loss is above half of the trivial one: WARN.
//!
//! - While the run is in trouble, more than a tenth of the numbers of a weight are as large as the largest of them, to the bit, above 0
//!   and below, in at least half of the weights: something holds them within bounds: WARN.
//!
//! Threshold: ours; TheDeepChecker compares the gradients of the penalty and of the loss, 1 to 1.
//!
//! Cannot see: augmentation that is too strong.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Plateau, Rule, percent, short};
use crate::history::{Check, History};

/// See the [module](self).
pub struct OverRegularized;

const DROPPED: f64 = 0.67;
const VALID_BETTER: f64 = 0.1;
const DROWNED: f64 = 1.0;
const SHRUNK: f64 = 0.3;
const HARMFUL: f64 = 0.5;
const SMOOTHED: f64 = 0.7;
const CHECKS: usize = 20;
const HELD: f64 = 0.1;

impl Rule for OverRegularized {
    fn about(&self) -> About {
        About {
            id: "R19",
            name: "OVER_REGULARIZED",
            summary: "Dropout or weight decay keep the network from learning at all.",
            kind: Kind::Step,
            persist: (3, 5),
            explains: &["R03", "R04", "R06", "R07", "R09", "R10", "R11", "R13", "R14", "R16", "R17", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let found = dropout(history).or_else(|| noise(history)).or_else(|| shrinking(history));
        found.or_else(|| smoothing(history)).or_else(|| weight_noise(history)).or_else(|| held(history))
    }
}

/// Weights of which many are at a bound.
pub(super) fn held(history: &History) -> Option<Found> {
    let (share, bound) = history.probes.back()?.at_their_bound.filter(|(share, _)| *share > HELD)?;
    let message = format!("{} of the weights of a layer are exactly {} in size, and none is larger", percent(share), short(bound));
    let why = "Weights that are held within so narrow bounds cannot become what the task needs";
    let found = Found::new(Level::Warn, (share, HELD), message, why);
    Some(found.cure("Let them free, or take far wider bounds; weight decay keeps weights small more gently", &[]))
}

/// The dropout layer that silences most, and which share of what it gets.
fn strongest_dropout(history: &History) -> Option<(usize, f64)> {
    let check = history.checks.back()?;
    let share = |at: usize| {
        let before = match at.checked_sub(1) {
            // Of nothing it can silence nothing.
            Some(before) => check.activations.get(before).filter(|before| before.max_abs > 0.0)?.zeros,
            None => history.case.inputs.zeros,
        };
        Some(1.0 - (1.0 - check.activations[at].zeros) / (1.0 - before).max(f64::MIN_POSITIVE))
    };
    let layers = history.activations.iter().enumerate().filter(|(_, (_, kind))| kind == "Dropout");
    layers.filter_map(|(at, _)| Some((at, share(at)?))).max_by(|a, b| a.1.total_cmp(&b.1))
}

fn dropout(history: &History) -> Option<Found> {
    let (at, share) = strongest_dropout(history).filter(|(_, share)| *share > DROPPED)?;
    let stands_still = Plateau.judge(history).is_some();
    let last = last_losses(history);
    if !stands_still && !is_better_without(history) {
        return None;
    }
    let message = match (last, stands_still) {
        (Some((train, valid)), false) => format!(
            "dropout silences {} of what this layer gets, and the loss is {} with it and {} without",
            percent(share),
            short(train),
            short(valid)
        ),
        _ => format!("dropout silences {} of what this layer gets, and nothing is learned", percent(share)),
    };
    let why = "Of what is left too little gets through to learn from";
    let found = Found::new(Level::Warn, (share, DROPPED), message, why).at(history.activations[at].0.clone());
    Some(found.cure("Drop less", &["model.dropout=0.2".to_string()]))
}

/// The last losses of the training and the validation part.
fn last_losses(history: &History) -> Option<(f64, f64)> {
    history.evaluations.back().and_then(|evaluation| Some((evaluation.train.loss, evaluation.valid?.loss)))
}

/// Whether the validation part, which is met without what disturbs training, does far better.
fn is_better_without(history: &History) -> bool {
    let better = last_losses(history).zip(history.loss_scale());
    better.is_some_and(|((train, valid), scale)| (train - valid) / scale > VALID_BETTER)
}

/// Noise that drowns what it is added to.
fn noise(history: &History) -> Option<Found> {
    let check = history.checks.back()?;
    let variance = |at: usize| check.activations[at].std.powi(2);
    let share = |at: usize| {
        let signal = at.checked_sub(1).map_or(history.case.inputs.std.powi(2), variance);
        (signal > 0.0).then(|| ((variance(at) - signal).max(0.0) / signal).sqrt())
    };
    let layers = history.activations.iter().enumerate().filter(|(_, (_, kind))| kind == "GaussianNoise");
    let (at, share) = layers.filter_map(|(at, _)| Some((at, share(at)?))).max_by(|a, b| a.1.total_cmp(&b.1))?;
    let harms = is_high(history) || is_better_without(history) || Plateau.judge(history).is_some();
    let message = format!("its noise is {} times as large as what it is added to", short(share));
    let found = Found::new(Level::Warn, (share, DROWNED), message, "What is to be learned from is lost in it");
    let found = found.at(history.activations[at].0.clone()).cure("Use less noise, of the scale of what the layer gets", &[]);
    (share > DROWNED && harms).then_some(found)
}

fn smoothing(history: &History) -> Option<Found> {
    let smoothing = history.case.loss.label_smoothing;
    let message = format!("{} of each label is given to all classes alike", percent(smoothing));
    let why = "What is left of the labels is too little to learn from";
    let found = Found::new(Level::Warn, (smoothing, SMOOTHED), message, why);
    let found = found.cure("Smooth less: a tenth is usual", &[]);
    (smoothing > SMOOTHED && is_high(history)).then_some(found)
}

fn weight_noise(history: &History) -> Option<Found> {
    let (noise, check) = (history.case.weight_noise, history.checks.back()?);
    let weights = history.weight_indices();
    let drowned = weights.iter().filter(|at| check.parameters.get(**at).is_some_and(|own| own.weight < noise)).count();
    if noise == 0.0 || 2 * drowned < weights.len() || !is_high(history) {
        return None;
    }
    let message = format!("the noise on the weights is larger than {drowned} of {} weights are", weights.len());
    let why = "What the weights say is lost in it";
    let found = Found::new(Level::Warn, (drowned as f64, weights.len() as f64 / 2.0), message, why);
    Some(found.cure("Use less noise", &["train.weight_noise=0".to_string()]))
}

/// Whether the loss is above half of the trivial one.
fn is_high(history: &History) -> bool {
    let loss = history.smooth_loss().zip(history.loss_scale());
    loss.is_some_and(|(loss, scale)| loss > HARMFUL * scale)
}

fn shrinking(history: &History) -> Option<Found> {
    let (first, last) = (history.first_check.as_ref()?, history.checks.back()?);
    if !history.case.decays || history.checked < CHECKS {
        return None;
    }
    let loss = history.smooth_loss()?;
    if !is_high(history) && Plateau.judge(history).is_none() {
        return None;
    }
    let weights = history.weight_indices();
    let of = |check: &Check, at: usize| check.parameters.get(at).map_or(0.0, |parameter| parameter.weight);
    let count = weights.iter().filter(|at| of(last, **at) < SHRUNK * of(first, **at)).count();
    if count == 0 || 2 * count < weights.len() {
        return None;
    }
    let message = format!("{count} of {} weights have shrunk to less than a third, and the loss is {}", weights.len(), short(loss));
    let why = "The decay pulls harder than the loss";
    let found = Found::new(Level::Warn, (count as f64, weights.len() as f64 / 2.0), message, why);
    Some(found.cure("Decay the weights less", &["train.optimizer.weight_decay=0".to_string(), "train.l2=0".to_string()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{evaluation, layer, record, step, ten_classes};
    use barun_nn::{ActivationRecord, StepRecord};

    /// DIAG-18
    #[test]
    fn strong_dropout_is_told_where_it_costs_much() {
        let judge = |dropped: f64, valid: f64| {
            let mut history = History::of(ten_classes(), None);
            let activations = vec![
                ActivationRecord { zeros: 0.5, ..layer("1", "Relu", 0.5) },
                ActivationRecord { zeros: 1.0 - 0.5 * (1.0 - dropped), ..layer("2", "Dropout", 0.5) },
            ];
            history.add_check((1, 32), step(2.0), &StepRecord { activations, ..StepRecord::default() });
            history.add_evaluation(evaluation(1, (2.0, 0.3), (valid, 0.5)));
            OverRegularized.judge(&history)
        };
        assert!(judge(0.9, 1.2).unwrap().message.contains("90 %"));
        assert_eq!(judge(0.9, 1.9), None, "no harm");
        assert_eq!(judge(0.5, 1.2), None, "the usual");
    }

    #[test]
    fn weights_that_are_held_within_bounds_are_told() {
        let judge = |share: f64| {
            let mut history = History::default();
            history.add_probe(crate::Probe { at_their_bound: Some((share, 0.01)), ..Default::default() });
            held(&history)
        };
        assert!(judge(0.4).unwrap().message.starts_with("40 % of the weights of a layer are exactly 0.010"));
        assert_eq!(judge(0.001), None, "the largest of a thousand");
    }

    #[test]
    fn noise_is_told_where_it_drowns_what_it_is_added_to() {
        let judge = |std: f64, loss: f64| {
            let mut history = History::of(ten_classes(), None);
            history.case.inputs.std = 1.0;
            (0..200).for_each(|_| history.add_step(step(loss)));
            let activations = vec![barun_nn::ActivationRecord { std, ..layer("0", "GaussianNoise", 0.5) }];
            history.add_check((200, 32), step(loss), &StepRecord { activations, ..StepRecord::default() });
            OverRegularized.judge(&history)
        };
        assert!(judge(f64::sqrt(10.0), 2.0).unwrap().message.contains("3.00 times"));
        assert_eq!(judge(1.1, 2.0), None, "a little");
        assert_eq!(judge(f64::sqrt(10.0), 0.2), None, "no harm");
    }

    #[test]
    fn dropout_on_the_inputs_is_held_against_their_own_zeros() {
        let judge = |zeros: f64| {
            let mut history = History::of(ten_classes(), None);
            history.case.inputs.zeros = zeros;
            let activations = vec![ActivationRecord { zeros: 0.9, ..layer("0", "Dropout", 0.5) }];
            history.add_check((1, 32), step(2.0), &StepRecord { activations, ..StepRecord::default() });
            history.add_evaluation(evaluation(1, (2.0, 0.3), (1.2, 0.5)));
            OverRegularized.judge(&history)
        };
        assert!(judge(0.0).is_some());
        assert_eq!(judge(0.8), None, "half of what is there");
    }

    #[test]
    fn weights_that_only_shrink_while_nothing_is_learned_are_told() {
        let judge = |keep: f64| {
            let mut history = crate::testing::history_of_gradients(&[0.1, 0.1]);
            history.case.decays = true;
            for number in 0..400 {
                history.add_step(step(2.31));
                if number % 20 == 0 {
                    let weight = 0.1 * f64::powi(keep, number / 20);
                    let parameters = [("0.weight", weight, 0.1, 1e-3), ("1.weight", weight, 0.1, 1e-3)];
                    history.add_check((number as usize, 32), step(2.31), &record(&parameters));
                }
            }
            OverRegularized.judge(&history)
        };
        assert!(judge(0.8).is_some());
        assert_eq!(judge(0.99), None);
    }
}
