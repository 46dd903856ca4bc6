//! "Did you mean ...?": the known name nearest to a mistyped one.

/// The candidate nearest to `name`, if one is near enough to be worth suggesting.
///
/// Near is: the same but for upper and lower case, `-` and `_`; one a beginning of the other (three letters or more); or at
/// most one slip (insertion, deletion, substitution, swap) for every three letters. The first of equals wins.
///
/// ```
/// use barun_train::nearest::nearest;
/// assert_eq!(nearest("optimiser", ["epochs", "optimizer"]), Some("optimizer"));
/// assert_eq!(nearest("cosine", ["relu", "tanh"]), None);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = plain(name);
    candidates
        .into_iter()
        .filter_map(|candidate| Some((slips(&name, &plain(candidate))?, candidate)))
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

fn slips(name: &str, candidate: &str) -> Option<usize> {
    let slips = strsim::damerau_levenshtein(name, candidate);
    let shorter = name.len().min(candidate.len());
    let one_begins_the_other = shorter >= 3 && (name.starts_with(candidate) || candidate.starts_with(name));
    let allowed = (name.chars().count() / 3).max(1);
    (one_begins_the_other || (slips <= allowed && slips < shorter.max(2))).then_some(slips)
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_or_two_is_forgiven() {
        assert_eq!(nearest("adm", ["sgd", "adam", "adamw"]), Some("adam"));
        assert_eq!(nearest("epcohs", ["epochs", "batch_size"]), Some("epochs"));
        assert_eq!(nearest("Batch-Size", ["epochs", "batch_size"]), Some("batch_size"));
        assert_eq!(nearest("batch", ["epochs", "batch_size"]), Some("batch_size"));
    }

    #[test]
    fn a_stranger_gets_no_suggestion() {
        assert_eq!(nearest("momentum", ["lr", "eps"]), None);
        assert_eq!(nearest("x", ["lr", "eps"]), None);
        assert_eq!(nearest("", ["lr", "eps"]), None);
    }

    #[test]
    fn the_nearest_of_several_wins_and_the_first_of_equals() {
        assert_eq!(nearest("adamv", ["adam", "adamw"]), Some("adam"));
        assert_eq!(nearest("mae", ["mse", "mae"]), Some("mae"));
    }
}
