//! What is said of a model epoch by epoch: loss, accuracy for classes, errors for numbers, summed up batch by batch.
//!
//! Sums run in f64 over any number of batches, each row with the same weight, so the last, smaller batch counts as much
//! as it has rows.

use serde::{Deserialize, Serialize};

/// The figures of one pass over a set of rows.
///
/// In JSON a figure that does not exist (the accuracy of a regression) is left out, and one that is not finite is `null`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The mean of what was minimised.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// Classes: the share of rows whose class was found.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_some_nan")]
    pub accuracy: Option<f64>,
    /// Numbers: the mean of `|prediction - target|`, in the target's unit.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_some_nan")]
    pub mae: Option<f64>,
    /// Numbers: the root of the mean of `(prediction - target)^2`, in the target's unit.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_some_nan")]
    pub rmse: Option<f64>,
    /// Numbers: the share of the target's variance that the prediction explains; see [`Errors::r2`].
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_some_nan")]
    pub r2: Option<f64>,
}

impl Metrics {
    /// By how much a model is better on what it was trained on than on what it was not: its accuracy here minus its
    /// accuracy on `unseen`, or its R2 where it predicts numbers. Large and positive where it has learnt by heart. [EVAL-08]
    pub fn gap_to(&self, unseen: &Metrics) -> Option<f64> {
        let figure = |metrics: &Metrics| metrics.accuracy.or(metrics.r2);
        Some(figure(self)? - figure(unseen)?)
    }

    /// The figures of a classifier.
    pub fn of_classes(loss: &Mean, accuracy: &Mean) -> Metrics {
        Metrics { loss: loss.value(), accuracy: Some(accuracy.value()), ..Metrics::default() }
    }

    /// The figures of a regression.
    pub fn of_numbers(loss: &Mean, errors: &Errors) -> Metrics {
        let (mae, rmse, r2) = (errors.mae(), errors.rmse(), errors.r2());
        Metrics { loss: loss.value(), accuracy: None, mae: Some(mae), rmse: Some(rmse), r2: Some(r2) }
    }

    /// The figures that exist, by name, in the order in which they are told.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, f64)> + use<> {
        let all = [
            ("loss", Some(self.loss)),
            ("accuracy", self.accuracy),
            ("mae", self.mae),
            ("rmse", self.rmse),
            ("r2", self.r2),
        ];
        all.into_iter().filter_map(|(name, figure)| Some((name, figure?)))
    }
}

pub(crate) fn null_is_nan<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

fn null_is_some_nan<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    null_is_nan(deserializer).map(Some)
}

/// A mean over rows that come in batches of any size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    sum: f64,
    rows: usize,
}

impl Mean {
    /// Adds a batch of `rows` rows whose mean is `mean`.
    pub fn add(&mut self, mean: f64, rows: usize) {
        if rows > 0 {
            self.sum += mean * rows as f64;
            self.rows += rows;
        }
    }

    /// Adds a batch of `rows` rows, `hits` of which count 1 and the others 0.
    pub fn add_hits(&mut self, hits: usize, rows: usize) {
        self.sum += hits as f64;
        self.rows += rows;
    }

    /// How many rows have been added.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The mean of all rows; NaN before the first.
    pub fn value(&self) -> f64 {
        self.sum / self.rows as f64
    }
}

/// The class that a row of scores speaks for: the position of the largest, of equals the first. [LOSS-17]
///
/// A row with a NaN in it speaks for none.
///
/// ```
/// use barun_train::metrics::argmax;
/// assert_eq!(argmax(&[0.1_f32, 0.7, 0.7]), Some(1));
/// assert_eq!(argmax(&[0.1, f64::NAN]), None);
/// ```
pub fn argmax<T: Copy + PartialOrd>(scores: &[T]) -> Option<usize> {
    let mut best = 0;
    for (class, score) in scores.iter().enumerate() {
        score.partial_cmp(score)?;
        if *score > scores[best] {
            best = class;
        }
    }
    (!scores.is_empty()).then_some(best)
}

