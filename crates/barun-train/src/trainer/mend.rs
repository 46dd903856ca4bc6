//! A run that is mended on its way: what a callback is given to try things with, and how the run goes on by what it gives back.

use std::sync::Arc;

use barun_nn::fork::adopted;
use barun_nn::schedules::Moment;
use barun_nn::{Forward, Module, Step};
use serde_json::Value;

use super::course::{Course, ended};
use crate::changes::Changes;
use crate::error::Result;
use crate::mending::{Earlier, Mended, Mending, Next};
use crate::position::Position;
use crate::repair::Repair;
use crate::run::before_repair;
use crate::subject::{Subject, calls_of};

/// So many of the states that a callback wants to keep are kept.
const KEPT: usize = 2;

impl<M: Module + Forward> Course<'_, M> {
    /// Asks the callbacks for a better way to go on, and takes it.
    pub(super) fn mend(&mut self) -> Result<()> {
        self.callback.on_mending()?;
        let mended = self.ask_to_mend()?;
        let repairs = self.callback.repairs();
        if let Some(mended) = mended {
            self.go_on(mended)?;
        }
        repairs.iter().try_for_each(|repair: &Repair| self.callback.on_repair(repair))?;
        self.tell_findings()
    }

    fn ask_to_mend(&mut self) -> Result<Option<Mended>> {
        let (base, step) = (self.base.erased(), self.step.erased());
        let earlier = self.worth_going_back_to()?;
        let (taken, total) = (self.steps_taken(), self.epochs * self.loader.batches_per_epoch());
        let batches = self.position.batches();
        let next =
            Next { epoch: self.position.epochs, batches, loader: &self.loader, objective: self.objective };
        let planned = |lr: f64, step: usize| {
            let moment = Moment {
                step: step as u64,
                total: total as u64,
                steps_per_epoch: self.loader.batches_per_epoch() as u64,
                losses: &self.position.valid_losses,
            };
            self.schedule.lr(lr, &moment)
        };
        let is_to_end = || ended(&self.stop, &self.clock, self.max_seconds).is_some();
        self.callback.mend(&Mending {
            taken,
            total,
            changes: &self.changes,
            base: &base,
            step: &step,
            state: &self.state,
            earlier: &earlier,
            next,
            valid: &self.valid,
            batch_size: self.batch_size,
            is_kept: self.keeper.is_some(),
            planned: &planned,
            is_to_end: &is_to_end,
        })
    }

    /// Steps taken since the beginning of the run.
    pub(super) fn steps_taken(&self) -> usize {
        self.position.epochs * self.loader.batches_per_epoch() + self.position.batches()
    }

    /// The first state, the last that were kept, and the best epoch's, for the step as it stands.
    fn worth_going_back_to(&self) -> Result<Vec<Earlier>> {
        let first = adopted(&self.base.init(self.loader.options().seed)?, &*self.step)?;
        let mut earlier = vec![Earlier { taken: 0, state: first }];
        earlier.extend(self.earlier.iter().cloned());
        let best = self.best.as_ref().filter(|best| best.changes.compute_as(&self.changes));
        if let Some(best) = best {
            let taken = best.epoch * self.loader.batches_per_epoch();
            earlier.push(Earlier { taken, state: adopted(&best.state, &*self.step)? });
        }
        Ok(earlier)
    }

    /// Keeps the state as one to go back to, if a callback wants that.
    pub(super) fn keep_state(&mut self) {
        let taken = self.steps_taken();
        if self.callback.keeps_state(taken) {
            if self.earlier.len() == KEPT {
                self.earlier.remove(0);
            }
            self.earlier.push(Earlier { taken, state: self.state.clone() });
        }
    }

    /// Takes the new way, after what there was is kept.
    fn go_on(&mut self, mended: Mended) -> Result<()> {
        self.position.mended += 1;
        if let Some(keeper) = &mut self.keeper {
            // A model to use or to look at: what callbacks remember is of the last checkpoint.
            let position = Position { callbacks: Value::Null, earlier: Vec::new(), ..self.position.clone() };
            let name = before_repair(self.position.mended);
            keeper.write_beside(&name, &self.state, &position, &self.changes)?;
            keeper.write_repaired_recipe(&mended.changes)?;
        }
        let Mended { changes, state } = mended;
        self.step = step_under(&self.base, &changes)?;
        // The layouts are equal, but a program knows only its own.
        self.state = adopted(&state, &*self.step)?;
        self.changes = changes;
        self.earlier = vec![Earlier { taken: self.steps_taken(), state: self.state.clone() }];
        let (step, part) = (Arc::clone(&self.step), self.loader.part().clone());
        let calls = || calls_of(&*step, &part);
        let parts = (&part, &self.valid);
        self.callback.on_mended(&Subject::new(&*step, parts, self.batch_size, &self.changes, &calls))
    }
}

/// The step of a run that began with `base`, after `changes`.
pub(super) fn step_under<M: Module + Forward>(
    base: &Arc<Step<M>>,
    changes: &Changes,
) -> Result<Arc<Step<M>>> {
    match changes.need_another_step() {
        true => Ok(Arc::new(changes.step(base)?)),
        false => Ok(Arc::clone(base)),
    }
}
