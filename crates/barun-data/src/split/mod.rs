//! Cutting samples into train, valid and test parts.
//!
//! | part | role |
//! |---|---|
//! | train | fits weights and biases, and the statistics of the preprocessing |
//! | valid | chooses: hyper-parameters, when to stop, which checkpoint |
//! | test | measures generalisation, once, at the end |
//!
//! The samples are shuffled by the seed first, so the same seed gives the same parts. A stratified split keeps each
//! class's share in every part: a class's samples are rounded by largest remainder, and what rounding owes a part is
//! carried to the next class, so that the parts keep their sizes too. [EVAL-01, EVAL-02]
//!
//! **What belongs together stays together.** Data with groups ([`Dataset::with_groups`]) is divided by whole groups.
//! Without groups, copies of a row - identical features - stay in one part, so that no part is judged by what another
//! has learnt by heart ([`Copies`]).
//!
//! **The future is the test.** Data with times ([`Dataset::with_times`]) is cut along them: the earliest samples train,
//! the latest test. Samples of one moment stay together; samples that the fractions leave out are the oldest.
//!
//! A part that came with the data is kept as it is, and the rest is divided.

mod assign;
mod folds;

use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Targets};
use crate::encode::Preprocess;
use crate::error::{Error, Result};
use crate::integrity::copies;
use crate::prepared::PreparedData;
use assign::{Rows, assign, assign_by_time};

/// How samples are assigned to parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// By time where the data has times; else stratified where the target is classes, random where it is numbers.
    #[default]
    Auto,
    /// Each sample alike.
    Random,
    /// Each class in the same proportion in every part; a class that has fewer samples than there are parts is an error.
    Stratified,
    /// Along the data's times: the earliest train, the latest test.
    Time,
}

/// Where copies of a sample - identical features - may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Copies {
    /// Into one part, all of them. Data in which fewer than half of the samples are different is divided as if there
    /// were none: where a row is a few small numbers, two that are equal are two cases and not one twice.
    #[default]
    Together,
    /// Anywhere, each on its own.
    Apart,
}

/// The fractions of the parts, and how they are drawn. Default: 0.8 / 0.1 / 0.1, [`Method::Auto`], seed 0, copies together.
///
/// Data that came with a test part keeps it: `test` is then not used, and `train` and `valid` share the rest in their
/// own proportion. A fraction of 0 for `valid` or `test` means that the part is not wanted. Fractions that add up to less
/// than 1 leave the remaining samples out, such as for a quick look at large data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Split {
    /// The fraction to train on.
    pub train: f64,
    /// The fraction to choose by.
    pub valid: f64,
    /// The fraction to measure on at the end.
    pub test: f64,
    /// How samples are assigned.
    pub method: Method,
    /// Where copies of a sample may go.
    pub copies: Copies,
    /// The seed of the shuffle before the cut.
    pub seed: u64,
}

impl Default for Split {
    fn default() -> Self {
        Split { train: 0.8, valid: 0.1, test: 0.1, method: Method::Auto, copies: Copies::Together, seed: 0 }
    }
}

impl Split {
    /// Each sample alike.
    pub fn random(train: f64, valid: f64, test: f64) -> Self {
        Split { train, valid, test, method: Method::Random, ..Split::default() }
    }

    /// Each class in the same proportion in every part.
    pub fn stratified(train: f64, valid: f64, test: f64) -> Self {
        Split { train, valid, test, method: Method::Stratified, ..Split::default() }
    }

    /// Along the data's times.
    pub fn by_time(train: f64, valid: f64, test: f64) -> Self {
        Split { train, valid, test, method: Method::Time, ..Split::default() }
    }

    /// Another seed.
    pub fn seed(self, seed: u64) -> Self {
        Split { seed, ..self }
    }

