//! The network learns its training rows by heart: they get better, others worse.
//!
//! Threshold: at the last 5 evaluations the validation loss was more than 1 % above its best and more than 10 % above the
//! training loss: INFO, since the best epoch is kept and most long runs end so. WARN where the harm is large: the validation
//! loss is at least twice as high as its best was - or above 0.7 of the trivial loss while the training loss is below a tenth
//! of it - above the training loss by more than half of the trivial loss, and, of classes, the accuracy on the training part is better by more than 0.15 and twice the standard error of the other. After
//! AutoTrainer and SageMaker Debugger (a gap of 0.1), widened on healthy runs: of 15 rows, two wrong ones are a gap of 0.13.
//!
//! Cannot see: anything without a validation part; overfitting to the validation part itself.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, short};
use crate::history::History;

/// See the [module](self).
pub struct Overfit;

const EVALUATIONS: usize = 5;
const ABOVE_BEST: f64 = 1.01;
const ABOVE_TRAIN: f64 = 1.1;
const FAR_ABOVE_BEST: f64 = 2.0;
const HARMFUL_GAP: f64 = 0.5;
const NOTHING: f64 = 0.7;
const BY_HEART: f64 = 0.1;
const ACCURACY_GAP: f64 = 0.15;

impl Rule for Overfit {
    fn about(&self) -> About {
        About {
            id: "R18",
            name: "OVERFIT",
            summary: "The training rows are learned by heart: they get better and others worse.",
            kind: Kind::Evaluation,
            persist: (1, 1),
            explains: &["R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let pairs: Vec<(f64, f64)> = history
            .evaluations
            .iter()
            .filter_map(|evaluation| Some((evaluation.train.loss, evaluation.valid?.loss)))
            .collect();
        let last = pairs.get(pairs.len().checked_sub(EVALUATIONS)?..)?;
        let best = pairs.iter().map(|(_, valid)| *valid).fold(f64::INFINITY, f64::min);
        if !last.iter().all(|(train, valid)| *valid > ABOVE_BEST * best && *valid > ABOVE_TRAIN * train) {
            return None;
        }
        let (train, valid) = *last.last()?;
        let evaluation = history.evaluations.back()?;
        let accuracies = evaluation.train.accuracy.zip(evaluation.valid?.accuracy);
        let is_gap_large = accuracies.is_none_or(|(train, valid)| {
            let error = (valid * (1.0 - valid) / history.case.valid_rows.max(1) as f64).sqrt();
            train - valid > ACCURACY_GAP + 2.0 * error
        });
        let scale = history.loss_scale().unwrap_or(valid);
        let is_far = valid > FAR_ABOVE_BEST * best || (valid > NOTHING * scale && train < BY_HEART * scale);
        let is_harmful = is_far && valid - train > HARMFUL_GAP * scale && is_gap_large;
        let level = if is_harmful { Level::Warn } else { Level::Info };
        let message = format!(
            "the loss on the validation part is {}, after {} at its best, and on the training part {}",
            short(valid),
            short(best),
            short(train)
        );
        let why = "What is learned by heart does not help with new rows; the weights of the best epoch are kept";
        let found = Found::new(level, (valid / best, ABOVE_BEST), message, why)
            .cure("Stop when it no longer gets better", &["train.early_stopping.patience=10".to_string()]);
        let decay = ["train.optimizer.name=adamw".to_string(), "train.optimizer.weight_decay=0.1".to_string()];
        let found = match history.case.decays {
            true => found.cure("Decay the weights more", &[]),
            false => found.cure("Decay the weights", &decay),
        };
        let is_of_images = history.case.inputs.shape.len() == 3;
        let rows = if is_of_images { "Vary the images, get more rows" } else { "Get more rows" };
        let found = found.cure("Drop units at random", &["model.dropout=0.2".to_string()]);
        Some(found.cure(format!("{rows}, or take a smaller network"), &[]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{evaluation, ten_classes};

    fn judge(curves: impl Fn(f64) -> ((f64, f64), (f64, f64))) -> Option<Found> {
        let mut history = History::of(ten_classes(), None);
        for epoch in 1..=20 {
            let (train, valid) = curves(epoch as f64);
            history.add_evaluation(evaluation(epoch, train, valid));
        }
        Overfit.judge(&history)
    }

    /// REG-30
    #[test]
    fn the_curves_of_a_run_that_learns_by_heart_are_told_from_those_of_one_that_learns() {
        let by_heart = judge(|epoch| ((2.0 / epoch, 0.99), (1.0 + 0.1 * epoch, 0.6)));
        assert_eq!(by_heart.unwrap().level, Level::Warn);
        let slightly = judge(|epoch| ((0.5 / epoch, 0.99), (0.2 + 0.01 * epoch, 0.96)));
        assert_eq!(slightly.unwrap().level, Level::Info);
        assert_eq!(judge(|epoch| ((2.0 / epoch, 0.9), (2.2 / epoch, 0.88))), None);
        assert_eq!(judge(|epoch| ((2.0 - 0.01 * epoch, 0.4), (2.0 - 0.01 * epoch, 0.4))), None);
    }
}
