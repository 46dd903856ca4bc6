//! The trainer: epochs of compiled steps over prepared data, with everything that belongs around them.
//!
//! ```
//! use barun_data::{Dataset, Split, Standardize};
//! use barun_nn::{layers::*, losses::CrossEntropy, optimizers::AdamW, schedules::CosineAnnealing, sequential};
//! use barun_train::Trainer;
//!
//! let data = Dataset::open("moons")?.split(Split::stratified(0.8, 0.1, 0.1).seed(7))?.fit(Standardize::per_feature())?;
//! let model = sequential![Linear::new(2, 16), Relu::default(), Linear::new(16, 2)];
//! let trained = Trainer::new(model, CrossEntropy::default())
//!     .optimizer(AdamW { lr: 1e-2, ..AdamW::default() })
//!     .schedule(CosineAnnealing::over_run())
//!     .epochs(5)
//!     .batch_size(32)
//!     .seed(1)
//!     .fit(&data)?;
//! println!("valid {:?} | test {:?}", trained.valid(), trained.test(&data)?);
//! # Ok::<(), barun_train::Error>(())
//! ```
//!
//! **The best epoch** is that with the highest accuracy on the validation part, of equals that with the lower loss, of
//! equals the earlier; for numbers that with the lowest loss; [`best_by`](Trainer::best_by) chooses another figure. Its
//! weights are what training gives. Without a validation part there is nothing to choose by, and the last epoch's weights
//! are kept.

mod course;
mod mend;
mod seeds;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use barun_data::{Augment, Part, PreparedData, Targets};
use barun_engine::{DType, Device};
use barun_nn::hyper::{Hyper, Value};
use barun_nn::losses::Loss;
use barun_nn::optimizers::{Adam, AnyOptimizer, ToAny};
use barun_nn::regularization::Penalty;
use barun_nn::schedules::{Constant, Schedule};
use barun_nn::{Forward, Module, StepOptions};

pub use seeds::{SeededTrained, SeededTrainer};

use crate::callback::Callback;
use crate::changes::Changes;
use crate::error::{Error, Result};
use crate::keeper::{Opened, RunPlan};
use crate::memory::{Limit, RunMemory};
use crate::metrics::Metrics;
use crate::objective::Objective;
use crate::predictor::Predictor;
use crate::preparation::Preparation;
use crate::recipe::BestBy;
use crate::report::TrainReport;
use crate::restore::Point;
use crate::setup::Setup;
use crate::watching::Cost;
use course::{Clock, Course, Names};
use mend::step_under;

/// A training: what to train and how. See the [module](self).
pub struct Trainer<M> {
    model: M,
    loss: Box<dyn Loss>,
    optimizer: AnyOptimizer,
    seed: u64,
    augment: Augment,
    options: StepOptions,
    device: Option<Device>,
    memory_limit: Option<Limit>,
    callbacks: Vec<Box<dyn Callback>>,
    plan: Option<RunPlan>,
    settings: Settings,
}

/// What the runs of all seeds have in common.
struct Settings {
    schedule: Box<dyn Schedule>,
    epochs: usize,
    batch_size: usize,
    name: String,
    best_by: BestBy,
    exact_statistics: bool,
    max_time: Option<Duration>,
    stop: Arc<AtomicBool>,
}

impl<M: Module + Forward> Trainer<M> {
    /// Trains `model` to make `loss` small: by Adam at a constant rate, 10 epochs of batches of 128, seed 0, in f32.
    pub fn new(model: M, loss: impl Loss + 'static) -> Trainer<M> {
        Trainer {
            model,
            loss: Box::new(loss),
            optimizer: Adam::default().into(),
            seed: 0,
            augment: Augment::NONE,
            options: StepOptions::default(),
            device: None,
            memory_limit: None,
            callbacks: Vec::new(),
            plan: None,
            settings: Settings {
                schedule: Box::new(Constant::default()),
                epochs: 10,
                batch_size: 128,
                name: "model".to_string(),
                best_by: BestBy::Auto,
                exact_statistics: false,
                max_time: None,
                stop: Arc::default(),
            },
        }
    }

    /// How a gradient becomes a step.
    pub fn optimizer(self, optimizer: impl ToAny) -> Self {
        Trainer { optimizer: optimizer.to_any(), ..self }
    }

    /// How the learning rate changes over the run, step by step.
    pub fn schedule(mut self, schedule: impl Schedule + 'static) -> Self {
        self.settings.schedule = Box::new(schedule);
        self
    }

