//! Everything that is said of a model on one set of rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bootstrap::{Bootstrap, Interval};
use super::confusion::{Average, Confusion};
use super::numbers::Residuals;
use super::probability::{Probabilities, ReliabilityBin};
use super::ranking::Ranking;
use super::running::{argmax, null_is_nan};
use super::weights::Weights;

/// With more classes than this the areas under curves have no intervals: there would be two curves a class in each set.
const MOST_RANKED_CLASSES: usize = 20;
/// Rows times figures times sets that intervals may take; of large test parts fewer sets are drawn, but at least 200.
const MOST_WORK: usize = 300_000_000;
const LEAST_SETS: usize = 200;

/// What a model says of rows, beside what they are.
#[derive(Clone, Debug, PartialEq)]
pub enum Predictions {
    /// Classes.
    Classes {
        /// `[rows, classes]`.
        probabilities: Vec<f64>,
        /// The class of each row.
        labels: Vec<usize>,
        /// The names of the classes.
        classes: Vec<String>,
    },
    /// Numbers, in the target's own unit.
    Numbers {
        /// What the model says.
        predictions: Vec<f64>,
        /// What it should have said.
        targets: Vec<f64>,
    },
    /// Rows that were to be given again: how far from them is what the model gave, the mean over the numbers of a row.
    Inputs {
        /// The mean absolute deviation of each row.
        absolute: Vec<f64>,
        /// The mean squared deviation of each row.
        squared: Vec<f64>,
    },
}

/// A figure's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The share of rows whose class was found.
    Accuracy,
    /// The mean recall of the classes.
    BalancedAccuracy,
    /// The share of rows whose class is among the five most probable; with more than five classes.
    #[serde(rename = "top5_accuracy")]
    Top5Accuracy,
    /// The mean precision of the classes.
    PrecisionMacro,
    /// The mean F1 of the classes.
    F1Macro,
    /// The mean F1 of the classes, by how often they occur.
    F1Weighted,
    /// The correlation of actual and predicted classes.
    Mcc,
    /// The area under the ROC curve: of the second of two classes, or the mean over each class against the rest.
    Auroc,
    /// The area under the precision-recall curve, likewise.
    Auprc,
    /// Minus the mean logarithm of the probability of the class.
    LogLoss,
    /// The mean squared error of the probabilities.
    Brier,
    /// The expected calibration error.
    CalibrationError,
    /// The mean absolute error.
    Mae,
    /// The mean squared error.
    Mse,
    /// The root of the mean squared error.
    Rmse,
    /// The share of the targets' variance that is explained.
    R2,
    /// The mean absolute error as a share of the target.
    Mape,
    /// The middle absolute error.
    MedianAbsoluteError,
}

/// A figure and where it would lie on other rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The figure; null where it does not exist.
    #[serde(deserialize_with = "null_is_nan")]
    pub value: f64,
    /// The lower end of its 95 % interval.
    #[serde(deserialize_with = "null_is_nan")]
    pub low: f64,
    /// The upper end.
    #[serde(deserialize_with = "null_is_nan")]
    pub high: f64,
}

/// Figures by name.
pub type Figures = BTreeMap<Measure, Figure>;

/// How well one class is found. [EVAL-11]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassFigures {
    /// The class.
    pub class: String,
    /// How many rows are of it.
    pub rows: u64,
    /// Of the rows taken for it, the share that are; 0 where none were.
    pub precision: f64,
    /// Of its rows, the share that were found; 0 where there are none.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
}

/// What is said of a model on one set of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// How many rows.
    pub rows: usize,
    /// The figures, each with its interval.
    pub figures: Figures,
    /// The share of other sets of rows for which the intervals are made.
    pub confidence: f64,
    /// How many such sets were drawn.
    pub bootstrap_sets: usize,
    /// Of classes: each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassFigures>,
    /// Of classes: how often each (row) was taken for each (column).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<Vec<u64>>,
    /// Rows for which the model gave no number.
    pub unanswered: u64,
    /// Of classes: whether probabilities are what they say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reliability: Vec<ReliabilityBin>,
}

