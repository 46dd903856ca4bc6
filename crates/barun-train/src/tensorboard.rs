//! TensorBoard's event files of a run, written as it goes: `tensorboard --logdir runs`.
//!
//! | folder | what |
//! |---|---|
//! | `tensorboard/` | the recipe as text and as hyper-parameters, the learning rate, the weights' histograms |
//! | `tensorboard/train/` | the figures on the training part, the loss of batches |
//! | `tensorboard/valid/` | the figures on the validation part |
//!
//! Figures have the same names in both parts, so that TensorBoard draws them into one chart.

use std::path::Path;
use std::time::{Duration, Instant};

use barun_view::Histogram;
use barun_view::tensorboard::{EventFile, HyperParameter};

use crate::callback::{Batch, Callback, EpochEnd, Flow, Start, Weights};
use crate::error::Result;
use crate::files::io_error;
use crate::log::EpochRecord;
use crate::metrics::{Mean, Metrics};
use crate::recipe::{Recipe, values};
use crate::report::TrainReport;
use crate::run::events_of;

/// About so many losses of batches are written over a run.
const LOSSES: usize = 1000;
/// Histograms take at most one part in so many of the time.
const SHARE: u32 = 20;

/// Writes the event files of a run that is kept in a folder.
pub(crate) struct TensorBoard {
    recipe: Recipe,
    /// Whether anything is to be written.
    is_wanted: bool,
    files: Option<Files>,
    /// A loss is written for so many steps.
    stride: usize,
    losses: Mean,
    steps: usize,
    /// When the histograms were last written, and how long that took.
    looked: Option<(Instant, Duration)>,
}

struct Files {
    run: EventFile,
    train: EventFile,
    valid: Option<EventFile>,
}

impl TensorBoard {
    pub fn new(recipe: &Recipe, is_wanted: bool) -> TensorBoard {
        TensorBoard {
            recipe: recipe.clone(),
            is_wanted,
            files: None,
            stride: 1,
            losses: Mean::default(),
            steps: 0,
            looked: None,
        }
    }

    fn begin(&self, run: &Path, event: &Start<'_>, steps: usize) -> std::io::Result<Files> {
        let [all, train, valid] = events_of(run);
        let begin = |folder: &Path| EventFile::create(folder, steps as u64);
        let valid = (event.valid_rows > 0).then(|| begin(&valid)).transpose()?;
        let mut files = Files { run: begin(&all)?, train: begin(&train)?, valid };
        if steps == 0 {
            files.run.text(0, "recipe", &format!("```toml\n{}```\n", self.recipe.to_toml()))?;
            files.run.hyper_parameters(&hyper_parameters(&self.recipe))?;
            files.run.flush()?;
        }
        Ok(files)
    }
}

impl Callback for TensorBoard {
    fn on_start(&mut self, event: &Start<'_>) -> Result<()> {
        self.stride = (event.epochs * event.steps_per_epoch).div_ceil(LOSSES).max(1);
        let done = event.resumed.map_or((0, 0), |resumed| (resumed.epochs, resumed.batches));
        self.steps = done.0 * event.steps_per_epoch + done.1;
        self.files = match event.run.filter(|_| self.is_wanted) {
            Some(run) => Some(self.begin(run, event, self.steps).map_err(|error| failed(run, error))?),
            None => None,
        };
        Ok(())
    }

    fn on_batch(&mut self, event: &Batch) -> Result<Flow> {
        let Some(files) = &mut self.files else { return Ok(Flow::Continue) };
        self.steps += 1;
        self.losses.add(event.batch_loss, 1);
        if self.losses.rows() >= self.stride {
            let loss = std::mem::take(&mut self.losses).value();
            let written = files.train.scalar(self.steps as u64, "loss_of_batches", loss);
            written.map_err(|error| failed(files.train.path(), error))?;
        }
        Ok(Flow::Continue)
    }

    fn on_epoch_end(&mut self, event: &EpochEnd<'_>) -> Result<Flow> {
        if let Some(files) = &mut self.files {
            files.add(event.record).map_err(|error| failed(files.run.path(), error))?;
        }
        Ok(Flow::Continue)
    }

    fn on_weights(&mut self, event: &Weights<'_>) -> Result<()> {
        let Some(files) = &mut self.files else { return Ok(()) };
        if self.looked.is_some_and(|(when, took)| when.elapsed() < SHARE * took) {
            return Ok(());
        }
        let begin = Instant::now();
        files.look(event).map_err(|error| failed(files.run.path(), error))?;
        self.looked = Some((Instant::now(), begin.elapsed()));
        Ok(())
    }

    fn on_end(&mut self, _: &TrainReport) -> Result<()> {
        self.files = None;
        Ok(())
    }
}

impl Files {
    fn add(&mut self, record: &EpochRecord) -> std::io::Result<()> {
        let step = record.step as u64;
        self.run.scalar(step, "learning_rate", record.lr)?;
        self.run.scalar(step, "samples_per_second", record.samples_per_second)?;
        self.run.flush()?;
        add(&mut self.train, step, &record.train)?;
        match (&mut self.valid, &record.valid) {
            (Some(file), Some(valid)) => add(file, step, valid),
            _ => Ok(()),
        }
    }

    fn look(&mut self, event: &Weights<'_>) -> std::io::Result<()> {
        for entry in &event.inventory.parameters {
            let Ok(values) = event.state.get(&entry.path) else { continue };
            let histogram = Histogram::of(values.to_f64().iter().copied());
            self.run.histogram(event.step as u64, &entry.path, &histogram)?;
        }
        self.run.flush()
    }
}

fn add(file: &mut EventFile, step: u64, metrics: &Metrics) -> std::io::Result<()> {
    metrics.named().try_for_each(|(name, figure)| file.scalar(step, name, figure))?;
    file.flush()
}

fn failed(path: &Path, error: std::io::Error) -> crate::Error {
    io_error("write", path, error)
}

/// Every key of the recipe with its value.
fn hyper_parameters(recipe: &Recipe) -> Vec<(String, HyperParameter)> {
    let parameter = |text: String| match (text.parse::<f64>(), text.parse::<bool>()) {
        (Ok(number), _) => HyperParameter::Number(number),
        (_, Ok(flag)) => HyperParameter::Flag(flag),
        _ => HyperParameter::Text(text),
    };
    values(recipe).into_iter().map(|(path, text)| (path, parameter(text))).collect()
}
