//! Whether the loader keeps up: an epoch over images from disk, shuffled and shifted at random, against as many steps
//! on one batch that waits in memory.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Instant;

use barun_data::{BatchFeatures, BatchTargets, Features, Loader, LoaderOptions, MinMax, OpenOptions, Split};
use barun_engine::random::{Stream, combine};
use barun_engine::{Buffer, DType, Device, DeviceOptions, Options};
use barun_nn::layers::Sequential;
use barun_nn::losses::CrossEntropy;
use barun_nn::optimizers::Adam;
use barun_nn::{Batch, InputTransform, Step, StepOptions, models};
use serde::Serialize;

use crate::error::Result;
use crate::measure::{Pace, Tell, median};
use crate::workloads::Training;

/// How far an image is shifted at most, in pixels.
const SHIFT: i64 = 2;

/// Batches that are ready before they are asked for, the one in work included.
const AHEAD: usize = 3;

/// What is trained on.
#[derive(Clone, Debug)]
pub struct LoaderSettings {
    /// A data set of images by its name.
    pub data: String,
    /// Where its files lie; by default `$BARUN_DATA`, else `data`.
    pub data_dir: Option<PathBuf>,
    /// The model by its name.
    pub model: String,
    /// Images in a batch.
    pub batch: usize,
    /// So many training images and no more.
    pub images: Option<usize>,
    /// Threads of the step; the loader has one of its own.
    pub threads: Option<usize>,
}