    /// How many times each training row is seen.
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.settings.epochs = epochs;
        self
    }

    /// How many rows one step learns from. An epoch's last batch has the rows that are left; under batch normalisation a
    /// single one joins the batch before.
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.settings.batch_size = batch_size;
        self
    }

    /// How training images are varied each time they are met; what is measured is never varied. [DATA-14]
    pub fn augment(self, augment: Augment) -> Self {
        Trainer { augment, ..self }
    }

    /// The seed of everything random: first weights, shuffles, augmentation, dropout.
    pub fn seed(self, seed: u64) -> Self {
        Trainer { seed, ..self }
    }

    /// The type of the weights and of all arithmetic, f32 or f64; with bf16 that is f32, and what layers take is bf16.
    pub fn precision(self, precision: DType) -> Self {
        Trainer { options: StepOptions { precision, ..self.options }, ..self }
    }

    /// How a step is compiled: precision, clipping, accumulation, averages, penalties, groups. Input, metrics and device are
    /// the trainer's to set. Where weights are averaged, it is the average that is validated and kept.
    pub fn options(self, options: StepOptions) -> Self {
        Trainer { options, ..self }
    }

    /// Where to compute; not given: on [`Device::shared`].
    pub fn device(self, device: Device) -> Self {
        Trainer { device: Some(device), ..self }
    }

    /// What the model is called where progress is shown.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Who follows the run.
    pub fn with(mut self, callback: impl Callback + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// By which figure on the validation part the best epoch is chosen; see the [module](self).
    pub fn best_by(mut self, best_by: BestBy) -> Self {
        self.settings.best_by = best_by;
        self
    }

    /// Whether the weights that are validated and kept have the exact statistics of the training part in their batch
    /// normalisations instead of running ones; see [`Step::finalize`]. Training itself goes on with the running ones. It
    /// takes a pass over the training part for each normalisation after each epoch. [NORM-12]
    pub fn exact_statistics(mut self, exact: bool) -> Self {
        self.settings.exact_statistics = exact;
        self
    }

    /// Ends the run when this much time has gone into it, also in the middle of an epoch.
    pub fn max_time(mut self, most: Duration) -> Self {
        self.settings.max_time = Some(most);
        self
    }

    /// Ends the run after the step in which `stop` becomes true, its state saved.
    pub fn stop_when(mut self, stop: Arc<AtomicBool>) -> Self {
        self.settings.stop = stop;
        self
    }

    /// What the training may take; not given: there is no limit. More is refused before the first step.
    pub fn memory_limit(self, limit: Limit) -> Self {
        Trainer { memory_limit: Some(limit), ..self }
    }

    /// Keeps the run in a folder.
    pub(crate) fn keep(self, plan: RunPlan) -> Self {
        Trainer { plan: Some(plan), ..self }
    }

    /// Trains on the training part, chooses by the validation part, and does not look at the test part.
    ///
    /// # Errors
    /// A loss that does not suit the target, a batch size that does not suit the data, a model that does not take its
    /// shapes, more memory than allowed, a loss that leaves the finite numbers, a callback's error.
    pub fn fit(mut self, data: &PreparedData) -> Result<Trained<M>> {
        let mut callbacks = std::mem::take(&mut self.callbacks);
        self.fit_with(data, &mut callbacks)
    }

    /// Trains once with each of `seeds`, so that the figures come with their spread.
    pub fn seeds(self, seeds: impl IntoIterator<Item = u64>) -> SeededTrainer<M> {
        SeededTrainer::new(self, seeds.into_iter().collect())
    }

    /// Without all that keeps a network from learning its rows by heart: dropout and noise, decay and penalties, smoothed
    /// labels, averages, variants of images.
    pub(crate) fn without_regularisation(mut self) -> Result<Self> {
        turn_off(&mut self.optimizer, "weight_decay")?;
        turn_off(&mut self.loss, "label_smoothing")?;
        let options = StepOptions {
            penalty: Penalty::default(),
            weight_noise: 0.0,
            noise: false,
            accumulate: 1,
            average: None,
            ..self.options
        };
        Ok(Trainer { options, augment: Augment::NONE, ..self })
    }

    /// What training on `data` will take, byte by byte. Trains nothing. [DEV-11]
    ///
    /// # Errors
    /// As [`fit`](Trainer::fit), before the first step.
    pub fn memory(self, data: &PreparedData) -> Result<RunMemory> {
        let batch_size = self.settings.batch_size;
        self.set_up(data)?.memory(batch_size)
    }

    /// What stands before the first step.
    pub(crate) fn set_up(self, data: &PreparedData) -> Result<Setup<'_, M>> {
        let Trainer { model, loss, optimizer, options, device, seed, augment, .. } = self;
        Ok(Setup::new(model, &loss, &optimizer, options, device, data, seed)?.augment(augment))
    }

    /// As [`fit`](Trainer::fit), followed by `callback` alone.
    pub(crate) fn fit_with(self, data: &PreparedData, callback: &mut dyn Callback) -> Result<Trained<M>> {
        let (setup, settings, plan) = self.ready(data, callback.watches(1))?;
        settings.run(&setup, plan, callback)
    }

    /// A training that may begin: all that can be refused has been.
    fn ready(
        self,
        data: &PreparedData,
        is_watched: bool,
    ) -> Result<(Setup<'_, M>, Settings, Option<RunPlan>)> {
        let Trainer { model, loss, optimizer, options, device, seed, augment, .. } = self;
        let Trainer { memory_limit, settings, plan, .. } = self;
        let setup = Setup::new(model, &loss, &optimizer, options, device, data, seed)?;
        let setup = setup.augment(augment).watched(is_watched);
        if let Objective::Numbers { .. } = setup.objective {
            check_target(&data.train(), &setup.preparation)?;
        }
        settings.best_by.check(setup.objective)?;
        // Every shape is compiled now: a mistake shows before anything is written.
        let memory = setup.memory(settings.batch_size)?;
        if let Some(limit) = memory_limit {
            setup.check(memory, limit)?;
        }
        Ok((setup, settings, plan))
    }
}

