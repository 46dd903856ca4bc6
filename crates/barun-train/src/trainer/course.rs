//! A training on its way: epochs of steps, each followed by validation, the choice of the best, the log, checkpoints.
//!
//! Where it stands is a [`Position`] and a state, so it may begin anywhere: a resumed run takes the same steps with the
//! same bits as one that was never interrupted.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use barun_data::{Loader, Part};
use barun_engine::State;
use barun_nn::schedules::{Moment, Schedule};
use barun_nn::{Forward, Module, Step, StepOutput, StepRecord, averaged};

use crate::answers::Answers;
use crate::callback::{Batch, Callback, EpochEnd, Flow, Resumed, Start, Weights};
use crate::changes::Changes;
use crate::diagnosis::Diagnosis;
use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::keeper::Keeper;
use crate::log::EpochRecord;
use crate::mending::{Earlier, Next};
use crate::metrics::Metrics;
use crate::objective::Objective;
use crate::position::{Position, Unfinished};
use crate::predictor::Measured;
use crate::recipe::BestBy;
use crate::report::TrainReport;
use crate::restore::Best;
use crate::run::Which;
use crate::subject::{Subject, calls_of};
use crate::watching::{Cost, Look, Skipped, Watched};

use super::mend::step_under;

/// So many steps in a row that are not finite, and the run is over: their state is the one before, so a batch that is to
/// blame is left behind, while weights that are to blame stay.
const MOST_BAD_STEPS: usize = 5;

/// A training on its way. What is not public outside this file is where it stands.
pub(super) struct Course<'a, M> {
    /// As the run began.
    pub base: Arc<Step<M>>,
    /// As it stands.
    pub step: Arc<Step<M>>,
    /// What has been changed in between.
    pub changes: Changes,
    /// States to go back to.
    pub earlier: Vec<Earlier>,
    pub objective: Objective,
    pub loader: Loader,
    pub valid: Part,
    pub batch_size: usize,
    pub schedule: &'a dyn Schedule,
    pub epochs: usize,
    pub best_by: BestBy,
    pub exact_statistics: bool,
    pub max_seconds: Option<f64>,
    pub stop: Arc<AtomicBool>,
    pub keeper: Option<Keeper>,
    pub callback: &'a mut dyn Callback,
    pub state: State,
    pub position: Position,
    pub best: Option<Best>,
    pub clock: Clock,
    /// What watched steps of this process have cost.
    pub cost: Cost,
    /// When this process began with the epoch in seconds of the clock, and after how many of its rows.
    pub epoch_began: (f64, usize),
}

/// The time of training in all, also before an interruption.
pub(super) struct Clock {
    begin: Instant,
    before: f64,
}

impl Clock {
    /// Goes on from `before` seconds.
    pub fn from(before: f64) -> Clock {
        Clock { begin: Instant::now(), before }
    }

    /// Seconds of this process.
    fn own(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    fn seconds(&self) -> f64 {
        self.before + self.own()
    }
}

/// What the run is called, for whoever follows it.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub model: &'a str,
    pub data: &'a str,
    pub target: &'a str,
    pub classes: Option<usize>,
    /// What was decided about the data.
    pub notes: &'a [String],
}

/// A step, for those who look inside.
struct Told<'a> {
    step: usize,
    epoch: usize,
    lr: f64,
    output: &'a StepOutput,
    look: Look<'a>,
}

impl Told<'_> {
    /// What was watched, and that the step was not taken, where it was not.
    fn to(
        &self,
        callback: &mut dyn Callback,
        record: Option<&StepRecord>,
        cost: Cost,
        in_a_row: usize,
    ) -> Result<Flow> {
        let Told { step, epoch, lr, output, look } = *self;
        let StepOutput { loss, gradient_norm, applied, .. } = *output;
        let mut flow = Flow::Continue;
        if let Some(record) = record {
            let event = Watched { step, epoch, loss, lr, gradient_norm, applied, record, cost, look };
            flow = callback.on_watch(&event)?;
        }
        if !applied {
            let event = Skipped { step, epoch, loss, lr, gradient_norm, in_a_row, look };
            flow = flow.and(callback.on_skip(&event)?);
        }
        Ok(flow)
    }
}

/// Why an epoch ended.
#[derive(Debug, PartialEq)]
pub(super) enum Ended {
    AllBatches,
    /// By a callback.
    Stopped(String),
    OutOfTime,
    Interrupted,
}

