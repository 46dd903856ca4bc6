//! How numbers are distributed: counts in bins of one width, with what bins do not tell.

use serde::{Deserialize, Serialize};

/// So many bins a histogram has.
pub const BINS: usize = 40;

/// Counts in [`BINS`] bins of one width from the smallest to the largest finite number, which lies in the last.
///
/// Numbers that are not finite are counted apart. Of numbers that are all the same, or of none, there is one bin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// The smallest number.
    pub low: f64,
    /// The largest.
    pub high: f64,
    /// How many numbers lie in each bin.
    pub counts: Vec<u64>,
    /// Their mean.
    pub mean: f64,
    /// The root of their mean squared distance from it.
    pub deviation: f64,
    /// How many of them are 0.
    pub zeros: u64,
    /// How many more were not finite.
    pub not_finite: u64,
}

impl Histogram {
    /// Of numbers, which are looked at twice.
    ///
    /// ```
    /// let histogram = barun_view::Histogram::of([0.0, 1.0, 1.0, f64::NAN].into_iter());
    /// assert_eq!((histogram.low, histogram.high, histogram.total()), (0.0, 1.0, 3));
    /// assert_eq!((histogram.zeros, histogram.not_finite), (1, 1));
    /// ```
    pub fn of(numbers: impl Iterator<Item = f64> + Clone) -> Histogram {
        let (mut low, mut high, mut sum) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
        let (mut count, mut zeros, mut not_finite) = (0_u64, 0, 0);
        for number in numbers.clone() {
            if !number.is_finite() {
                not_finite += 1;
                continue;
            }
            (low, high) = (low.min(number), high.max(number));
            (sum, count) = (sum + number, count + 1);
            zeros += u64::from(number == 0.0);
        }
        if count == 0 {
            return Histogram { not_finite, ..Histogram::default() };
        }
        let mean = sum / count as f64;
        let mut counts = vec![0; if high > low { BINS } else { 1 }];
        let (scale, last) = (counts.len() as f64 / (high - low), counts.len() - 1);
        let mut squares = 0.0;
        for number in numbers.filter(|number| number.is_finite()) {
            // Of one number the scale is infinite and its product no number, which as an index is 0.
            let bin = ((number - low) * scale) as usize;
            counts[bin.min(last)] += 1;
            squares += (number - mean) * (number - mean);
        }
        Histogram { low, high, counts, mean, deviation: (squares / count as f64).sqrt(), zeros, not_finite }
    }

    /// How many numbers were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The ends of the bin `bin`.
    pub fn bin(&self, bin: usize) -> (f64, f64) {
        let width = (self.high - self.low) / self.counts.len().max(1) as f64;
        (self.low + bin as f64 * width, self.low + (bin + 1) as f64 * width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_counted_once_in_its_bin() {
        let numbers: Vec<f64> = (0..400).map(|number| f64::from(number) / 10.0).collect();
        let histogram = Histogram::of(numbers.iter().copied());
        assert_eq!(histogram.counts.len(), BINS);
        assert_eq!(histogram.total(), 400);
        assert!(histogram.counts.iter().all(|count| (9..=11).contains(count)), "{:?}", histogram.counts);
        assert!((histogram.mean - 19.95).abs() < 1e-9);
        assert!((histogram.deviation - 400.0_f64.powi(2).sqrt() / 10.0 / 12.0_f64.sqrt()).abs() < 0.01);
    }

    #[test]
    fn of_one_number_or_none_there_is_one_bin_or_none() {
        let same = Histogram::of([2.0; 5].into_iter());
        assert_eq!((same.low, same.high, &same.counts[..]), (2.0, 2.0, &[5][..]));
        let none = Histogram::of([f64::NAN, f64::INFINITY].into_iter());
        assert_eq!((none.total(), none.not_finite), (0, 2));
        assert!(none.counts.is_empty());
    }

    #[test]
    fn the_largest_finite_numbers_do_no_harm() {
        let histogram = Histogram::of([f64::MIN, 0.0, f64::MAX].into_iter());
        assert_eq!(histogram.total(), 3);
    }
}
