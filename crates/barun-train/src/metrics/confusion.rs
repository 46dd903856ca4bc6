//! Which classes are taken for which, and the figures that follow from it alone.
//!
//! Precision, recall and F1 follow van Rijsbergen ("Information Retrieval", 1979); MCC for several classes follows
//! Gorodkin ("Comparing two K-category assignments by a K-category correlation coefficient", 2004).

use super::weights::Weights;

/// How the figures of the classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// Each class counts the same.
    Macro,
    /// Each row counts the same: with one class a row, precision, recall and F1 are then all the accuracy.
    Micro,
    /// Each class counts as often as it occurs.
    Weighted,
}

/// How often each class was taken for each. [EVAL-11]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// `[classes, classes]`: actual, then predicted.
    counts: Vec<u64>,
    /// Of each actual class, the rows without an answer.
    unanswered: Vec<u64>,
}

impl Confusion {
    /// Of actual and predicted classes; no prediction is never right. A label outside `0..classes` is left out.
    pub fn of(
        labels: &[usize],
        predicted: &[Option<usize>],
        classes: usize,
        weights: Weights<'_>,
    ) -> Confusion {
        let mut confusion =
            Confusion { classes, counts: vec![0; classes * classes], unanswered: vec![0; classes] };
        for (row, (&label, predicted)) in labels.iter().zip(predicted).enumerate() {
            if label >= classes {
                continue;
            }
            match predicted.filter(|&class| class < classes) {
                Some(class) => confusion.counts[label * classes + class] += weights.of(row),
                None => confusion.unanswered[label] += weights.of(row),
            }
        }
        confusion
    }

    /// How often `actual` was taken for `predicted`.
    pub fn count(&self, actual: usize, predicted: usize) -> u64 {
        self.counts[actual * self.classes + predicted]
    }

    /// The counts, a row for each actual class.
    pub fn rows(&self) -> Vec<Vec<u64>> {
        self.counts.chunks(self.classes.max(1)).map(<[u64]>::to_vec).collect()
    }

    /// Rows without an answer.
    pub fn unanswered(&self) -> u64 {
        self.unanswered.iter().sum()
    }

    /// How often class `class` occurs.
    pub fn support(&self, class: usize) -> u64 {
        (0..self.classes).map(|predicted| self.count(class, predicted)).sum::<u64>() + self.unanswered[class]
    }

    fn predicted(&self, class: usize) -> u64 {
        (0..self.classes).map(|actual| self.count(actual, class)).sum()
    }

    fn total(&self) -> u64 {
        self.counts.iter().chain(&self.unanswered).sum()
    }

    fn hits(&self) -> u64 {
        (0..self.classes).map(|class| self.count(class, class)).sum()
    }

    /// The share of rows that were given their class.
    pub fn accuracy(&self) -> f64 {
        self.hits() as f64 / self.total() as f64
    }

    /// The mean recall of the classes that occur (Brodersen et al., 2010): guessing the most frequent class gives
    /// `1 / classes`, however frequent it is.
    pub fn balanced_accuracy(&self) -> f64 {
        let recalls: Vec<f64> = (0..self.classes)
            .filter(|&class| self.support(class) > 0)
            .map(|class| self.recall_of(class))
            .collect();
        recalls.iter().sum::<f64>() / recalls.len() as f64
    }

    /// Of the rows taken for `class`, the share that are; 0 where none were.
    pub fn precision_of(&self, class: usize) -> f64 {
        share(self.count(class, class), self.predicted(class))
    }

    /// Of the rows that are `class`, the share that were taken for it; 0 where there are none.
    pub fn recall_of(&self, class: usize) -> f64 {
        share(self.count(class, class), self.support(class))
    }

    /// `2 precision recall / (precision + recall)`; 0 where there is nothing of the class.
    pub fn f1_of(&self, class: usize) -> f64 {
        share(2 * self.count(class, class), self.predicted(class) + self.support(class))
    }

