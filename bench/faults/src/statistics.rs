//! Intervals of shares, and whether pairs differ.

/// The 95 % interval of a share, by Clopper and Pearson.
pub fn interval(count: usize, of: usize) -> (f64, f64) {
    barun_doctor::shares::interval(count, of, 0.025)
}

/// Pairs of a test.
const PAIRS: usize = 5;
/// Student's t with 4 degrees of freedom is above this once in 20 times.
const T_OF_FIVE: f64 = 2.132;

/// Whether five differences are above `margin` more surely than chance: Student's paired test, one-sided, at 5 %.
pub fn is_above(differences: &[f64; PAIRS], margin: f64) -> bool {
    let count = PAIRS as f64;
    let mean = differences.iter().sum::<f64>() / count;
    let variance = differences.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let error = (variance / count).sqrt();
    mean - margin > T_OF_FIVE * error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_must_be_sure_and_large() {
        assert!(is_above(&[0.2, 0.25, 0.22, 0.19, 0.21], 0.02));
        assert!(!is_above(&[0.2, -0.2, 0.3, -0.1, 0.1], 0.02));
        assert!(!is_above(&[0.01, 0.011, 0.012, 0.01, 0.011], 0.02));
    }
}
