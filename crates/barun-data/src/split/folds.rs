//! Cross-validation: every row is judged once, by a model that has not seen it.
//!
//! The rows are divided into `k` folds of equal size, by the same rules as parts: stratified by class, a group or the
//! copies of a row in one fold. Fold `i` is the test part of split `i`; the other folds are its train and valid parts,
//! divided in the proportion of the [`Split`]. Rows that came with the data as a test part stay out of all folds, so
//! that they can still be looked at once, at the end.

use super::assign::{Rows, assign};
use super::{Method, Split, SplitData};
use crate::dataset::Dataset;
use crate::error::{Error, Result};

/// More trainings than anybody waits for; each fold holds the indices of all rows.
const MOST_FOLDS: usize = 1_000;

/// The splits of `k`-fold cross-validation, in order.
pub(super) fn folds(dataset: Dataset, k: usize, split: Split) -> Result<Vec<SplitData>> {
    if split.method_for(&dataset) == Method::Time {
        return Err(Error::FoldsOfTime);
    }
    if !dataset.given_valid().is_empty() {
        return Err(Error::FoldsOfGiven);
    }
    let rows = split.free_rows(&dataset);
    let most = rows.len().min(MOST_FOLDS);
    if k < 2 || k > most {
        return Err(Error::FoldCount { folds: k, samples: rows.len(), most });
    }
    let strata = split.strata(&dataset, &rows, k)?;
    let bundles = split.bundles(&dataset)?;
    let divided = Rows {
        rows: rows.clone(),
        strata: strata.count,
        stratum_of: &|row| strata.of(row),
        bundles: bundles.as_deref(),
    };
    let held_out = assign(divided, &vec![1.0 / k as f64; k], split.seed);
    if held_out.iter().any(Vec::is_empty) {
        let groups = dataset.groups().map_or(rows.len(), |groups| groups.names.len());
        let column = dataset.groups().map_or(String::new(), |groups| groups.column.clone());
        return Err(Error::TooFewGroups { column, groups, parts: k });
    }
    held_out
        .into_iter()
        .map(|test| {
            let rest = rows.iter().copied().filter(|row| test.binary_search(row).is_err()).collect();
            SplitData::cut_rows(dataset.clone(), split, rest, Some(test))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::labelled;
    use super::*;

    #[test]
    fn every_row_is_tested_once_and_each_fold_has_its_share_of_each_class() {
        let labels: Vec<i64> = (0..60).map(|row| i64::from(row % 3 == 0)).collect();
        let folds = labelled(labels.clone(), 2).folds(5, Split::default().seed(3)).unwrap();
        let mut tested = Vec::new();
        for fold in &folds {
            assert_eq!((fold.train().len(), fold.valid().len(), fold.test().len()), (43, 5, 12));
            assert_eq!(fold.test().iter().filter(|&&row| labels[row] == 1).count(), 4);
            assert!(fold.train().iter().all(|row| !fold.test().contains(row)));
            tested.extend_from_slice(fold.test());
        }
        tested.sort_unstable();
        assert_eq!(tested, (0..60).collect::<Vec<_>>());
        assert_eq!(folds, labelled(labels, 2).folds(5, Split::default().seed(3)).unwrap());
    }

    #[test]
    fn a_group_is_in_one_fold_and_never_on_both_sides() {
        let cells: Vec<String> = (0..60).map(|row| format!("patient {}", row / 4)).collect();
        let data = labelled((0..60).map(|row| row % 2).collect(), 2).with_groups("patient", &cells).unwrap();
        for fold in data.folds(5, Split::random(0.8, 0.2, 0.0)).unwrap() {
            let part_of = |row: &usize| {
                [fold.train(), fold.valid(), fold.test()].iter().position(|part| part.contains(row))
            };
            for first in (0..60).step_by(4) {
                assert!((first..first + 4).all(|row| part_of(&row) == part_of(&first)));
            }
        }
    }

    #[test]
    fn folds_that_cannot_be_are_refused() {
        let data = || labelled(vec![0, 1, 0, 1, 0, 1], 2);
        let message = |k, split| data().folds(k, split).unwrap_err().to_string();
        assert_eq!(message(1, Split::default()), "1 folds of 6 samples; choose between 2 and 6");
        assert!(message(7, Split::random(0.9, 0.1, 0.0)).starts_with("7 folds of 6 samples"));
        assert_eq!(
            message(5, Split::stratified(0.9, 0.0, 0.1)),
            "class '0' has 3 rows, too few for a stratified split into 5 parts: get more of them, remove the class, \
             or divide at random"
        );
        let times: Vec<String> = (0..6).map(|row| row.to_string()).collect();
        let error = data().with_times("year", &times).unwrap().folds(2, Split::default()).unwrap_err();
        assert!(matches!(error, Error::FoldsOfTime), "{error}");
    }
}
