//! Who is told how a run goes: progress, early stopping, the doctor.

use std::path::Path;
use std::time::Duration;

use barun_data::integrity;
use barun_nn::{Inventory, State};
use serde_json::Value;

use crate::answers::Answers;
use crate::diagnosis::{Diagnosis, Finding};
use crate::error::{Error, Result};
use crate::log::EpochRecord;
use crate::mending::{Mended, Mending};
use crate::recipe::BestBy;
use crate::repair::Repair;
use crate::report::TrainReport;
use crate::subject::Subject;
use crate::watching::{Skipped, Watched};

/// Something that follows a run. Each method does nothing unless it is written.
///
/// ```
/// use barun_train::callback::{Callback, EpochEnd, Flow};
///
/// struct UntilGoodEnough(f64);
///
/// impl Callback for UntilGoodEnough {
///     fn on_epoch_end(&mut self, event: &EpochEnd<'_>) -> barun_train::Result<Flow> {
///         Ok(match event.record.valid.and_then(|valid| valid.accuracy) {
///             Some(accuracy) if accuracy >= self.0 => Flow::Stop(format!("accuracy {accuracy} is good enough")),
///             _ => Flow::Continue,
///         })
///     }
/// }
/// ```
pub trait Callback: Send {
    /// The data has been checked; nothing is trained yet.
    fn on_check(&mut self, _report: &integrity::Report) -> Result<()> {
        Ok(())
    }

    /// Everything is ready; the first step comes next. What was remembered of an earlier run is over.
    fn on_start(&mut self, _event: &Start<'_>) -> Result<()> {
        Ok(())
    }

    /// What is trained and how, for looking at; follows [`on_start`](Callback::on_start).
    fn on_subject(&mut self, _subject: &Subject<'_>) -> Result<()> {
        Ok(())
    }

    /// A step has been taken.
    fn on_batch(&mut self, _event: &Batch) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// Whether step `step`, counted from 1 over the whole run, is to tell of its inside; asked before it is taken. Such a step
    /// takes a little longer, see [`WatchEvery`](crate::watching::WatchEvery).
    fn watches(&self, _step: usize) -> bool {
        false
    }

