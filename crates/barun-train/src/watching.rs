//! Watching a run from inside: a few numbers of every so manieth step, and a look at the network itself for whoever wants
//! to know more.
//!
//! A callback that wants to watch says so before each step ([`Callback::watches`](crate::callback::Callback::watches)); that
//! step is then taken by a program that also tells of itself. It is the same step, so a run that is watched ends with the
//! same bits as one that is not. [`WatchEvery`] says which steps are worth it.
//!
//! ```
//! use barun_train::callback::{Callback, Flow};
//! use barun_train::watching::{WatchEvery, Watched};
//!
//! struct DeadUnits(WatchEvery);
//!
//! impl Callback for DeadUnits {
//!     fn watches(&self, step: usize) -> bool {
//!         self.0.is_due(step)
//!     }
//!     fn on_watch(&mut self, event: &Watched<'_>) -> barun_train::Result<Flow> {
//!         self.0.learn(event);
//!         for layer in &event.record.activations {
//!             let dead = layer.unit_max_abs.iter().filter(|max| **max == 0.0).count();
//!             println!("step {}: {dead} units of {} gave nothing", event.step, layer.path);
//!         }
//!         Ok(Flow::Continue)
//!     }
//! }
//! ```

use std::time::Duration;

use barun_nn::fork::Planned;
use barun_nn::{Batch, Model, NonFinite, State, Step, StepRecord};

use crate::error::Result;

/// A step that was watched.
#[derive(Clone, Copy)]
pub struct Watched<'a> {
    /// Steps taken since the beginning of the run, with this one.
    pub step: usize,
    /// The epoch, from 1.
    pub epoch: usize,
    /// The loss of this step's rows, before the step.
    pub loss: f64,
    /// The learning rate of this step.
    pub lr: f64,
    /// The norm of all gradients together, before clipping.
    pub gradient_norm: f64,
    /// Whether the step was taken: it is not if the loss or a gradient is not finite.
    pub applied: bool,
    /// What happened inside.
    pub record: &'a StepRecord,
    /// What watching costs in this run.
    pub cost: Cost,
    pub(crate) look: Look<'a>,
}

/// A step that was not taken, because the loss or a gradient was not finite. The state is the one before it.
#[derive(Clone, Copy)]
pub struct Skipped<'a> {
    /// Steps taken since the beginning of the run, with this one.
    pub step: usize,
    /// The epoch, from 1.
    pub epoch: usize,
    /// The loss of this step's rows.
    pub loss: f64,
    /// The learning rate of this step.
    pub lr: f64,
    /// The norm of all gradients together.
    pub gradient_norm: f64,
    /// How many steps in a row have not been taken, with this one. [TRAIN-14]
    pub in_a_row: usize,
    pub(crate) look: Look<'a>,
}

impl<'a> Watched<'a> {
    /// The network after this step, for a costlier look.
    pub fn look(&self) -> Look<'a> {
        self.look
    }
}

impl<'a> Skipped<'a> {
    /// The network, to look at.
    pub fn look(&self) -> Look<'a> {
        self.look
    }

    /// What was not finite first: the batch, a parameter, or an operation of a layer. Goes through the step again, op by op.
    pub fn locate(&self) -> Result<Option<NonFinite>> {
        Ok(self.look.step.locate(self.look.state, self.look.batch)?)
    }
}

/// The network between two steps, to be looked at and not to be changed: run forward passes and gradients on it, or train
/// a copy of the state on what comes next.
///
/// ```
/// # use barun_train::watching::Look;
/// use barun_nn::fork::{Arm, Race};
///
/// /// How much lower the loss would be after the next 30 steps with a third of the learning rate.
/// fn with_a_smaller_rate(look: Look<'_>) -> barun_train::Result<f64> {
///     let arms = [Arm::unchanged(), Arm::lr(1.0 / 3.0)];
///     let race = Race::default().run(look.step(), look.state(), &look.ahead(30)?, &arms)?;
///     Ok(race.lanes[1].advantage())
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Look<'a> {
    pub(crate) step: &'a Step<&'a dyn Model>,
    pub(crate) state: &'a State,
    pub(crate) batch: &'a Batch,
    pub(crate) ahead: &'a dyn Fn(usize) -> Result<Vec<Planned>>,
}

