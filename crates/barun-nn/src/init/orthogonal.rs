//! Random orthogonal matrices.

use barun_engine::random::Stream;

/// A random matrix `[rows, columns]` in row-major order, whose columns (or rows, if they are fewer) are orthonormal;
/// every such matrix is equally likely.
///
/// Normal numbers, made orthogonal one after the other by Gram and Schmidt. Twice is enough to leave nothing but rounding
/// (Kahan and Parlett).
pub(super) fn orthogonal(rows: usize, columns: usize, stream: &mut Stream) -> Vec<f64> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let mut vector: Vec<f64> = (0..length).map(|_| stream.normal()).collect();
        for _ in 0..2 {
            for other in &vectors {
                let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
        }
        let norm = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
        // Numbers that happen to depend on those before are drawn again.
        if norm > 1e-6 {
            vector.iter_mut().for_each(|value| *value /= norm);
            vectors.push(vector);
        }
    }
    let at = |row: usize, column: usize| {
        if rows >= columns { vectors[column][row] } else { vectors[row][column] }
    };
    (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))).map(|(r, c)| at(r, c)).collect()
}
