//! Batches: shuffled by seed and epoch, read, varied and gathered ahead on threads of their own.
//!
//! The order of an epoch is a pure function of (seed, epoch), and so is what [`Augment`] makes of each sample: a resumed
//! run sees the batches it would have seen, and the number of threads changes nothing. Every sample comes exactly once
//! an epoch. The threads work at most [`LoaderOptions::ahead`] batches ahead, in buffers that dropped batches give back,
//! and end when the epoch ends or its [`Batches`] are dropped. [DATA-11]

mod batch;
mod epoch;

use std::ops::Range;
use std::thread::available_parallelism;

use barun_engine::random::{Stream, combine};
use serde::{Deserialize, Serialize};

use crate::augment::Augment;
use crate::dataset::{Features, Targets};
use crate::error::{Error, Result};
use crate::prepared::Part;
pub use batch::{Batch, BatchFeatures, BatchTargets};
pub use epoch::Batches;
use epoch::Gather;

/// An epoch smaller than this is gathered on the caller's thread: starting one would take longer.
const SMALL_EPOCH_BYTES: usize = 256 * 1024;

/// In which order an epoch visits the samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// In a random order of its own for each epoch.
    #[default]
    Shuffled,
    /// As they lie in the part.
    Sequential,
}

/// What becomes of the last batch when the batch size does not divide the number of samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastBatch {
    /// It is smaller.
    #[default]
    Keep,
    /// It is left out.
    Drop,
    /// It is smaller, but a single sample joins the batch before: batch statistics of one sample mean nothing.
    JoinSingle,
}

/// How to load. The default: batches of 32, shuffled, seed 0, the last batch kept, nothing varied, 3 batches ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoaderOptions {
    /// Samples in a batch.
    pub batch: usize,
    /// In which order an epoch visits the samples.
    pub order: Order,
    /// The seed of the order and of the augmentation.
    pub seed: u64,
    /// What becomes of the last batch.
    pub last: LastBatch,
    /// How images are varied; for the training part.
    pub augment: Augment,
    /// How many batches are gathered ahead; 0 gathers on the caller's thread.
    pub ahead: usize,
    /// On how many threads, at most one for each batch ahead. Not given: one where samples are only copied, else as many
    /// as the machine has.
    pub threads: Option<usize>,
}

impl Default for LoaderOptions {
    fn default() -> Self {
        LoaderOptions {
            batch: 32,
            order: Order::Shuffled,
            seed: 0,
            last: LastBatch::Keep,
            augment: Augment::NONE,
            ahead: 3,
            threads: None,
        }
    }
}

/// Loads a part in batches, epoch after epoch.
#[derive(Clone, Debug)]
pub struct Loader {
    part: Part,
    options: LoaderOptions,
}

impl Loader {
    pub(crate) fn new(part: Part, options: LoaderOptions) -> Result<Loader> {
        if options.batch == 0 {
            return Err(Error::ZeroBatch);
        }
        if part.is_empty() {
            return Err(Error::NothingToLoad { part: part.name() });
        }
        if options.batch > part.len() {
            return Err(Error::BatchTooLarge {
                batch: options.batch,
                samples: part.len(),
                part: part.name(),
            });
        }
        options.augment.check()?;
        if !options.augment.is_none() && part.dataset().features().image_shape().is_none() {
            return Err(Error::AugmentRows { name: part.dataset().name().to_string() });
        }
        Ok(Loader { part, options })
    }

    /// The part that is loaded.
    pub fn part(&self) -> &Part {
        &self.part
    }

    /// The options.
    pub fn options(&self) -> &LoaderOptions {
        &self.options
    }

    /// Batches in an epoch: ceil(samples / batch), one less where the last batch is dropped or joins.
    pub fn batches_per_epoch(&self) -> usize {
        self.ranges().len()
    }

    /// The size of each batch of an epoch, in order.
    pub fn batch_sizes(&self) -> Vec<usize> {
        self.ranges().iter().map(Range::len).collect()
    }

    /// The samples of `epoch` in order: indices into the data set, a pure function of (seed, epoch).
    pub fn order(&self, epoch: u64) -> Vec<usize> {
        let mut order = self.part.indices().to_vec();
        if self.options.order == Order::Shuffled {
            Stream::new(combine(self.options.seed, epoch), "loader.order").shuffle(&mut order);
        }
        order
    }