    /// A step has been taken, or not, and tells of its inside; comes after [`on_batch`](Callback::on_batch), to all as soon
    /// as one has asked for it.
    fn on_watch(&mut self, _event: &Watched<'_>) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// A step was not taken, since its loss or a gradient is not finite; comes after [`on_batch`](Callback::on_batch).
    fn on_skip(&mut self, _event: &Skipped<'_>) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// Whether it wants to know what the network says of each validation row after epoch `epoch`, from 1; asked before they
    /// are evaluated. Costs a copy of the outputs.
    fn wants_answers(&self, _epoch: usize) -> bool {
        false
    }

    /// The validation rows have been evaluated; comes before [`on_epoch_end`](Callback::on_epoch_end), to all as soon as one
    /// has asked for it.
    fn on_answers(&mut self, _event: &Answers<'_>) -> Result<()> {
        Ok(())
    }

    /// An epoch and its validation have ended, its record is written.
    fn on_epoch_end(&mut self, _event: &EpochEnd<'_>) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// The weights after an epoch, for looking at; follows [`on_epoch_end`](Callback::on_epoch_end).
    fn on_weights(&mut self, _event: &Weights<'_>) -> Result<()> {
        Ok(())
    }

    /// A doctor has found something.
    fn on_finding(&mut self, _finding: &Finding) -> Result<()> {
        Ok(())
    }

    /// A doctor has tried to mend the run.
    fn on_repair(&mut self, _repair: &Repair) -> Result<()> {
        Ok(())
    }

    /// The run has ended, also when it was interrupted.
    fn on_end(&mut self, _report: &TrainReport) -> Result<()> {
        Ok(())
    }

    /// The run has failed; what is returned to the caller is `error`.
    fn on_failure(&mut self, _error: &Error) {}

    /// Whether the state after step `step`, counted from 1, is worth going back to; asked after each step. The last two are
    /// kept, and are part of every checkpoint.
    fn keeps_state(&self, _step: usize) -> bool {
        false
    }

    /// A callback is about to mend the run, which may take many steps' time.
    fn on_mending(&mut self) -> Result<()> {
        Ok(())
    }

    /// Whether it wants to mend the run now, before the next step.
    fn wants_to_mend(&self) -> bool {
        false
    }

    /// Tries other terms and says how the run goes on; none: as it is. Called if it [wants to](Callback::wants_to_mend).
    fn mend(&mut self, _run: &Mending<'_>) -> Result<Option<Mended>> {
        Ok(None)
    }

    /// The run goes on under other terms, by this callback or another.
    fn on_mended(&mut self, _subject: &Subject<'_>) -> Result<()> {
        Ok(())
    }

    /// What it has found since it was last asked, for all others to be told.
    fn findings(&mut self) -> Vec<Finding> {
        Vec::new()
    }

    /// What it has tried to mend since it was last asked, for all others to be told.
    fn repairs(&mut self) -> Vec<Repair> {
        Vec::new()
    }

    /// What it says of the whole run, asked for before [`on_end`](Callback::on_end).
    fn diagnosis(&self) -> Option<Diagnosis> {
        None
    }

    /// What it must remember to go on after an interruption, as of the last event; part of every checkpoint.
    fn memory(&self) -> Value {
        Value::Null
    }

    /// Takes back what [`memory`](Callback::memory) gave, after [`on_subject`](Callback::on_subject) of the resumed run.
    fn recall(&mut self, _memory: &Value) -> Result<()> {
        Ok(())
    }
}

/// Whether to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// End the run here as if its epochs were over; the text says why.
    Stop(String),
}

impl Flow {
    /// Of two wishes the first to stop.
    pub(crate) fn and(self, other: Flow) -> Flow {
        if self == Flow::Continue { other } else { self }
    }
}

/// The run about to begin.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// What the model is called.
    pub model: &'a str,
    /// What the data is called.
    pub data: &'a str,
    /// What the target is called.
    pub target: &'a str,
    /// How many classes it has; none where it is a number.
    pub classes: Option<usize>,
    /// How many numbers the network learns.
    pub params: usize,
    /// The epochs of the whole run.
    pub epochs: usize,
    /// Steps of one epoch: rows divided by the batch size, rounded up. [TRAIN-12]
    pub steps_per_epoch: usize,
    /// Training rows.
    pub samples_per_epoch: usize,
    /// Rows of the validation part.
    pub valid_rows: usize,
    /// By which figure the best epoch is chosen.
    pub best_by: BestBy,
    /// What was decided about the data, for people.
    pub notes: &'a [String],
    /// The run folder, where there is one.
    pub run: Option<&'a Path>,
    /// Where a resumed run goes on; none where it begins.
    pub resumed: Option<&'a Resumed>,
}

/// Where a resumed run goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    /// Epochs completed before.
    pub epochs: usize,
    /// Steps taken of the next one.
    pub batches: usize,
    /// What was found damaged or missing, and what is done about it.
    pub notes: Vec<String>,
}

/// A step taken.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The step in its epoch, from 1.
    pub step: usize,
    /// Rows seen since the beginning of the run.
    pub samples: usize,
    /// The loss of this step's rows alone, before the step; not finite where the step was not taken.
    pub batch_loss: f64,
    /// The norm of all gradients together, before clipping.
    pub gradient_norm: f64,
    /// Whether the step was taken; it is not where the loss or a gradient is not finite.
    pub applied: bool,
    /// The learning rate of this step.
    pub lr: f64,
    /// The mean loss of this epoch so far.
    pub loss: f64,
    /// For classes, the accuracy of this epoch so far.
    pub accuracy: Option<f64>,
    /// Time of training since the beginning of the run, without interruptions.
    pub elapsed: Duration,
}

/// An epoch that has ended.
#[derive(Clone, Copy, Debug)]
pub struct EpochEnd<'a> {
    /// What the log says of it.
    pub record: &'a EpochRecord,
}

/// The weights after an epoch.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    /// Steps taken since the beginning of the run.
    pub step: usize,
    /// What the network has.
    pub inventory: &'a Inventory,
    /// The values, by the paths of the inventory.
    pub state: &'a State,
}

