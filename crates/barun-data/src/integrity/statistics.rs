//! Tests whether two samples come from one distribution, and the functions they need.

/// What a test says: how large the difference is, from 0 to 1, and how probable one as large is by chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Difference {
    pub effect: f64,
    pub p_value: f64,
}

/// The largest distance between the two distribution functions (Kolmogorov and Smirnov), with the asymptotic probability
/// `2 sum (-1)^(k-1) exp(-2 k^2 z^2)`, `z = (sqrt(m) + 0.12 + 0.11 / sqrt(m)) D`, `m = n1 n2 / (n1 + n2)` (Stephens, 1970).
/// With ties the probability is too high rather than too low.
pub(super) fn kolmogorov_smirnov(a: &[f64], b: &[f64]) -> Difference {
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let (mut i, mut j, mut effect) = (0, 0, 0.0_f64);
    while i < a.len() && j < b.len() {
        let value = a[i].min(b[j]);
        i += a[i..].iter().take_while(|&&other| other <= value).count();
        j += b[j..].iter().take_while(|&&other| other <= value).count();
        effect = effect.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    let root = (a.len() as f64 * b.len() as f64 / (a.len() + b.len()) as f64).sqrt();
    let z = (root + 0.12 + 0.11 / root) * effect;
    Difference { effect, p_value: kolmogorov_tail(z) }
}

fn kolmogorov_tail(z: f64) -> f64 {
    if z < 0.2 {
        return 1.0;
    }
    let terms = (1..=100).map(|k| {
        let k = f64::from(k);
        (if k % 2.0 == 1.0 { 2.0 } else { -2.0 }) * (-2.0 * k * k * z * z).exp()
    });
    terms.sum::<f64>().clamp(0.0, 1.0)
}

/// Pearson's chi-squared test of two rows of counts. The effect is the total variation distance: half of the sum of the
/// differences of the shares.
pub(super) fn chi_squared(a: &[usize], b: &[usize]) -> Difference {
    let (m, n) = (a.iter().sum::<usize>() as f64, b.iter().sum::<usize>() as f64);
    let (mut statistic, mut effect, mut seen) = (0.0, 0.0, 0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (a as f64, b as f64);
        if a + b == 0.0 {
            continue;
        }
        seen += 1;
        effect += 0.5 * (a / m - b / n).abs();
        let expected = (a + b) * m / (m + n);
        statistic += (a - expected).powi(2) / expected;
        let expected = (a + b) * n / (m + n);
        statistic += (b - expected).powi(2) / expected;
    }
    let p_value = if seen < 2 { 1.0 } else { chi_squared_tail(statistic, seen - 1) };
    Difference { effect, p_value }
}

/// `Q(k / 2, x / 2)`, by its recurrence `Q(s + 1, y) = Q(s, y) + y^s exp(-y) / Gamma(s + 1)` (DLMF 8.8.6) from
/// `Q(1/2, y) = erfc(sqrt(y))` or `Q(1, y) = exp(-y)`.
fn chi_squared_tail(x: f64, degrees: usize) -> f64 {
    let y = x / 2.0;
    if y <= 0.0 {
        return 1.0;
    }
    let (mut s, mut tail) = if degrees % 2 == 1 { (0.5, erfc(y.sqrt())) } else { (1.0, (-y).exp()) };
    // The logarithm of y^s exp(-y) / Gamma(s + 1); Gamma(3/2) = sqrt(pi) / 2.
    let ln_gamma = if degrees % 2 == 1 { (std::f64::consts::PI.sqrt() / 2.0).ln() } else { 0.0 };
    let mut ln_term = s * y.ln() - y - ln_gamma;
    while s < degrees as f64 / 2.0 - 0.25 {
        tail += ln_term.exp();
        s += 1.0;
        ln_term += y.ln() - s.ln();
    }
    tail.clamp(0.0, 1.0)
}

/// The complementary error function, to a relative error of 1.2e-7 (Numerical Recipes, 2nd edition, 6.2: a Chebyshev fit).
fn erfc(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let t = 1.0 / (1.0 + 0.5 * x.abs());
    let exponent = COEFFICIENTS.iter().rev().fold(0.0, |sum, coefficient| sum * t + coefficient);
    let value = t * (-x * x + exponent).exp();
    if x >= 0.0 { value } else { 2.0 - value }
}

/// The probability that a score drawn from `positive` is above one drawn from `negative`, ties counting half (Mann and
/// Whitney): the area under the ROC curve.
pub(super) fn area_under_roc(positive: &[f64], negative: &[f64]) -> f64 {
    let mut scores: Vec<(f64, bool)> = positive.iter().map(|&score| (score, true)).collect();
    scores.extend(negative.iter().map(|&score| (score, false)));
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut area) = (0.0, 0.0);
    for tie in scores.chunk_by(|a, b| a.0 == b.0) {
        let positives = tie.iter().filter(|(_, is_positive)| *is_positive).count() as f64;
        let negatives = tie.len() as f64 - positives;
        area += positives * (below + 0.5 * negatives);
        below += negatives;
    }
    area / (positive.len() as f64 * negative.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64, tolerance: f64) -> bool {
        (a - b).abs() <= tolerance
    }

    /// scipy.stats.chi2.sf and kstwobign.sf.
    #[test]
    fn the_tails_are_those_of_the_distributions() {
        assert!(close(chi_squared_tail(3.841_458_820_694_124, 1), 0.05, 1e-6));
        assert!(close(chi_squared_tail(18.307_038_053_275_146, 10), 0.05, 1e-9));
        assert!(close(chi_squared_tail(24.995_790_139_728_616, 15), 0.05, 1e-6));
        assert!(close(kolmogorov_tail(1.358_098_637_932_534), 0.05, 1e-6));
        assert!(close(kolmogorov_tail(0.5), 0.963_945_243_664_875, 1e-9));
    }

    #[test]
    fn a_difference_has_its_size() {
        let a: Vec<f64> = (0..100).map(f64::from).collect();
        let b: Vec<f64> = a.iter().map(|value| value + 25.0).collect();
        let difference = kolmogorov_smirnov(&a, &b);
        assert!(close(difference.effect, 0.25, 1e-12) && difference.p_value < 0.005, "{difference:?}");
        assert_eq!(kolmogorov_smirnov(&a, &a), Difference { effect: 0.0, p_value: 1.0 });
        let difference = chi_squared(&[30, 70], &[60, 40]);
        assert!(close(difference.effect, 0.3, 1e-12) && difference.p_value < 1e-4, "{difference:?}");
        assert!(close(chi_squared(&[30, 70, 0], &[30, 70, 0]).p_value, 1.0, 1e-12));
    }

    #[test]
    fn the_area_counts_pairs() {
        assert!(close(area_under_roc(&[3.0, 2.0], &[1.0, 2.0]), 3.5 / 4.0, 1e-12));
    }
}
