//! Batches: shuffled by seed and epoch, gathered ahead on a thread of their own.
//!
//! The order of an epoch is a pure function of (seed, epoch), so a resumed run sees the batches it would have seen.
//! Every sample comes exactly once an epoch. The thread works at most [`LoaderOptions::ahead`] batches ahead, in
//! buffers that dropped batches give back, and ends when the epoch ends or its [`Batches`] are dropped. [DATA-11]

use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use barun_engine::random::{Stream, combine};
use serde::{Deserialize, Serialize};

use crate::dataset::{Features, Targets};
use crate::error::{Error, Result};
use crate::prepared::Part;

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

/// How to load. The default: batches of 32, shuffled, seed 0, the last batch kept, 3 batches ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoaderOptions {
    /// Samples in a batch.
    pub batch: usize,
    /// In which order an epoch visits the samples.
    pub order: Order,
    /// The seed of the order.
    pub seed: u64,
    /// What becomes of the last batch.
    pub last: LastBatch,
    /// How many batches are gathered ahead; 0 gathers on the caller's thread.
    pub ahead: usize,
}

impl Default for LoaderOptions {
    fn default() -> Self {
        LoaderOptions { batch: 32, order: Order::Shuffled, seed: 0, last: LastBatch::Keep, ahead: 3 }
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
        let gather = Gather { part: self.part.clone(), order: self.order(epoch) };
        let ranges: Vec<Range<usize>> = self.ranges().into_iter().skip(taken).collect();
        if !self.gathers_ahead() {
            return Batches { source: Source::Inline { gather, ranges: ranges.into_iter() } };
        }
        Batches { source: Source::ahead(gather, ranges, self.options.ahead) }
    }

    /// The most bytes that an epoch holds at once: the order, and the batches gathered ahead with the one in use.
    pub fn bytes(&self) -> usize {
        let dataset = self.part.dataset();
        let target = match dataset.targets() {
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

    /// Whether a thread of its own is worth it.
    fn gathers_ahead(&self) -> bool {
        let bytes = self.part.len() * bytes_per_sample(self.part.dataset().features());
        self.options.ahead > 0 && bytes >= SMALL_EPOCH_BYTES
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
        Features::Images { .. } => features.width(),
        Features::Rows { .. } | Features::Table(_) => 4 * features.width(),
    }
}

/// The features of a batch, sample after sample.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchFeatures {
    /// Bytes, `[batch, height, width, channels]`.
    Images(Vec<u8>),
    /// Numbers, `[batch, columns]`.
    Rows(Vec<f32>),
}

/// The targets of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchTargets {
    /// Class indices.
    Classes(Vec<i64>),
    /// Numbers.
    Values(Vec<f32>),
}

/// Some samples, gathered. Its buffers go back to the loader when it is dropped.
#[derive(Debug)]
pub struct Batch {
    /// The features.
    pub features: BatchFeatures,
    /// The targets.
    pub targets: BatchTargets,
    /// Which samples of the data set these are.
    pub indices: Vec<usize>,
    sample_shape: Vec<usize>,
    recycle: Option<Sender<Batch>>,
}

impl Batch {
    /// The number of samples.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Never: a batch has at least one sample.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// `[batch, height, width, channels]` or `[batch, columns]`.
    pub fn shape(&self) -> Vec<usize> {
        [&[self.len()], self.sample_shape.as_slice()].concat()
    }

    /// `[batch, values]`: the same buffer as a dense layer sees it. [DATA-27]
    pub fn flat_shape(&self) -> [usize; 2] {
        [self.len(), self.sample_shape.iter().product()]
    }

    fn empty(part: &Part) -> Batch {
        Batch {
            features: part.dataset().features().batch(),
            targets: part.dataset().targets().batch(),
            indices: Vec::new(),
            sample_shape: part.dataset().features().sample_shape(),
            recycle: None,
        }
    }

    /// Room for so many samples and no more: buffers that double when they are full would take up to twice as much.
    fn reserve(&mut self, samples: usize) {
        let width: usize = self.sample_shape.iter().product();
        match &mut self.features {
            BatchFeatures::Images(pixels) => pixels.reserve_exact(samples * width),
            BatchFeatures::Rows(values) => values.reserve_exact(samples * width),
        }
        match &mut self.targets {
            BatchTargets::Classes(labels) => labels.reserve_exact(samples),
            BatchTargets::Values(values) => values.reserve_exact(samples),
        }
        self.indices.reserve_exact(samples);
    }

