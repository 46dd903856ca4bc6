//! Cholesky's decomposition of a symmetric positive definite matrix, to solve the normal equations of least squares.

/// `L` of `A = L L^T`. A direction that is lost in rounding counts as not there: what is solved for is 0 along it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cholesky {
    size: usize,
    /// `[size, size]`, of which the lower triangle is `L`.
    lower: Vec<f64>,
}

impl Cholesky {
    /// Of `[n, n]` numbers, row after row, of which the lower triangle is looked at.
    ///
    /// # Panics
    /// If their count is no square.
    pub fn of(mut matrix: Vec<f64>) -> Cholesky {
        let n = matrix.len().isqrt();
        assert_eq!(n * n, matrix.len(), "a square matrix is decomposed");
        for column in 0..n {
            for row in column..n {
                let (above, this) = matrix.split_at_mut(row * n);
                let pivot_row = if row == column { &this[..column] } else { &above[column * n..][..column] };
                let value = this[column] - dot(&this[..column], pivot_row);
                // None on the diagonal, which lies in this very row.
                let pivot = above.get(column * n + column).copied();
                this[column] = match pivot {
                    None => value.max(0.0).sqrt(),
                    Some(pivot) if pivot > 0.0 => value / pivot,
                    Some(_) => 0.0,
                };
            }
        }
        Cholesky { size: n, lower: matrix }
    }

    /// `x` of `A x = right`.
    ///
    /// # Panics
    /// If `right` has not as many numbers as the matrix has rows.
    pub fn solve(&self, mut right: Vec<f64>) -> Vec<f64> {
        let (n, lower) = (self.size, &self.lower);
        assert_eq!(right.len(), n, "a number for each row is wanted");
        let divide = |sum: f64, pivot: f64| if pivot > 0.0 { sum / pivot } else { 0.0 };
        for row in 0..n {
            let sum = dot(&lower[row * n..][..row], &right[..row]);
            right[row] = divide(right[row] - sum, lower[row * n + row]);
        }
        for row in (0..n).rev() {
            let sum: f64 = (row + 1..n).map(|k| lower[k * n + row] * right[k]).sum();
            right[row] = divide(right[row] - sum, lower[row * n + row]);
        }
        right
    }
}

/// In four sums, which need not wait for each other.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (fours, others) = a.as_chunks::<4>();
    let (other_fours, their_others) = b.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (a, b) in fours.iter().zip(other_fours) {
        (0..4).for_each(|at| sums[at] += a[at] * b[at]);
    }
    let rest: f64 = others.iter().zip(their_others).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `B^T B` of a full `[rows, n]` matrix.
    fn gram(n: usize, rows: usize) -> Vec<f64> {
        let b = |row: usize, column: usize| {
            ((row * 7 + column * 13) % 11) as f64 - 5.0 + f64::from(row == column)
        };
        let entry = |at: usize| (0..rows).map(|row| b(row, at / n) * b(row, at % n)).sum();
        (0..n * n).map(entry).collect()
    }

    #[test]
    fn what_is_solved_for_gives_the_right_side() {
        for n in [1, 2, 3, 7, 18] {
            let matrix = gram(n, 60);
            let wanted: Vec<f64> = (0..n).map(|at| at as f64 - 1.5).collect();
            let right = (0..n).map(|row| dot(&matrix[row * n..][..n], &wanted)).collect();
            let solved = Cholesky::of(matrix).solve(right);
            assert!(solved.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-8), "{n}: {solved:?}");
        }
    }

    #[test]
    fn a_direction_that_is_not_there_gets_nothing() {
        assert_eq!(Cholesky::of(vec![4.0, 0.0, 0.0, 0.0]).solve(vec![8.0, 1.0]), [2.0, 0.0]);
        assert!(Cholesky::of(Vec::new()).solve(Vec::new()).is_empty());
    }
}
