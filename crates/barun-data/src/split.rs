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

use barun_engine::random::Stream;
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Targets};
use crate::encode::Preprocess;
use crate::error::{Error, Result};
use crate::prepared::PreparedData;

/// How samples are assigned to parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Stratified where the target is classes, random where it is numbers.
    #[default]
    Auto,
    /// Each sample alike.
    Random,
    /// Each class in the same proportion in every part.
    Stratified,
}

/// The fractions of the parts, and how they are drawn. Default: 0.8 / 0.1 / 0.1, [`Method::Auto`], seed 0.
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
    /// The seed of the shuffle before the cut.
    pub seed: u64,
}

impl Default for Split {
    fn default() -> Self {
        Split { train: 0.8, valid: 0.1, test: 0.1, method: Method::Auto, seed: 0 }
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
}

/// A data set cut into parts, not yet scaled. The only place where preprocessing can be fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitData {
    dataset: Dataset,
    parts: [Vec<usize>; 3],
}

impl SplitData {
    pub(crate) fn cut(dataset: Dataset, split: Split) -> Result<SplitData> {
        let [train, valid, test, left_out] = split.fractions()?;
        let given = dataset.given_test();
        let fractions = match given {
            Some(_) => [train / (train + valid), valid / (train + valid), 0.0, 0.0],
            None => [train, valid, test, left_out],
        };
        let free: Vec<usize> =
            (0..dataset.len()).filter(|i| !given.as_ref().is_some_and(|test| test.contains(i))).collect();
        let samples = free.len();

        let groups = grouped(free, dataset.targets(), split.method)?;
        let [train_part, valid_part, test_part, _] = assign(groups, fractions, split.seed);
        let mut parts = [train_part, valid_part, test_part];
        for (part, (name, fraction)) in parts.iter().zip([("train", train), ("valid", valid), ("test", test)])
        {
            let is_given = name == "test" && given.is_some();
            if part.is_empty() && fraction > 0.0 && !is_given {
                return Err(Error::EmptyPart { part: name, fraction, samples });
            }
        }
        if let Some(test) = given {
            parts[2] = test.collect();
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

/// The samples in the groups that are cut one by one: all in one, or one a class.
fn grouped(samples: Vec<usize>, targets: &Targets, method: Method) -> Result<Vec<Vec<usize>>> {
    match (method, targets) {
        (Method::Random, _) | (Method::Auto, Targets::Values { .. }) => Ok(vec![samples]),
        (Method::Stratified, Targets::Values { name, .. }) => {
            Err(Error::StratifiedValues { target: name.clone() })
        }
        (Method::Stratified | Method::Auto, Targets::Classes { labels, classes, .. }) => {
            let mut groups = vec![Vec::new(); classes.len()];
            for sample in samples {
                groups[labels[sample] as usize].push(sample); // Dataset::new checked that labels are classes
            }
            Ok(groups)
        }
    }
}

fn assign(groups: Vec<Vec<usize>>, fractions: [f64; 4], seed: u64) -> [Vec<usize>; 4] {
    let mut random = Stream::new(seed, "split");
    let mut parts = [const { Vec::new() }; 4];
    let mut owed = [0.0; 4];
    for mut group in groups {
        random.shuffle(&mut group);
        let mut rest = group.as_slice();
        for (part, count) in parts.iter_mut().zip(apportion(group.len(), fractions, &mut owed)) {
            let (taken, left) = rest.split_at(count);
            part.extend_from_slice(taken);
            rest = left;
        }
    }
    parts.iter_mut().for_each(|part| part.sort_unstable());
    parts
}

/// Whole numbers that add up to `count`, each less than 1 away from its fraction: floors first, then one more to the
/// parts with the largest remainders, counting what earlier groups `owed` them. A group's first sample is trained on.
fn apportion(count: usize, fractions: [f64; 4], owed: &mut [f64; 4]) -> [usize; 4] {
    let exact = fractions.map(|fraction| fraction * count as f64);
    // The nudge keeps 0.1 * 70 = 7.000000000000001 and 0.7 * 10 = 6.999999999999999 whole.
    let mut counts = exact.map(|exact| (exact + 1e-6).floor() as usize);
    let mut left = count.saturating_sub(counts.iter().sum());
    let mut order: Vec<usize> = (0..4).filter(|&part| fractions[part] > 0.0).collect();
    order.sort_by(|&a, &b| {
        let remainder = |part: usize| exact[part] - counts[part] as f64 + owed[part];
        let starved = |part: usize| part == 0 && counts[0] == 0;
        starved(b).cmp(&starved(a)).then(remainder(b).total_cmp(&remainder(a)))
    });
    for part in order {
        if left > 0 {
            counts[part] += 1;
            left -= 1;
        }
    }
    for part in 0..4 {
        owed[part] += exact[part] - counts[part] as f64;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Features;

    fn data(labels: Vec<i64>, classes: usize) -> Dataset {
        let features = Features::Rows { values: vec![0.0; labels.len()], names: vec!["x".into()] };
        let classes = (0..classes).map(|class| class.to_string()).collect();
        Dataset::new("data", features, Targets::Classes { name: "label".into(), labels, classes }).unwrap()
    }

    fn cut(labels: Vec<i64>, classes: usize, split: Split) -> Result<SplitData> {
        data(labels, classes).split(split)
    }

    proptest::proptest! {
        #[test]
        fn eval_01_parts_are_disjoint_cover_everything_and_keep_their_proportions(
            labels in proptest::collection::vec(0i64..4, 30..200), seed in 0u64..100, stratified in proptest::bool::ANY,
        ) {
            let method = if stratified { Method::Stratified } else { Method::Random };
            let split = Split { train: 0.6, valid: 0.2, test: 0.2, method, seed };
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
        let data = data(labels, 2).with_given_test(80..100).unwrap();
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
}
