//! Many states under one step: seeds, folds, trials, members of an ensemble.

use barun_engine::Fleet;

use super::{Batch, Built, Evaluation, Purpose, Step, StepOutput};
use crate::{Buffer, Error, Forward, Module, Result};

impl<M: Module + Forward> Step<M> {
    /// One step of training for every state of a fleet, each with its batch and learning rate; batches have one shape.
    /// Each state gets the same bits as by [`Step::run`].
    pub fn run_fleet(&self, fleet: &mut Fleet, batches: &[Batch], lrs: &[f64]) -> Result<Vec<StepOutput>> {
        let states = fleet.states.len();
        if batches.len() != states || lrs.len() != states {
            return Err(Error::Model(format!(
                "a fleet of {states} states needs as many batches and learning rates, it got {} and {}",
                batches.len(),
                lrs.len()
            )));
        }
        let Some(first) = batches.first() else { return Ok(Vec::new()) };
        let built = self.built(Purpose::Train, &first.x, Some(&first.y))?;
        let lrs: Vec<Buffer> = lrs.iter().map(|&lr| Buffer::new(&[lr], [])).collect();
        let outputs = fleet.run(&built.program, |index| {
            let Batch { x, y } = &batches[index];
            vec![x, y, &lrs[index]]
        })?;
        Ok(outputs.iter().map(|outputs| self.step_output(outputs)).collect())
    }

    /// Loss and metrics of one batch for every state of a fleet, in eval mode.
    pub fn evaluate_fleet(&self, fleet: &mut Fleet, batch: &Batch) -> Result<Vec<Evaluation>> {
        let built: &Built = &*self.built(Purpose::Evaluate, &batch.x, Some(&batch.y))?;
        let outputs = fleet.run(&built.program, |_| vec![&batch.x, &batch.y])?;
        Ok(outputs.iter().map(|outputs| self.evaluation(outputs, batch)).collect())
    }
}
