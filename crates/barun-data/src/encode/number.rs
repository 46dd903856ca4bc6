//! How a number becomes a feature: a line, or its place among the training values.

use serde::{Deserialize, Serialize};

use crate::normalize::{ScalingKind, Statistics};

/// The most quantiles that are kept of a column.
const MOST_KNOTS: usize = 1000;
/// Shares nearer to 0 or 1 than this are taken for this: the normal distribution never ends.
const NEAREST_TO_END: f64 = 1e-7;

/// What is done to a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NumberMap {
    /// `y = (x - shift) * scale`.
    Line {
        /// What is subtracted.
        shift: f32,
        /// What is then multiplied by.
        scale: f32,
    },
    /// `y = Φ⁻¹(p)`, where `p` is the share of training values below `x`, of equal ones half; `Φ` is the standard normal
    /// distribution. Between two quantiles along a line; beyond the smallest and the largest ±5.2.
    Normal {
        /// The quantiles of the training values at 0, 1/(k-1), ..., 1.
        knots: Vec<f32>,
    },
}

impl NumberMap {
    /// As it is.
    pub const IDENTITY: NumberMap = NumberMap::Line { shift: 0.0, scale: 1.0 };

    /// Fits `kind` on a column that is not constant.
    pub(crate) fn fit(kind: ScalingKind, statistics: &Statistics) -> NumberMap {
        match kind {
            ScalingKind::Quantile => NumberMap::Normal { knots: quantiles(statistics.sample()) },
            _ => {
                let (shift, scale) = statistics.affine(kind);
                NumberMap::Line { shift, scale }
            }
        }
    }

    /// The feature.
    pub fn apply(&self, x: f64) -> f32 {
        match self {
            NumberMap::Line { shift, scale } => ((x - f64::from(*shift)) * f64::from(*scale)) as f32,
            NumberMap::Normal { knots } => {
                normal_quantile(share_below(knots, x as f32).clamp(NEAREST_TO_END, 1.0 - NEAREST_TO_END))
                    as f32
            }
        }
    }
}

/// Quantiles of ascending values, at most [`MOST_KNOTS`].
fn quantiles(ascending: &[f32]) -> Vec<f32> {
    let knots = ascending.len().min(MOST_KNOTS);
    let steps = knots.saturating_sub(1).max(1) as f64;
    (0..knots).map(|at| quantile(ascending, at as f64 / steps) as f32).collect()
}

/// The value below which the share `p` of ascending values lies, along a line between two of them. [Hyndman & Fan, 1996,
/// The American Statistician 50, definition 7, as NumPy has it]
pub(crate) fn quantile(ascending: &[f32], p: f64) -> f64 {
    let Some(last) = ascending.len().checked_sub(1) else { return 0.0 };
    let place = p * last as f64;
    let below = (place as usize).min(last);
    let (low, high) = (f64::from(ascending[below]), f64::from(ascending[(below + 1).min(last)]));
    low + (high - low) * (place - below as f64)
}

fn share_below(knots: &[f32], x: f32) -> f64 {
    let (below, upto) = (knots.partition_point(|&knot| knot < x), knots.partition_point(|&knot| knot <= x));
    let last = knots.len().saturating_sub(1).max(1) as f64;
    if below < upto {
        // Of a run of equal quantiles the middle.
        return (below + upto - 1) as f64 / 2.0 / last;
    }
    if below == 0 {
        return 0.0;
    }
    if below == knots.len() {
        return 1.0;
    }
    let (low, high) = (f64::from(knots[below - 1]), f64::from(knots[below]));
    ((below - 1) as f64 + (f64::from(x) - low) / (high - low)) / last
}

/// Where the standard normal distribution reaches `p`: `√2 erf⁻¹(2p - 1)`, to 7 digits. [M. Giles, Approximating the
/// erfinv function, GPU Computing Gems 2, 2011]
fn normal_quantile(p: f64) -> f64 {
    const CENTRE: [f64; 9] = [
        2.81022636e-08,
        3.43273939e-07,
        -3.5233877e-06,
        -4.39150654e-06,
        0.00021858087,
        -0.00125372503,
        -0.00417768164,
        0.246640727,
        1.50140941,
    ];
    const TAIL: [f64; 9] = [
        -0.000200214257,
        0.000100950558,
        0.00134934322,
        -0.00367342844,
        0.00573950773,
        -0.0076224613,
        0.00943887047,
        1.00167406,
        2.83297682,
    ];
    let x = 2.0 * p - 1.0;
    // 1 - x² = 4p(1 - p), without cancellation near the ends.
    let w = -(4.0 * p * (1.0 - p)).ln();
    let (coefficients, w) = if w < 5.0 { (&CENTRE, w - 2.5) } else { (&TAIL, w.sqrt() - 3.0) };
    std::f64::consts::SQRT_2 * x * coefficients.iter().fold(0.0, |sum, coefficient| sum * w + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_quantile_is_that_of_tables() {
        for (p, z) in [
            (0.5, 0.0),
            (0.975, 1.959963985),
            (0.025, -1.959963985),
            (0.8413447461, 1.0),
            (0.999, 3.090232306),
            (1e-7, -5.199337582),
            (0.6, 0.2533471031),
        ] {
            assert!((normal_quantile(p) - z).abs() < 2e-6, "{p}: {}", normal_quantile(p));
        }
    }

    #[test]
    fn quantiles_lie_on_lines_between_the_values() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!(quantile(&[7.0], 0.3), 7.0);
        assert_eq!(quantiles(&(0..5000).map(|i| i as f32).collect::<Vec<_>>()).len(), MOST_KNOTS);
    }

    #[test]
    fn any_distribution_becomes_a_normal_one() {
        let values: Vec<f32> = (0..1001).map(|i| (i as f32 / 100.0).exp()).collect();
        let map = NumberMap::Normal { knots: quantiles(&values) };
        let features: Vec<f64> = values.iter().map(|&x| f64::from(map.apply(f64::from(x)))).collect();
        assert!(features.is_sorted());
        let inner = &features[1..1000];
        let mean = inner.iter().sum::<f64>() / inner.len() as f64;
        let deviation = (inner.iter().map(|z| z * z).sum::<f64>() / inner.len() as f64).sqrt();
        assert!(mean.abs() < 1e-3 && (deviation - 1.0).abs() < 0.02, "{mean} {deviation}");
        assert_eq!(map.apply(1e30), map.apply(1e10));
        assert!((f64::from(map.apply(-5.0)) + 5.1993376).abs() < 1e-5);
    }

    #[test]
    fn equal_values_stand_in_the_middle_of_their_run() {
        let map = NumberMap::Normal { knots: vec![0.0, 1.0, 1.0, 1.0, 2.0] };
        assert_eq!(map.apply(1.0), 0.0);
        assert!(map.apply(0.5) < -1.1 && map.apply(1.5) > 1.1);
    }
}