/// How many rows of `scores` (`[rows, classes]`, row after row) speak for their label. One column of scores is that of a
/// binary classifier: above 0 it speaks for class 1, at 0 or below for class 0.
pub fn hits<T: Copy + PartialOrd + Default>(scores: &[T], classes: usize, labels: &[usize]) -> usize {
    let class_of = |row: &[T]| match row {
        [logit] => logit.partial_cmp(&T::default()).map(|order| usize::from(order.is_gt())),
        row => argmax(row),
    };
    scores
        .chunks_exact(classes.max(1))
        .zip(labels)
        .filter(|(row, label)| class_of(row) == Some(**label))
        .count()
}

/// The errors of predicted numbers, over batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    rows: usize,
    absolute: f64,
    squared: f64,
    target_mean: f64,
    target_scatter: f64,
}

impl Errors {
    /// Adds predictions and what they should have been.
    pub fn add<T: Copy + Into<f64>>(&mut self, predictions: &[T], targets: &[T]) {
        for (prediction, target) in predictions.iter().zip(targets) {
            let (prediction, target): (f64, f64) = ((*prediction).into(), (*target).into());
            let error = prediction - target;
            self.add_sums(error.abs(), error * error, [target]);
        }
    }

    /// Adds a batch whose `|prediction - target|` and squares are already summed up, with its targets.
    pub fn add_sums(&mut self, absolute: f64, squared: f64, targets: impl IntoIterator<Item = f64>) {
        self.absolute += absolute;
        self.squared += squared;
        for target in targets {
            // Welford: the sum of squared distances from the mean, without cancellation.
            self.rows += 1;
            let distance = target - self.target_mean;
            self.target_mean += distance / self.rows as f64;
            self.target_scatter += distance * (target - self.target_mean);
        }
    }

    /// The mean absolute error; NaN before the first row.
    pub fn mae(&self) -> f64 {
        self.absolute / self.rows as f64
    }

    /// The root of the mean squared error; NaN before the first row.
    pub fn rmse(&self) -> f64 {
        (self.squared / self.rows as f64).sqrt()
    }