    /// The precision of all classes.
    pub fn precision(&self, average: Average) -> f64 {
        self.average(average, Confusion::precision_of)
    }

    /// The recall of all classes.
    pub fn recall(&self, average: Average) -> f64 {
        self.average(average, Confusion::recall_of)
    }

    /// The F1 of all classes: the mean of their F1, not the F1 of their means.
    pub fn f1(&self, average: Average) -> f64 {
        self.average(average, Confusion::f1_of)
    }

    /// Classes that neither occur nor were predicted do not count.
    fn average(&self, average: Average, figure: fn(&Confusion, usize) -> f64) -> f64 {
        let weight = |class: usize| match average {
            Average::Macro => f64::from(u8::from(self.support(class) + self.predicted(class) > 0)),
            Average::Weighted => self.support(class) as f64,
            Average::Micro => 0.0,
        };
        if average == Average::Micro {
            return self.accuracy();
        }
        let sum: f64 = (0..self.classes).map(|class| weight(class) * figure(self, class)).sum();
        sum / (0..self.classes).map(weight).sum::<f64>()
    }

    /// The correlation of actual and predicted classes, from -1 to 1; 0 where either is always the same.
    ///
    /// `(c s - sum p_k t_k) / sqrt((s^2 - sum p_k^2) (s^2 - sum t_k^2))` with `s` rows, `c` of them right, and class `k`
    /// occurring `t_k` times and predicted `p_k` times. Rows without an answer are predicted a class of their own.
    pub fn mcc(&self) -> f64 {
        let s = self.total() as f64;
        let actual = |class| self.support(class) as f64;
        let predicted = |class| self.predicted(class) as f64;
        let sum = |of: &dyn Fn(usize) -> f64| (0..self.classes).map(of).sum::<f64>();
        let unanswered = self.unanswered() as f64;
        let both = sum(&|class| actual(class) * predicted(class));
        let of_predicted = s * s - sum(&|class| predicted(class).powi(2)) - unanswered.powi(2);
        let of_actual = s * s - sum(&|class| actual(class).powi(2));
        if s > 0.0 && (of_predicted == 0.0 || of_actual == 0.0) {
            return 0.0;
        }
        (self.hits() as f64 * s - both) / (of_predicted * of_actual).sqrt()
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_an_answer_are_never_right() {
        let confusion = Confusion::of(&[0, 0, 1, 1], &[Some(0), None, Some(1), None], 2, Weights::ONCE);
        assert_eq!((confusion.accuracy(), confusion.unanswered()), (0.5, 2));
        assert_eq!((confusion.precision_of(0), confusion.recall_of(0)), (1.0, 0.5));
        assert_eq!(confusion.balanced_accuracy(), 0.5);
        assert!(confusion.mcc() < 1.0);
    }

    /// EVAL-11
    #[test]
    fn rows_of_the_matrix_sum_to_the_class_counts() {
        let labels = [0, 1, 2, 2, 1, 0, 2];
        let predicted = [0, 2, 2, 1, 1, 0, 0].map(Some);
        let rows = Confusion::of(&labels, &predicted, 3, Weights::ONCE).rows();
        assert_eq!(rows.iter().map(|row| row.iter().sum::<u64>()).collect::<Vec<_>>(), [2, 2, 3]);
    }

    #[test]
    fn a_row_drawn_twice_counts_twice() {
        let (labels, predicted) = ([0, 1, 1], [Some(0), Some(0), Some(1)]);
        let drawn = Confusion::of(&labels, &predicted, 2, Weights::drawn(&[2, 0, 1]));
        let written_out = Confusion::of(&[0, 0, 1], &[Some(0), Some(0), Some(1)], 2, Weights::ONCE);
        assert_eq!(drawn, written_out);
    }

    #[test]
    fn nothing_gives_no_number() {
        let empty = Confusion::of(&[], &[], 2, Weights::ONCE);
        assert!(empty.accuracy().is_nan() && empty.balanced_accuracy().is_nan() && empty.mcc().is_nan());
    }
}
