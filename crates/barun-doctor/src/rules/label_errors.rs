//! Labels that cannot be right, or that have nothing to do with the inputs.
//!
//! - What the checks of the data have found: one input with different labels (WARN; INFO where equal rows are common).
//! - The training rows are learned and nothing of it holds for others: at the last three evaluations the training loss is below
//!   0.7 of the trivial one, while the validation loss has never been below 0.98 of it, and no class is told better than by
//!   always saying the most frequent one (by more than 0.02): labels that are shuffled or belong to other rows look so: WARN.
//!
//! Threshold: ours.
//!
//! Cannot see: a few wrong labels among right ones; confident learning (Northcutt et al., 2021) needs predictions for all rows.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, short};
use crate::data;
use crate::history::{Evaluation, History};

/// See the [module](self).
pub struct LabelErrors;

const EVALUATIONS: usize = 3;
const LEARNED: f64 = 0.7;
const NOTHING: f64 = 0.98;
const ACCURACY_MARGIN: f64 = 0.02;

impl Rule for LabelErrors {
    fn about(&self) -> About {
        About {
            id: "R26",
            name: "LABEL_ERRORS",
            summary: "Labels contradict each other, or have nothing to do with the inputs.",
            kind: Kind::Evaluation,
            persist: (1, 1),
            explains: &["R18", "R20"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        unrelated(history).or_else(|| data::worst(history, self.about().id))
    }
}

fn unrelated(history: &History) -> Option<Found> {
    let trivial = history.case.trivial_loss()?;
    let skip = history.evaluations.len().checked_sub(EVALUATIONS)?;
    let is_learned = |evaluation: &Evaluation| evaluation.train.loss < LEARNED * trivial;
    let valid = || history.evaluations.iter().filter_map(|evaluation| evaluation.valid);
    let best = valid().map(|valid| valid.loss).fold(f64::INFINITY, f64::min);
    let accuracy = valid().filter_map(|valid| valid.accuracy).fold(0.0, f64::max);
    let guessed = history.case.trivial_accuracy().unwrap_or(1.0);
    if !best.is_finite()
        || best < NOTHING * trivial
        || accuracy > guessed + ACCURACY_MARGIN
        || !history.evaluations.iter().skip(skip).all(is_learned)
    {
        return None;
    }
    let train = history.evaluations.back()?.train.loss;
    let message = format!(
        "the training rows are learned (loss {}), and of other rows nothing is known (at best {}, where knowing nothing costs {})",
        short(train),
        short(best),
        short(trivial)
    );
    let why = "Labels that have nothing to do with the inputs can be learned by heart, and by no other way";
    let found = Found::new(Level::Warn, (best / trivial, NOTHING), message, why);
    Some(found.cure("Look at some rows with their labels: were they shuffled apart, or joined to the wrong rows?", &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{evaluation, ten_classes};

    #[test]
    fn labels_that_only_training_rows_can_teach_are_told() {
        let judge = |valid: (f64, f64)| {
            let mut history = History::of(ten_classes(), None);
            (1..=5).for_each(|epoch| history.add_evaluation(evaluation(epoch, (0.8, 0.8), valid)));
            LabelErrors.judge(&history).is_some()
        };
        assert!(judge((4.0, 0.1)));
        assert!(!judge((2.0, 0.3)) && !judge((4.0, 0.5)));
    }
}