    fn clear(&mut self) {
        match &mut self.features {
            BatchFeatures::Images(pixels) => pixels.clear(),
            BatchFeatures::Rows(values) => values.clear(),
        }
        match &mut self.targets {
            BatchTargets::Classes(labels) => labels.clear(),
            BatchTargets::Values(values) => values.clear(),
        }
        self.indices.clear();
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let Some(recycle) = self.recycle.take() else { return };
        let buffers = Batch {
            features: std::mem::replace(&mut self.features, BatchFeatures::Images(Vec::new())),
            targets: std::mem::replace(&mut self.targets, BatchTargets::Classes(Vec::new())),
            indices: std::mem::take(&mut self.indices),
            sample_shape: std::mem::take(&mut self.sample_shape),
            recycle: None,
        };
        let _ = recycle.send(buffers); // the loader may be gone, and the buffers with it
    }
}

/// One epoch's order over one part's data.
#[derive(Debug)]
struct Gather {
    part: Part,
    order: Vec<usize>,
}

impl Gather {
    fn fill(&self, range: Range<usize>, batch: &mut Batch) -> Result<()> {
        batch.clear();
        batch.reserve(range.len());
        let indices = &self.order[range];
        self.part.dataset().features().gather(indices, &mut batch.features)?;
        self.part.dataset().targets().gather(indices, &mut batch.targets)?;
        batch.indices.extend_from_slice(indices);
        Ok(())
    }
}

/// The batches of one epoch. Dropping it early stops the loading.
#[derive(Debug)]
pub struct Batches {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Failed(Option<Error>),
    Inline { gather: Gather, ranges: std::vec::IntoIter<Range<usize>> },
    Ahead { ready: Option<Receiver<Result<Batch>>>, thread: Option<JoinHandle<()>>, left: usize },
}

impl Source {
    fn ahead(gather: Gather, ranges: Vec<Range<usize>>, ahead: usize) -> Source {
        let left = ranges.len();
        // One batch is in the thread's hands, the others wait in the channel.
        let (send, ready) = sync_channel(ahead - 1);
        let work = move || produce(&gather, ranges, &send);
        match std::thread::Builder::new().name("barun-loader".to_string()).spawn(work) {
            Ok(thread) => Source::Ahead { ready: Some(ready), thread: Some(thread), left },
            Err(error) => Source::Failed(Some(Error::Loader { reason: error.to_string() })),
        }
    }
}

fn produce(gather: &Gather, ranges: Vec<Range<usize>>, send: &SyncSender<Result<Batch>>) {
    let (recycle, used) = channel();
    for range in ranges {
        let mut batch = used.try_recv().unwrap_or_else(|_| Batch::empty(&gather.part));
        let outcome = gather.fill(range, &mut batch);
        batch.recycle = Some(recycle.clone());
        if send.send(outcome.map(|()| batch)).is_err() {
            return; // the consumer has stopped
        }
    }
}

impl Batches {
    pub(crate) fn failed(error: Error) -> Self {
        Batches { source: Source::Failed(Some(error)) }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.source {
            Source::Failed(error) => error.take().map(Err),
            Source::Inline { gather, ranges } => {
                let mut batch = Batch::empty(&gather.part);
                Some(gather.fill(ranges.next()?, &mut batch).map(|()| batch))
            }
            Source::Ahead { left: 0, .. } => None,
            Source::Ahead { ready, left, .. } => match ready.as_ref()?.recv() {
                Ok(batch) => {
                    *left -= 1;
                    Some(batch)
                }
                Err(_) => {
                    *left = 0;
                    Some(Err(Error::Loader { reason: "it stopped before the epoch's end".to_string() }))
                }
            },
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match &self.source {
            Source::Failed(error) => usize::from(error.is_some()),
            Source::Inline { ranges, .. } => ranges.len(),
            Source::Ahead { left, .. } => *left,
        };
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches {}

impl Drop for Batches {
    fn drop(&mut self) {
        let Source::Ahead { ready, thread, .. } = &mut self.source else { return };
        ready.take(); // the thread's next send fails, and it ends
        if let Some(thread) = thread.take() {
            let _ = thread.join(); // a panic there has been reported as the missing batch
        }
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
