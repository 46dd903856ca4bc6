//! Mending a run on its way: whoever watches it may try other terms on copies of its state, and go on under the best.
//!
//! A callback that [wants to](crate::callback::Callback::wants_to_mend) is given a [`Mending`] between two steps: the state, the
//! states from earlier that are worth going back to, the batches to come in this or in other orders, and steps compiled
//! under other [`Changes`]. All of it is for trying; the run itself changes only by the [`Mended`] that is given back, and goes
//! on from there with the batches that it would have met. Nothing of it depends on the time or on the number of threads, so a resumed run is
//! mended alike; one that is [to end](Mending::is_to_end) is left as it is and mended when it is resumed.
//!
//! The test part is out of reach: what is tried is measured on the validation part, or without one on training rows.

use barun_data::{Loader, LoaderOptions, Part};
use barun_engine::random::combine;
use barun_nn::fork::Planned;
use barun_nn::{Batch, Model, State, Step, averaged};

use crate::changes::Changes;
use crate::error::Result;
use crate::feed::Feed;
use crate::objective::Objective;
use crate::predictor::Measured;

/// No more rows than these are measured.
const MOST_ROWS: usize = 2048;

/// A run between two steps, to be mended; see the [module](self).
pub struct Mending<'a> {
    pub(crate) taken: usize,
    pub(crate) total: usize,
    pub(crate) changes: &'a Changes,
    /// As the run began.
    pub(crate) base: &'a Step<&'a dyn Model>,
    /// As it stands.
    pub(crate) step: &'a Step<&'a dyn Model>,
    pub(crate) state: &'a State,
    pub(crate) earlier: &'a [Earlier],
    pub(crate) next: Next<'a>,
    pub(crate) valid: &'a Part,
    pub(crate) batch_size: usize,
    pub(crate) is_kept: bool,
    /// The planned rate of a step, for an optimiser of this rate.
    pub(crate) planned: &'a dyn Fn(f64, usize) -> f64,
    pub(crate) is_to_end: &'a dyn Fn() -> bool,
}

/// A state from before.
#[derive(Clone)]
pub struct Earlier {
    /// The steps that had been taken.
    pub taken: usize,
    /// What the network was then.
    pub state: State,
}

/// How a run goes on.
pub struct Mended {
    /// Its terms, against the beginning of the run.
    pub changes: Changes,
    /// From where; of the layout of a step under these changes.
    pub state: State,
}

impl<'a> Mending<'a> {
    /// Steps taken.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Steps of the whole run.
    pub fn total(&self) -> usize {
        self.total
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        self.next.loader.options().seed
    }

    /// The learning rate of the optimiser that the run began with.
    pub fn base_lr(&self) -> f64 {
        self.base.optimizer().lr()
    }

    /// Whether the run has a folder, where the state from before is kept.
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Whether somebody waits for the run to end, or its time is up: trials are then broken off, and nothing is remembered of
    /// them, so that the resumed run begins with them again.
    pub fn is_to_end(&self) -> bool {
        (self.is_to_end)()
    }

    /// What has been changed so far.
    pub fn changes(&self) -> &'a Changes {
        self.changes
    }

    /// The compiled step as it stands.
    pub fn step(&self) -> &'a Step<&'a dyn Model> {
        self.step
    }

    /// The state as it stands.
    pub fn state(&self) -> &'a State {
        self.state
    }

    /// States worth going back to, all for [`step`](Mending::step): the first one, the last that were kept, the best epoch's.
    pub fn earlier(&self) -> &'a [Earlier] {
        self.earlier
    }

    /// The step under other changes.
    ///
    /// # Errors
    /// Changes that the network does not take.
    pub fn under(&self, changes: &Changes) -> Result<Step<&'a dyn Model>> {
        changes.step(self.base)
    }

    /// The next `steps` batches in an order of the training rows: 0 is that of the run itself, the others are orders of
    /// their own.
    ///
    /// # Errors
    /// Rows that cannot be read.
    pub fn batches(&self, order: u64, steps: usize) -> Result<Vec<Batch>> {
        let planned = match order {
            0 => self.next.steps(steps, &|_| 0.0)?,
            _ => {
                let options = self.next.loader.options();
                let seed = combine(combine(options.seed, self.taken as u64), order);
                let loader = self.next.loader.part().loader(LoaderOptions { seed, ..*options })?;
                Next { batches: 0, loader: &loader, ..self.next }.steps(steps, &|_| 0.0)?
            }
        };
        Ok(planned.into_iter().map(|planned| planned.batch).collect())
    }

    /// The learning rates of the next `steps` steps under `changes`, for an optimiser of rate `lr`.
    pub fn lrs(&self, changes: &Changes, lr: f64, steps: usize) -> Vec<f64> {
        let rate = |step: usize| changes.lr((self.planned)(lr, step), step);
        (self.taken..self.taken + steps).map(rate).collect()
    }

    /// The loss in eval mode on the validation part, or without one on training rows; at most 2048 of them.
    ///
    /// # Errors
    /// Rows that cannot be read.
    pub fn loss(&self, step: &Step<&dyn Model>, state: &State) -> Result<f64> {
        let part = if self.valid.is_empty() { self.next.loader.part() } else { self.valid };
        let rows = spread(part.indices(), MOST_ROWS);
        let kept = averaged(state)?;
        let at_once = self.batch_size.min(rows.len());
        let of_part = Measured::of((step, &kept), self.next.objective, part, at_once);
        Ok(Measured { rows: &rows, ..of_part }.figures()?.loss)
    }

    /// At most `rows` rows of the training part, evenly from all of it.
    ///
    /// # Errors
    /// Rows that cannot be read.
    pub fn sample(&self, rows: usize) -> Result<Batch> {
        let part = self.next.loader.part();
        let rows = spread(part.indices(), rows);
        let mut feed = Feed::new(self.next.objective);
        Ok(feed.gather(part.dataset().features(), Some(part.dataset().targets()), &rows)?.clone())
    }
}

/// At most `most` of `rows`, evenly from all of them.
fn spread(rows: &[usize], most: usize) -> Vec<usize> {
    let count = rows.len().min(most);
    (0..count).map(|at| rows[at * rows.len() / count]).collect()
}

/// Where a run goes on.
#[derive(Clone, Copy)]
pub(crate) struct Next<'a> {
    /// Epochs completed.
    pub epoch: usize,
    /// Steps taken of the next one.
    pub batches: usize,
    pub loader: &'a Loader,
    pub objective: Objective,
}

impl Next<'_> {
    /// The next `count` steps, at the rates `lr_of` their numbers from 0 on.
    pub fn steps(&self, count: usize, lr_of: &dyn Fn(usize) -> f64) -> Result<Vec<Planned>> {
        let per_epoch = self.loader.batches_per_epoch();
        let mut feed = Feed::new(self.objective);
        let mut found = Vec::new();
        let (mut epoch, mut taken) = (self.epoch, self.batches);
        while found.len() < count {
            for gathered in self.loader.epoch_from(epoch as u64, taken).take(count - found.len()) {
                let batch = feed.fill(&gathered?).clone();
                found.push(Planned { batch, lr: lr_of(epoch * per_epoch + taken) });
                taken += 1;
            }
            (epoch, taken) = (epoch + 1, 0);
        }
        Ok(found)
    }
}
