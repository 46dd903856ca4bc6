//! Least squares over few columns, in f64.

use crate::cholesky::Cholesky;

/// Sums over rows from which any subset of columns can be regressed on a target: `X^T X` and `X^T y` of standardised
/// columns.
pub(super) struct Moments {
    /// Of each column.
    means: Vec<f64>,
    deviations: Vec<f64>,
    /// `[columns, columns]`, of standardised columns, divided by the rows.
    correlations: Vec<f64>,
    /// Of each column with the target, divided by the rows.
    with_target: Vec<f64>,
    target_mean: f64,
    target_variance: f64,
}

/// A linear formula over some columns: `target = intercept + sum coefficient * column`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Formula {
    /// Positions of the columns, and their coefficients.
    pub terms: Vec<(usize, f64)>,
    pub intercept: f64,
}

/// Keeps columns that are sums of others from making the system singular; far below what matters for a prediction.
const RIDGE: f64 = 1e-9;

impl Moments {
    /// Of `columns` (each with a value a row) and `target`.
    pub fn of(columns: &[Vec<f64>], target: &[f64]) -> Moments {
        let n = target.len().max(1) as f64;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
        let means: Vec<f64> = columns.iter().map(|column| mean(column)).collect();
        let target_mean = mean(target);
        let centred: Vec<Vec<f64>> = columns
            .iter()
            .zip(&means)
            .map(|(column, mean)| column.iter().map(|value| value - mean).collect())
            .collect();
        let target: Vec<f64> = target.iter().map(|value| value - target_mean).collect();
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / n;
        let deviations: Vec<f64> = centred.iter().map(|column| product(column, column).sqrt()).collect();
        let scale = |at: usize| if deviations[at] > 0.0 { 1.0 / deviations[at] } else { 0.0 };
        let width = columns.len();
        let mut correlations = vec![0.0; width * width];
        for i in 0..width {
            for j in 0..=i {
                let value = product(&centred[i], &centred[j]) * scale(i) * scale(j);
                (correlations[i * width + j], correlations[j * width + i]) = (value, value);
            }
        }
        let with_target = (0..width).map(|at| product(&centred[at], &target) * scale(at)).collect();
        let target_variance = product(&target, &target);
        Moments { means, deviations, correlations, with_target, target_mean, target_variance }
    }

    /// The formula over the columns `which` with the least squares, and the standardised coefficients in their order.
    pub fn fit(&self, which: &[usize]) -> (Formula, Vec<f64>) {
        let width = self.means.len();
        let mut matrix: Vec<f64> = Vec::with_capacity(which.len() * which.len());
        for &row in which {
            matrix.extend(which.iter().map(|&column| {
                self.correlations[row * width + column] + if row == column { RIDGE } else { 0.0 }
            }));
        }
        let right: Vec<f64> = which.iter().map(|&column| self.with_target[column]).collect();
        let standardised = Cholesky::of(matrix).solve(right);
        let coefficient = |(&column, weight): (&usize, &f64)| {
            (column, if self.deviations[column] > 0.0 { weight / self.deviations[column] } else { 0.0 })
        };
        let terms: Vec<(usize, f64)> = which.iter().zip(&standardised).map(coefficient).collect();
        let offset: f64 = terms.iter().map(|&(column, weight)| weight * self.means[column]).sum();
        (Formula { terms, intercept: self.target_mean - offset }, standardised)
    }

    /// Whether the target ever changes.
    pub fn target_varies(&self) -> bool {
        self.target_variance > 0.0
    }
}

impl Formula {
    pub fn value(&self, columns: &[Vec<f64>], row: usize) -> f64 {
        self.intercept + self.terms.iter().map(|&(column, weight)| weight * columns[column][row]).sum::<f64>()
    }

    /// The share of the target's variance that it explains: 1 is all.
    pub fn r2(&self, columns: &[Vec<f64>], target: &[f64]) -> f64 {
        let mean = target.iter().sum::<f64>() / target.len().max(1) as f64;
        let scatter: f64 = target.iter().map(|value| (value - mean).powi(2)).sum();
        let squares: f64 =
            target.iter().enumerate().map(|(row, value)| (value - self.value(columns, row)).powi(2)).sum();
        if scatter > 0.0 { 1.0 - squares / scatter } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_squares_finds_the_formula_among_other_columns() {
        let rows = 0..60;
        let a: Vec<f64> = rows.clone().map(|row| f64::from(row * 7 % 13)).collect();
        let b: Vec<f64> = rows.clone().map(|row| f64::from(row * 5 % 11) * 100.0).collect();
        let sum: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
        let target: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 2.0 * a - 0.5 * b + 3.0).collect();
        let columns = [a, b, vec![4.0; 60], sum];
        let moments = Moments::of(&columns, &target);
        let (formula, _) = moments.fit(&[0, 1]);
        assert!((formula.terms[0].1 - 2.0).abs() < 1e-6 && (formula.terms[1].1 + 0.5).abs() < 1e-6);
        assert!((formula.intercept - 3.0).abs() < 1e-4 && formula.r2(&columns, &target) > 1.0 - 1e-9);
        // A constant and a sum of other columns do no harm.
        let (formula, _) = moments.fit(&[0, 1, 2, 3]);
        assert!(formula.r2(&columns, &target) > 1.0 - 1e-6);
    }
}
