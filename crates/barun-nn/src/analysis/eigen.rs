//! Eigenvalues of symmetric matrices, by Jacobi's rotations.
//!
//! The matrices here are Hessians of functions of at most a few hundred numbers, for which thirty lines do what a library for
//! linear algebra would cost more to build than all of this crate. Jacobi's method is also among the most exact there are
//! (Demmel & Veselic, 1992), and the same bits come out for any number of threads.

/// The eigenvalues and eigenvectors of a symmetric matrix.
#[derive(Clone, Debug)]
pub struct Eigen {
    /// The eigenvalues, ascending.
    pub values: Vec<f64>,
    /// The eigenvector of each, of length 1.
    pub vectors: Vec<Vec<f64>>,
}

/// Turns after which even a large matrix has long been diagonal; each squares what is left beside the diagonal.
const SWEEPS: usize = 50;

/// The eigenvalues of the symmetric `matrix`, `n` rows of `n` numbers.
///
/// Each rotation makes one pair of elements beside the diagonal 0; a few sweeps over all pairs leave nothing there. Cost: of
/// order `n^3`. A matrix with NaN has eigenvalues of NaN. Jacobi, 1846; Golub & Van Loan, "Matrix computations", 8.5.
///
/// ```
/// use barun_nn::analysis::symmetric_eigen;
/// let eigen = symmetric_eigen(vec![vec![2.0, 1.0], vec![1.0, 2.0]]);
/// assert!((eigen.values[0] - 1.0).abs() < 1e-12 && (eigen.values[1] - 3.0).abs() < 1e-12);
/// ```
pub fn symmetric_eigen(mut matrix: Vec<Vec<f64>>) -> Eigen {
    let n = matrix.len();
    let mut vectors: Vec<Vec<f64>> =
        (0..n).map(|row| (0..n).map(|column| f64::from(row == column)).collect()).collect();
    for _ in 0..SWEEPS {
        let beside: f64 = (0..n).flat_map(|p| matrix[p][p + 1..].iter().map(|a| a * a)).sum();
        let size: f64 = matrix.iter().flatten().map(|a| a * a).sum();
        if beside <= 1e-30 * size {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut matrix, &mut vectors, p, q);
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| matrix[a][a].total_cmp(&matrix[b][b]));
    let values = order.iter().map(|&at| matrix[at][at]).collect();
    Eigen { values, vectors: order.into_iter().map(|at| std::mem::take(&mut vectors[at])).collect() }
}

/// Turns the axes `p` and `q` so that the element between them becomes 0.
fn rotate(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    if matrix[p][q] == 0.0 {
        return;
    }
    let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
    let tan = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let cos = 1.0 / (tan * tan + 1.0).sqrt();
    let sin = tan * cos;
    let turned = |a: f64, b: f64| (cos * a - sin * b, sin * a + cos * b);
    for row in matrix.iter_mut() {
        (row[p], row[q]) = turned(row[p], row[q]);
    }
    for rows in [matrix, vectors] {
        let (before, from_q) = rows.split_at_mut(q);
        for (a, b) in before[p].iter_mut().zip(&mut from_q[0]) {
            (*a, *b) = turned(*a, *b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barun_engine::random::Stream;

    #[test]
    fn eigenvectors_are_kept_by_the_matrix_but_for_their_eigenvalue() {
        let mut stream = Stream::new(1, "symmetric");
        for n in [1, 2, 5, 30] {
            let mut matrix = vec![vec![0.0; n]; n];
            for (p, q) in (0..n).flat_map(|p| (0..=p).map(move |q| (p, q))) {
                matrix[p][q] = stream.normal();
                matrix[q][p] = matrix[p][q];
            }
            let eigen = symmetric_eigen(matrix.clone());
            assert!(eigen.values.is_sorted());
            for (value, vector) in eigen.values.iter().zip(&eigen.vectors) {
                assert!((vector.iter().map(|v| v * v).sum::<f64>() - 1.0).abs() < 1e-12);
                for (row, own) in matrix.iter().zip(vector) {
                    let product: f64 = row.iter().zip(vector).map(|(a, v)| a * v).sum();
                    assert!((product - value * own).abs() < 1e-10, "{n}: {product} {}", value * own);
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_none_and_a_diagonal_is_its_own_answer() {
        assert_eq!(symmetric_eigen(vec![vec![3.0, 0.0], vec![0.0, -1.0]]).values, [-1.0, 3.0]);
        assert!(symmetric_eigen(vec![vec![f64::NAN]]).values[0].is_nan());
        assert!(symmetric_eigen(Vec::new()).values.is_empty());
    }
}
