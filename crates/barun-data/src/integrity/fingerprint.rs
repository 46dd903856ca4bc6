//! By what a data set is known again.

use barun_engine::random::{combine, hash_name};

use crate::dataset::{Dataset, Features, Targets};

/// A number that is the same for the same data, whatever it is divided into, and whichever columns of a table are left
/// out: of a table and of image files the name and targets, of images in one array the pixels too.
pub fn fingerprint(dataset: &Dataset) -> u64 {
    let name = match dataset.features() {
        Features::Rows { .. } | Features::Table(_) | Features::Lazy(_) => dataset.name(),
        Features::Images { .. } => "",
    };
    let begin = combine(hash_name(name), hash_name(dataset.targets().name()));
    let targets = match dataset.targets() {
        Targets::Classes { labels, .. } => {
            labels.iter().fold(begin, |hash, &label| combine(hash, label as u64))
        }
        Targets::Values { values, .. } => {
            values.iter().fold(begin, |hash, value| combine(hash, u64::from(value.to_bits())))
        }
    };
    match dataset.features() {
        Features::Rows { .. } | Features::Table(_) | Features::Lazy(_) => targets,
        Features::Images { pixels, .. } => super::copies::hash_bytes(targets, pixels),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OpenOptions;

    #[test]
    fn a_data_set_is_known_again_without_a_column_and_not_mistaken_for_another() {
        let open = |name: &str, seed| {
            OpenOptions { seed, samples: Some(50), ..OpenOptions::default() }.open(name).unwrap()
        };
        assert_eq!(fingerprint(&open("digits", 1)), fingerprint(&open("digits", 1)));
        assert_ne!(fingerprint(&open("digits", 1)), fingerprint(&open("digits", 2)));
        let table = |names: &[&str]| {
            let features = Features::Rows {
                values: vec![1.0; 3 * names.len()],
                names: names.iter().map(|name| name.to_string()).collect(),
            };
            let targets = Targets::Values { name: "y".into(), values: vec![1.0, 2.0, 3.0] };
            Dataset::new("table", features, targets).unwrap()
        };
        assert_eq!(fingerprint(&table(&["a", "b"])), fingerprint(&table(&["b"])));
    }
}
