//! A network that cannot learn even a few rows by heart.
//!
//! `barun check --overfit-batch` trains copies of the first weights on 16 rows for at most 300 steps, without anything that stands
//! in the way: dropout, noise, decay, penalties, augmentation, smoothing. What cannot learn so few rows cannot learn the data, so
//! this counts as trouble: WARN, and what else is found is told as its cause.
//!
//! Threshold: more than 5 % wrong answers, or a loss above a tenth of that of the best answer that is the same for every row.
//! Karpathy, 2019, "A Recipe for Training Neural Networks"; TheDeepChecker.
//!
//! Cannot see: whether the network is large enough for the data; nothing, if the check was not asked for.

use barun_train::diagnosis::Level;
use barun_train::request::OverfitReport;

use super::{About, Found, Kind, Rule, percent, short};
use crate::history::History;

/// See the [module](self).
pub struct CannotOverfitBatch;

impl Rule for CannotOverfitBatch {
    fn about(&self) -> About {
        About {
            id: "R06",
            name: "CANNOT_OVERFIT_BATCH",
            summary: "The network cannot learn even a few rows by heart.",
            kind: Kind::Trouble,
            persist: (1, 1),
            explains: &["R07", "R16", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let report = history.overfit.as_ref().filter(|report| !report.learned)?;
        let wrong = report.error_rate.map(|rate| format!(", and {} of the answers are wrong", percent(rate)));
        let message = format!(
            "after {} steps on {} rows alone the loss is {}{}; knowing nothing costs {}",
            report.steps,
            report.rows,
            short(report.loss),
            wrong.unwrap_or_default(),
            short(report.loss_of_guessing)
        );
        let value = (report.loss / report.loss_of_guessing, OverfitReport::MOST_OF_GUESSING);
        let found = Found::new(Level::Warn, value, message, "A network that cannot learn so few rows cannot learn the data");
        let found = found.cure("Search the learning rate: `barun check RECIPE --lr-find`", &[]);
        let found = found.cure("Then try another optimizer, and more units or layers", &[]);
        Some(found.cure("Look whether these rows can be told apart at all", &[]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ten_classes;

    fn judge(loss: f64, learned: bool) -> Option<Found> {
        let mut history = History::of(ten_classes(), None);
        history.overfit = Some(OverfitReport {
            learned,
            rows: 16,
            steps: 300,
            most_steps: 300,
            lr: 0.1,
            loss,
            loss_of_guessing: 2.0,
            error_rate: Some(0.5),
            losses: Vec::new(),
        });
        CannotOverfitBatch.judge(&history)
    }

    #[test]
    fn rows_that_were_not_learned_are_told_with_what_they_cost() {
        let found = judge(1.9, false).unwrap();
        assert!(found.message.contains("16 rows") && found.message.contains("50 %"), "{}", found.message);
        assert_eq!((found.value, found.threshold), (0.95, 0.1));
        assert_eq!(judge(0.1, true), None);
        assert_eq!(CannotOverfitBatch.judge(&History::of(ten_classes(), None)), None);
    }
}