impl Predictions {
    /// How many rows.
    pub fn len(&self) -> usize {
        match self {
            Predictions::Classes { labels, .. } => labels.len(),
            Predictions::Numbers { targets, .. } => targets.len(),
            Predictions::Inputs { squared, .. } => squared.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything that can be said. `seed` is that of the intervals.
    pub fn evaluate(&self, seed: u64) -> Evaluation {
        match self {
            Predictions::Classes { probabilities, labels, classes } => {
                evaluate_classes(probabilities, labels, classes, seed)
            }
            Predictions::Numbers { predictions, targets } => evaluate_numbers(predictions, targets, seed),
            Predictions::Inputs { absolute, squared } => evaluate_inputs(absolute, squared, seed),
        }
    }
}

impl Evaluation {
    /// A figure by name.
    pub fn value(&self, measure: Measure) -> Option<f64> {
        self.figures.get(&measure).map(|figure| figure.value)
    }
}

impl Measure {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Accuracy => "accuracy",
            Measure::BalancedAccuracy => "balanced_accuracy",
            Measure::Top5Accuracy => "top5_accuracy",
            Measure::PrecisionMacro => "precision_macro",
            Measure::F1Macro => "f1_macro",
            Measure::F1Weighted => "f1_weighted",
            Measure::Mcc => "mcc",
            Measure::Auroc => "auroc",
            Measure::Auprc => "auprc",
            Measure::LogLoss => "log_loss",
            Measure::Brier => "brier",
            Measure::CalibrationError => "calibration_error",
            Measure::Mae => "mae",
            Measure::Mse => "mse",
            Measure::Rmse => "rmse",
            Measure::R2 => "r2",
            Measure::Mape => "mape",
            Measure::MedianAbsoluteError => "median_absolute_error",
        }
    }
}

/// Fewer sets for many rows and figures.
fn bootstrap(rows: usize, figures: usize, seed: u64) -> Bootstrap {
    let affordable = MOST_WORK / (rows * figures).max(1);
    Bootstrap { sets: affordable.clamp(LEAST_SETS, Bootstrap::default().sets), seed, ..Bootstrap::default() }
}

fn with_intervals(
    measures: &[Measure],
    rows: usize,
    bootstrap: &Bootstrap,
    figures: impl Fn(Weights<'_>, bool) -> Vec<f64>,
) -> Figures {
    let values = figures(Weights::ONCE, true);
    let intervals = bootstrap.intervals(rows, |weights| figures(weights, false));
    let figure = |((&measure, value), drawn): ((&Measure, f64), Interval)| {
        let interval = match measure {
            Measure::Accuracy | Measure::Top5Accuracy => {
                exact_where_all_agree(value, rows, bootstrap.confidence).unwrap_or(drawn)
            }
            _ => drawn,
        };
        (measure, Figure { value, low: interval.low, high: interval.high })
    };
    measures.iter().zip(values).zip(intervals).map(figure).collect()
}

/// Where every row is right, every drawn set is as well, and a bootstrap interval would claim certainty. The exact
/// interval of a share (Clopper and Pearson, 1934) does not: all of 30 rows may be right by luck of a model that is right
/// nine times in ten.
fn exact_where_all_agree(share: f64, rows: usize, confidence: f64) -> Option<Interval> {
    let by_luck = ((1.0 - confidence) / 2.0).powf(1.0 / rows as f64);
    match share {
        1.0 => Some(Interval { low: by_luck, high: 1.0 }),
        0.0 => Some(Interval { low: 0.0, high: 1.0 - by_luck }),
        _ => None,
    }
}

fn evaluate_classes(probabilities: &[f64], labels: &[usize], classes: &[String], seed: u64) -> Evaluation {
    let (rows, width) = (labels.len(), classes.len());
    let of_row = || probabilities.chunks_exact(width.max(1));
    let predicted: Vec<Option<usize>> = of_row().map(argmax).collect();
    // Of two classes the second is the one to be found.
    let ranked: Vec<usize> = if width == 2 { vec![1] } else { (0..width).collect() };
    let ranking = |&class: &usize| {
        let scores: Vec<f64> = of_row().map(|row| row[class]).collect();
        let positive: Vec<bool> = labels.iter().map(|&label| label == class).collect();
        Ranking::new(&scores, &positive)
    };
    let rankings: Vec<Ranking> = ranked.iter().map(ranking).collect();
    let of_probabilities = Probabilities::new(probabilities, width, labels);
    let has_nan = probabilities.iter().any(|probability| probability.is_nan());

    let mut measures = vec![
        Measure::Accuracy,
        Measure::BalancedAccuracy,
        Measure::PrecisionMacro,
        Measure::F1Macro,
        Measure::F1Weighted,
        Measure::Mcc,
        Measure::LogLoss,
        Measure::Brier,
        Measure::CalibrationError,
        Measure::Auroc,
        Measure::Auprc,
    ];
    if width > 5 {
        measures.push(Measure::Top5Accuracy);
    }
    let figures = |weights: Weights<'_>, is_whole: bool| {
        let confusion = Confusion::of(labels, &predicted, width, weights);
        let is_affordable = is_whole || width <= MOST_RANKED_CLASSES;
        let mean_over_classes = |area: fn(&Ranking, Weights<'_>) -> f64| match is_affordable && !has_nan {
            true => mean_of_existing(rankings.iter().map(|ranking| area(ranking, weights))),
            false => f64::NAN,
        };
        vec![
            confusion.accuracy(),
            confusion.balanced_accuracy(),
            confusion.precision(Average::Macro),
            confusion.f1(Average::Macro),
            confusion.f1(Average::Weighted),
            confusion.mcc(),
            of_probabilities.log_loss(weights),
            of_probabilities.brier(weights),
            of_probabilities.calibration_error(weights),
            mean_over_classes(Ranking::auroc),
            mean_over_classes(Ranking::auprc),
            of_probabilities.top_k(5, weights),
        ]
    };
    let walks = if width <= MOST_RANKED_CLASSES { 2 * rankings.len() } else { 0 };
    let bootstrap = bootstrap(rows, 6 + walks, seed);
    let confusion = Confusion::of(labels, &predicted, width, Weights::ONCE);
    let class_figures = |(class, name): (usize, &String)| ClassFigures {
        class: name.clone(),
        rows: confusion.support(class),
        precision: confusion.precision_of(class),
        recall: confusion.recall_of(class),
        f1: confusion.f1_of(class),
    };
    Evaluation {
        rows,
        figures: with_intervals(&measures, rows, &bootstrap, figures),
        confidence: bootstrap.confidence,
        bootstrap_sets: bootstrap.sets,
        classes: classes.iter().enumerate().map(class_figures).collect(),
        confusion: confusion.rows(),
        unanswered: confusion.unanswered(),
        reliability: of_probabilities.reliability(Weights::ONCE),
    }
}

