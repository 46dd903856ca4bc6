//! "Did you mean": the nearest known name to a mistyped one.

use std::fmt;

/// The nearest known name, if one is near enough; it prints as the tail of a sentence, or as nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion(pub Option<String>);

impl Suggestion {
    /// Looks for `name` among `known`, ignoring case.
    pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let wanted = name.to_lowercase();
        let mut best: Option<(usize, &str)> = None;
        for candidate in known {
            let distance = strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase());
            if best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, candidate));
            }
        }
        let limit = (name.chars().count() / 3).max(2);
        Suggestion(best.filter(|(distance, _)| *distance <= limit).map(|(_, name)| name.to_string()))
    }
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(name) => write!(f, " (did you mean '{name}'?)"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        let known = ["digits", "mnist", "fashion-mnist"];
        assert_eq!(Suggestion::nearest("mnits", known).to_string(), " (did you mean 'mnist'?)");
        assert_eq!(Suggestion::nearest("MNIST", known), Suggestion(Some("mnist".into())));
        assert_eq!(Suggestion::nearest("imagenet-22k", known), Suggestion(None));
        assert_eq!(Suggestion::nearest("x", []), Suggestion(None));
    }
}
