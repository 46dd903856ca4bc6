//! Trials: a candidate beside the unchanged run, order by order, and what the differences say.

use std::ops::Range;

use barun_nn::fork::{Arm, Planned, Race};
use barun_nn::{Model, State, Step};
use barun_train::Result;
use barun_train::changes::Changes;
use barun_train::mending::Mending;
use barun_train::repair::Trial;

use super::edits::Candidate;
use super::moved;
use crate::curve::median;
use crate::history::History;

/// The last part of a trial in which the learning rate falls to 0.
const ANNEAL: f64 = 0.5;
/// A gain counts from so many of its standard errors on.
const STANDARD_ERRORS: f64 = 2.0;

/// A way for the run to go on.
pub struct Way<'a> {
    name: String,
    /// None: the run's own.
    step: Option<Step<&'a dyn Model>>,
    pub changes: Changes,
    pub state: State,
}

impl<'a> Way<'a> {
    /// As it would.
    pub fn unchanged(run: &Mending<'a>) -> Way<'a> {
        Way {
            name: "unchanged".into(),
            step: None,
            changes: run.changes().clone(),
            state: run.state().clone(),
        }
    }

    /// With `candidate` done, from `start`; none where there is nothing to do.
    pub fn of(
        candidate: &Candidate,
        run: &Mending<'a>,
        history: &History,
        start: &State,
    ) -> Result<Option<Way<'a>>> {
        let Some((changes, start)) = candidate.done(run, history, start)? else { return Ok(None) };
        let state = moved(run, &changes, &start)?;
        let step = match changes.need_another_step() {
            true => Some(run.under(&changes)?),
            false if run.changes().need_another_step() => Some(run.under(&changes)?),
            false => None,
        };
        Ok(Some(Way { name: candidate.name(), step, changes, state }))
    }
}

/// How trials are held.
pub struct Course<'a, 'b> {
    pub run: &'b Mending<'a>,
    pub steps: usize,
    /// No loss counts as worse than this.
    pub worst: f64,
}

/// What a trial came to, order by order.
pub struct Gains {
    name: String,
    losses: Vec<f64>,
    unchanged: Vec<f64>,
}

impl Course<'_, '_> {
    /// The losses that `way` ends with, for each of the batch orders; none where the run is to end meanwhile.
    pub fn losses(&self, way: &Way<'_>, orders: Range<u64>) -> Result<Option<Vec<f64>>> {
        let step = way.step.as_ref().unwrap_or(self.run.step());
        let lrs = self.run.lrs(&way.changes, step.optimizer().lr(), self.steps);
        let race = Race { anneal: ANNEAL, ..Race::default() };
        let end = |order: u64| {
            if self.run.is_to_end() {
                return Ok(None);
            }
            let batches = self.run.batches(order, self.steps)?.into_iter().zip(&lrs);
            let planned: Vec<Planned> = batches.map(|(batch, lr)| Planned { batch, lr: *lr }).collect();
            let mut report = race.run(step, &way.state, &planned, &[Arm::unchanged()])?;
            let loss = match report.lanes.pop() {
                Some(lane) => self.run.loss(step, &lane.state)?,
                None => f64::NAN,
            };
            // Not finite is as bad as can be, and one such order must not drown the others.
            Ok(Some(if loss.is_finite() { loss.min(self.worst) } else { self.worst }))
        };
        orders.map(end).collect()
    }

    /// How `way` does beside an unchanged run with these losses; none as of [`losses`](Course::losses).
    pub fn trial(&self, way: &Way<'_>, unchanged: &[f64], orders: Range<u64>) -> Result<Option<Gains>> {
        let losses = self.losses(way, orders)?;
        Ok(losses.map(|losses| Gains { name: way.name.clone(), losses, unchanged: unchanged.to_vec() }))
    }
}

impl Gains {
    /// By how much the loss is lower, in the mean.
    pub fn gain(&self) -> f64 {
        mean(&self.differences())
    }

    /// How much lower the loss is in each order. A gain counts as no more than twice the median one: where the unchanged run
    /// is lost in one order and not in another, the one would else drown the others.
    fn differences(&self) -> Vec<f64> {
        let gains: Vec<f64> =
            self.unchanged.iter().zip(&self.losses).map(|(unchanged, own)| unchanged - own).collect();
        let most = 2.0 * median(&gains);
        gains.into_iter().map(|gain| if most > 0.0 { gain.min(most) } else { gain }).collect()
    }

    fn standard_error(&self) -> f64 {
        let (differences, gain) = (self.differences(), self.gain());
        let count = differences.len() as f64;
        let scatter: f64 = differences.iter().map(|difference| (difference - gain).powi(2)).sum();
        (scatter / (count - 1.0).max(1.0) / count).sqrt()
    }

    /// Whether it is better by more than chance, and by more than `least` of the loss.
    pub fn is_better(&self, least: f64) -> bool {
        self.gain() > STANDARD_ERRORS * self.standard_error()
            && self.gain() > least * mean(&self.unchanged).abs()
    }

    /// For the report.
    pub fn told(&self) -> Trial {
        Trial {
            name: self.name.clone(),
            loss: mean(&self.losses),
            unchanged_loss: mean(&self.unchanged),
            gain: self.gain(),
            standard_error: self.standard_error(),
            orders: self.losses.len(),
        }
    }
}

/// What is done without a trial.
pub fn untried(name: String) -> Trial {
    Trial { name, loss: f64::NAN, unchanged_loss: f64::NAN, gain: 0.0, standard_error: 0.0, orders: 0 }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gains(losses: &[f64]) -> Gains {
        Gains { name: "x".into(), losses: losses.to_vec(), unchanged: vec![1.0; losses.len()] }
    }

    #[test]
    fn a_gain_counts_when_it_is_above_two_standard_errors_and_worth_something() {
        assert!(gains(&[0.5, 0.6, 0.4, 0.5, 0.5]).is_better(0.005));
        assert!(!gains(&[0.2, 1.4, 1.2, 0.1, 1.3]).is_better(0.005), "one time so, another time so");
        let lost = Gains { unchanged: vec![0.7, 0.7, 7.0, 0.7, 3.0], ..gains(&[0.6; 5]) };
        assert!(lost.is_better(0.005), "an unchanged run that is lost in some orders is no excuse");
        assert!(!gains(&[0.999; 5]).is_better(0.005), "sure, and worth nothing");
        assert!(!gains(&[1.5; 5]).is_better(0.005));
    }
}