impl<'a> Look<'a> {
    /// The compiled step: everything that can be asked about the network.
    pub fn step(&self) -> &'a Step<&'a dyn Model> {
        self.step
    }

    /// The parameters, statistics and what the optimiser remembers; clone it to fork.
    pub fn state(&self) -> &'a State {
        self.state
    }

    /// The rows of the step that was just taken.
    pub fn batch(&self) -> &'a Batch {
        self.batch
    }

    /// The next `steps` steps of this run, with the batches and learning rates it will take, also those of epochs to come. A
    /// schedule that waits for the validation loss is asked with the losses there are.
    pub fn ahead(&self, steps: usize) -> Result<Vec<Planned>> {
        (self.ahead)(steps)
    }
}

/// What watching costs: the shortest times so far of whole steps, which are those that nothing disturbed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    plain: Option<Duration>,
    watched: Option<Duration>,
}

impl Cost {
    /// A step was taken in this time.
    pub(crate) fn add(&mut self, is_watched: bool, took: Duration) {
        let shortest = if is_watched { &mut self.watched } else { &mut self.plain };
        *shortest = Some(shortest.map_or(took, |before| before.min(took)));
    }

    /// How much longer a watched step takes, as a part of a plain one; none before there was one of each.
    pub fn overhead(&self) -> Option<f64> {
        let [plain, watched] = [self.plain?, self.watched?].map(|time| time.as_secs_f64());
        (plain > 0.0).then(|| (watched / plain - 1.0).max(0.0))
    }
}

/// Which steps to watch: the first ones all, for what goes wrong goes wrong early, then every k-th.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WatchEvery {
    /// So many steps from the beginning of the run are all watched.
    pub first: usize,
    /// After them every so manieth; at least 1.
    pub every: usize,
    /// The part of the run's time that watching may take; `every` grows where it takes more. None: never mind.
    pub most: Option<f64>,
}

impl WatchEvery {
    /// Every step of the first 50, then every 20th, or fewer where steps are so short that it would take more than 1 % of the
    /// time. Which steps that is depends on the machine, and so may what is seen; what is trained never does.
    pub fn auto() -> WatchEvery {
        WatchEvery { most: Some(0.01), ..WatchEvery::steps(20) }
    }

    /// Every step of the first 50, then every `every`-th, whatever it takes.
    pub fn steps(every: usize) -> WatchEvery {
        WatchEvery { first: 50, every: every.max(1), most: None }
    }

    /// Whether to watch the step of this number, from 1 on.
    pub fn is_due(&self, step: usize) -> bool {
        step <= self.first || step.is_multiple_of(self.every.max(1))
    }

    /// Takes in what a step has told about the cost of watching.
    pub fn learn(&mut self, event: &Watched<'_>) {
        if let (Some(most), Some(overhead)) = (self.most, event.cost.overhead()) {
            self.afford(most, overhead);
        }
    }

    /// Fewer steps where they would take more than `most`.
    fn afford(&mut self, most: f64, overhead: f64) {
        let needed = (overhead / most.max(f64::MIN_POSITIVE)).ceil();
        self.every = self.every.max(needed.min(1e6) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_steps_are_watched_and_then_every_kth() {
        let watch = WatchEvery::steps(20);
        let due: Vec<usize> = (1..=120).filter(|step| watch.is_due(*step)).collect();
        assert_eq!(due[..50], (1..=50).collect::<Vec<_>>());
        assert_eq!(due[50..], [60, 80, 100, 120]);
    }

    #[test]
    fn where_watching_takes_too_long_fewer_steps_are_watched() {
        let mut watch = WatchEvery::auto();
        watch.afford(0.01, 0.12);
        assert_eq!(watch.every, 20);
        watch.afford(0.01, 0.42);
        assert_eq!(watch.every, 42);
        watch.afford(0.01, 0.3);
        assert_eq!(watch.every, 42, "it does not go back and forth");
    }

    #[test]
    fn the_cost_is_known_when_there_was_a_step_of_each_kind() {
        let mut cost = Cost::default();
        cost.add(true, Duration::from_millis(12));
        assert_eq!(cost.overhead(), None);
        cost.add(false, Duration::from_millis(30));
        cost.add(false, Duration::from_millis(10));
        assert!((cost.overhead().unwrap() - 0.2).abs() < 1e-9);
    }
}
