//! Which of two epochs is the better one.

use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::objective::Objective;
use crate::recipe::BestBy;

impl BestBy {
    /// The figure that decides, where it exists.
    pub fn figure(self, metrics: &Metrics) -> Option<f64> {
        match self {
            BestBy::Auto => metrics.accuracy.or(Some(metrics.loss)),
            BestBy::Loss => Some(metrics.loss),
            BestBy::Accuracy => metrics.accuracy,
            BestBy::Mae => metrics.mae,
            BestBy::Rmse => metrics.rmse,
            BestBy::R2 => metrics.r2,
        }
    }

    /// Whether `new` is better than `old` by more than `min_delta`. With 0, of equal accuracies the lower loss is better;
    /// what is no number is worse than everything.
    pub fn is_better(self, new: &Metrics, old: &Metrics, min_delta: f64) -> bool {
        let (Some(found), Some(before)) = (self.figure(new), self.figure(old)) else { return false };
        if before.is_nan() {
            return !found.is_nan();
        }
        if found == before && self.is_accuracy(new) && min_delta == 0.0 {
            return new.loss < old.loss;
        }
        let gain = if self.is_accuracy(new) || self == BestBy::R2 { found - before } else { before - found };
        gain > min_delta
    }

    /// Refuses a figure that what is learned does not have.
    pub(crate) fn check(self, objective: Objective) -> Result<()> {
        let (has, fix) = match (self, objective.is_classes()) {
            (BestBy::R2, false) if matches!(objective, Objective::Input { .. }) => {
                ("the input itself", "choose loss, mae or rmse")
            }
            (BestBy::Auto | BestBy::Loss, _) | (BestBy::Accuracy, true) => return Ok(()),
            (BestBy::Mae | BestBy::Rmse | BestBy::R2, false) => return Ok(()),
            (_, true) => ("classes", "choose accuracy or loss"),
            (_, false) => ("a number", "choose loss, mae, rmse or r2"),
        };
        Err(Error::Setting {
            path: "train.best_by",
            value: self.name().to_string(),
            but: format!("the target is {has}, which has no such figure"),
            fix: fix.to_string(),
        })
    }

    fn is_accuracy(self, metrics: &Metrics) -> bool {
        self == BestBy::Accuracy || (self == BestBy::Auto && metrics.accuracy.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(accuracy: f64, loss: f64) -> Metrics {
        Metrics { loss, accuracy: Some(accuracy), ..Metrics::default() }
    }

    fn numbers(loss: f64, r2: f64) -> Metrics {
        Metrics { loss, mae: Some(loss), rmse: Some(loss), r2: Some(r2), ..Metrics::default() }
    }

    #[test]
    fn of_classifiers_the_more_accurate_is_better_and_of_equals_the_lower_loss() {
        let auto = |new, old| BestBy::Auto.is_better(&new, &old, 0.0);
        assert!(auto(classes(0.9, 2.0), classes(0.8, 1.0)));
        assert!(auto(classes(0.9, 1.0), classes(0.9, 2.0)));
        assert!(!auto(classes(0.9, 1.0), classes(0.9, 1.0)), "of equals the earlier stays");
        assert!(BestBy::Loss.is_better(&classes(0.1, 1.0), &classes(0.9, 2.0), 0.0));
    }

    #[test]
    fn each_figure_of_numbers_has_its_direction() {
        let (good, bad) = (numbers(1.0, 0.9), numbers(2.0, 0.5));
        for by in [BestBy::Auto, BestBy::Loss, BestBy::Mae, BestBy::Rmse, BestBy::R2] {
            assert!(by.is_better(&good, &bad, 0.0) && !by.is_better(&bad, &good, 0.0), "{by}");
        }
        assert!(!BestBy::Accuracy.is_better(&good, &bad, 0.0), "there is no such figure");
    }

    #[test]
    fn a_gain_up_to_min_delta_does_not_count() {
        assert!(!BestBy::Auto.is_better(&classes(0.91, 0.1), &classes(0.9, 1.0), 0.02));
        assert!(BestBy::Auto.is_better(&classes(0.93, 0.1), &classes(0.9, 1.0), 0.02));
        assert!(!BestBy::Loss.is_better(&numbers(0.99, 0.0), &numbers(1.0, 0.0), 0.02));
    }

    #[test]
    fn anything_is_better_than_no_number() {
        let nothing = numbers(f64::NAN, f64::NAN);
        assert!(BestBy::Auto.is_better(&numbers(9.0, 0.0), &nothing, 0.0));
        assert!(!BestBy::Auto.is_better(&nothing, &numbers(9.0, 0.0), 0.0));
        assert!(!BestBy::Auto.is_better(&nothing, &nothing, 0.0));
    }

    #[test]
    fn a_figure_that_the_target_does_not_have_is_refused() {
        let message = BestBy::R2.check(Objective::Classes).unwrap_err().to_string();
        assert_eq!(
            message,
            "`train.best_by` is r2, but the target is classes, which has no such figure; choose accuracy or loss"
        );
        assert!(BestBy::Accuracy.check(Objective::Numbers { unit: 1.0 }).is_err());
        BestBy::Accuracy.check(Objective::Binary).unwrap();
    }
}
