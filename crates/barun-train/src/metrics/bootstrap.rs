//! How much a figure would differ on another test set of the same size.
//!
//! The rows at hand stand for all rows there could be: sets as large as theirs are drawn from them, each row as often as
//! chance will, and the figure's middle 95 % over these sets are its interval (Efron and Tibshirani, "An Introduction
//! to the Bootstrap", 1993, chapter 13: percentile intervals). The interval is about these rows alone: it does not tell
//! what another split or another seed of the training would give. Where every row is right, every drawn set is as well,
//! and the interval is a point: few rows say less than it seems then. (An [`Evaluation`](super::Evaluation) gives the
//! accuracy its exact interval in that case.)

use barun_engine::random::Stream;
use serde::{Deserialize, Serialize};

use super::running::null_is_nan;
use super::weights::Weights;

/// Where a figure would lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// From here, and in 2.5 % of the cases below; null where there is no figure.
    #[serde(deserialize_with = "null_is_nan")]
    pub low: f64,
    /// To here, and in 2.5 % of the cases above.
    #[serde(deserialize_with = "null_is_nan")]
    pub high: f64,
}

/// How sets are drawn. Same seed, same intervals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// How many sets are drawn. Default 1,000.
    pub sets: usize,
    /// The share of the sets whose figures lie in the interval. Default 0.95.
    pub confidence: f64,
    /// The seed. Default 0.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Bootstrap { sets: 1_000, confidence: 0.95, seed: 0 }
    }
}

impl Bootstrap {
    /// The intervals of the figures that `figures` gives for weights of `rows` rows.
    pub fn intervals(&self, rows: usize, figures: impl Fn(Weights<'_>) -> Vec<f64>) -> Vec<Interval> {
        let mut random = Stream::new(self.seed, "bootstrap");
        let mut counts = vec![0u32; rows];
        let mut drawn: Vec<Vec<f64>> = Vec::new();
        for _ in 0..self.sets {
            counts.fill(0);
            (0..rows).for_each(|_| counts[random.below(rows as u64) as usize] += 1);
            let found = figures(Weights::drawn(&counts));
            drawn.resize(found.len(), Vec::new());
            drawn.iter_mut().zip(found).for_each(|(all, figure)| all.push(figure));
        }
        drawn.into_iter().map(|figures| self.interval(figures)).collect()
    }

    /// Sets in which the figure does not exist, such as those without a row of a class, are left out.
    fn interval(&self, mut figures: Vec<f64>) -> Interval {
        figures.retain(|figure| figure.is_finite());
        figures.sort_by(f64::total_cmp);
        let Some(last) = figures.len().checked_sub(1).filter(|_| 2 * figures.len() > self.sets) else {
            return Interval { low: f64::NAN, high: f64::NAN };
        };
        let quantile = |share: f64| {
            let at = share * last as f64;
            let (below, above) = (figures[at.floor() as usize], figures[at.ceil() as usize]);
            below + (above - below) * at.fract()
        };
        let tail = (1.0 - self.confidence) / 2.0;
        Interval { low: quantile(tail), high: quantile(1.0 - tail) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval_of_mean(values: &[f64], bootstrap: Bootstrap) -> Interval {
        bootstrap.intervals(values.len(), |weights| vec![weights.mean(values)])[0]
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_its_standard_error() {
        let mut random = Stream::new(3, "values");
        let values: Vec<f64> = (0..400).map(|_| random.normal()).collect();
        let mean = values.iter().sum::<f64>() / 400.0;
        let found = interval_of_mean(&values, Bootstrap::default());
        // 1.96 / sqrt(400) on either side.
        assert!((found.low - (mean - 0.098)).abs() < 0.015 && (found.high - (mean + 0.098)).abs() < 0.015);
        assert_eq!(found, interval_of_mean(&values, Bootstrap::default()));
        assert_ne!(found, interval_of_mean(&values, Bootstrap { seed: 1, ..Bootstrap::default() }));
    }

    /// Of 200 samples of a fair coin about 95 % have 0.5 in their interval.
    #[test]
    fn intervals_hold_what_they_promise() {
        let mut random = Stream::new(5, "coins");
        let bootstrap = Bootstrap { sets: 300, ..Bootstrap::default() };
        let holds = (0..200).filter(|_| {
            let coins: Vec<f64> = (0..150).map(|_| random.below(2) as f64).collect();
            let Interval { low, high } = interval_of_mean(&coins, bootstrap);
            (low..=high).contains(&0.5)
        });
        let share = holds.count() as f64 / 200.0;
        assert!((0.89..=0.99).contains(&share), "{share}");
    }

    #[test]
    fn a_figure_that_mostly_does_not_exist_has_no_interval() {
        let found = Bootstrap::default().intervals(3, |_| vec![f64::NAN])[0];
        assert!(found.low.is_nan() && found.high.is_nan());
        assert!(Bootstrap::default().intervals(0, |_| vec![f64::NAN])[0].low.is_nan());
    }
}
