//! How good probabilities are as probabilities.
//!
//! | figure | formula | source |
//! |---|---|---|
//! | log loss | `-mean ln p_label`, with `p` kept `2^-52` away from 0 | Good, 1952 |
//! | Brier score | two classes: `mean (p_1 - y)^2`; more: `mean sum_k (p_k - y_k)^2` | Brier, 1950 |
//! | calibration error | `sum_b n_b / n |accuracy_b - confidence_b|` over 15 equal bins of the highest probability | Guo et al., 2017 |
//! | top-k accuracy | the share of rows whose class is among the k most probable; of equals the first counts | |

use serde::{Deserialize, Serialize};

use super::running::argmax;
use super::weights::Weights;

/// Bins of the calibration error.
const BINS: usize = 15;

/// Probabilities beside what happened, row by row.
#[derive(Clone, Debug)]
pub struct Probabilities {
    /// `-ln p_label`.
    log_losses: Vec<f64>,
    /// The squared distance from the corner of the class.
    squares: Vec<f64>,
    /// How many classes come before the label in the order of the probabilities; none where one is not a number.
    ranks: Vec<Option<usize>>,
    /// The highest probability; NaN where one is not a number.
    confidences: Vec<f64>,
}

/// Rows whose highest probability lies between `low` and `high`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// The least probability, not itself in the bin (but 0 is in the first).
    pub low: f64,
    /// The largest probability.
    pub high: f64,
    /// How many rows there are.
    pub rows: u64,
    /// The mean of their highest probabilities.
    pub confidence: f64,
    /// The share of them that is right: the same, where probabilities are what they say.
    pub accuracy: f64,
}

impl Probabilities {
    /// Of `[rows, classes]` probabilities and the classes that rows have.
    pub fn new(probabilities: &[f64], classes: usize, labels: &[usize]) -> Probabilities {
        let (mut log_losses, mut squares, mut ranks, mut confidences) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (row, &label) in probabilities.chunks_exact(classes.max(1)).zip(labels) {
            let of_label = row.get(label).copied().unwrap_or(f64::NAN);
            log_losses.push(-of_label.clamp(f64::EPSILON, 1.0).ln());
            squares.push(square(row, label));
            let best = argmax(row);
            confidences.push(best.map_or(f64::NAN, |best| row[best]));
            ranks.push(best.map(|_| {
                let is_before = |(class, &p): (usize, &f64)| p > of_label || (p == of_label && class < label);
                row.iter().enumerate().filter(|&(class, p)| is_before((class, p))).count()
            }));
        }
        Probabilities { log_losses, squares, ranks, confidences }
    }

    /// The log loss.
    pub fn log_loss(&self, weights: Weights<'_>) -> f64 {
        weights.mean(&self.log_losses)
    }

    /// The Brier score.
    pub fn brier(&self, weights: Weights<'_>) -> f64 {
        weights.mean(&self.squares)
    }

    /// The share of rows whose class is among the `k` most probable. A row with a NaN is never right.
    pub fn top_k(&self, k: usize, weights: Weights<'_>) -> f64 {
        let (mut hits, mut rows) = (0, 0);
        for (row, rank) in self.ranks.iter().enumerate() {
            rows += weights.of(row);
            hits += if rank.is_some_and(|rank| rank < k) { weights.of(row) } else { 0 };
        }
        hits as f64 / rows as f64
    }

    /// The bins of the calibration error that hold rows: where confidence and accuracy differ, the model is too sure or too unsure.
    pub fn reliability(&self, weights: Weights<'_>) -> Vec<ReliabilityBin> {
        let (mut rows, mut sums, mut hits) = ([0; BINS], [0.0; BINS], [0; BINS]);
        for (row, &confidence) in self.confidences.iter().enumerate() {
            let times = weights.of(row);
            if times == 0 || confidence.is_nan() {
                continue;
            }
            let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
            rows[bin] += times;
            sums[bin] += confidence * times as f64;
            hits[bin] += if self.ranks[row] == Some(0) { times } else { 0 };
        }
        let bin = |at: usize| ReliabilityBin {
            low: at as f64 / BINS as f64,
            high: (at + 1) as f64 / BINS as f64,
            rows: rows[at],
            confidence: sums[at] / rows[at] as f64,
            accuracy: hits[at] as f64 / rows[at] as f64,
        };
        (0..BINS).filter(|&at| rows[at] > 0).map(bin).collect()
    }

    /// The expected calibration error; NaN where a probability is.
    pub fn calibration_error(&self, weights: Weights<'_>) -> f64 {
        let drawn = |(row, confidence): (usize, &f64)| confidence.is_nan() && weights.of(row) > 0;
        if self.confidences.iter().enumerate().any(drawn) {
            return f64::NAN;
        }
        let bins = self.reliability(weights);
        let rows: u64 = bins.iter().map(|bin| bin.rows).sum();
        let sum: f64 = bins.iter().map(|bin| bin.rows as f64 * (bin.accuracy - bin.confidence).abs()).sum();
        sum / rows as f64
    }
}

fn square(row: &[f64], label: usize) -> f64 {
    match row {
        [_, yes] => (yes - f64::from(u8::from(label == 1))).powi(2),
        row => {
            let wanted = |class: usize| f64::from(u8::from(class == label));
            row.iter().enumerate().map(|(class, p)| (p - wanted(class)).powi(2)).sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_that_is_not_a_number_spoils_what_it_must_and_is_never_right() {
        let found = Probabilities::new(&[f64::NAN, 0.5, 0.2, 0.8], 2, &[1, 1]);
        assert!(found.brier(Weights::ONCE) > 0.0, "the label's own probability is a number");
        assert_eq!(found.top_k(2, Weights::ONCE), 0.5);
        assert!(found.calibration_error(Weights::ONCE).is_nan());
        let spoilt = Probabilities::new(&[0.5, f64::NAN], 2, &[1]);
        assert!(spoilt.log_loss(Weights::ONCE).is_nan() && spoilt.brier(Weights::ONCE).is_nan());
    }

    #[test]
    fn a_class_that_was_ruled_out_costs_much_but_not_infinitely_much() {
        let found = Probabilities::new(&[1.0, 0.0], 2, &[1]);
        assert!((found.log_loss(Weights::ONCE) - 36.043_653_389_117_15).abs() < 1e-9);
    }

    #[test]
    fn of_equal_probabilities_the_first_class_is_the_answer() {
        let found = Probabilities::new(&[0.4, 0.4, 0.2, 0.4, 0.4, 0.2], 3, &[0, 1]);
        assert_eq!((found.top_k(1, Weights::ONCE), found.top_k(2, Weights::ONCE)), (0.5, 1.0));
    }
}