    /// The batches of `epoch`, counted from 0.
    pub fn epoch(&self, epoch: u64) -> Batches {
        self.epoch_from(epoch, 0)
    }

    /// The batches of `epoch` without the first `taken`, for a run that goes on in the middle of it.
    pub fn epoch_from(&self, epoch: u64, taken: usize) -> Batches {
        let LoaderOptions { augment, seed, .. } = self.options;
        let gather = Gather { part: self.part.clone(), order: self.order(epoch), augment, seed, epoch };
        let ranges: Vec<Range<usize>> = self.ranges().into_iter().skip(taken).collect();
        match self.gathers_ahead() {
            true => Batches::ahead(gather, ranges, self.options.ahead, self.threads()),
            false => Batches::inline(gather, ranges),
        }
    }

    /// The most bytes that an epoch holds at once: the order, and the batches gathered ahead with the one in use.
    pub fn bytes(&self) -> usize {
        let dataset = self.part.dataset();
        let target = match dataset.targets() {
            Targets::Classes { classes, .. } if self.options.augment.mixes() => {
                size_of::<f32>() * classes.len()
            }
            Targets::Classes { .. } => size_of::<i64>(),
            Targets::Values { .. } => size_of::<f32>(),
        };
        let sample = bytes_per_sample(dataset.features()) + target + size_of::<usize>();
        let ranges = self.ranges();
        let batches = if self.gathers_ahead() { ranges.len().min(self.options.ahead + 1) } else { 1 };
        let largest = ranges.iter().map(Range::len).max().unwrap_or(0);
        let order = self.part.len() * size_of::<usize>() + ranges.len() * size_of::<Range<usize>>();
        order + batches * largest * sample
    }

    /// Whether threads of their own are worth it.
    fn gathers_ahead(&self) -> bool {
        let bytes = self.part.len() * bytes_per_sample(self.part.dataset().features());
        self.options.ahead > 0 && (bytes >= SMALL_EPOCH_BYTES || self.does_more_than_copy())
    }

    fn does_more_than_copy(&self) -> bool {
        !self.options.augment.is_none() || matches!(self.part.dataset().features(), Features::Lazy(_))
    }

    fn threads(&self) -> usize {
        let by_rule = match self.does_more_than_copy() {
            true => available_parallelism().map_or(1, usize::from),
            false => 1,
        };
        self.options.threads.unwrap_or(by_rule).clamp(1, self.options.ahead.max(1))
    }

    fn ranges(&self) -> Vec<Range<usize>> {
        let (samples, batch) = (self.part.len(), self.options.batch);
        let mut ranges: Vec<Range<usize>> =
            (0..samples).step_by(batch).map(|start| start..samples.min(start + batch)).collect();
        let partial = samples % batch;
        match self.options.last {
            LastBatch::Drop if partial != 0 => {
                ranges.pop();
            }
            LastBatch::JoinSingle if partial == 1 => {
                ranges.pop();
                if let Some(last) = ranges.last_mut() {
                    last.end = samples;
                }
            }
            _ => {}
        }
        ranges
    }
}

