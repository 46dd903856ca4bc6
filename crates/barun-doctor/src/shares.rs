//! Between which shares the true one lies, where so many of so many were seen.
//!
//! Clopper and Pearson, 1934, "The use of confidence or fiducial limits illustrated in the case of the binomial": exact, so
//! that it also holds of few rows.

/// The interval of a share: its ends are where as few, or as many, would be seen with the probability `tail` each. 0.025
/// gives the usual interval of 95 %.
pub fn interval(count: usize, of: usize, tail: f64) -> (f64, f64) {
    (lower_end(count, of, tail), upper_end(count, of, tail))
}

/// The lower end alone.
pub fn lower_end(count: usize, of: usize, tail: f64) -> f64 {
    if count == 0 { 0.0 } else { 1.0 - upper_end(of.saturating_sub(count), of, tail) }
}

fn upper_end(count: usize, of: usize, tail: f64) -> f64 {
    if count >= of {
        return 1.0;
    }
    let (mut low, mut high) = (count as f64 / of as f64, 1.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if at_most(count, of, middle) > tail { low = middle } else { high = middle }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        let near = |a: f64, b: f64| (a - b).abs() < 5e-4;
        let (low, high) = interval(0, 300, 0.025);
        assert!(low == 0.0 && near(high, 0.0122), "{high}");
        let (low, high) = interval(5, 10, 0.025);
        assert!(near(low, 0.1871) && near(high, 0.8129), "{low} {high}");
        let (low, high) = interval(10, 10, 0.025);
        assert!(near(low, 0.6915) && high == 1.0, "{low}");
        let (low, high) = interval(950, 1000, 0.025);
        assert!(near(low, 0.9346) && near(high, 0.9627), "{low} {high}");
    }
}
