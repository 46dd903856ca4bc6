//! The batches of one epoch, made on the caller's thread or ahead on others.
//!
//! Of several threads each makes every so-many-th batch, whole, and hands it over in a channel of its own; the consumer
//! takes from them in turn. So batches come in their order, whoever is faster, and no thread waits for another.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use super::{Batch, BatchFeatures, BatchTargets};
use crate::augment::{Augment, Key, Mix};
use crate::dataset::{FeaturesRef, Target, Targets};
use crate::error::{Error, Result};
use crate::prepared::Part;

/// One epoch's order over one part's data, and how its images are varied.
#[derive(Debug)]
pub(super) struct Gather {
    pub part: Part,
    pub order: Vec<usize>,
    pub augment: Augment,
    pub seed: u64,
    pub epoch: u64,
}

impl Gather {
    fn fill(&self, range: Range<usize>, batch: &mut Batch) -> Result<()> {
        batch.clear();
        let classes = self.part.dataset().targets().classes().map_or(0, <[String]>::len);
        batch.reserve(range.len(), classes);
        for &index in &self.order[range] {
            let mix = self.mix(index);
            self.add_features(index, mix.as_ref(), &mut batch.features)?;
            self.add_target(index, mix.as_ref(), &mut batch.targets)?;
            batch.indices.push(index);
        }
        Ok(())
    }

    fn key(&self, sample: usize) -> Key {
        Key { seed: self.seed, epoch: self.epoch, sample }
    }

    fn mix(&self, index: usize) -> Option<Mix> {
        let shape = self.part.dataset().features().image_shape()?;
        self.augment.mix(shape, self.part.len(), self.key(index))
    }

    fn partner(&self, mix: &Mix) -> usize {
        self.part.indices()[mix.partner]
    }

    fn add_features(&self, index: usize, mix: Option<&Mix>, features: &mut BatchFeatures) -> Result<()> {
        match (features, self.part.dataset().features().get(index)?) {
            (BatchFeatures::Images(pixels), FeaturesRef::Image(image)) => {
                let start = pixels.len();
                pixels.extend_from_slice(&image);
                self.vary(index, mix, &mut pixels[start..])
            }
            (BatchFeatures::Rows(values), FeaturesRef::Row(row)) => {
                values.extend_from_slice(&row);
                Ok(())
            }
            _ => Err(Error::Loader { reason: "features changed their kind".to_string() }),
        }
    }

    /// What augmentation makes of a sample: varied by itself, then mixed with another that is varied by itself.
    fn vary(&self, index: usize, mix: Option<&Mix>, image: &mut [u8]) -> Result<()> {
        if self.augment.is_none() {
            return Ok(());
        }
        let features = self.part.dataset().features();
        let Some(shape) = features.image_shape() else { return Ok(()) };
        self.augment.vary(image, shape, self.key(index));
        let Some(mix) = mix else { return Ok(()) };
        let partner = self.partner(mix);
        if let FeaturesRef::Image(other) = features.get(partner)? {
            let mut other = other.into_owned();
            self.augment.vary(&mut other, shape, self.key(partner));
            mix.images(image, &other, shape);
        }
        Ok(())
    }

    fn add_target(&self, index: usize, mix: Option<&Mix>, targets: &mut BatchTargets) -> Result<()> {
        let known = self.part.dataset().targets();
        let of = |index| known.get(index).ok_or(Error::OutOfRange { index, len: known.len() });
        match (targets, of(index)?) {
            (BatchTargets::Classes(labels), Target::Class(label)) => labels.push(label),
            (BatchTargets::Values(values), Target::Value(value)) => match mix {
                None => values.push(value),
                Some(mix) => {
                    let Target::Value(other) = of(self.partner(mix))? else { return Err(changed_kind()) };
                    values.push((mix.share * f64::from(value) + (1.0 - mix.share) * f64::from(other)) as f32);
                }
            },
            (BatchTargets::Shares(shares), Target::Class(label)) => {
                let Targets::Classes { classes, .. } = known else { return Err(changed_kind()) };
                let start = shares.len();
                shares.resize(start + classes.len(), 0.0);
                let shares = &mut shares[start..];
                // Dataset::new checked that labels are classes.
                match mix {
                    None => shares[label as usize] = 1.0,
                    Some(mix) => {
                        let Target::Class(other) = of(self.partner(mix))? else { return Err(changed_kind()) };
                        mix.classes(shares, label as usize, other as usize);
                    }
                }
            }
            _ => return Err(changed_kind()),
        }
        Ok(())
    }