    /// Of train, valid, test, and what is left out.
    fn fractions(&self) -> Result<[f64; 4]> {
        let fractions = [self.train, self.valid, self.test];
        let sum: f64 = fractions.iter().sum();
        let within = fractions.iter().all(|fraction| (0.0..=1.0).contains(fraction));
        if !within || self.train <= 0.0 || sum > 1.0 + 1e-6 {
            return Err(Error::Fractions { train: self.train, valid: self.valid, test: self.test });
        }
        let left_out = 1.0 - sum;
        let [train, valid, test] = if left_out < 1e-6 { fractions.map(|part| part / sum) } else { fractions };
        Ok([train, valid, test, if left_out < 1e-6 { 0.0 } else { left_out }])
    }

    /// What [`Method::Auto`] means for `dataset`; the others mean themselves.
    fn method_for(&self, dataset: &Dataset) -> Method {
        match (self.method, dataset.targets()) {
            (Method::Auto, _) if dataset.times().is_some() => Method::Time,
            (Method::Auto, Targets::Values { .. }) => Method::Random,
            (method, _) => method,
        }
    }

    /// The samples that did not come as a part.
    fn free_rows(&self, dataset: &Dataset) -> Vec<usize> {
        let mut is_free = vec![true; dataset.len()];
        dataset.given_valid().iter().chain(dataset.given_test()).for_each(|&row| is_free[row] = false);
        (0..dataset.len()).filter(|&row| is_free[row]).collect()
    }

    /// The classes as strata, or all samples as one.
    fn strata<'a>(&self, dataset: &'a Dataset, rows: &[usize], parts: usize) -> Result<Strata<'a>> {
        match (self.method_for(dataset), dataset.targets()) {
            (Method::Stratified, Targets::Values { name, .. }) => {
                Err(Error::StratifiedValues { target: name.clone() })
            }
            (Method::Stratified | Method::Auto, Targets::Classes { labels, classes, .. }) => {
                if self.method == Method::Stratified {
                    refuse_rare_classes(labels, classes, rows, parts)?;
                }
                Ok(Strata { count: classes.len(), labels: Some(labels) })
            }
            _ => Ok(Strata { count: 1, labels: None }),
        }
    }

    /// Which samples must stay together: the bundle of each.
    fn bundles(&self, dataset: &Dataset) -> Result<Option<Vec<u32>>> {
        Ok(match (dataset.groups(), self.copies) {
            (Some(groups), _) => Some(groups.of.clone()),
            (None, Copies::Apart) => None,
            (None, Copies::Together) => {
                let found = copies::find(dataset.features())?;
                found.are_exceptions().then_some(found.first_of)
            }
        })
    }
}

/// Sets of samples of which every part gets its share.
struct Strata<'a> {
    count: usize,
    labels: Option<&'a [i64]>,
}

impl Strata<'_> {
    fn of(&self, row: usize) -> usize {
        self.labels.map_or(0, |labels| labels[row] as usize) // Dataset::new checked that labels are classes
    }
}

fn refuse_rare_classes(labels: &[i64], classes: &[String], rows: &[usize], parts: usize) -> Result<()> {
    let mut counts = vec![0; classes.len()];
    rows.iter().for_each(|&row| counts[labels[row] as usize] += 1);
    match counts.iter().position(|&count| count > 0 && count < parts) {
        Some(rare) => Err(Error::RareClass { class: classes[rare].clone(), rows: counts[rare], parts }),
        None => Ok(()),
    }
}

/// A data set cut into parts, not yet scaled. The only place where preprocessing can be fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitData {
    dataset: Dataset,
    parts: [Vec<usize>; 3],
}

impl SplitData {
    pub(crate) fn cut(dataset: Dataset, split: Split) -> Result<SplitData> {
        let rows = split.free_rows(&dataset);
        SplitData::cut_rows(dataset, split, rows, None)
    }

    pub(crate) fn folds(dataset: Dataset, k: usize, split: Split) -> Result<Vec<SplitData>> {
        folds::folds(dataset, k, split)
    }

