//! Whether the loader keeps up: an epoch over images from disk, shuffled and shifted at random, against as many steps
//! on one batch that waits in memory.

use std::path::PathBuf;
use std::time::Instant;

use barun_data::{
    Augment, BatchFeatures, BatchTargets, Batches, Loader, LoaderOptions, MinMax, OpenOptions, Split,
};
use barun_engine::{Buffer, Device, DeviceOptions, Options};
use barun_nn::layers::Sequential;
use barun_nn::losses::CrossEntropy;
use barun_nn::optimizers::Adam;
use barun_nn::{Batch, InputTransform, Step, StepOptions, models};
use serde::Serialize;

use crate::error::Result;
use crate::measure::{Pace, Tell, median};
use crate::workloads::Training;

/// How far an image is shifted at most, as a share of its side: 2 of 28 pixels.
const SHIFT: f64 = 2.0 / 28.0;

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
    let loaded = count(images.loader.epoch(0))?;
    let loader_seconds = start.elapsed().as_secs_f64();

    tell("warming up")?;
    let step = images.step(&settings.model, &device)?;
    let first = images.loader.epoch(0).next().ok_or(barun_data::Error::NothingToLoad { part: "train" })??;
    let first = for_step(&first, None);
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
    let waiting_seconds = train(&mut training, images.loader.epoch(1))?;
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

/// Takes every batch as a step would.
fn count(batches: Batches) -> Result<usize> {
    let (mut count, mut used) = (0, None);
    for batch in batches {
        used = Some(for_step(&batch?, used));
        count += 1;
    }
    Ok(count)
}

/// A step on each batch; the seconds in which there was none.
fn train(training: &mut Training, batches: Batches) -> Result<f64> {
    let (mut waiting, mut since, mut used) = (0.0, Instant::now(), None);
    for batch in batches {
        let batch = for_step(&batch?, used);
        waiting += since.elapsed().as_secs_f64();
        used = Some(training.feed(batch));
        training.step()?;
        since = Instant::now();
    }
    Ok(waiting)
}

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
        let (Some(shape), Some(classes)) = (dataset.features().image_shape(), dataset.targets().classes())
        else {
            let problem = format!("{} is no set of images with classes; `mnist` is one", settings.data);
            return Err(barun_nn::Error::Model(problem).into());
        };
        let classes = classes.len();
        let prepared = dataset.split(Split::random(1.0, 0.0, 0.0))?.fit(MinMax::default())?;
        let part = match settings.images {
            Some(images) => prepared.train().first(images),
            None => prepared.train(),
        };
        let options = LoaderOptions {
            batch: settings.batch,
            last: barun_data::LastBatch::Drop,
            augment: Augment { shift: SHIFT, ..Augment::NONE },
            ahead: AHEAD,
            threads: Some(1),
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
}

/// The batch as the step takes it, in the memory of one that is `used` if that has its shape.
fn for_step(batch: &barun_data::Batch, used: Option<Batch>) -> Batch {
    let (BatchFeatures::Images(pixels), BatchTargets::Classes(labels)) = (&batch.features, &batch.targets)
    else {
        // `open` admits images with classes alone; for anything else the step says that its batch is empty.
        return Batch { x: Buffer::new::<u8>(&[], [0]), y: Buffer::new::<i64>(&[], [0]) };
    };
    if let Some(mut used) = used
        && **used.x.shape() == *batch.shape()
        && let (Ok(x), Ok(y)) = (used.x.as_mut_slice::<u8>(), used.y.as_mut_slice::<i64>())
    {
        x.copy_from_slice(pixels);
        y.copy_from_slice(labels);
        return used;
    }
    Batch { x: Buffer::new(pixels, batch.shape()), y: Buffer::new(labels, [batch.len()]) }
}
