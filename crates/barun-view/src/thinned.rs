//! A curve of any length in a few hundred points.
//!
//! Each point is the mean of so many neighbours; whenever there are too many points, neighbours are joined and so many
//! becomes twice as many. What is kept depends on the numbers and their order alone.

use serde::{Deserialize, Serialize};

/// More points than this are never kept.
pub const MOST: usize = 512;

/// A curve that is added to step by step.
///
/// ```
/// let mut curve = barun_view::Thinned::default();
/// (0..1000).for_each(|step| curve.add(f64::from(step)));
/// let points: Vec<(f64, f64)> = curve.points().collect();
/// assert_eq!(points.len(), 500);
/// assert_eq!(points[0], (1.5, 0.5)); // the mean of the steps 1 and 2
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thinned {
    /// How many steps a point stands for.
    stride: u64,
    /// Sums over the finite numbers of `stride` steps each, and how many these are.
    full: Vec<(f64, u64)>,
    /// Those of the point that is not yet full.
    sum: f64,
    finite: u64,
    steps: u64,
}

impl Default for Thinned {
    fn default() -> Self {
        Thinned { stride: 1, full: Vec::new(), sum: 0.0, finite: 0, steps: 0 }
    }
}

impl Thinned {
    /// Adds the number of the next step. One that is not finite is left out of its point.
    pub fn add(&mut self, number: f64) {
        if number.is_finite() {
            (self.sum, self.finite) = (self.sum + number, self.finite + 1);
        }
        self.steps += 1;
        if self.steps < self.stride {
            return;
        }
        self.full.push((self.sum, self.finite));
        (self.sum, self.finite, self.steps) = (0.0, 0, 0);
        if self.full.len() == MOST {
            self.full =
                self.full.chunks(2).map(|pair| (pair[0].0 + pair[1].0, pair[0].1 + pair[1].1)).collect();
            self.stride *= 2;
        }
    }

    /// The points: the middle of the steps that each stands for, counted from 1, and the mean of their numbers, which is
    /// NaN where none was finite. What does not fill a point yet is the last one.
    pub fn points(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let rest = (self.steps > 0).then_some((self.sum, self.finite, self.steps));
        let full = self.full.iter().map(|&(sum, finite)| (sum, finite, self.stride));
        full.chain(rest).enumerate().map(|(at, (sum, finite, steps))| {
            let begin = at as u64 * self.stride;
            (begin as f64 + (steps + 1) as f64 / 2.0, sum / finite as f64)
        })
    }

    /// How many steps a point stands for.
    pub fn stride(&self) -> u64 {
        self.stride
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.full.is_empty() && self.steps == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_keeps_its_mean_in_few_points() {
        for length in [1_u32, 2, 511, 512, 513, 5000, 100_000] {
            let mut curve = Thinned::default();
            (0..length).for_each(|step| curve.add(f64::from(step)));
            let points: Vec<(f64, f64)> = curve.points().collect();
            assert!(!points.is_empty() && points.len() <= MOST, "{length}: {}", points.len());
            // A point stands in the middle of its steps, whose numbers here are their own.
            assert!(points.iter().all(|(step, number)| (step - 1.0 - number).abs() < 1e-9), "{length}");
        }
    }

    #[test]
    fn what_is_not_finite_is_left_out_and_alone_is_a_gap() {
        let mut curve = Thinned::default();
        [1.0, f64::NAN, 3.0].into_iter().for_each(|number| curve.add(number));
        let points: Vec<(f64, f64)> = curve.points().collect();
        assert!(points[1].1.is_nan() && points[2] == (3.0, 3.0), "{points:?}");
    }

    #[test]
    fn a_curve_goes_on_from_its_text() {
        let (mut whole, mut begin) = (Thinned::default(), Thinned::default());
        (0..1500).for_each(|step| whole.add(f64::from(step).sqrt()));
        (0..700).for_each(|step| begin.add(f64::from(step).sqrt()));
        let text = serde_json::to_string(&begin).unwrap();
        let mut rest: Thinned = serde_json::from_str(&text).unwrap();
        (700..1500).for_each(|step| rest.add(f64::from(step).sqrt()));
        assert_eq!(rest, whole);
    }
}
