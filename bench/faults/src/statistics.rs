//! Intervals of shares, and whether pairs differ.

/// The 95 % interval of a share: Clopper and Pearson, 1934, "The use of confidence or fiducial limits illustrated in the
/// case of the binomial". Its ends are where as few, or as many, would be seen once in 40 times.
pub fn interval(count: usize, of: usize) -> (f64, f64) {
    let low = if count == 0 { 0.0 } else { 1.0 - upper_end(of - count, of) };
    (low, upper_end(count, of))
}

fn upper_end(count: usize, of: usize) -> f64 {
    if count >= of {
        return 1.0;
    }
    let (mut low, mut high) = (count as f64 / of as f64, 1.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if at_most(count, of, middle) > 0.025 { low = middle } else { high = middle }
    }
    high
}

/// How probable it is to see at most `count` of `of` with probability `share` each. Logarithms, because the first term of
/// many is smaller than any number.
fn at_most(count: usize, of: usize, share: f64) -> f64 {
    let odds = (share / (1.0 - share)).ln();
    let mut term = of as f64 * (1.0 - share).ln();
    let mut sum = term.exp();
    for seen in 0..count {
        term += ((of - seen) as f64 / (seen + 1) as f64).ln() + odds;
        sum += term.exp();
    }
    sum
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
    fn intervals_are_those_of_the_tables() {
        let near = |a: f64, b: f64| (a - b).abs() < 5e-4;
        let (low, high) = interval(0, 300);
        assert!(low == 0.0 && near(high, 0.0122), "{high}");
        let (low, high) = interval(5, 10);
        assert!(near(low, 0.1871) && near(high, 0.8129), "{low} {high}");
        let (low, high) = interval(10, 10);
        assert!(near(low, 0.6915) && high == 1.0, "{low}");
        let (low, high) = interval(950, 1000);
        assert!(near(low, 0.9346) && near(high, 0.9627), "{low} {high}");
    }

    #[test]
    fn a_difference_must_be_sure_and_large() {
        assert!(is_above(&[0.2, 0.25, 0.22, 0.19, 0.21], 0.02));
        assert!(!is_above(&[0.2, -0.2, 0.3, -0.1, 0.1], 0.02));
        assert!(!is_above(&[0.01, 0.011, 0.012, 0.01, 0.011], 0.02));
    }
}
