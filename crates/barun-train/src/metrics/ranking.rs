//! How well scores put the rows of a class before the others, whatever the threshold.
//!
//! The area under the ROC curve is the probability that a row of the class scores above one that is not, ties counting
//! half (Hanley and McNeil, 1982). The area under the precision-recall curve is the average precision
//! `sum (R_n - R_(n-1)) P_n` over the thresholds, one for each different score, without interpolation.

use super::weights::Weights;

/// Rows in the order of their scores.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// Rows, the highest score first, with whether the next has the same score.
    order: Vec<(u32, bool)>,
    positive: Vec<bool>,
    has_nan: bool,
}

impl Ranking {
    /// Of scores, and whether each row is of the class.
    pub fn new(scores: &[f64], positive: &[bool]) -> Ranking {
        let mut rows: Vec<u32> = (0..scores.len().min(positive.len()) as u32).collect();
        let score = |row: u32| scores[row as usize];
        rows.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
        let ties = |at: usize| rows.get(at + 1).is_some_and(|&next| score(next) == score(rows[at]));
        let order = rows.iter().enumerate().map(|(at, &row)| (row, ties(at))).collect();
        Ranking { order, positive: positive.to_vec(), has_nan: scores.iter().any(|score| score.is_nan()) }
    }

    /// The area under the ROC curve; NaN where all rows are of one kind or a score is NaN.
    pub fn auroc(&self, weights: Weights<'_>) -> f64 {
        let (mut area, mut above) = (0.0, 0.0);
        let (positives, negatives) = self.walk(weights, |positives, negatives| {
            area += negatives * (above + 0.5 * positives);
            above += positives;
        });
        if self.has_nan { f64::NAN } else { area / (positives * negatives) }
    }

    /// The average precision; NaN where no row is of the class or a score is NaN.
    pub fn auprc(&self, weights: Weights<'_>) -> f64 {
        let (mut sum, mut found, mut taken) = (0.0, 0.0, 0.0);
        let (positives, _) = self.walk(weights, |positives, negatives| {
            found += positives;
            taken += positives + negatives;
            if taken > 0.0 {
                sum += positives * found / taken;
            }
        });
        if self.has_nan { f64::NAN } else { sum / positives }
    }

    /// Gives the rows of each score, the highest first, as counts of positives and negatives; then the totals.
    fn walk(&self, weights: Weights<'_>, mut take: impl FnMut(f64, f64)) -> (f64, f64) {
        let (mut positives, mut negatives) = (0, 0);
        let (mut all_positives, mut all_negatives) = (0, 0);
        for &(row, ties_with_next) in &self.order {
            match self.positive[row as usize] {
                true => positives += weights.of(row as usize),
                false => negatives += weights.of(row as usize),
            }
            if !ties_with_next {
                take(positives as f64, negatives as f64);
                all_positives += positives;
                all_negatives += negatives;
                (positives, negatives) = (0, 0);
            }
        }
        (all_positives as f64, all_negatives as f64)
    }
}

/// The area under the ROC curve of scores, each row once.
pub fn auroc(scores: &[f64], positive: &[bool]) -> f64 {
    Ranking::new(scores, positive).auroc(Weights::ONCE)
}

/// The average precision of scores, each row once.
pub fn auprc(scores: &[f64], positive: &[bool]) -> f64 {
    Ranking::new(scores, positive).auprc(Weights::ONCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_of_rows_has_no_area_and_a_nan_has_no_place() {
        assert!(auroc(&[0.1, 0.2], &[true, true]).is_nan() && auroc(&[0.1, 0.2], &[false, false]).is_nan());
        assert_eq!(auprc(&[0.1, 0.2], &[true, true]), 1.0);
        assert!(auprc(&[0.1, 0.2], &[false, false]).is_nan());
        assert!(auroc(&[0.1, f64::NAN], &[true, false]).is_nan());
        assert_eq!(auroc(&[f64::INFINITY, 0.0, f64::NEG_INFINITY], &[true, true, false]), 1.0);
        assert_eq!(auroc(&[0.5; 4], &[true, false, true, false]), 0.5);
        assert_eq!(auroc(&[0.0, -0.0], &[true, false]), 0.5, "0 and -0 are one score");
    }

    #[test]
    fn a_row_drawn_twice_counts_twice() {
        let (scores, positive) = ([0.9, 0.8, 0.3], [true, false, true]);
        let drawn = Ranking::new(&scores, &positive);
        let weights = Weights::drawn(&[1, 1, 2]);
        let (scores, positive) = ([0.9, 0.8, 0.3, 0.3], [true, false, true, true]);
        assert_eq!(drawn.auroc(weights), auroc(&scores, &positive));
        assert_eq!(drawn.auprc(weights), auprc(&scores, &positive));
    }
}