/// Whether the run is to end here: somebody asks it to, or its time of `most` seconds is up.
pub(super) fn ended(stop: &AtomicBool, clock: &Clock, most: Option<f64>) -> Option<Ended> {
    if stop.load(Ordering::Relaxed) {
        return Some(Ended::Interrupted);
    }
    most.filter(|most| clock.seconds() >= *most).map(|_| Ended::OutOfTime)
}

/// The weights that training gives, and the step that they belong to.
pub(super) struct Kept<M> {
    pub step: Arc<Step<M>>,
    pub changes: Changes,
    pub state: State,
}

/// How the run ended, where not all epochs are over.
#[derive(Debug, Default)]
struct End {
    interrupted: bool,
    stopped: Option<String>,
    is_out_of_time: bool,
}

impl<M: Module + Forward> Course<'_, M> {
    /// All epochs; then the weights to keep, and the report.
    pub fn go(
        mut self,
        names: Names<'_>,
        seed: u64,
        resumed: Option<&Resumed>,
    ) -> Result<(Kept<M>, TrainReport)> {
        let (step, changes) = (Arc::clone(&self.step), self.changes.clone());
        let (part, valid) = (self.loader.part().clone(), self.valid.clone());
        let calls = || calls_of(&*step, &part);
        let subject = Subject::new(&*step, (&part, &valid), self.batch_size, &changes, &calls);
        let params = step.inventory().trainable();
        let memory = std::mem::take(&mut self.position.callbacks);
        self.callback.on_start(&Start {
            model: names.model,
            data: names.data,
            target: names.target,
            classes: names.classes,
            params,
            epochs: self.epochs,
            steps_per_epoch: self.loader.batches_per_epoch(),
            samples_per_epoch: self.loader.part().len(),
            valid_rows: self.valid.len(),
            best_by: self.best_by,
            notes: names.notes,
            run: self.keeper.as_ref().map(Keeper::path),
            resumed,
        })?;
        self.callback.on_subject(&subject)?;
        if resumed.is_some() {
            self.callback.recall(&memory)?;
        }
        self.tell_findings()?;
        let rows_before = self.rows();
        let end = match self.all_epochs() {
            Ok(end) => end,
            Err(error) => {
                // What was reached before is worth keeping; that the disk is full is already told.
                let _ = self.write_checkpoints();
                self.callback.on_failure(&error);
                return Err(error);
            }
        };
        let seconds = self.clock.seconds();
        let samples_per_second = (self.rows() - rows_before) as f64 / self.clock.own();
        self.write_checkpoints()?;
        let report = TrainReport {
            run: self.keeper.as_ref().map(|keeper| keeper.path().to_path_buf()),
            params,
            epochs: self.position.epochs,
            best_epoch: self.best.as_ref().map_or(self.position.epochs, |best| best.epoch),
            train: Metrics::default(),
            valid: self.best.as_ref().map(|best| best.valid),
            test: None,
            gap: None,
            findings: Vec::new(),
            doctor: None,
            judgement: None,
            seconds,
            samples_per_second,
            seed,
            interrupted: end.interrupted,
            stopped: end.stopped,
            is_out_of_time: end.is_out_of_time,
            notes: names.notes.to_vec(),
        };
        self.finish(report)
    }

    /// Measures the weights to keep, unless whoever interrupted would have to wait for it.
    fn finish(self, mut report: TrainReport) -> Result<(Kept<M>, TrainReport)> {
        let has_steps = |unfinished: &&Unfinished| report.interrupted && unfinished.batches > 0;
        let unfinished = self.position.unfinished.as_ref().filter(has_steps);
        let unfinished = unfinished.map(|unfinished| unfinished.tally.metrics());
        let kept = match self.best {
            Some(best) if best.changes == self.changes => (self.step, best.changes, best.state),
            Some(best) => (step_under(&self.base, &best.changes)?, best.changes, best.state),
            None => {
                let state = self.to_keep(self.exact()?)?;
                (self.step, self.changes, state)
            }
        };
        let (step, changes, state) = kept;
        report.train = match unfinished {
            Some(unfinished) => unfinished,
            None => {
                let part = self.loader.part();
                Measured::of((&*step, &state), self.objective, part, self.batch_size).figures()?
            }
        };
        report.gap = report.valid.and_then(|valid| report.train.gap_to(&valid));
        report.doctor = self.callback.diagnosis().map(Diagnosis::without_vitals);
        self.callback.on_end(&report)?;
        Ok((Kept { step, changes, state }, report))
    }

    /// What one callback has found is told to all.
    pub(super) fn tell_findings(&mut self) -> Result<()> {
        let findings = self.callback.findings();
        findings.iter().try_for_each(|finding| self.callback.on_finding(finding))
    }

    fn all_epochs(&mut self) -> Result<End> {
        if let Some(reason) = self.position.stopped.clone() {
            return Ok(End { stopped: Some(reason), ..End::default() });
        }
        while self.position.epochs < self.epochs {
            let ended = self.epoch()?;
            match ended {
                Ended::Interrupted => return Ok(End { interrupted: true, ..End::default() }),
                Ended::OutOfTime => return self.end_in_time(),
                Ended::AllBatches | Ended::Stopped(_) => {}
            }
            let flow = self.end_epoch()?;
            if let (Ended::Stopped(reason), _) | (Ended::AllBatches, Flow::Stop(reason)) = (ended, flow) {
                self.position.stopped = Some(reason.clone());
                return Ok(End { stopped: Some(reason), ..End::default() });
            }
            if self.keeper.as_mut().is_some_and(Keeper::is_due_after_epoch) {
                self.write_checkpoints()?;
            }
        }
        Ok(End::default())
    }

    /// The rest of the epoch that the run stands in.
    fn epoch(&mut self) -> Result<Ended> {
        let done = self.position.epochs;
        let steps_per_epoch = self.loader.batches_per_epoch();
        let total = (self.epochs * steps_per_epoch) as u64;
        let mut feed = Feed::new(self.objective);
        let objective = self.objective;
        let begun = self.position.unfinished.as_ref().map_or((0, 0), |begun| (begun.batches, begun.rows));
        self.epoch_began = (self.clock.seconds(), begun.1);
        for gathered in self.loader.epoch_from(done as u64, begun.0) {
            if let Some(ended) = ended(&self.stop, &self.clock, self.max_seconds) {
                return Ok(ended);
            }
            let gathered = gathered?;
            // The epoch has begun, so that what the best epoch was stays told apart from what it is mended to.
            self.position.unfinished.get_or_insert_with(|| Unfinished::new(objective));
            if self.callback.wants_to_mend() {
                self.mend()?;
                // Trials take their time, and what broke them off is to begin with them again.
                if let Some(ended) = ended(&self.stop, &self.clock, self.max_seconds) {
                    return Ok(ended);
                }
            }
            let (stepper, changes) = (Arc::clone(&self.step), &self.changes);
            let base = stepper.optimizer().lr();
            let epoch = self.position.unfinished.get_or_insert_with(|| Unfinished::new(objective));
            let step = done * steps_per_epoch + epoch.batches;
            let lr_of: &dyn Fn(usize) -> f64 = &|step| {
                let moment = Moment {
                    step: step as u64,
                    total,
                    steps_per_epoch: steps_per_epoch as u64,
                    losses: &self.position.valid_losses,
                };
                changes.lr(self.schedule.lr(base, &moment), step)
            };
            epoch.lr = lr_of(step);
            let batch = feed.fill(&gathered);
            let began = Instant::now();
            let (output, record) = match self.callback.watches(step + 1) {
                true => {
                    let (output, record) = stepper.run_watched(&mut self.state, batch, epoch.lr)?;
                    (output, Some(record))
                }
                false => (stepper.run(&mut self.state, batch, epoch.lr)?, None),
            };
            // A shorter batch would seem cheap.
            if gathered.len() >= self.batch_size {
                self.cost.add(record.is_some(), began.elapsed());
            }
            epoch.batches += 1;
            epoch.rows += gathered.len();
            if output.applied {
                epoch.tally.add(output.loss, &output.metrics, gathered.len(), &batch.y);
                epoch.skipped_in_a_row = 0;
            } else {
                epoch.skipped += 1;
                epoch.skipped_in_a_row += 1;
                if epoch.skipped_in_a_row >= MOST_BAD_STEPS {
                    let (lr, smaller) = (epoch.lr, changes.lr_factor * base / 10.0);
                    let (steps, step) = (epoch.skipped_in_a_row, step + 1);
                    let found = stepper.locate(&self.state, batch)?.map(Box::new);
                    return Err(Error::NotFinite { steps, epoch: done + 1, step, lr, smaller, found });
                }
            }
            let event = Batch {
                epoch: done + 1,
                step: epoch.batches,
                samples: done * self.loader.part().len() + epoch.rows,
                batch_loss: output.loss,
                gradient_norm: output.gradient_norm,
                applied: output.applied,
                lr: epoch.lr,
                loss: epoch.tally.loss(),
                accuracy: epoch.tally.accuracy(),
                elapsed: Duration::from_secs_f64(self.clock.seconds()),
            };
            let is_last = epoch.batches == steps_per_epoch;
            let mut flow = self.callback.on_batch(&event)?;
            if record.is_some() || !output.applied {
                let next = Next { epoch: done, batches: epoch.batches, loader: &self.loader, objective };
                let ahead = |steps: usize| next.steps(steps, lr_of);
                let erased = stepper.erased();
                let look = Look { step: &erased, state: &self.state, batch, ahead: &ahead };
                let told = Told { step: step + 1, epoch: done + 1, lr: epoch.lr, output: &output, look };
                flow = flow.and(told.to(
                    &mut *self.callback,
                    record.as_ref(),
                    self.cost,
                    epoch.skipped_in_a_row,
                )?);
            }
            self.tell_findings()?;
            self.keep_state();
            if let Flow::Stop(reason) = flow {
                return Ok(Ended::Stopped(reason));
            }
            // The end of an epoch has its own.
            if !is_last && self.keeper.as_mut().is_some_and(Keeper::is_due_after_step) {
                self.write_checkpoints()?;
            }
        }
        Ok(Ended::AllBatches)
    }

    /// Ends a run whose time is up. The state is as after an interruption, so that more time continues it; where no epoch was
    /// completed, its weights are measured, because there are no better ones.
    fn end_in_time(&mut self) -> Result<End> {
        let most = self.max_seconds.unwrap_or_default();
        let stopped = Some(format!("the time of {most} s is up"));
        let exact = self.exact()?;
        match (&self.best, self.validate(exact.as_ref())?) {
            (None, Some(valid)) => {
                self.best = Some(Best::new(0, valid, self.to_keep(exact)?, self.changes.clone()));
            }
            (Some(_), _) => {}
            (None, None) => self.write_best_without_valid()?,
        }
        Ok(End { stopped, is_out_of_time: true, interrupted: false })
    }

    /// Validation, the choice of the best, the log, the callbacks.
    fn end_epoch(&mut self) -> Result<Flow> {
        let trained = self.clock.seconds();
        let exact = self.exact()?;
        let valid = self.validate_for_all(exact.as_ref(), self.position.epochs + 1)?;
        let objective = self.objective;
        let ended = self.position.unfinished.take().unwrap_or_else(|| Unfinished::new(objective));
        self.position.epochs += 1;
        let epoch = self.position.epochs;
        let is_best = match (&valid, &self.best) {
            (Some(valid), Some(best)) => self.best_by.is_better(valid, &best.bar, 0.0),
            _ => true,
        };
        if let Some(valid) = valid.filter(|_| is_best) {
            // The old copy goes before the new one comes, so that there are never two.
            self.best = None;
            self.best = Some(Best::new(epoch, valid, self.to_keep(exact)?, self.changes.clone()));
            (self.position.best_epoch, self.position.best_valid) = (epoch, Some(valid));
        }
        match valid {
            Some(valid) => self.position.add_valid_loss(valid.loss),
            None => self.position.best_epoch = epoch,
        }
        let record = EpochRecord {
            epoch,
            step: (epoch - 1) * self.loader.batches_per_epoch() + ended.batches,
            samples: (epoch - 1) * self.loader.part().len() + ended.rows,
            lr: ended.lr,
            train: ended.tally.metrics(),
            valid,
            best: is_best,
            skipped_steps: ended.skipped,
            seconds: self.clock.seconds(),
            samples_per_second: (ended.rows - self.epoch_began.1) as f64 / (trained - self.epoch_began.0),
        };
        if let Some(keeper) = &mut self.keeper {
            keeper.add_to_log(&record)?;
            self.position.log_lines += 1;
        }
        let flow = self.callback.on_epoch_end(&EpochEnd { record: &record })?;
        self.tell_findings()?;
        let inventory = self.step.inventory();
        self.callback.on_weights(&Weights { step: record.step, inventory, state: &self.state })?;
        Ok(flow)
    }

    /// The figures on the validation part of what [is kept](Self::to_keep); none where there is no such part.
    fn validate(&self, exact: Option<&State>) -> Result<Option<Metrics>> {
        if self.valid.is_empty() {
            return Ok(None);
        }
        self.measured(&*self.validated(exact)?).figures().map(Some)
    }

    /// The same figures after epoch `epoch`, with the answers row by row to those who want them.
    fn validate_for_all(&mut self, exact: Option<&State>, epoch: usize) -> Result<Option<Metrics>> {
        if self.valid.is_empty() || !self.callback.wants_answers(epoch) {
            return self.validate(exact);
        }
        let (valid, outputs) = self.measured(&*self.validated(exact)?).figures_and_outputs()?;
        let (rows, targets) = (self.valid.indices(), self.valid.dataset().targets());
        let event =
            Answers { epoch, valid: &valid, rows, objective: self.objective, targets, outputs: &outputs };
        self.callback.on_answers(&event)?;
        Ok(Some(valid))
    }

    /// Of a state on the validation part.
    fn measured<'a>(&'a self, state: &'a State) -> Measured<'a, M> {
        let at_once = self.batch_size.min(self.valid.len());
        Measured::of((&*self.step, state), self.objective, &self.valid, at_once)
    }

    /// The weights that are validated.
    fn validated<'s>(&'s self, exact: Option<&'s State>) -> Result<Cow<'s, State>> {
        Ok(exact.map_or_else(|| averaged(&self.state), |exact| Ok(Cow::Borrowed(exact)))?)
    }

    /// The weights that are validated and kept, with exact statistics; none where that is not asked for.
    fn exact(&self) -> Result<Option<State>> {
        if !self.exact_statistics {
            return Ok(None);
        }
        let mut state = averaged(&self.state)?.into_owned();
        let part = self.loader.part();
        let gathered = |rows: &[usize]| {
            let mut feed = Feed::new(self.objective);
            let gathered = feed.gather(part.dataset().features(), None, rows);
            gathered.map(|batch| batch.x.clone()).map_err(|error| barun_nn::Error::Model(error.to_string()))
        };
        self.step.finalize(&mut state, || part.indices().chunks(self.batch_size).map(gathered))?;
        Ok(Some(state))
    }

    /// The weights that are validated and kept: `exact` where there are such, else the average or the weights themselves.
    fn to_keep(&self, exact: Option<State>) -> Result<State> {
        match exact {
            Some(exact) => Ok(exact),
            None => Ok(averaged(&self.state)?.into_owned()),
        }
    }

    /// Rows seen since the beginning of the run.
    fn rows(&self) -> usize {
        let unfinished = self.position.unfinished.as_ref().map_or(0, |unfinished| unfinished.rows);
        self.position.epochs * self.loader.part().len() + unfinished
    }

    /// Writes what the folder does not have yet: the best epoch first, so that whatever the last state refers to is there.
    fn write_checkpoints(&mut self) -> Result<()> {
        let Some(keeper) = &mut self.keeper else { return Ok(()) };
        self.position.callbacks = self.callback.memory();
        self.position.earlier = self.earlier.iter().map(|earlier| earlier.taken).collect();
        match &mut self.best {
            Some(best) if !best.is_written => {
                let position = Position::of_best(best.epoch, best.valid);
                keeper.write(Which::Best, &best.state, &position, &best.changes, &[])?;
                best.is_written = true;
            }
            Some(_) => {}
            None if self.position.epochs > 0 && self.position.unfinished.is_none() => {
                self.write_best_without_valid()?;
            }
            None => {}
        }
        match &mut self.keeper {
            Some(keeper) => {
                keeper.write(Which::Last, &self.state, &self.position, &self.changes, &self.earlier)
            }
            None => Ok(()),
        }
    }

    /// With nothing to choose by, the last state is the best one.
    fn write_best_without_valid(&mut self) -> Result<()> {
        if self.keeper.is_none() || !self.valid.is_empty() {
            return Ok(());
        }
        let best = self.to_keep(self.exact()?)?;
        match &mut self.keeper {
            Some(keeper) => keeper.write(Which::Best, &best, &self.position, &self.changes, &[]),
            None => Ok(()),
        }
    }
}