    /// `1 - sum (target - prediction)^2 / sum (target - mean)^2`: 1 is perfect, 0 no better than the mean of the targets.
    ///
    /// Targets that are all the same have no variance to explain; then it is 1 where every prediction is exact and 0
    /// otherwise, as in scikit-learn.
    pub fn r2(&self) -> f64 {
        if self.rows == 0 || self.squared.is_nan() {
            return f64::NAN;
        }
        match (self.target_scatter == 0.0, self.squared == 0.0) {
            (true, true) => 1.0,
            (true, false) => 0.0,
            (false, _) => 1.0 - self.squared / self.target_scatter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(predictions: &[f64], targets: &[f64]) -> Errors {
        let mut errors = Errors::default();
        errors.add(predictions, targets);
        errors
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-12 * b.abs().max(1.0)
    }

    /// LOSS-17
    #[test]
    fn accuracy_counts_the_rows_whose_largest_score_is_at_the_label() {
        let scores = [0.1_f32, 0.7, 0.2, 0.5, 0.3, 0.2, 0.2, 0.3, 0.5, 0.9, 0.05, 0.05];
        assert_eq!(hits(&scores, 3, &[1, 0, 2, 1]), 3);
        let mut accuracy = Mean::default();
        accuracy.add_hits(3, 4);
        assert_eq!(accuracy.value(), 0.75);
    }

    /// LOSS-17
    #[test]
    fn of_equal_scores_the_first_wins() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(argmax(&[0.0; 4]), Some(0));
        assert_eq!(argmax(&[-0.0, 0.0]), Some(0));
        assert_eq!(argmax(&[f32::NEG_INFINITY, f32::NEG_INFINITY]), Some(0));
    }

    #[test]
    fn a_row_with_a_nan_is_never_right() {
        assert_eq!(argmax(&[f64::NAN, 1.0]), None);
        assert_eq!(hits(&[1.0, f64::NAN, 2.0, 1.0], 2, &[0, 0]), 1);
        assert_eq!(argmax::<f64>(&[]), None);
    }

    #[test]
    fn one_score_is_a_binary_classifier() {
        assert_eq!(hits(&[1.5_f32, -0.5, 0.0, f32::NAN], 1, &[1, 0, 0, 0]), 3);
    }

    /// TRAIN-12
    #[test]
    fn a_mean_weighs_batches_by_their_rows() {
        let mut loss = Mean::default();
        assert!(loss.value().is_nan());
        loss.add(1.0, 128);
        loss.add(4.0, 64);
        loss.add(f64::NAN, 0);
        assert_eq!(loss.value(), 2.0);
        assert_eq!(loss.rows(), 192);
    }

    #[test]
    fn errors_of_numbers_follow_their_formulas() {
        let errors = errors(&[2.5, 0.0, 2.0, 8.0], &[3.0, -0.5, 2.0, 7.0]);
        assert!(close(errors.mae(), 0.5));
        assert!(close(errors.rmse(), 0.375_f64.sqrt()));
        assert!(close(errors.r2(), 1.0 - 1.5 / 29.1875));
    }

    #[test]
    fn the_mean_of_the_targets_explains_nothing_and_worse_is_negative() {
        assert!(close(errors(&[2.0, 2.0, 2.0], &[1.0, 2.0, 3.0]).r2(), 0.0));
        assert!(close(errors(&[3.0, 2.0, 1.0], &[1.0, 2.0, 3.0]).r2(), -3.0));
        assert_eq!(errors(&[1.0, 2.0], &[1.0, 2.0]).r2(), 1.0);
    }

    #[test]
    fn constant_targets_give_one_or_zero_and_no_nan() {
        assert_eq!(errors(&[5.0, 5.0], &[5.0, 5.0]).r2(), 1.0);
        assert_eq!(errors(&[5.0, 5.1], &[5.0, 5.0]).r2(), 0.0);
        assert_eq!(errors(&[0.1], &[0.1]).r2(), 1.0);
        assert!(Errors::default().r2().is_nan());
        assert!(errors(&[f64::NAN, 5.0], &[5.0, 5.0]).r2().is_nan());
    }

    #[test]
    fn a_large_offset_does_not_cost_the_variance() {
        let targets: Vec<f64> = (0..5).map(|i| 1e9 + f64::from(i)).collect();
        let predictions: Vec<f64> = targets.iter().map(|target| target + 1.0).collect();
        assert!(close(errors(&predictions, &targets).r2(), 1.0 - 5.0 / 10.0));
    }

    #[test]
    fn batches_give_what_one_pass_gives() {
        let (predictions, targets) = ([1.0_f32, 2.5, 2.0, 8.0, -1.0], [1.5_f32, 2.0, 2.0, 9.0, 0.5]);
        let mut whole = Errors::default();
        whole.add(&predictions, &targets);
        let mut parts = Errors::default();
        parts.add(&predictions[..2], &targets[..2]);
        parts.add(&predictions[2..], &targets[2..]);
        assert_eq!(whole, parts);
    }

    /// EVAL-08
    #[test]
    fn the_gap_is_what_a_model_has_learnt_by_heart() {
        let classes = |accuracy| Metrics { accuracy: Some(accuracy), ..Metrics::default() };
        assert_eq!(classes(0.75).gap_to(&classes(0.5)), Some(0.25));
        let numbers = |r2| Metrics { r2: Some(r2), ..Metrics::default() };
        assert_eq!(numbers(0.5).gap_to(&numbers(0.75)), Some(-0.25));
        assert_eq!(Metrics::default().gap_to(&classes(0.5)), None);
    }

    #[test]
    fn json_leaves_out_what_does_not_exist_and_survives_a_nan() {
        let classes = Metrics { loss: 0.5, accuracy: Some(0.875), ..Metrics::default() };
        assert_eq!(serde_json::to_string(&classes).unwrap(), r#"{"loss":0.5,"accuracy":0.875}"#);
        let numbers = Metrics { loss: f64::NAN, mae: Some(f64::INFINITY), ..Metrics::default() };
        let text = serde_json::to_string(&numbers).unwrap();
        assert_eq!(text, r#"{"loss":null,"mae":null}"#);
        let back: Metrics = serde_json::from_str(&text).unwrap();
        assert!(back.loss.is_nan() && back.mae.unwrap().is_nan() && back.accuracy.is_none());
    }
}
