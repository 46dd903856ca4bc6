//! Which rows have identical features: those whose 128-bit hashes agree. Among a billion rows two different ones have the
//! same with a probability of 10^-21.

use std::collections::HashMap;

use barun_engine::random::combine;

use crate::dataset::Features;
use crate::error::Result;
use crate::open::IMAGE_CACHE;

/// Images are made in so large groups, on all threads.
const IMAGES_AT_ONCE: usize = 256;

/// Of the two halves of a hash.
const SEEDS: [u64; 2] = [0, 1];

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
///
/// # Errors
/// Rows on disk that cannot be read.
pub(crate) fn find(features: &Features) -> Result<Copies> {
    let mut firsts: HashMap<u128, u32> = HashMap::with_capacity(features.len());
    let mut first_of: Vec<u32> = Vec::with_capacity(features.len());
    let mut see = |hash: u128| {
        let row = first_of.len() as u32;
        first_of.push(*firsts.entry(hash).or_insert(row));
    };
    match features {
        Features::Images { pixels, .. } => {
            pixels.chunks_exact(features.width()).for_each(|image| see(of_bytes(image)));
        }
        Features::Lazy(images) if is_affordable(features) => {
            let rows: Vec<usize> = (0..images.len()).collect();
            let size = features.width();
            for rows in rows.chunks(IMAGES_AT_ONCE) {
                images.get_all(rows)?.chunks_exact(size).for_each(|image| see(of_bytes(image)));
            }
        }
        // Each for itself.
        Features::Lazy(images) => (0..images.len()).for_each(|row| see(row as u128)),
        Features::Rows { values, .. } => {
            values.chunks_exact(features.width()).for_each(|row| see(of_numbers(row)));
        }
        Features::Table(table) => {
            let rows: Vec<usize> = (0..table.len()).collect();
            table.each(&rows, |row| {
                see(of_numbers(row));
                Ok(())
            })?;
        }
    }
    Ok(Copies { distinct: firsts.len(), first_of })
}

/// Whether all samples may be looked at: not so many images that they would be decoded for that alone.
pub(crate) fn is_affordable(features: &Features) -> bool {
    !matches!(features, Features::Lazy(images) if images.len() * features.width() > IMAGE_CACHE)
}

fn of_bytes(bytes: &[u8]) -> u128 {
    SEEDS.iter().fold(0, |all, &seed| all << 64 | u128::from(hash_bytes(seed, bytes)))
}

fn of_numbers(row: &[f32]) -> u128 {
    let hash = |seed: u64| row.iter().fold(seed, |hash, &value| combine(hash, u64::from(bits(value))));
    SEEDS.iter().fold(0, |all, &seed| all << 64 | u128::from(hash(seed)))
}

pub(super) fn hash_bytes(seed: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(seed, |hash, &word| combine(hash, u64::from_le_bytes(word)));
    rest.iter().fold(hash, |hash, &byte| combine(hash, u64::from(byte)))
}

/// 0 and -0 are one number, and so are all that are none.
fn bits(value: f32) -> u32 {
    if value.is_nan() { f32::NAN.to_bits() } else { (value + 0.0).to_bits() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;

    #[test]
    fn copies_are_found_with_their_first_row() {
        let values = vec![1.0, 2.0, 0.0, 3.0, 1.0, 2.0, -0.0, 3.0, 1.0, 2.5];
        let copies = find(&Features::Rows { values, names: vec!["a".into(), "b".into()] }).unwrap();
        assert_eq!(copies, Copies { first_of: vec![0, 1, 0, 1, 4], distinct: 3 });
        assert_eq!(copies.sets(), [vec![0, 2], vec![1, 3]]);
        assert!(copies.are_exceptions());
        let names = ["a".to_string(), "b".to_string()];
        let gaps = Table::of_numbers(&names, vec![1.0, f32::NAN, 1.0, 2.0, 1.0, -f32::NAN]);
        assert_eq!(find(&Features::Table(gaps)).unwrap().first_of, [0, 1, 0]);
        let images = Features::Images { pixels: [[7; 9], [8; 9], [7; 9]].concat(), shape: [3, 3, 1] };
        assert_eq!(find(&images).unwrap().first_of, [0, 1, 0]);
    }
}