/// Several callbacks as one: all are told, and the first that wants to stop gives the reason.
impl Callback for Vec<Box<dyn Callback + '_>> {
    fn on_check(&mut self, report: &integrity::Report) -> Result<()> {
        self.iter_mut().try_for_each(|callback| callback.on_check(report))
    }

    fn on_start(&mut self, event: &Start<'_>) -> Result<()> {
        self.iter_mut().try_for_each(|callback| callback.on_start(event))
    }

    fn on_subject(&mut self, subject: &Subject<'_>) -> Result<()> {
        self.iter_mut().try_for_each(|callback| callback.on_subject(subject))
    }

    fn on_batch(&mut self, event: &Batch) -> Result<Flow> {
        first_stop(self.iter_mut().map(|callback| callback.on_batch(event)))
    }

    fn watches(&self, step: usize) -> bool {
        self.iter().any(|callback| callback.watches(step))
    }

    fn on_watch(&mut self, event: &Watched<'_>) -> Result<Flow> {
        first_stop(self.iter_mut().map(|callback| callback.on_watch(event)))
    }

    fn on_skip(&mut self, event: &Skipped<'_>) -> Result<Flow> {
        first_stop(self.iter_mut().map(|callback| callback.on_skip(event)))
    }

    fn wants_answers(&self, epoch: usize) -> bool {
        self.iter().any(|callback| callback.wants_answers(epoch))
    }

    fn on_answers(&mut self, event: &Answers<'_>) -> Result<()> {
        self.iter_mut().try_for_each(|callback| callback.on_answers(event))
    }

    fn on_epoch_end(&mut self, event: &EpochEnd<'_>) -> Result<Flow> {
        first_stop(self.iter_mut().map(|callback| callback.on_epoch_end(event)))
    }

    fn on_weights(&mut self, event: &Weights<'_>) -> Result<()> {
        self.iter_mut().try_for_each(|callback| callback.on_weights(event))
    }

    fn on_finding(&mut self, finding: &Finding) -> Result<()> {
        self.iter_mut().try_for_each(|callback| callback.on_finding(finding))
    }

    fn on_repair(&mut self, repair: &Repair) -> Result<()> {
        self.iter_mut().try_for_each(|callback| callback.on_repair(repair))
    }

    fn on_end(&mut self, report: &TrainReport) -> Result<()> {
        self.iter_mut().try_for_each(|callback| callback.on_end(report))
    }

    fn on_failure(&mut self, error: &Error) {
        self.iter_mut().for_each(|callback| callback.on_failure(error));
    }

    fn keeps_state(&self, step: usize) -> bool {
        self.iter().any(|callback| callback.keeps_state(step))
    }

    fn on_mending(&mut self) -> Result<()> {
        self.iter_mut().try_for_each(|callback| callback.on_mending())
    }

    fn wants_to_mend(&self) -> bool {
        self.iter().any(|callback| callback.wants_to_mend())
    }

    /// By the first that wants to and finds something.
    fn mend(&mut self, run: &Mending<'_>) -> Result<Option<Mended>> {
        for callback in self.iter_mut().filter(|callback| callback.wants_to_mend()) {
            if let Some(mended) = callback.mend(run)? {
                return Ok(Some(mended));
            }
        }
        Ok(None)
    }

    fn on_mended(&mut self, subject: &Subject<'_>) -> Result<()> {
        self.iter_mut().try_for_each(|callback| callback.on_mended(subject))
    }

    fn findings(&mut self) -> Vec<Finding> {
        self.iter_mut().flat_map(|callback| callback.findings()).collect()
    }

    fn repairs(&mut self) -> Vec<Repair> {
        self.iter_mut().flat_map(|callback| callback.repairs()).collect()
    }

    fn diagnosis(&self) -> Option<Diagnosis> {
        self.iter().find_map(|callback| callback.diagnosis())
    }

    fn memory(&self) -> Value {
        self.iter().map(|callback| callback.memory()).collect()
    }

    fn recall(&mut self, memory: &Value) -> Result<()> {
        let memories = memory.as_array().map_or(&[][..], Vec::as_slice);
        self.iter_mut().zip(memories).try_for_each(|(callback, memory)| callback.recall(memory))
    }
}

