//! Which rows have identical features: by hash, and by comparison where hashes agree.

use std::collections::HashMap;

use barun_engine::random::combine;

use crate::dataset::{Features, FeaturesRef};

/// The rows of a data set, those with identical features told together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Copies {
    /// The first row with the same features, for each row.
    pub first_of: Vec<u32>,
    /// How many rows are different.
    pub distinct: usize,
}

impl Copies {
    /// Whether most rows are different, so that two that are equal are one row twice. Where a row is a few small numbers,
    /// equal rows are what is to be expected.
    pub fn are_exceptions(&self) -> bool {
        2 * self.distinct >= self.first_of.len()
    }

    /// The rows of each set of copies, two or more, in the order of their first rows.
    pub fn sets(&self) -> Vec<Vec<usize>> {
        let mut sets: HashMap<u32, Vec<usize>> = HashMap::new();
        for (row, &first) in self.first_of.iter().enumerate() {
            if first as usize != row {
                sets.entry(first).or_insert_with(|| vec![first as usize]).push(row);
            }
        }
        let mut sets: Vec<Vec<usize>> = sets.into_values().collect();
        sets.sort_unstable();
        sets
    }
}

/// Finds the copies among all rows.
pub(crate) fn find(features: &Features) -> Copies {
    let mut firsts: HashMap<u64, u32> = HashMap::with_capacity(features.len());
    let first_of: Vec<u32> = (0..features.len()).map(|row| first_like(features, row, &mut firsts)).collect();
    Copies { distinct: firsts.len(), first_of }
}

/// The first row with the features of `row`, which may be itself.
fn first_like(features: &Features, row: usize, firsts: &mut HashMap<u64, u32>) -> u32 {
    let Some(values) = features.get(row) else { return row as u32 };
    let mut place = hash(values);
    loop {
        let first = *firsts.entry(place).or_insert(row as u32);
        let is_same = |other| are_equal(other, values);
        if first as usize == row || features.get(first as usize).is_some_and(is_same) {
            return first;
        }
        // Two different rows with one hash: the later one goes to the next place.
        place = combine(place, 1);
    }
}

fn hash(row: FeaturesRef<'_>) -> u64 {
    match row {
        FeaturesRef::Image(pixels) => hash_bytes(0, pixels),
        FeaturesRef::Row(values) => {
            values.iter().fold(0, |hash, &value| combine(hash, u64::from(bits(value))))
        }
    }
}

pub(super) fn hash_bytes(seed: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(seed, |hash, &word| combine(hash, u64::from_le_bytes(word)));
    rest.iter().fold(hash, |hash, &byte| combine(hash, u64::from(byte)))
}

fn are_equal(a: FeaturesRef<'_>, b: FeaturesRef<'_>) -> bool {
    match (a, b) {
        (FeaturesRef::Image(a), FeaturesRef::Image(b)) => a == b,
        (FeaturesRef::Row(a), FeaturesRef::Row(b)) => a.iter().zip(b).all(|(&a, &b)| bits(a) == bits(b)),
        _ => false,
    }
}

/// 0 and -0 are one number.
fn bits(value: f32) -> u32 {
    (value + 0.0).to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_found_with_their_first_row() {
        let values = vec![1.0, 2.0, 0.0, 3.0, 1.0, 2.0, -0.0, 3.0, 1.0, 2.5];
        let copies = find(&Features::Rows { values, names: vec!["a".into(), "b".into()] });
        assert_eq!(copies, Copies { first_of: vec![0, 1, 0, 1, 4], distinct: 3 });
        assert_eq!(copies.sets(), [vec![0, 2], vec![1, 3]]);
        assert!(copies.are_exceptions());
        let images = find(&Features::Images { pixels: [[7; 9], [8; 9], [7; 9]].concat(), shape: [3, 3, 1] });
        assert_eq!(images.first_of, [0, 1, 0]);
    }
}
