//! Numbers as people read them.

/// Four digits that count: `0.1235`, `12.35`, `12350`, `1.235e-5`. What is no number is a dash.
pub(crate) fn short(number: f64) -> String {
    let magnitude = number.abs();
    match () {
        () if !number.is_finite() => "–".to_string(),
        () if number == 0.0 => "0".to_string(),
        () if !(1e-3..1e6).contains(&magnitude) => format!("{number:.3e}"),
        () => {
            let decimals = (3 - magnitude.log10().floor() as i32).clamp(0, 6) as usize;
            let text = format!("{number:.decimals$}");
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
                false => text,
            }
        }
    }
}

/// A number as it stands at an axis whose ticks are `step` apart and whose numbers are no larger than `largest`.
pub(crate) fn at_axis(number: f64, step: f64, largest: f64) -> String {
    let magnitude = largest.abs();
    if number == 0.0 {
        return "0".to_string();
    }
    if !(1e-3..1e6).contains(&magnitude) {
        let text = format!("{number:.1e}");
        return text.replace(".0e", "e");
    }
    let decimals = (-step.abs().log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{number:.decimals$}")
}

/// `12,345`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_digits_that_count() {
        assert_eq!(
            [0.0, 0.12345, 12.3456, 123_456.0, 1e9, -2.5, 0.00001234, f64::NAN].map(short),
            ["0", "0.1235", "12.35", "123456", "1.000e9", "-2.5", "1.234e-5", "–"]
        );
    }

    #[test]
    fn at_an_axis_numbers_have_the_decimals_of_the_step() {
        assert_eq!([0.0, 0.25, 0.5].map(|number| at_axis(number, 0.05, 0.5)), ["0", "0.25", "0.50"]);
        assert_eq!(at_axis(20_000.0, 5_000.0, 30_000.0), "20000");
        assert_eq!([at_axis(1e-5, 1e-5, 2e-5), at_axis(2e7, 1e7, 2e7)], ["1e-5", "2e7"]);
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
