//! What values are allowed, in the words of the error messages.

use super::setting::Rule;

pub(crate) const POSITIVE: Rule<f64> =
    Rule { allowed: "a finite number above 0", holds: |x| x.is_finite() && *x > 0.0 };
pub(crate) const POSITIVE_IF_GIVEN: Rule<Option<f64>> =
    Rule { allowed: "a finite number above 0", holds: |x| x.is_none_or(|x| x.is_finite() && x > 0.0) };
pub(crate) const NOT_NEGATIVE: Rule<f64> =
    Rule { allowed: "a finite number, 0 or more", holds: |x| x.is_finite() && *x >= 0.0 };
/// A share that may not be everything: a dropout rate, a decay rate.
pub(crate) const BELOW_ONE: Rule<f64> =
    Rule { allowed: "from 0 to below 1", holds: |x| (0.0..1.0).contains(x) };
pub(crate) const SHARE: Rule<f64> = Rule { allowed: "from 0 to 1", holds: |x| (0.0..=1.0).contains(x) };
pub(crate) const POSITIVE_SHARE: Rule<f64> =
    Rule { allowed: "above 0 and at most 1", holds: |x| *x > 0.0 && *x <= 1.0 };
pub(crate) const AT_LEAST_ONE: Rule<usize> = Rule { allowed: "1 or more", holds: |n| *n >= 1 };
pub(crate) const AT_LEAST_ONE_IF_GIVEN: Rule<Option<usize>> =
    Rule { allowed: "1 or more", holds: |n| n.is_none_or(|n| n >= 1) };
pub(crate) const NOT_EMPTY: Rule<String> =
    Rule { allowed: "some text", holds: |text| !text.trim().is_empty() };
pub(crate) const FOLDS: Rule<usize> = Rule { allowed: "0, or 2 and more", holds: |n| *n != 1 };
pub(crate) const AT_LEAST_2: Rule<usize> = Rule { allowed: "2 or more", holds: |n| *n >= 2 };
pub(crate) const ONE_CHARACTER: Rule<Option<String>> = Rule {
    allowed: "one ASCII character other than a quote or a line end",
    holds: |text| {
        let fits = |text: &String| text.len() == 1 && text.is_ascii() && !"\"\n\r".contains(text.as_str());
        text.as_ref().is_none_or(fits)
    },
};