/// Classes that do not occur, or of which every row is, have no curve.
fn mean_of_existing(areas: impl Iterator<Item = f64>) -> f64 {
    let existing: Vec<f64> = areas.filter(|area| !area.is_nan()).collect();
    existing.iter().sum::<f64>() / existing.len() as f64
}

fn evaluate_numbers(predictions: &[f64], targets: &[f64], seed: u64) -> Evaluation {
    let residuals = Residuals::new(predictions, targets);
    let figures = |weights: Weights<'_>| {
        vec![
            residuals.mae(weights),
            residuals.mse(weights),
            residuals.rmse(weights),
            residuals.r2(weights),
            residuals.median_absolute_error(weights),
            residuals.mape(weights),
        ]
    };
    let measures =
        [Measure::Mae, Measure::Mse, Measure::Rmse, Measure::R2, Measure::MedianAbsoluteError, Measure::Mape];
    // Percentages of nothing are no figure.
    let measures = if targets.contains(&0.0) { &measures[..5] } else { &measures[..] };
    evaluation_of_numbers(predictions, measures, seed, figures)
}

fn evaluate_inputs(absolute: &[f64], squared: &[f64], seed: u64) -> Evaluation {
    let figures = |weights: Weights<'_>| {
        let square = weights.mean(squared);
        vec![weights.mean(absolute), square, square.sqrt()]
    };
    evaluation_of_numbers(squared, &[Measure::Mae, Measure::Mse, Measure::Rmse], seed, figures)
}