impl Default for LoaderSettings {
    fn default() -> Self {
        LoaderSettings {
            data: "mnist".to_string(),
            data_dir: None,
            model: "cnn".to_string(),
            batch: 64,
            images: None,
            threads: None,
        }
    }
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoaderReport {
    /// The data set.
    pub data: String,
    /// The model.
    pub model: String,
    /// Threads of the step.
    pub threads: usize,
    /// Images in a batch.
    pub batch: usize,
    /// Steps of the epoch, all of a whole batch.
    pub steps: usize,
    /// Seconds of reading the files.
    pub open_seconds: f64,
    /// Seconds of the epoch: from its start, with the shuffling, to the end of its last step.
    pub epoch_seconds: f64,
    /// Of these, the seconds in which the step waited for the loader.
    pub waiting_seconds: f64,
    /// The mean microseconds of a step on a batch that waits in memory: of rounds before and after the epoch the median.
    pub us_per_step_alone: f64,
    /// The epoch's time over that of its steps alone: 1 where loading costs nothing.
    pub ratio: f64,
    /// Images a second of the epoch.
    pub images_per_second: f64,
    /// Images a second that the loader gives when nothing else computes.
    pub loader_images_per_second: f64,
}

/// Measures an epoch.
pub fn loader(settings: &LoaderSettings, pace: &Pace, tell: &mut Tell<'_>) -> Result<LoaderReport> {
    let device = Device::new(DeviceOptions { threads: settings.threads, ..DeviceOptions::default() })?;
    tell(&format!("reading {}", settings.data))?;
    let start = Instant::now();
    let images = Images::open(settings)?;
    let open_seconds = start.elapsed().as_secs_f64();

    tell("the loader alone")?;
    let start = Instant::now();
    let loaded = images.epoch(0, count)??;
    let loader_seconds = start.elapsed().as_secs_f64();

    tell("warming up")?;
    let step = images.step(&settings.model, &device)?;
    let first = images.epoch(0, |batches, _| batches.next()).transpose();
    let first = first.ok_or(barun_data::Error::NothingToLoad { part: "train" })???;
    let mut training = Training::new(step, first.clone())?;
    training.warm_up(pace)?;
    // Means, like that of the epoch: a median would leave out whatever interrupts a step now and then.
    let steps_alone = |training: &mut Training| -> Result<Vec<f64>> {
        (0..pace.rounds.max(1)).map(|_| training.mean(pace)).collect()
    };
    tell("steps alone")?;
    let mut alone = steps_alone(&mut training)?;
    tell(&format!("an epoch of {loaded} steps"))?;
    let start = Instant::now();
    let waiting_seconds = images.epoch(1, |batches, used| train(&mut training, batches, used))??;
    let epoch_seconds = start.elapsed().as_secs_f64();
    tell("steps alone")?;
    training.feed(first);
    alone.extend(steps_alone(&mut training)?);

    let us_per_step_alone = median(&mut alone);
    let all = (loaded * settings.batch) as f64;
    Ok(LoaderReport {
        data: settings.data.clone(),
        model: settings.model.clone(),
        threads: device.threads(),
        batch: settings.batch,
        steps: loaded,
        open_seconds,
        epoch_seconds,
        waiting_seconds,
        us_per_step_alone,
        ratio: epoch_seconds / (loaded as f64 * us_per_step_alone * 1e-6),
        images_per_second: all / epoch_seconds,
        loader_images_per_second: all / loader_seconds,
    })
}

/// Takes batches and gives them back.
fn count(batches: Batches<'_>, used: &Sender<Batch>) -> Result<usize> {
    let mut count = 0;
    for batch in batches {
        give_back(batch?, used);
        count += 1;
    }
    Ok(count)
}

/// A step on each batch; the seconds in which there was none.
fn train(training: &mut Training, batches: Batches<'_>, used: &Sender<Batch>) -> Result<f64> {
    let (mut waiting, mut since) = (0.0, Instant::now());
    for batch in batches {
        waiting += since.elapsed().as_secs_f64();
        give_back(training.feed(batch?), used);
        training.step()?;
        since = Instant::now();
    }
    Ok(waiting)
}

/// For the loader to fill again, if it is still at work.
fn give_back(batch: Batch, used: &Sender<Batch>) {
    let _ = used.send(batch);
}

type Batches<'a> = &'a mut dyn Iterator<Item = Result<Batch>>;

/// The training images of a data set, in shuffled batches.
struct Images {
    loader: Loader,
    /// Height, width and channels.
    shape: [usize; 3],
    classes: usize,
}

impl Images {
    fn open(settings: &LoaderSettings) -> Result<Images> {
        let options = OpenOptions { data_dir: settings.data_dir.clone(), ..OpenOptions::default() };
        let dataset = options.open(&settings.data)?;
        let (Features::Images { shape, .. }, Some(classes)) =
            (dataset.features(), dataset.targets().classes())
        else {
            let problem = format!("{} is no set of images with classes; `mnist` is one", settings.data);
            return Err(barun_nn::Error::Model(problem).into());
        };
        let (shape, classes) = (*shape, classes.len());
        let prepared = dataset.split(Split::random(1.0, 0.0, 0.0))?.fit(MinMax::default())?;
        let part = match settings.images {
            Some(images) => prepared.train().first(images),
            None => prepared.train(),
        };
        // Gathered on the thread that asks, which is the one of `epoch`.
        let options = LoaderOptions {
            batch: settings.batch,
            last: barun_data::LastBatch::Drop,
            ahead: 0,
            ..LoaderOptions::default()
        };
        Ok(Images { loader: part.loader(options)?, shape, classes })
    }

    fn step(&self, model: &str, device: &Device) -> Result<Step<Sequential>> {
        let model = models::by_name(model)?.build(&self.shape.into(), self.classes)?;
        let engine = Options { device: Some(device.clone()), ..Options::default() };
        let options =
            StepOptions { engine, input: Some(InputTransform::unit_range()), ..StepOptions::default() };
        Ok(Step::with(model, &Adam::default(), &CrossEntropy::default(), options)?)
    }