/// A callback that somebody else keeps.
impl<C: Callback + ?Sized> Callback for &mut C {
    fn on_check(&mut self, report: &integrity::Report) -> Result<()> {
        (**self).on_check(report)
    }

    fn on_start(&mut self, event: &Start<'_>) -> Result<()> {
        (**self).on_start(event)
    }

    fn on_subject(&mut self, subject: &Subject<'_>) -> Result<()> {
        (**self).on_subject(subject)
    }

    fn on_batch(&mut self, event: &Batch) -> Result<Flow> {
        (**self).on_batch(event)
    }

    fn watches(&self, step: usize) -> bool {
        (**self).watches(step)
    }

    fn on_watch(&mut self, event: &Watched<'_>) -> Result<Flow> {
        (**self).on_watch(event)
    }

    fn on_skip(&mut self, event: &Skipped<'_>) -> Result<Flow> {
        (**self).on_skip(event)
    }

    fn wants_answers(&self, epoch: usize) -> bool {
        (**self).wants_answers(epoch)
    }

    fn on_answers(&mut self, event: &Answers<'_>) -> Result<()> {
        (**self).on_answers(event)
    }

    fn on_epoch_end(&mut self, event: &EpochEnd<'_>) -> Result<Flow> {
        (**self).on_epoch_end(event)
    }

    fn on_weights(&mut self, event: &Weights<'_>) -> Result<()> {
        (**self).on_weights(event)
    }

    fn on_finding(&mut self, finding: &Finding) -> Result<()> {
        (**self).on_finding(finding)
    }

    fn on_repair(&mut self, repair: &Repair) -> Result<()> {
        (**self).on_repair(repair)
    }

    fn on_end(&mut self, report: &TrainReport) -> Result<()> {
        (**self).on_end(report)
    }

    fn on_failure(&mut self, error: &Error) {
        (**self).on_failure(error);
    }

    fn keeps_state(&self, step: usize) -> bool {
        (**self).keeps_state(step)
    }

    fn on_mending(&mut self) -> Result<()> {
        (**self).on_mending()
    }

    fn wants_to_mend(&self) -> bool {
        (**self).wants_to_mend()
    }

    fn mend(&mut self, run: &Mending<'_>) -> Result<Option<Mended>> {
        (**self).mend(run)
    }

    fn on_mended(&mut self, subject: &Subject<'_>) -> Result<()> {
        (**self).on_mended(subject)
    }

    fn findings(&mut self) -> Vec<Finding> {
        (**self).findings()
    }

    fn repairs(&mut self) -> Vec<Repair> {
        (**self).repairs()
    }

    fn diagnosis(&self) -> Option<Diagnosis> {
        (**self).diagnosis()
    }

    fn memory(&self) -> Value {
        (**self).memory()
    }

    fn recall(&mut self, memory: &Value) -> Result<()> {
        (**self).recall(memory)
    }
}

fn first_stop(flows: impl Iterator<Item = Result<Flow>>) -> Result<Flow> {
    let mut first = Flow::Continue;
    for flow in flows {
        first = first.and(flow?);
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Stops(&'static str, Arc<AtomicUsize>);

    impl Callback for Stops {
        fn on_batch(&mut self, _: &Batch) -> Result<Flow> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Ok(if self.0.is_empty() { Flow::Continue } else { Flow::Stop(self.0.into()) })
        }
    }

    #[test]
    fn all_callbacks_are_told_and_the_first_reason_counts() {
        let told = Arc::new(AtomicUsize::new(0));
        let mut all: Vec<Box<dyn Callback>> = Vec::new();
        for reason in ["", "one", "two"] {
            all.push(Box::new(Stops(reason, told.clone())));
        }
        let batch = Batch {
            epoch: 1,
            step: 1,
            samples: 1,
            batch_loss: 0.0,
            gradient_norm: 0.0,
            applied: true,
            lr: 0.1,
            loss: 0.0,
            accuracy: None,
            elapsed: Duration::ZERO,
        };
        assert_eq!(all.on_batch(&batch).unwrap(), Flow::Stop("one".into()));
        assert_eq!(told.load(Ordering::Relaxed), 3);
    }
}
