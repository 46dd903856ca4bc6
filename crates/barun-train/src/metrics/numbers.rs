//! How far predicted numbers are from what they should have been.
//!
//! | figure | formula |
//! |---|---|
//! | MAE | `mean |prediction - target|` |
//! | MSE, RMSE | `mean (prediction - target)^2`, and its root |
//! | R2 | `1 - sum (prediction - target)^2 / sum (target - mean)^2`; see [`Errors::r2`](super::Errors::r2) |
//! | MAPE | `mean |prediction - target| / |target|`; NaN where a target is 0 |
//! | median absolute error | the middle of `|prediction - target|` |

use super::weights::Weights;

/// Predictions beside targets, row by row.
#[derive(Clone, Debug)]
pub struct Residuals {
    targets: Vec<f64>,
    absolute: Vec<f64>,
    squared: Vec<f64>,
    relative: Vec<f64>,
    /// Rows by their absolute error, the smallest first.
    order: Vec<u32>,
}

impl Residuals {
    /// Of predictions and what they should have been.
    pub fn new(predictions: &[f64], targets: &[f64]) -> Residuals {
        let absolute: Vec<f64> = predictions.iter().zip(targets).map(|(p, t)| (p - t).abs()).collect();
        let relative = |(error, target): (&f64, &f64)| {
            if *target == 0.0 { f64::NAN } else { error / target.abs() }
        };
        let mut order: Vec<u32> = (0..absolute.len() as u32).collect();
        order.sort_by(|&a, &b| absolute[a as usize].total_cmp(&absolute[b as usize]));
        Residuals {
            targets: targets.to_vec(),
            squared: absolute.iter().map(|error| error * error).collect(),
            relative: absolute.iter().zip(targets).map(relative).collect(),
            absolute,
            order,
        }
    }

    /// The mean absolute error.
    pub fn mae(&self, weights: Weights<'_>) -> f64 {
        weights.mean(&self.absolute)
    }

    /// The mean squared error.
    pub fn mse(&self, weights: Weights<'_>) -> f64 {
        weights.mean(&self.squared)
    }

    /// The root of the mean squared error.
    pub fn rmse(&self, weights: Weights<'_>) -> f64 {
        self.mse(weights).sqrt()
    }

    /// The share of the targets' variance that the predictions explain. Of targets that are all the same it is 1 where
    /// every prediction is exact and 0 otherwise.
    pub fn r2(&self, weights: Weights<'_>) -> f64 {
        let (squares, mean) = (self.mse(weights), weights.mean(&self.targets));
        let scatters: Vec<f64> = self.targets.iter().map(|target| (target - mean).powi(2)).collect();
        let scatter = weights.mean(&scatters);
        match (scatter == 0.0, squares == 0.0) {
            _ if squares.is_nan() => f64::NAN,
            (true, true) => 1.0,
            (true, false) => 0.0,
            (false, _) => 1.0 - squares / scatter,
        }
    }

    /// The mean absolute percentage error, as a share; NaN where a target is 0.
    pub fn mape(&self, weights: Weights<'_>) -> f64 {
        weights.mean(&self.relative)
    }

    /// The middle absolute error; the mean of the two middle ones of an even number of rows.
    pub fn median_absolute_error(&self, weights: Weights<'_>) -> f64 {
        let rows: u64 = self.order.iter().map(|&row| weights.of(row as usize)).sum();
        if rows == 0 || self.order.last().is_some_and(|&row| self.absolute[row as usize].is_nan()) {
            return f64::NAN;
        }
        let at = |wanted: u64| {
            let mut passed = 0;
            let found = self.order.iter().find(|&&row| {
                passed += weights.of(row as usize);
                passed > wanted
            });
            found.map_or(f64::NAN, |&row| self.absolute[row as usize])
        };
        0.5 * (at((rows - 1) / 2) + at(rows / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_that_is_not_a_number_leaves_no_figure() {
        let found = Residuals::new(&[1.0, f64::NAN], &[1.0, 2.0]);
        let once = Weights::ONCE;
        for figure in [found.mae(once), found.rmse(once), found.r2(once), found.median_absolute_error(once)] {
            assert!(figure.is_nan());
        }
    }

    #[test]
    fn targets_of_zero_have_no_percentage_and_constant_ones_no_variance() {
        assert!(Residuals::new(&[1.0, 1.0], &[1.0, 0.0]).mape(Weights::ONCE).is_nan());
        assert_eq!(Residuals::new(&[5.0, 5.0], &[5.0, 5.0]).r2(Weights::ONCE), 1.0);
        assert_eq!(Residuals::new(&[5.0, 5.1], &[5.0, 5.0]).r2(Weights::ONCE), 0.0);
    }

    #[test]
    fn a_row_drawn_twice_counts_twice() {
        let drawn = Residuals::new(&[1.0, 2.0, 4.0], &[1.5, 2.0, 3.0]);
        let weights = Weights::drawn(&[1, 0, 3]);
        let out = Residuals::new(&[1.0, 4.0, 4.0, 4.0], &[1.5, 3.0, 3.0, 3.0]);
        assert_eq!(drawn.median_absolute_error(weights), out.median_absolute_error(Weights::ONCE));
        assert!((drawn.r2(weights) - out.r2(Weights::ONCE)).abs() < 1e-12);
        assert!((drawn.mape(weights) - out.mape(Weights::ONCE)).abs() < 1e-12);
    }
}