    fn empty_batch(&self) -> Batch {
        Batch::empty(&self.part, self.augment.mixes())
    }
}

fn changed_kind() -> Error {
    Error::Loader { reason: "targets changed their kind".to_string() }
}

/// The batches of one epoch. Dropping it early stops the loading.
#[derive(Debug)]
pub struct Batches {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Failed(Option<Error>),
    Inline { gather: Box<Gather>, ranges: std::vec::IntoIter<Range<usize>> },
    Ahead { workers: Vec<Worker>, next: usize, left: usize },
}

/// A thread that makes every so-many-th batch.
#[derive(Debug)]
struct Worker {
    ready: Option<Receiver<Result<Batch>>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// A thread that has at most `ahead` batches ready, the one in work included.
    fn start(gather: Arc<Gather>, ranges: Vec<Range<usize>>, ahead: usize) -> std::io::Result<Worker> {
        let (send, ready) = sync_channel(ahead - 1);
        let work = move || produce(&gather, ranges, &send);
        let thread = std::thread::Builder::new().name("barun-loader".to_string()).spawn(work)?;
        Ok(Worker { ready: Some(ready), thread: Some(thread) })
    }
}

fn produce(gather: &Gather, ranges: Vec<Range<usize>>, send: &SyncSender<Result<Batch>>) {
    let (recycle, used) = channel();
    for range in ranges {
        let mut batch = used.try_recv().unwrap_or_else(|_| gather.empty_batch());
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

    pub(super) fn inline(gather: Gather, ranges: Vec<Range<usize>>) -> Self {
        Batches { source: Source::Inline { gather: Box::new(gather), ranges: ranges.into_iter() } }
    }

    /// On `threads` threads, at most `ahead`, which have `ahead` batches ready between them.
    pub(super) fn ahead(gather: Gather, ranges: Vec<Range<usize>>, ahead: usize, threads: usize) -> Self {
        let (gather, left) = (Arc::new(gather), ranges.len());
        let threads = threads.min(left).max(1);
        let start = |worker: usize| {
            let own = ranges.iter().skip(worker).step_by(threads).cloned().collect();
            let ahead = ahead / threads + usize::from(worker < ahead % threads);
            Worker::start(gather.clone(), own, ahead)
        };
        match (0..threads).map(start).collect() {
            Ok(workers) => Batches { source: Source::Ahead { workers, next: 0, left } },
            Err(error) => Batches::failed(Error::Loader { reason: error.to_string() }),
        }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.source {
            Source::Failed(error) => error.take().map(Err),
            Source::Inline { gather, ranges } => {
                let mut batch = gather.empty_batch();
                Some(gather.fill(ranges.next()?, &mut batch).map(|()| batch))
            }
            Source::Ahead { left: 0, .. } => None,
            Source::Ahead { workers, next, left } => {
                let worker = *next % workers.len();
                match workers[worker].ready.as_ref()?.recv() {
                    Ok(batch) => {
                        (*next, *left) = (*next + 1, *left - 1);
                        Some(batch)
                    }
                    Err(_) => {
                        *left = 0;
                        Some(Err(Error::Loader { reason: "it stopped before the epoch's end".to_string() }))
                    }
                }
            }
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
        let Source::Ahead { workers, .. } = &mut self.source else { return };
        for worker in workers.iter_mut() {
            worker.ready.take(); // the thread's next send fails, and it ends
        }
        for worker in workers {
            if let Some(thread) = worker.thread.take() {
                let _ = thread.join(); // a panic there has been reported as the missing batch
            }
        }
    }
}