fn bytes_per_sample(features: &Features) -> usize {
    match features {
        Features::Images { .. } | Features::Lazy(_) => features.width(),
        Features::Rows { .. } | Features::Table(_) => size_of::<f32>() * features.width(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dataset, MinMax, Split};

    /// `n` training samples of one grey 4 x 4 image each, whose label and first pixel are its index modulo 200.
    fn part(n: usize) -> Part {
        let total = n + 1;
        let features = Features::Images {
            pixels: (0..total).flat_map(|i| [(i % 200) as u8; 16]).collect(),
            shape: [4, 4, 1],
        };
        let targets = Targets::Classes {
            name: "label".into(),
            labels: (0..total).map(|i| i as i64 % 200).collect(),
            classes: (0..200).map(|class| class.to_string()).collect(),
        };
        let data = Dataset::new("counted", features, targets).unwrap().with_given_test(n..total).unwrap();
        data.split(Split::random(1.0, 0.0, 0.0)).unwrap().fit(MinMax::default()).unwrap().train()
    }

    fn options(batch: usize) -> LoaderOptions {
        LoaderOptions { batch, ..LoaderOptions::default() }
    }

    #[test]
    fn data_11_every_sample_comes_exactly_once_an_epoch_with_its_own_label() {
        for (n, batch) in [(10, 3), (40_000, 128), (7, 7)] {
            let loader = part(n).loader(options(batch)).unwrap();
            let mut seen = vec![0; n];
            for batch in loader.epoch(2) {
                let batch = batch.unwrap();
                let (BatchFeatures::Images(pixels), BatchTargets::Classes(labels)) =
                    (&batch.features, &batch.targets)
                else {
                    panic!("images with classes")
                };
                assert_eq!(batch.shape(), [batch.len(), 4, 4, 1]);
                assert_eq!(batch.flat_shape(), [batch.len(), 16]);
                assert_eq!(pixels.len(), 16 * batch.len());
                for (position, &index) in batch.indices.iter().enumerate() {
                    seen[index] += 1;
                    assert_eq!(labels[position], index as i64 % 200);
                    assert_eq!(pixels[16 * position], (index % 200) as u8);
                }
            }
            assert!(seen.iter().all(|&count| count == 1), "n {n}, batch {batch}");
        }
    }

    #[test]
    fn data_11_the_order_depends_on_seed_and_epoch_alone() {
        let loader = |seed| part(100).loader(LoaderOptions { seed, ..options(10) }).unwrap();
        assert_eq!(loader(1).order(5), loader(1).order(5));
        assert_ne!(loader(1).order(5), loader(1).order(6));
        assert_ne!(loader(1).order(5), loader(2).order(5));
        let sequential = LoaderOptions { order: Order::Sequential, ..options(10) };
        assert_eq!(part(100).loader(sequential).unwrap().order(3), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn data_11_the_last_batch_is_partial_dropped_or_joined() {
        let sizes = |n, last| {
            let loader = part(n).loader(LoaderOptions { last, ..options(4) }).unwrap();
            let sizes: Vec<usize> = loader.epoch(0).map(|batch| batch.unwrap().len()).collect();
            assert_eq!(loader.batches_per_epoch(), sizes.len());
            assert_eq!(loader.batch_sizes(), sizes);
            sizes
        };
        assert_eq!(sizes(10, LastBatch::Keep), [4, 4, 2]);
        assert_eq!(sizes(10, LastBatch::Drop), [4, 4]);
        assert_eq!(sizes(10, LastBatch::JoinSingle), [4, 4, 2]);
        assert_eq!(sizes(9, LastBatch::JoinSingle), [4, 5]);
        assert_eq!(sizes(8, LastBatch::Drop), [4, 4]);
        assert_eq!(sizes(4, LastBatch::JoinSingle), [4]);
    }

    #[test]
    fn data_11_batches_are_the_same_gathered_ahead_or_not() {
        let part = part(40_000);
        let epoch = |ahead| {
            let loader = part.loader(LoaderOptions { ahead, ..options(1000) }).unwrap();
            loader.epoch(1).map(|batch| batch.unwrap().indices.clone()).collect::<Vec<_>>()
        };
        assert_eq!(epoch(0), epoch(1));
        assert_eq!(epoch(0), epoch(4));
    }

    /// The features, targets and order of an epoch.
    fn whole_epoch(part: &Part, options: LoaderOptions) -> (Vec<u8>, Vec<f32>, Vec<usize>) {
        let (mut pixels, mut shares, mut order) = (Vec::new(), Vec::new(), Vec::new());
        for batch in part.loader(options).unwrap().epoch(1) {
            let batch = batch.unwrap();
            match &batch.features {
                BatchFeatures::Images(more) => pixels.extend(more),
                BatchFeatures::Rows(_) => panic!("images"),
            }
            match &batch.targets {
                BatchTargets::Shares(more) => shares.extend(more),
                BatchTargets::Classes(more) => shares.extend(more.iter().map(|&label| label as f32)),
                BatchTargets::Values(_) => panic!("classes"),
            }
            order.extend(&batch.indices);
        }
        (pixels, shares, order)
    }

    #[test]
    fn augmented_batches_are_the_same_on_any_number_of_threads() {
        let part = part(300);
        let augment = Augment { noise: 0.1, shift: 0.3, mixup: 0.4, cutmix: 1.0, ..Augment::NATURAL };
        let on = |ahead, threads| whole_epoch(&part, LoaderOptions { augment, ahead, threads, ..options(7) });
        let alone = on(0, None);
        for (ahead, threads) in [(1, Some(1)), (3, Some(2)), (3, Some(3)), (5, Some(16)), (4, None)] {
            assert!(on(ahead, threads) == alone, "{ahead} ahead on {threads:?}");
        }
        assert!(whole_epoch(&part, options(7)).0 != alone.0);
    }

    #[test]
    fn data_14_a_sample_is_varied_alike_in_any_batch_and_anew_each_epoch() {
        let part = part(50);
        let augment = Augment { noise: 0.2, ..Augment::NONE };
        let image = |batch, epoch, order| {
            let options = LoaderOptions { augment, order, ..options(batch) };
            let batches = part.loader(options).unwrap().epoch(epoch);
            batches
                .map(Result::unwrap)
                .find_map(|batch| {
                    let at = batch.indices.iter().position(|&index| index == 17)?;
                    let BatchFeatures::Images(pixels) = &batch.features else { panic!("images") };
                    Some(pixels[16 * at..][..16].to_vec())
                })
                .unwrap()
        };
        assert_eq!(image(5, 3, Order::Shuffled), image(50, 3, Order::Sequential));
        assert_ne!(image(5, 3, Order::Shuffled), image(5, 4, Order::Shuffled));
    }

    #[test]
    fn mixed_targets_are_the_shares_of_the_classes_that_an_image_holds() {
        // An image is of one value, which is its label, so a mixed image tells its mixed target.
        let augment = Augment { mixup: 1.0, ..Augment::NONE };
        let (pixels, shares, order) = whole_epoch(&part(150), LoaderOptions { augment, ..options(10) });
        assert_eq!((pixels.len(), shares.len()), (150 * 16, 150 * 200));
        let mut mixed = 0;
        for (position, &index) in order.iter().enumerate() {
            let shares = &shares[200 * position..][..200];
            assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            let expected: f32 = shares.iter().zip(0u8..).map(|(share, class)| share * f32::from(class)).sum();
            let shown = f32::from(pixels[16 * position]);
            assert!((shown - expected).abs() < 0.51, "{index}: {shown}, not {expected}");
            mixed += usize::from(shares.iter().filter(|&&share| share > 0.0).count() == 2);
        }
        assert!(mixed > 130, "{mixed}");
    }

    #[test]
    fn rows_are_not_augmented() {
        let features = Features::Rows { values: vec![0.5; 20], names: vec!["x".into()] };
        let targets = Targets::Values { name: "y".into(), values: vec![1.0; 20] };
        let data =
            Dataset::new("line", features, targets).unwrap().split(Split::random(1.0, 0.0, 0.0)).unwrap();
        let part = data.fit(MinMax::default()).unwrap().train();
        let augment = LoaderOptions { augment: Augment::DIGITS, ..options(5) };
        let message = part.loader(augment).unwrap_err().to_string();
        assert!(message.contains("'line' has rows of numbers"), "{message}");
    }

    #[test]
    fn a_consumer_may_stop_early_and_keep_a_batch() {
        let loader = part(40_000).loader(options(100)).unwrap();
        let mut batches = loader.epoch(0);
        assert_eq!(batches.len(), 400);
        let kept = batches.next().unwrap().unwrap();
        assert_eq!(batches.len(), 399);
        drop(batches);
        assert_eq!(kept.indices, loader.order(0)[..100]);
    }

    #[test]
    fn a_batch_that_cannot_be_is_an_error_naming_both_numbers() {
        let message = part(5).loader(options(6)).unwrap_err().to_string();
        assert!(message.contains('6') && message.contains("5 samples of the train part"), "{message}");
        assert!(matches!(part(5).loader(options(0)), Err(Error::ZeroBatch)));
        assert!(matches!(part(5).first(0).loader(options(1)), Err(Error::NothingToLoad { part: "train" })));
        let mut batches = part(5).batches(6);
        assert!(matches!(batches.next(), Some(Err(Error::BatchTooLarge { batch: 6, samples: 5, .. }))));
        assert!(batches.next().is_none());
    }
}