impl Settings {
    /// Trains from the setup's seed, or goes on where the plan says.
    fn run<M: Module + Forward>(
        &self,
        setup: &Setup<'_, M>,
        plan: Option<RunPlan>,
        callback: &mut dyn Callback,
    ) -> Result<Trained<M>> {
        let Setup { step, preparation, objective, data, seed, .. } = setup;
        let layout_of = |changes: &Changes| Ok(Arc::clone(step_under(step, changes)?.layout()));
        let opened = plan.map(|plan| plan.open(preparation, &layout_of)).transpose()?;
        let Opened { keeper, point } = opened.unwrap_or_default();
        let Point { position, state, changes, earlier, best, seconds, resumed } = point;
        let course = Course {
            base: Arc::clone(step),
            step: step_under(step, &changes)?,
            changes,
            earlier,
            objective: *objective,
            loader: setup.loader(self.batch_size)?,
            valid: data.valid(),
            batch_size: self.batch_size,
            schedule: &*self.schedule,
            epochs: self.epochs,
            best_by: self.best_by,
            exact_statistics: self.exact_statistics,
            max_seconds: self.max_time.map(|most| most.as_secs_f64()),
            stop: Arc::clone(&self.stop),
            keeper,
            callback,
            state: state.map_or_else(|| step.init(*seed), Ok)?,
            position,
            best,
            clock: Clock::from(seconds),
            cost: Cost::default(),
            epoch_began: (0.0, 0),
        };
        let notes = data.notes();
        let (target, classes) = (&preparation.target, preparation.classes.as_ref().map(Vec::len));
        let data = data.dataset().name();
        let names = Names { model: &self.name, data, target, classes, notes: &notes };
        let (kept, report) = course.go(names, *seed, resumed.as_ref())?;
        let predictor = Predictor {
            step: kept.step,
            changes: kept.changes,
            state: kept.state,
            preparation: preparation.clone(),
            objective: *objective,
            batch_size: self.batch_size,
        };
        Ok(Trained { predictor, report, test_uses: AtomicUsize::new(0) })
    }
}

/// A trained model: the weights of the best epoch.
pub struct Trained<M> {
    predictor: Predictor<M>,
    report: TrainReport,
    test_uses: AtomicUsize,
}

impl<M> std::ops::Deref for Trained<M> {
    type Target = Predictor<M>;

    fn deref(&self) -> &Predictor<M> {
        &self.predictor
    }
}

impl<M: Module + Forward> Trained<M> {
    /// How the run went.
    pub fn report(&self) -> &TrainReport {
        &self.report
    }

    /// The figures on the training part, as a new row would be met: without dropout.
    pub fn train(&self) -> Metrics {
        self.report.train
    }

    /// The figures on the validation part; none where there is no such part.
    pub fn valid(&self) -> Option<Metrics> {
        self.report.valid
    }

    /// The figures on the test part: for the end, once. Each further look makes the figure say less; they are counted by
    /// [`test_uses`](Trained::test_uses). [EVAL-03]
    ///
    /// # Errors
    /// When the split left no test part.
    pub fn test(&self, data: &PreparedData) -> Result<Metrics> {
        let part = data.test();
        if part.is_empty() {
            return Err(barun_data::Error::NothingToLoad { part: part.name() }.into());
        }
        self.test_uses.fetch_add(1, Ordering::Relaxed);
        let dataset = data.dataset();
        self.measure_prepared(dataset.features(), dataset.targets(), part.indices())
    }

    /// How often the test part has been looked at.
    pub fn test_uses(&self) -> usize {
        self.test_uses.load(Ordering::Relaxed)
    }

    /// The network with its weights.
    pub fn into_predictor(self) -> Predictor<M> {
        self.predictor
    }
}

/// Sets a setting to 0 where it is there.
fn turn_off(thing: &mut impl Hyper, setting: &str) -> Result<()> {
    match thing.settings().iter().any(|known| known.name == setting) {
        true => Ok(thing.set(setting, &Value::Number(0.0))?),
        false => Ok(()),
    }
}

/// A number that never changes cannot be learned, nor can its errors be scaled.
fn check_target(train: &Part, preparation: &Preparation) -> Result<()> {
    let Targets::Values { name, values } = train.dataset().targets() else { return Ok(()) };
    let mut training = train.indices().iter().map(|&index| values[index]);
    let first = training.next().unwrap_or(0.0);
    match train.len() > 1 && training.all(|value| value == first) {
        true => {
            let (unit, offset) = preparation.unit_and_offset();
            Err(Error::ConstantTarget { target: name.clone(), value: f64::from(first) * unit + offset })
        }
        false => Ok(()),
    }
}
