//! A curve of any length in bounded memory: means over steps, of which each stands for twice as many whenever there would
//! be too many of them.

use serde::{Deserialize, Serialize};

/// So many points at most.
const MOST: usize = 512;

/// The loss step by step, thinned. Numbers that are not finite are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// How many steps a point stands for, as a power of two.
    doublings: u32,
    points: Vec<f64>,
    /// Of the point that is not yet whole: steps, finite ones of them, their sum.
    open: (usize, usize, f64),
}

impl Curve {
    /// Adds a step.
    pub fn add(&mut self, value: f64) {
        let stride = self.stride();
        let (steps, finite, sum) = &mut self.open;
        *steps += 1;
        if value.is_finite() {
            (*finite, *sum) = (*finite + 1, *sum + value);
        }
        if *steps < stride {
            return;
        }
        let before = self.points.last().copied();
        let mean = if *finite > 0 { Some(*sum / *finite as f64) } else { before };
        self.points.extend(mean.or(Some(0.0)));
        self.open = (0, 0, 0.0);
        if self.points.len() == MOST {
            self.points = self.points.chunks_exact(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect();
            self.doublings += 1;
        }
    }

    /// Steps of a point.
    pub fn stride(&self) -> usize {
        1 << self.doublings
    }

    /// The points of the last `steps` steps, the oldest first.
    pub fn last(&self, steps: usize) -> &[f64] {
        let wanted = steps.div_ceil(self.stride()).min(self.points.len());
        &self.points[self.points.len() - wanted..]
    }

    /// All points.
    pub fn points(&self) -> &[f64] {
        &self.points
    }
}

/// The mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The middle one; 0 of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        count if count % 2 == 1 => sorted[count / 2],
        count => (sorted[count / 2 - 1] + sorted[count / 2]) / 2.0,
    }
}

/// The standard deviation; 0 of nothing.
pub fn deviation(values: &[f64]) -> f64 {
    let center = mean(values);
    (values.iter().map(|value| (value - center).powi(2)).sum::<f64>() / values.len().max(1) as f64).sqrt()
}

/// How surely the values go up (or down, below 0): the statistic of Mann, 1945, "Nonparametric tests against trend", in
/// deviations of what values without a trend give. Above 2.33 fewer than one of 100 curves without a trend would.
pub fn trend(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    if values.len() < 4 {
        return 0.0;
    }
    let mut ups = 0.0;
    for (at, earlier) in values.iter().enumerate() {
        for later in &values[at + 1..] {
            ups += f64::from(i8::from(later > earlier)) - f64::from(i8::from(later < earlier));
        }
    }
    let variance = count * (count - 1.0) * (2.0 * count + 5.0) / 18.0;
    (ups - f64::signum(ups)) / variance.sqrt()
}

/// The means of `parts` stretches of equal length, as far as there are as many values.
pub fn stretches(values: &[f64], parts: usize) -> Vec<f64> {
    let parts = parts.min(values.len()).max(1);
    (0..parts)
        .map(|part| mean(&values[part * values.len() / parts..(part + 1) * values.len() / parts]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_keeps_its_shape_in_bounded_memory() {
        let mut curve = Curve::default();
        (0..100_000).for_each(|step| curve.add(step as f64));
        assert!(curve.points().len() < MOST);
        assert!((mean(curve.points()) - 50_000.0).abs() < 500.0);
        let last = curve.last(1000);
        assert!((mean(last) - 99_500.0).abs() < 600.0, "{}", mean(last));
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let mut curve = Curve::default();
        [1.0, f64::NAN, 3.0].into_iter().for_each(|loss| curve.add(loss));
        assert_eq!(curve.points(), [1.0, 1.0, 3.0]);
    }

    #[test]
    fn a_trend_is_told_from_noise() {
        let wave = |step: usize| ((step * 7919) % 101) as f64 / 101.0;
        let noise: Vec<f64> = (0..40).map(wave).collect();
        let rising: Vec<f64> = (0..40).map(|step| wave(step) + 0.05 * step as f64).collect();
        assert!(trend(&noise).abs() < 2.33, "{}", trend(&noise));
        assert!(trend(&rising) > 3.0);
    }
}