/// Of what has no classes. `said` has a number for each row, which is not finite where the model gave none.
fn evaluation_of_numbers(
    said: &[f64],
    measures: &[Measure],
    seed: u64,
    figures: impl Fn(Weights<'_>) -> Vec<f64>,
) -> Evaluation {
    let rows = said.len();
    let bootstrap = bootstrap(rows, 8, seed);
    Evaluation {
        rows,
        figures: with_intervals(measures, rows, &bootstrap, |weights, _| figures(weights)),
        confidence: bootstrap.confidence,
        bootstrap_sets: bootstrap.sets,
        classes: Vec::new(),
        confusion: Vec::new(),
        unanswered: said.iter().filter(|number| !number.is_finite()).count() as u64,
        reliability: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(classes: usize) -> Vec<String> {
        (0..classes).map(|class| format!("class {class}")).collect()
    }

    #[test]
    fn every_figure_has_an_interval_around_it_and_survives_json() {
        let rows = 300;
        let noise = |row: usize| (row * 7919 % 1000) as f64 / 1000.0;
        let labels: Vec<usize> = (0..rows).map(|row| row % 7).collect();
        let mut probabilities = Vec::new();
        for (row, &label) in labels.iter().enumerate() {
            let scores: Vec<f64> =
                (0..7).map(|class| noise(row * 7 + class) + if class == label { 0.5 } else { 0.0 }).collect();
            let sum: f64 = scores.iter().sum();
            probabilities.extend(scores.iter().map(|score| score / sum));
        }
        let classes = Predictions::Classes { probabilities, labels, classes: names(7) };
        let targets: Vec<f64> = (0..rows).map(|row| 1.0 + row as f64).collect();
        let predictions = targets.iter().enumerate().map(|(row, t)| t + 20.0 * noise(row)).collect();
        let squared: Vec<f64> = (0..rows).map(|row| 4.0 * noise(row)).collect();
        let inputs = Predictions::Inputs { absolute: (0..rows).map(noise).collect(), squared };
        let numbers = Predictions::Numbers { predictions, targets };
        for (predictions, figures) in [(classes, 12), (numbers, 6), (inputs, 3)] {
            let evaluation = predictions.evaluate(0);
            assert_eq!(evaluation.figures.len(), figures);
            for (measure, figure) in &evaluation.figures {
                // The calibration error of a drawn set is larger than that of the whole: its noise adds up.
                if *measure != Measure::CalibrationError {
                    assert!(
                        figure.low <= figure.value && figure.value <= figure.high,
                        "{measure:?} {figure:?}"
                    );
                }
                assert!(figure.low < figure.high, "{measure:?} {figure:?}");
                assert_eq!(serde_json::to_value(measure).unwrap(), measure.name());
            }
            assert_eq!(evaluation, predictions.evaluate(0));
            let text = serde_json::to_string(&evaluation).unwrap();
            assert_eq!(serde_json::from_str::<Evaluation>(&text).unwrap(), evaluation);
        }
    }

    #[test]
    fn of_rows_given_again_the_figures_are_means_over_rows() {
        let inputs =
            Predictions::Inputs { absolute: vec![1.0, 2.0, f64::NAN], squared: vec![1.0, 6.0, f64::NAN] };
        assert_eq!((inputs.len(), inputs.evaluate(0).unanswered), (3, 1));
        let inputs = Predictions::Inputs { absolute: vec![1.0, 2.0], squared: vec![1.0, 7.0] };
        let evaluation = inputs.evaluate(0);
        let value = |measure| evaluation.value(measure);
        assert_eq!((value(Measure::Mae), value(Measure::Mse)), (Some(1.5), Some(4.0)));
        assert_eq!((value(Measure::Rmse), value(Measure::R2)), (Some(2.0), None));
        // Of two rows drawn with repetition a quarter of the sets are one row twice.
        let interval = evaluation.figures[&Measure::Mse];
        assert_eq!((interval.low, interval.high), (1.0, 7.0));
    }

    #[test]
    fn one_class_and_no_rows_and_nan_leave_null_and_no_panic() {
        let of = |probabilities: &[f64], labels: &[usize]| {
            let predictions = Predictions::Classes {
                probabilities: probabilities.to_vec(),
                labels: labels.to_vec(),
                classes: names(2),
            };
            predictions.evaluate(0)
        };
        let one = of(&[0.2, 0.8, 0.4, 0.6], &[1, 1]);
        assert_eq!(one.value(Measure::Accuracy), Some(1.0));
        // scipy.stats.binomtest(2, 2).proportion_ci().low
        assert!((one.figures[&Measure::Accuracy].low - 0.158_113_883_008_419).abs() < 1e-12);
        assert!(one.value(Measure::Auroc).unwrap().is_nan());
        assert!(
            serde_json::to_string(&one).unwrap().contains(r#""auroc":{"value":null,"low":null,"high":null}"#)
        );
        let nan = of(&[f64::NAN, f64::NAN, 0.4, 0.6], &[1, 1]);
        assert_eq!((nan.value(Measure::Accuracy), nan.unanswered), (Some(0.5), 1));
        assert!(nan.value(Measure::LogLoss).unwrap().is_nan());
        assert!(of(&[], &[]).value(Measure::Accuracy).unwrap().is_nan());
        let zero = Predictions::Numbers { predictions: vec![1.0, 2.0], targets: vec![0.0, 2.0] }.evaluate(0);
        assert_eq!(zero.value(Measure::Mape), None);
    }
}