    /// Gives the batches of an epoch to `take`, gathered and shifted ahead on a thread of their own, which fills those
    /// that are given back.
    fn epoch<T>(&self, epoch: u64, take: impl FnOnce(Batches<'_>, &Sender<Batch>) -> T) -> Result<T> {
        // One batch is in the thread's hands, the others wait in the channel.
        let (send, ready) = sync_channel(AHEAD - 1);
        let (give_back, used) = channel();
        std::thread::scope(|scope| {
            scope.spawn(move || self.produce(epoch, &used, &send));
            // What is left of the batches is dropped here, which ends the thread.
            Ok(take(&mut ready.into_iter(), &give_back))
        })
    }

    fn produce(&self, epoch: u64, used: &Receiver<Batch>, send: &SyncSender<Result<Batch>>) {
        for batch in self.loader.epoch(epoch) {
            let shifted = batch.map_err(Into::into).map(|batch| self.shifted(epoch, &batch, used));
            if send.send(shifted).is_err() {
                return;
            }
        }
    }

    fn shifted(&self, epoch: u64, batch: &barun_data::Batch, used: &Receiver<Batch>) -> Batch {
        let (BatchFeatures::Images(pixels), BatchTargets::Classes(labels)) =
            (&batch.features, &batch.targets)
        else {
            // `open` admits images with classes alone; for anything else the step says that its batch is empty.
            return Batch { x: Buffer::new::<u8>(&[], [0]), y: Buffer::new::<i64>(&[], [0]) };
        };
        let fresh = || Batch {
            x: Buffer::zeros(batch.shape(), DType::U8),
            y: Buffer::zeros([batch.len()], DType::I64),
        };
        let mut shifted = used.try_recv().unwrap_or_else(|_| fresh());
        let bytes = self.shape.iter().product();
        if let (Ok(moved), Ok(classes)) = (shifted.x.as_mut_slice::<u8>(), shifted.y.as_mut_slice::<i64>()) {
            classes.copy_from_slice(labels);
            let images = pixels.chunks_exact(bytes).zip(moved.chunks_exact_mut(bytes));
            for ((image, moved), &index) in images.zip(&batch.indices) {
                let mut stream = Stream::new(combine(epoch, index as u64), "bench.shift");
                let [down, right] = [(); 2].map(|()| stream.below(2 * SHIFT as u64 + 1) as i64 - SHIFT);
                moved.fill(0);
                shift(image, moved, self.shape, down, right);
            }
        }
        shifted
    }
}

/// Copies an image `down` and `right` by so many pixels into `moved`, which is zero.
fn shift(image: &[u8], moved: &mut [u8], [height, width, channels]: [usize; 3], down: i64, right: i64) {
    let columns = inside(width, right);
    if columns.is_empty() {
        return;
    }
    let bytes = |column: i64| column as usize * channels;
    for row in inside(height, down) {
        let from = &image[(row - down) as usize * width * channels..];
        let to = &mut moved[row as usize * width * channels..];
        let (first, end) = (*columns.start(), columns.end() + 1);
        to[bytes(first)..bytes(end)].copy_from_slice(&from[bytes(first - right)..bytes(end - right)]);
    }
}

/// The places on an axis that something lands on when it moves by so much.
fn inside(size: usize, by: i64) -> RangeInclusive<i64> {
    let size = size as i64;
    by.max(0)..=(size + by).min(size) - 1
}

#[cfg(test)]
mod tests {
    use super::shift;

    #[test]
    fn a_shifted_image_loses_what_leaves_it_and_is_zero_where_nothing_comes() {
        let image = [1, 2, 3, 4, 5, 6];
        let moved = |down, right| {
            let mut moved = [0; 6];
            shift(&image, &mut moved, [2, 3, 1], down, right);
            moved
        };
        assert_eq!(moved(0, 0), image);
        assert_eq!(moved(1, 0), [0, 0, 0, 1, 2, 3]);
        assert_eq!(moved(-1, 1), [0, 4, 5, 0, 0, 0]);
        assert_eq!(moved(0, -2), [3, 0, 0, 6, 0, 0]);
        assert_eq!(moved(2, 0), [0; 6]);
        assert_eq!(moved(0, 3), [0; 6]);
    }

    #[test]
    fn channels_stay_together() {
        let mut moved = [0; 6];
        shift(&[1, 2, 3, 4, 5, 6], &mut moved, [1, 3, 2], 0, 1);
        assert_eq!(moved, [0, 0, 1, 2, 3, 4]);
    }
}
