//! Batch normalisation where its statistics mean little, or are not those of the data.
//!
//! - Batches of fewer than 8 rows: their statistics are noise: WARN.
//! - The network does well in training and no better than guessing when it is used: at the last three evaluations the training
//!   loss is below half of the trivial one and the validation loss above 1.5 times it. The running statistics are not those of
//!   the data: WARN.
//! - The loss of one training batch in eval mode is more than 1.5 times that in training mode, and by more than a fifth of the trivial
//!   loss, in the last two or three looks. They are taken after epochs whose validation loss is as far above that of training,
//!   and past step 100: WARN.
//! - It is the last thing a network that is to give numbers does, such as a generator or an autoencoder: what it gives then has
//!   the mean and the deviation that the layer learns, whatever the data's range is: WARN. [GAN-02]
//! - Dropout right before batch normalisation, whose variance is then another in use (Li et al., 2019): INFO; WARN where the best
//!   epoch is hardly better in use than in training, which dropout makes harder: above 0.9 of its loss.
//!
//! Threshold: 8 rows and 50 % from TheDeepChecker and the tuning playbook, the shares of the trivial loss are ours.
//!
//! Cannot see: statistics that are only somewhat off.

use barun_nn::losses::Task;
use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, short};
use crate::history::{History, Modes};

/// See the [module](self).
pub struct BatchNormMisuse;

const LEAST_ROWS: usize = 8;
const EVALUATIONS: usize = 3;
const LEARNED: f64 = 0.5;
const FAR: f64 = 1.5;
const LEAST_LOOKS: usize = 2;
const SETTLED: usize = 100;
const HARDLY_BETTER: f64 = 0.9;