    /// Divides `rows`; a test part that is held out already, or came with the data, takes the place of the split's.
    fn cut_rows(
        dataset: Dataset,
        split: Split,
        rows: Vec<usize>,
        held_out: Option<Vec<usize>>,
    ) -> Result<SplitData> {
        let [train, valid, test, left_out] = split.fractions()?;
        let given =
            [(1, dataset.given_valid().to_vec()), (2, held_out.unwrap_or(dataset.given_test().to_vec()))];
        let is_given = |part: usize| given.iter().any(|(which, rows)| *which == part && !rows.is_empty());
        let [valid, test] =
            [(1, valid), (2, test)].map(|(part, share)| if is_given(part) { 0.0 } else { share });
        let sum = train + valid + test;
        let fractions = match is_given(1) || is_given(2) {
            true => [train / sum, valid / sum, test / sum, 0.0],
            false => [train, valid, test, left_out],
        };
        let samples = rows.len();
        let mut parts = split.assign(&dataset, rows, fractions)?;
        for (part, name) in ["train", "valid", "test"].into_iter().enumerate() {
            if parts[part].is_empty() && fractions[part] > 0.0 {
                return Err(empty_part(&dataset, name, fractions[part], samples, &fractions));
            }
        }
        for (part, rows) in given {
            if !rows.is_empty() {
                parts[part] = rows;
            }
        }
        Ok(SplitData { dataset, parts })
    }

    /// The data that was cut.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The indices of the samples to train on, ascending.
    pub fn train(&self) -> &[usize] {
        &self.parts[0]
    }

    /// The indices of the samples to choose by, ascending.
    pub fn valid(&self) -> &[usize] {
        &self.parts[1]
    }

    /// The indices of the samples to measure on at the end, ascending.
    pub fn test(&self) -> &[usize] {
        &self.parts[2]
    }

    /// Fits a scaling - of tables, what becomes of all their columns - on the training part and prepares all parts with
    /// it. [DATA-08]
    ///
    /// Takes [`Standardize`](crate::Standardize), [`MinMax`](crate::MinMax), [`Robust`](crate::Robust),
    /// [`Quantile`](crate::Quantile), a [`Scaling`](crate::Scaling) or a [`Preprocess`].
    pub fn fit(self, preprocess: impl Into<Preprocess>) -> Result<PreparedData> {
        PreparedData::fit(self.dataset, self.parts, &preprocess.into())
    }
}

impl Split {
    fn assign(&self, dataset: &Dataset, rows: Vec<usize>, fractions: [f64; 4]) -> Result<[Vec<usize>; 3]> {
        let [train, valid, test, left_out] = fractions;
        if self.method_for(dataset) == Method::Time {
            let times = dataset.times().ok_or(Error::NoTimes)?;
            if let Some(groups) = dataset.groups() {
                let (time, group) = (times.column.clone(), groups.column.clone());
                return Err(Error::TimesAndGroups { time, group });
            }
            let parts = assign_by_time(rows, |row| times.of[row], &[left_out, train, valid, test]);
            return Ok(taken(parts, 1));
        }
        let wanted = fractions.iter().filter(|&&fraction| fraction > 0.0).count();
        let strata = self.strata(dataset, &rows, wanted)?;
        let bundles = self.bundles(dataset)?;
        let stratum_of = |row| strata.of(row);
        let divided =
            Rows { rows, strata: strata.count, stratum_of: &stratum_of, bundles: bundles.as_deref() };
        Ok(taken(assign(divided, &fractions, self.seed), 0))
    }
}

/// Three of `parts`, from `first` on.
fn taken(mut parts: Vec<Vec<usize>>, first: usize) -> [Vec<usize>; 3] {
    [0, 1, 2].map(|part| std::mem::take(&mut parts[first + part]))
}

