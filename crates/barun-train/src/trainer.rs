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
//! equals the earlier; for numbers that with the lowest loss. Its weights are what training gives. Without a validation
//! part there is nothing to choose by, and the last epoch's weights are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use barun_data::{Loader, Part, PreparedData, Targets};
use barun_engine::{DType, Device, State};
use barun_nn::losses::Loss;
use barun_nn::optimizers::{Adam, AnyOptimizer, ToAny};
use barun_nn::schedules::{Constant, Schedule};
use barun_nn::{Forward, Module, Step};

use crate::callback::{Batch, Callback, EpochEnd, Flow, Start};
use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::keeper::{Keeper, Progress, RunPlan};
use crate::log::EpochRecord;
use crate::memory::{Limit, RunMemory};
use crate::metrics::Metrics;
use crate::objective::{Objective, Tally};
use crate::predictor::{Predictor, measure};
use crate::preparation::Preparation;
use crate::report::TrainReport;
use crate::run::Which;
use crate::setup::Setup;

/// So many steps in a row that are not finite, and the run is over: their state is the one before, so a batch that is to
/// blame is left behind, while weights that are to blame stay.
const MOST_BAD_STEPS: usize = 5;

/// A training: what to train and how. See the [module](self).
pub struct Trainer<M> {
    model: M,
    loss: Box<dyn Loss>,
    optimizer: AnyOptimizer,
    schedule: Box<dyn Schedule>,
    epochs: usize,
    batch_size: usize,
    seed: u64,
    precision: DType,
    device: Option<Device>,
    name: String,
    stop: Arc<AtomicBool>,
    memory_limit: Option<Limit>,
    callbacks: Vec<Box<dyn Callback>>,
    plan: Option<RunPlan>,
}

impl<M: Module + Forward> Trainer<M> {
    /// Trains `model` to make `loss` small: by Adam at a constant rate, 10 epochs of batches of 128, seed 0, in f32.
    pub fn new(model: M, loss: impl Loss + 'static) -> Trainer<M> {
        Trainer {
            model,
            loss: Box::new(loss),
            optimizer: Adam::default().into(),
            schedule: Box::new(Constant::default()),
            epochs: 10,
            batch_size: 128,
            seed: 0,
            precision: DType::F32,
            device: None,
            name: "model".to_string(),
            stop: Arc::default(),
            memory_limit: None,
            callbacks: Vec::new(),
            plan: None,
        }
    }

    /// How a gradient becomes a step.
    pub fn optimizer(self, optimizer: impl ToAny) -> Self {
        Trainer { optimizer: optimizer.to_any(), ..self }
    }

    /// How the learning rate changes over the run, step by step.
    pub fn schedule(self, schedule: impl Schedule + 'static) -> Self {
        Trainer { schedule: Box::new(schedule), ..self }
    }

    /// How many times each training row is seen.
    pub fn epochs(self, epochs: usize) -> Self {
        Trainer { epochs, ..self }
    }

    /// How many rows one step learns from. An epoch's last batch has the rows that are left; under batch normalisation a
    /// single one joins the batch before.
    pub fn batch_size(self, batch_size: usize) -> Self {
        Trainer { batch_size, ..self }
    }

    /// The seed of everything random: first weights, shuffles, dropout.
    pub fn seed(self, seed: u64) -> Self {
        Trainer { seed, ..self }
    }

    /// The type of the weights and of all arithmetic, f32 or f64; with bf16 that is f32, and what layers take is bf16.
    pub fn precision(self, precision: DType) -> Self {
        Trainer { precision, ..self }
    }

    /// Where to compute; not given: on [`Device::shared`].
    pub fn device(self, device: Device) -> Self {
        Trainer { device: Some(device), ..self }
    }

    /// What the model is called where progress is shown.
    pub fn name(self, name: impl Into<String>) -> Self {
        Trainer { name: name.into(), ..self }
    }