impl Rule for BatchNormMisuse {
    fn about(&self) -> About {
        About {
            id: "R20",
            name: "BATCH_NORM_MISUSE",
            summary: "Batch normalisation with too few rows, or with statistics that are not those of the data.",
            kind: Kind::Evaluation,
            persist: (1, 1),
            explains: &["R06", "R09", "R10", "R15", "R16", "R17", "R18", "R23", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let normalised = history.case.calls.iter().find(|call| call.kind == "BatchNorm")?;
        let found = few_rows(history)
            .or_else(|| useless_statistics(history))
            .or_else(|| modes_differ(history))
            .or_else(|| on_the_output(history))
            .or_else(|| after_dropout(history))?;
        Some(match found.layer {
            Some(_) => found,
            None => found.at(normalised.path.clone()),
        })
    }
}

fn few_rows(history: &History) -> Option<Found> {
    let rows = history.case.batch_size;
    let message = format!("batches of {rows} rows are normalised by their own mean and variance");
    let why = "Of so few rows these are mostly noise, and in use others take their place";
    let found = Found::new(Level::Warn, (rows as f64, LEAST_ROWS as f64), message, why)
        .cure("Take larger batches", &["train.batch_size=32".to_string()])
        .cure("Use layer or group normalisation, which do not look at other rows", &[]);
    (1..LEAST_ROWS).contains(&rows).then_some(found)
}

fn useless_statistics(history: &History) -> Option<Found> {
    let trivial = history.case.trivial_loss()?;
    let skip = history.evaluations.len().checked_sub(EVALUATIONS)?;
    let is_useless = |evaluation: &crate::history::Evaluation| {
        evaluation.valid.is_some_and(|valid| valid.loss > FAR * trivial) && evaluation.train.loss < LEARNED * trivial
    };
    if !history.evaluations.iter().skip(skip).all(is_useless) {
        return None;
    }
    let last = history.evaluations.back()?;
    let (train, valid) = (last.train.loss, last.valid?.loss);
    // A run that has learned by heart had been better on the validation part before.
    let best = history.evaluations.iter().filter_map(|evaluation| Some(evaluation.valid?.loss)).fold(f64::INFINITY, f64::min);
    if best < trivial {
        return None;
    }
    let message = format!("the loss is {} in training and {} in use, where knowing nothing costs {}", short(train), short(valid), short(trivial));
    Some(cures(Found::new(Level::Warn, (valid / trivial, FAR), message, WHY)))
}

const WHY: &str = "In use the running mean and variance take the place of those of the batch, and they are not those of the data";

fn cures(found: Found) -> Found {
    found
        .cure("Let the statistics follow faster: a momentum of 0.1 for each batch", &[])
        .cure("Use layer or group normalisation, which do the same in training and in use", &[])
}

fn modes_differ(history: &History) -> Option<Found> {
    let looks = &history.modes;
    let differ = |modes: &Modes| modes.step > SETTLED && history.are_apart(modes.train, modes.eval);
    if looks.len() < LEAST_LOOKS || !looks.iter().all(differ) {
        return None;
    }
    let last = looks.back()?;
    let message = format!("the loss of one batch is {} in training mode and {} in eval mode", short(last.train), short(last.eval));
    Some(cures(Found::new(Level::Warn, (last.eval / last.train, FAR), message, WHY)))
}

fn on_the_output(history: &History) -> Option<Found> {
    let last = history.case.last_call().filter(|call| call.kind == "BatchNorm")?;
    if !matches!(history.case.loss.task, Some(Task::Numbers)) {
        return None;
    }
    let message = "the numbers that the network gives are batch-normalised".to_string();
    let why = "They get one mean and one deviation over each batch, and no longer reach the range of the data";
    let found = Found::new(Level::Warn, (1.0, 0.0), message, why).at(last.path.clone());
    Some(found.cure("Normalise hidden layers only, and let the last layer be linear, or what the data's range asks for", &[]))
}

fn after_dropout(history: &History) -> Option<Found> {
    let calls = &history.case.calls;
    let pair = calls.windows(2).find(|pair| pair[0].kind == "Dropout" && pair[1].kind == "BatchNorm")?;
    let message = "dropout stands right before batch normalisation".to_string();
    let why = "The variance it normalises by is that with units silenced, and in use none are";
    let losses = history.evaluations.iter().filter_map(|evaluation| Some((evaluation.train.loss, evaluation.valid?.loss)));
    let best = losses.min_by(|a, b| a.1.total_cmp(&b.1));
    let harms = history.evaluations.len() >= EVALUATIONS && best.is_some_and(|(train, valid)| valid > HARDLY_BETTER * train);
    let level = if harms { Level::Warn } else { Level::Info };
    let found = Found::new(level, (1.0, 0.0), message, why).at(pair[1].path.clone());
    Some(found.cure("Put dropout after the last batch normalisation", &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Call, Case};
    use crate::testing::{calls, evaluation, ten_classes};

    fn with(kinds: &[&str], batch_size: usize) -> History {
        History::of(Case { calls: calls(kinds, 10), batch_size, ..ten_classes() }, None)
    }

    #[test]
    fn small_batches_are_told_and_others_are_not() {
        assert_eq!(BatchNormMisuse.judge(&with(&["Linear", "BatchNorm"], 4)).unwrap().layer.as_deref(), Some("1"));
        assert_eq!(BatchNormMisuse.judge(&with(&["Linear", "BatchNorm"], 32)), None);
        assert_eq!(BatchNormMisuse.judge(&with(&["Linear", "LayerNorm"], 4)), None);
        let mut dropped = with(&["Dropout", "BatchNorm"], 32);
        assert_eq!(BatchNormMisuse.judge(&dropped).unwrap().level, Level::Info);
        (1..=3).for_each(|epoch| dropped.add_evaluation(evaluation(epoch, (0.5, 0.9), (0.8, 0.8))));
        assert_eq!(BatchNormMisuse.judge(&dropped).unwrap().level, Level::Warn);
    }

    #[test]
    fn a_network_that_is_good_in_training_and_useless_in_use_is_told() {
        let mut history = with(&["Linear", "BatchNorm"], 32);
        (1..=4).for_each(|epoch| history.add_evaluation(evaluation(epoch, (0.5, 0.9), (6.0, 0.1))));
        assert!(BatchNormMisuse.judge(&history).is_some());
        let mut by_heart = with(&["Linear", "BatchNorm"], 32);
        (1..=6).for_each(|epoch| by_heart.add_evaluation(evaluation(epoch, (0.5, 0.9), (epoch as f64, 0.5))));
        assert_eq!(BatchNormMisuse.judge(&by_heart), None);
    }

    #[test]
    fn gan_02_a_normalised_output_is_told_where_numbers_are_made_and_not_where_classes_are() {
        let mut history = with(&["Linear", "BatchNorm", "Relu", "Linear", "BatchNorm"], 32);
        assert_eq!(BatchNormMisuse.judge(&history), None);
        history.case.loss.task = Some(Task::Numbers);
        assert_eq!(BatchNormMisuse.judge(&history).unwrap().layer.as_deref(), Some("4"));
        history.case.calls.push(Call { path: "5".into(), kind: "Linear".into(), output: vec![3] });
        assert_eq!(BatchNormMisuse.judge(&history), None);
    }

    #[test]
    fn one_batch_in_both_modes_shows_it_too() {
        let mut history = with(&["Linear", "BatchNorm"], 32);
        let far = |step| Modes { step, train: 1.3, eval: 2.0 };
        history.add_modes(far(500));
        assert_eq!(BatchNormMisuse.judge(&history), None, "once may be chance");
        history.add_modes(far(600));
        assert!(BatchNormMisuse.judge(&history).is_some());
        let mut near = with(&["Linear", "BatchNorm"], 32);
        [500, 600].into_iter().for_each(|step| near.add_modes(Modes { step, train: 0.01, eval: 0.04 }));
        assert_eq!(BatchNormMisuse.judge(&near), None, "nothing beside what knowing nothing costs");
    }
}