fn empty_part(
    dataset: &Dataset,
    part: &'static str,
    fraction: f64,
    samples: usize,
    fractions: &[f64],
) -> Error {
    match dataset.groups() {
        Some(groups) => Error::TooFewGroups {
            column: groups.column.clone(),
            groups: groups.names.len(),
            parts: fractions.iter().filter(|&&fraction| fraction > 0.0).count(),
        },
        None => Error::EmptyPart { part, fraction, samples },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::dataset::Features;

    /// Rows that all have the same features.
    pub(in crate::split) fn labelled(labels: Vec<i64>, classes: usize) -> Dataset {
        let features = Features::Rows { values: vec![0.0; labels.len()], names: vec!["x".into()] };
        let classes = (0..classes).map(|class| class.to_string()).collect();
        Dataset::new("data", features, Targets::Classes { name: "label".into(), labels, classes }).unwrap()
    }

    fn cut(labels: Vec<i64>, classes: usize, split: Split) -> Result<SplitData> {
        labelled(labels, classes).split(split)
    }

    proptest::proptest! {
        #[test]
        fn eval_01_parts_are_disjoint_cover_everything_and_keep_their_proportions(
            labels in proptest::collection::vec(0i64..4, 30..200), seed in 0u64..100, stratified in proptest::bool::ANY,
        ) {
            let method = if stratified { Method::Auto } else { Method::Random };
            let split = Split { train: 0.6, valid: 0.2, test: 0.2, method, seed, ..Split::default() };
            let n = labels.len();
            let parts = cut(labels.clone(), 4, split).unwrap();
            let mut all = [parts.train(), parts.valid(), parts.test()].concat();
            all.sort_unstable();
            assert_eq!(all, (0..n).collect::<Vec<_>>());
            for (part, fraction) in [(parts.train(), 0.6), (parts.valid(), 0.2), (parts.test(), 0.2)] {
                assert!((part.len() as f64 - fraction * n as f64).abs() < 2.0);
                if stratified {
                    for class in 0..4 {
                        let whole = labels.iter().filter(|&&label| label == class).count() as f64;
                        let here = part.iter().filter(|&&i| labels[i] == class).count() as f64;
                        assert!((here - fraction * whole).abs() < 1.0 + 1e-5);
                    }
                }
            }
        }
    }

    #[test]
    fn eval_02_the_seed_decides_the_parts() {
        let labels: Vec<i64> = (0..100).map(|i| i % 2).collect();
        let split = |seed| cut(labels.clone(), 2, Split::default().seed(seed)).unwrap();
        assert_eq!(split(1), split(1));
        assert_ne!(split(1).train(), split(2).train());
        assert_eq!(split(1).train().len(), 80);
        assert_eq!(split(1).valid().len(), 10);
    }

    #[test]
    fn many_small_classes_still_fill_every_part() {
        let labels: Vec<i64> = (0..300).map(|i| i % 100).collect();
        let parts = cut(labels.clone(), 100, Split::stratified(0.8, 0.1, 0.1)).unwrap();
        assert!((28..=32).contains(&parts.valid().len()), "{}", parts.valid().len());
        assert!((28..=32).contains(&parts.test().len()), "{}", parts.test().len());
        for class in 0..100 {
            assert!(parts.train().iter().any(|&i| labels[i] == class), "class {class} is trained on");
        }
    }

    #[test]
    fn eval_02_a_given_test_part_is_kept_and_the_rest_is_cut() {
        let labels: Vec<i64> = (0..100).map(|i| i % 2).collect();
        let data = labelled(labels, 2).with_given_test(80..100).unwrap();
        let parts = data.split(Split::stratified(0.6, 0.2, 0.2).seed(9)).unwrap();
        assert_eq!(parts.test(), (80..100).collect::<Vec<_>>());
        assert_eq!((parts.train().len(), parts.valid().len()), (60, 20));
    }

    #[test]
    fn a_part_that_would_be_empty_is_an_error_and_an_unwanted_part_is_not() {
        let labels = vec![0, 1, 0, 1];
        let error = cut(labels.clone(), 2, Split::random(0.9, 0.05, 0.05)).unwrap_err();
        assert!(matches!(error, Error::EmptyPart { part: "valid", samples: 4, .. }), "{error}");
        let parts = cut(labels, 2, Split::random(0.5, 0.0, 0.5)).unwrap();
        assert_eq!((parts.train().len(), parts.valid().len(), parts.test().len()), (2, 0, 2));
    }

    #[test]
    fn fractions_below_one_leave_samples_out() {
        let labels: Vec<i64> = (0..100).map(|i| i % 2).collect();
        let parts = cut(labels, 2, Split::stratified(0.5, 0.1, 0.2)).unwrap();
        assert_eq!((parts.train().len(), parts.valid().len(), parts.test().len()), (50, 10, 20));
    }

    #[test]
    fn fractions_that_make_no_sense_are_refused() {
        for (train, valid, test) in [
            (0.8, 0.1, 0.2),
            (1.2, -0.1, -0.1),
            (0.0, 0.5, 0.5),
            (f64::NAN, 0.5, 0.5),
            (f64::INFINITY, 0.0, 0.0),
        ] {
            let error = cut(vec![0, 1, 0, 1], 2, Split::random(train, valid, test)).unwrap_err();
            assert!(matches!(error, Error::Fractions { .. }), "{error}");
        }
    }

    #[test]
    fn numbers_cannot_be_stratified_but_auto_cuts_them_at_random() {
        let values = || crate::toy::sine(20, 0.1, 1).unwrap();
        assert!(matches!(
            values().split(Split::stratified(0.8, 0.1, 0.1)),
            Err(Error::StratifiedValues { .. })
        ));
        assert_eq!(values().split(Split::default()).unwrap().train().len(), 16);
    }

    fn measured(values: Vec<f32>) -> Dataset {
        let n = values.len();
        let features = Features::Rows { values, names: vec!["x".into()] };
        let labels = (0..n as i64).map(|row| row % 2).collect();
        let classes = vec!["a".into(), "b".into()];
        Dataset::new("data", features, Targets::Classes { name: "label".into(), labels, classes }).unwrap()
    }

    fn part_of(parts: &SplitData, row: usize) -> usize {
        [parts.train(), parts.valid(), parts.test()].iter().position(|part| part.contains(&row)).unwrap()
    }

    #[test]
    fn copies_of_a_row_stay_in_one_part_unless_they_are_the_rule() {
        let values: Vec<f32> =
            (0..100).map(|row| if row < 40 { (row / 2) as f32 } else { row as f32 }).collect();
        for seed in 0..5 {
            let split = Split { seed, ..Split::default() };
            let parts = measured(values.clone()).split(split).unwrap();
            assert_eq!([parts.train(), parts.valid(), parts.test()].map(<[usize]>::len), [80, 10, 10]);
            assert!((0..40).step_by(2).all(|row| part_of(&parts, row) == part_of(&parts, row + 1)));
        }
        let apart = Split { copies: Copies::Apart, ..Split::default() };
        let parts = measured(values).split(apart).unwrap();
        assert!((0..40).step_by(2).any(|row| part_of(&parts, row) != part_of(&parts, row + 1)));
        // Three different rows, each 30 times: two that are equal are two cases.
        let few = measured((0..90).map(|row| (row % 3) as f32).collect());
        assert_eq!(few.split(Split::default()).unwrap().test().len(), 9);
    }

    #[test]
    fn a_group_never_straddles_two_parts() {
        let cells: Vec<String> = (0..200).map(|row| format!("site {}", row * 7 % 23)).collect();
        let data = measured((0..200).map(|row| row as f32).collect()).with_groups("site", &cells).unwrap();
        for split in [Split::default(), Split::random(0.6, 0.2, 0.2), Split::stratified(0.7, 0.1, 0.2)] {
            let parts = data.clone().split(split.seed(4)).unwrap();
            let expected = [split.train, split.valid, split.test].map(|fraction| fraction * 200.0);
            for (part, expected) in [parts.train(), parts.valid(), parts.test()].iter().zip(expected) {
                assert!((part.len() as f64 - expected).abs() <= 9.0, "{} {expected}", part.len());
            }
            for row in 0..200 {
                let first = cells.iter().position(|cell| *cell == cells[row]).unwrap();
                assert_eq!(part_of(&parts, row), part_of(&parts, first));
            }
        }
    }

    #[test]
    fn by_time_the_future_is_the_test() {
        let days: Vec<String> = (0..50).map(|row| format!("2024-01-{:02}", 1 + row * 11 % 25)).collect();
        let data = measured((0..50).map(|row| row as f32).collect()).with_times("day", &days).unwrap();
        let parts = data.clone().split(Split::default()).unwrap();
        let latest = |rows: &[usize]| rows.iter().map(|&row| &days[row]).max().unwrap().clone();
        let earliest = |rows: &[usize]| rows.iter().map(|&row| &days[row]).min().unwrap().clone();
        assert!(
            latest(parts.train()) < earliest(parts.valid()) && latest(parts.valid()) < earliest(parts.test())
        );
        assert_eq!(parts.train().len() + parts.valid().len() + parts.test().len(), 50);
        // Of half of the samples the oldest are left out.
        let half = data.split(Split::by_time(0.3, 0.1, 0.1)).unwrap();
        assert!(earliest(half.train()).as_str() > "2024-01-12");
    }

    #[test]
    fn splits_that_cannot_be_say_why() {
        let data = || measured((0..9).map(|row| row as f32).collect());
        let message = |data: Dataset, split: Split| data.split(split).unwrap_err().to_string();
        assert_eq!(
            message(data(), Split::by_time(0.8, 0.1, 0.1)),
            "a split by time needs a column of times, and the data has none: name one (--time COLUMN)"
        );
        let sites: Vec<String> = (0..9).map(|row| (row % 2).to_string()).collect();
        assert_eq!(
            message(data().with_groups("site", &sites).unwrap(), Split::default()),
            "column 'site' has 2 groups, too few for 3 parts of whole groups: ask for fewer parts (a share of 0), or \
             divide by another column"
        );
        let both = data().with_groups("site", &sites).unwrap().with_times("year", &sites).unwrap();
        assert!(message(both, Split::default()).starts_with("'year' and 'site' cannot both divide the rows"));
        let rare = labelled([vec![0; 20], vec![1; 2]].concat(), 2);
        assert_eq!(
            message(rare.clone(), Split::stratified(0.8, 0.1, 0.1)),
            "class '1' has 2 rows, too few for a stratified split into 3 parts: get more of them, remove the class, \
             or divide at random"
        );
        assert!(rare.split(Split::default()).is_ok(), "unless asked for, a rare class is no error");
    }

    #[test]
    fn given_parts_are_kept_and_the_rest_is_divided() {
        let cells: Vec<String> =
            (0..40).map(|row| ["train", "Valid", "TRAIN", "test"][row % 4].to_string()).collect();
        let data = || measured((0..40).map(|row| row as f32).collect());
        let parts = data().with_part_column("part", &cells).unwrap().split(Split::default()).unwrap();
        assert_eq!(parts.test(), (3..40).step_by(4).collect::<Vec<_>>());
        assert_eq!(parts.valid(), (1..40).step_by(4).collect::<Vec<_>>());
        assert_eq!(parts.train().len(), 20);
        let two: Vec<String> =
            (0..40).map(|row| if row < 30 { "train" } else { "test" }.to_string()).collect();
        let parts =
            data().with_part_column("part", &two).unwrap().split(Split::random(0.6, 0.2, 0.2)).unwrap();
        assert_eq!((parts.train().len(), parts.valid().len(), parts.test().len()), (22, 8, 10));
        let message = |cells: &[String]| data().with_part_column("part", cells).unwrap_err().to_string();
        assert_eq!(
            message(&vec!["dev".to_string(); 40]),
            "column 'part', row 1: 'dev' is no part; write train, valid or test"
        );
        assert!(message(&vec!["test".to_string(); 40]).contains("leaves nothing to train on"));
    }
}