    /// Who follows the run.
    pub fn with(mut self, callback: impl Callback + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Ends the run after the step in which `stop` becomes true, its state saved.
    pub fn stop_when(self, stop: Arc<AtomicBool>) -> Self {
        Trainer { stop, ..self }
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

    /// What training on `data` will take, byte by byte. Trains nothing. [DEV-11]
    ///
    /// # Errors
    /// As [`fit`](Trainer::fit), before the first step.
    pub fn memory(self, data: &PreparedData) -> Result<RunMemory> {
        let batch_size = self.batch_size;
        self.set_up(data)?.memory(batch_size)
    }

    /// What stands before the first step.
    pub(crate) fn set_up(self, data: &PreparedData) -> Result<Setup<'_, M>> {
        let Trainer { model, loss, optimizer, precision, device, seed, .. } = self;
        Setup::new(model, &loss, &optimizer, precision, device, data, seed)
    }

    /// As [`fit`](Trainer::fit), followed by `callback` alone.
    pub(crate) fn fit_with(self, data: &PreparedData, callback: &mut dyn Callback) -> Result<Trained<M>> {
        let targets = data.dataset().targets();
        let setup = Setup::new(
            self.model,
            &self.loss,
            &self.optimizer,
            self.precision,
            self.device,
            data,
            self.seed,
        )?;
        check_target(&data.train(), &setup.preparation)?;
        // Every shape is compiled now: a mistake shows before anything is written.
        let memory = setup.memory(self.batch_size)?;
        if let Some(limit) = self.memory_limit {
            setup.check(memory, limit)?;
        }
        let loader = setup.loader(self.batch_size)?;
        let Setup { step, preparation, objective, .. } = setup;
        let state = step.init(self.seed)?;
        let keeper = self.plan.map(|plan| plan.open(&preparation)).transpose()?;
        let run = Run {
            step: &step,
            objective,
            loader,
            valid: data.valid(),
            batch_size: self.batch_size,
            schedule: self.schedule,
            epochs: self.epochs,
            stop: self.stop,
            state,
            keeper,
            callback,
            best: None,
            records: Vec::new(),
            samples: 0,
            begin: Instant::now(),
            notes: data.notes(),
        };
        let names = (self.name.as_str(), data.dataset().name());
        let (state, report) = run.go(names, targets, self.seed)?;
        let predictor = Predictor { step, state, preparation, objective, batch_size: self.batch_size };
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

/// The state of the best epoch so far.
struct Best {
    state: State,
    epoch: usize,
    valid: Metrics,
    is_written: bool,
}

/// Why an epoch ended.
#[derive(Debug, PartialEq)]
enum Ended {
    AllBatches,
    Stopped(String),
    Interrupted { batches: usize },
}

/// A training on its way.
struct Run<'a, M> {
    step: &'a Step<M>,
    objective: Objective,
    loader: Loader,
    valid: Part,
    batch_size: usize,
    schedule: Box<dyn Schedule>,
    epochs: usize,
    stop: Arc<AtomicBool>,
    state: State,
    keeper: Option<Keeper>,
    callback: &'a mut dyn Callback,
    best: Option<Best>,
    records: Vec<EpochRecord>,
    samples: usize,
    begin: Instant,
    /// What was decided about the data.
    notes: Vec<String>,
}

/// The sums of an epoch on its way.
struct EpochSums {
    tally: Tally,
    skipped: usize,
    lr: f64,
}

impl<M: Module + Forward> Run<'_, M> {
    /// All epochs; then the weights to keep, and the report.
    fn go(
        mut self,
        (name, data): (&str, &str),
        targets: &Targets,
        seed: u64,
    ) -> Result<(State, TrainReport)> {
        let params = self.step.inventory().trainable();
        self.callback.on_start(&Start {
            model: name,
            data,
            target: targets.name(),
            classes: targets.classes().map(<[String]>::len),
            params,
            epochs: self.epochs,
            steps_per_epoch: self.loader.batches_per_epoch(),
            samples_per_epoch: self.loader.part().len(),
            notes: &self.notes,
        })?;
        let (mut stopped, mut interrupted_at) = (None, None);
        let mut unfinished = None;
        for epoch in 1..=self.epochs {
            let (ended, sums) = match self.epoch(epoch) {
                Err(error) => {
                    self.write_checkpoints(0)?;
                    return Err(error);
                }
                Ok(epoch) => epoch,
            };
            if let Ended::Interrupted { batches } = ended {
                (interrupted_at, unfinished) = (Some(batches), Some(sums.tally.metrics()));
                break;
            }
            let flow = self.end_epoch(epoch, &sums)?;
            if let (Ended::Stopped(reason), _) | (Ended::AllBatches, Flow::Stop(reason)) = (ended, flow) {
                stopped = Some(reason);
                break;
            }
        }
        let seconds = self.begin.elapsed().as_secs_f64();
        self.write_checkpoints(interrupted_at.unwrap_or(0))?;
        let (best_epoch, valid) = match &self.best {
            Some(best) => (best.epoch, Some(best.valid)),
            None => (self.records.len(), None),
        };
        let kept = self.best.take().map_or(self.state, |best| best.state);
        let train = match unfinished {
            // Whoever interrupts does not want to wait for a measurement.
            Some(unfinished) => unfinished,
            None => {
                let (part, batch_size) = (self.loader.part(), self.batch_size);
                let data = (part.dataset().features(), part.dataset().targets());
                measure(self.step, &kept, self.objective, data, part.indices(), batch_size)?
            }
        };
        let report = TrainReport {
            run: self.keeper.as_ref().map(|keeper| keeper.path().to_path_buf()),
            params,
            epochs: self.records.len(),
            best_epoch,
            train,
            valid,
            test: None,
            seconds,
            samples_per_second: self.samples as f64 / seconds,
            seed,
            interrupted: interrupted_at.is_some(),
            stopped,
            notes: self.notes.clone(),
        };
        self.callback.on_end(&report)?;
        Ok((kept, report))
    }

    /// One pass over the training part.
    fn epoch(&mut self, epoch: usize) -> Result<(Ended, EpochSums)> {
        let steps_per_epoch = self.loader.batches_per_epoch();
        let total = (self.epochs * steps_per_epoch) as u64;
        let base = self.step.optimizer().lr();
        let mut sums = EpochSums { tally: Tally::new(self.objective), skipped: 0, lr: base };
        let mut feed = Feed::new(self.objective);
        let mut bad_in_a_row = 0;
        for (taken, gathered) in self.loader.epoch(epoch as u64 - 1).enumerate() {
            if self.stop.load(Ordering::Relaxed) {
                return Ok((Ended::Interrupted { batches: taken }, sums));
            }
            let gathered = gathered?;
            let position = (epoch - 1) * steps_per_epoch + taken;
            sums.lr = self.schedule.lr(base, position as u64, total);
            let batch = feed.fill(&gathered);
            let output = self.step.run(&mut self.state, batch, sums.lr)?;
            if output.applied {
                sums.tally.add(output.loss, &output.metrics, gathered.len(), &batch.y);
                bad_in_a_row = 0;
            } else {
                sums.skipped += 1;
                bad_in_a_row += 1;
                if bad_in_a_row == MOST_BAD_STEPS {
                    // Shown with the few digits of an f32.
                    let (step, lr, smaller) = (position + 1, sums.lr as f32, (base / 10.0) as f32);
                    return Err(Error::NotFinite { steps: bad_in_a_row, epoch, step, lr, smaller });
                }
            }
            self.samples += gathered.len();
            let event = Batch {
                epoch,
                step: taken + 1,
                samples: self.samples,
                loss: sums.tally.loss(),
                accuracy: sums.tally.accuracy(),
                elapsed: self.begin.elapsed(),
            };
            if let Flow::Stop(reason) = self.callback.on_batch(&event)? {
                return Ok((Ended::Stopped(reason), sums));
            }
        }
        Ok((Ended::AllBatches, sums))
    }

    /// Validation, the choice of the best, the log, the checkpoints, the callbacks.
    fn end_epoch(&mut self, epoch: usize, sums: &EpochSums) -> Result<Flow> {
        let before: (f64, usize) = self.records.last().map_or((0.0, 0), |last| (last.seconds, last.samples));
        let trained = self.begin.elapsed().as_secs_f64();
        let valid = match self.valid.is_empty() {
            true => None,
            false => {
                let data = (self.valid.dataset().features(), self.valid.dataset().targets());
                let rows = self.valid.indices();
                let batch_size = self.batch_size.min(rows.len());
                Some(measure(self.step, &self.state, self.objective, data, rows, batch_size)?)
            }
        };
        let is_best = match (&valid, &self.best) {
            (Some(valid), Some(best)) => is_better(valid, &best.valid),
            _ => true,
        };
        if let Some(valid) = valid.filter(|_| is_best) {
            // The old copy goes before the new one comes, so that there are never two.
            self.best = None;
            self.best = Some(Best { state: self.state.clone(), epoch, valid, is_written: false });
        }
        let record = EpochRecord {
            epoch,
            step: (epoch - 1) * self.loader.batches_per_epoch() + self.loader.batches_per_epoch(),
            samples: self.samples,
            lr: sums.lr,
            train: sums.tally.metrics(),
            valid,
            best: is_best,
            skipped_steps: sums.skipped,
            seconds: self.begin.elapsed().as_secs_f64(),
            samples_per_second: (self.samples - before.1) as f64 / (trained - before.0),
        };
        if let Some(keeper) = &mut self.keeper {
            keeper.add_to_log(&record)?;
        }
        self.records.push(record.clone());
        if self.keeper.as_ref().is_some_and(Keeper::is_due) {
            self.write_checkpoints(0)?;
        }
        self.callback.on_epoch_end(&EpochEnd { record: &record })
    }

    /// Writes what the folder does not have yet. `batches` were taken since the last whole epoch.
    fn write_checkpoints(&mut self, batches: usize) -> Result<()> {
        let Some(keeper) = &mut self.keeper else { return Ok(()) };
        let mut progress = Progress { epochs: self.records.len(), batches, ..Progress::default() };
        match &mut self.best {
            Some(best) => {
                (progress.best_epoch, progress.best_valid) = (best.epoch, Some(best.valid));
                if !best.is_written {
                    let progress = Progress { epochs: best.epoch, batches: 0, ..progress.clone() };
                    keeper.write(Which::Best, &best.state, &progress)?;
                    best.is_written = true;
                }
            }
            None if progress.epochs > 0 => {
                progress.best_epoch = progress.epochs;
                if batches == 0 {
                    keeper.write(Which::Best, &self.state, &progress)?;
                }
            }
            None => {}
        }
        keeper.write(Which::Last, &self.state, &progress)
    }
}

fn is_better(new: &Metrics, old: &Metrics) -> bool {
    match (new.accuracy, old.accuracy) {
        (Some(new), Some(old)) if new != old => new > old,
        _ => new.loss < old.loss || (old.loss.is_nan() && !new.loss.is_nan()),
    }
}
