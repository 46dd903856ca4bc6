//! Forks: what a run would become under other terms.
//!
//! The state of a run is data, so a copy of it can go on with another learning rate, clipping or optimiser, on the very
//! batches that the run itself would meet. Every arm of a [`Race`] starts from one snapshot and sees the same batches, so
//! the difference between two arms is what was changed, and the noise of the batches cancels.
//!
//! ```
//! use barun_nn::{Batch, Buffer, Step, layers::*, losses::Mse, optimizers::Sgd, sequential};
//! use barun_nn::fork::{Arm, Planned, Race};
//! let step = Step::compile(sequential![Linear::new(1, 1)], &Sgd::default(), &Mse::default())?;
//! let state = step.init(1)?;
//! let batch = Batch { x: Buffer::new(&[1.0f32, 2.0], [2, 1]), y: Buffer::new(&[3.0f32, 6.0], [2, 1]) };
//! let planned = vec![Planned { batch, lr: 0.001 }; 20];
//! let race = Race::default().run(&step, &state, &planned, &[Arm::unchanged(), Arm::lr(30.0)])?;
//! assert!(race.lanes[1].advantage() > 0.1, "{race}"); // the learning rate was too small
//! # Ok::<(), barun_nn::Error>(())
//! ```

use std::fmt;

use barun_engine::Fleet;

use crate::losses::Loss;
use crate::optimizers::AnyOptimizer;
use crate::pass::position;
use crate::{Batch, Error, Forward, Mode, Module, Result, State, Step, StepOptions};

/// A step that is still to come.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its rows.
    pub batch: Batch,
    /// Its learning rate.
    pub lr: f64,
}

/// One way for the run to go on.
#[derive(Clone)]
pub struct Arm {
    /// What it is called: `learning rate / 3`.
    pub name: String,
    /// By what the planned learning rates are multiplied.
    pub lr_factor: f64,
    /// Another optimiser; what the old one remembers is kept where the new one remembers the same.
    pub optimizer: Option<AnyOptimizer>,
    /// Another loss. Its losses are not those of the other arms, so they compare only with themselves.
    pub loss: Option<Box<dyn Loss>>,
    /// Other options: clipping, penalties, frozen parameters, dropout.
    pub options: Option<StepOptions>,
}

impl Arm {
    /// As planned.
    pub fn unchanged() -> Arm {
        Arm { name: "unchanged".into(), lr_factor: 1.0, optimizer: None, loss: None, options: None }
    }

    /// With the learning rate multiplied.
    pub fn lr(factor: f64) -> Arm {
        let name = match factor {
            factor if factor < 1.0 => format!("learning rate / {}", short(1.0 / factor)),
            factor => format!("learning rate x {}", short(factor)),
        };
        Arm { name, lr_factor: factor, ..Arm::unchanged() }
    }

    /// With other options; begin with [`Step::options`].
    pub fn options(name: impl Into<String>, options: StepOptions) -> Arm {
        Arm { name: name.into(), options: Some(options), ..Arm::unchanged() }
    }

    /// With another optimiser.
    pub fn optimizer(name: impl Into<String>, optimizer: impl Into<AnyOptimizer>) -> Arm {
        Arm { name: name.into(), optimizer: Some(optimizer.into()), ..Arm::unchanged() }
    }

    /// Whether it is the run's own step, at whatever rate.
    fn keeps_the_step(&self) -> bool {
        self.optimizer.is_none() && self.loss.is_none() && self.options.is_none()
    }
}

/// How a race is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Race {
    /// The part of the running mean of losses that is kept at each step.
    pub smoothing: f64,
    /// The last part of the steps over which every arm's learning rate falls to 0 in a line. Without it the smaller of two
    /// rates nearly always wins: it is less noisy, and what the larger has gained does not show yet.
    pub anneal: f64,
}

impl Default for Race {
    fn default() -> Self {
        Race { smoothing: 0.9, anneal: 0.0 }
    }
}

/// How an arm went.
#[derive(Clone)]
pub struct Lane {
    /// The arm's name.
    pub name: String,
    /// The loss of each batch, before its step.
    pub losses: Vec<f64>,
    /// Their running mean.
    pub smoothed: Vec<f64>,
    /// The running mean of how much larger its losses are than those of the first arm on the same batches.
    pub difference: Vec<f64>,
    /// Steps that were not taken, since something was not finite.
    pub skipped: usize,
    /// Where it ended.
    pub state: State,
}

impl Lane {
    /// How much lower its smoothed loss is at the end than that of the first arm, as a part of that one: 0.12 is 12 % lower.
    /// Minus infinity where its losses are not finite, infinity where only those of the first arm are not.
    pub fn advantage(&self) -> f64 {
        let [own, difference] =
            [&self.smoothed, &self.difference].map(|curve| curve.last().copied().unwrap_or(0.0));
        match (own.is_finite(), difference.is_finite()) {
            (false, _) => f64::NEG_INFINITY,
            (true, false) => f64::INFINITY,
            (true, true) => -difference / (own - difference).abs().max(f64::MIN_POSITIVE),
        }
    }
}

/// How all arms went.
#[derive(Clone)]
pub struct RaceReport {
    /// One for each arm, in their order; the first is what the others are held against.
    pub lanes: Vec<Lane>,
}

/// Below so many floating-point operations a step is better done by one core, beside others, than by all in turn.
const SMALL_FLOPS: f64 = 30e6;

impl Race {
    /// Lets `arms` go on from `state`, each over all of `planned`. What is given stays as it is; results do not depend on
    /// the number of threads.
    ///
    /// # Errors
    /// No arms, no steps, parts that are no parts, and what a step reports.
    pub fn run<M: Module + Forward>(
        &self,
        step: &Step<M>,
        state: &State,
        planned: &[Planned],
        arms: &[Arm],
    ) -> Result<RaceReport> {
        if arms.is_empty() || planned.is_empty() {
            let message = format!("a race needs arms and steps, it has {} and {}", arms.len(), planned.len());
            return Err(Error::Model(message));
        }
        if !(0.0..1.0).contains(&self.smoothing) || !(0.0..=1.0).contains(&self.anneal) {
            let Race { smoothing, anneal } = self;
            let message = format!(
                "a race smooths by a part in [0, 1) and anneals a part in [0, 1] of its steps, not {smoothing} and {anneal}"
            );
            return Err(Error::Model(message));
        }
        let mut ran: Vec<Option<Ran>> = (0..arms.len()).map(|_| None).collect();
        let (own, other): (Vec<usize>, Vec<usize>) =
            (0..arms.len()).partition(|&arm| arms[arm].keeps_the_step());
        let factors: Vec<f64> = own.iter().map(|&arm| arms[arm].lr_factor).collect();
        for (arm, result) in own.into_iter().zip(self.together(step, state, planned, &factors)?) {
            ran[arm] = Some(result);
        }
        for arm in other {
            let changed = changed(step, &arms[arm])?;
            let state = adopted(state, &changed)?;
            ran[arm] = self.together(&changed, &state, planned, &[arms[arm].lr_factor])?.pop();
        }
        let ran: Vec<Ran> = ran.into_iter().flatten().collect();
        // A batch on which every arm fails says nothing about any of them.
        let counts: Vec<bool> =
            (0..planned.len()).map(|at| ran.iter().any(|ran| ran.losses[at].is_finite())).collect();
        let first = ran[0].losses.clone();
        let lanes = arms.iter().zip(ran).map(|(arm, ran)| self.lane(arm, ran, &first, &counts));
        Ok(RaceReport { lanes: lanes.collect() })
    }

    /// Arms that differ in their learning rates only.
    fn together<M: Module + Forward>(
        &self,
        step: &Step<M>,
        state: &State,
        planned: &[Planned],
        factors: &[f64],
    ) -> Result<Vec<Ran>> {
        let ran = |state: State| Ran { losses: Vec::new(), skipped: 0, state };
        let mut arms: Vec<Ran> = factors.iter().map(|_| ran(state.clone())).collect();
        if arms.len() > 1 && is_small(step, &planned[0].batch)? {
            let mut fleet = Fleet { states: factors.iter().map(|_| state.clone()).collect() };
            for (at, Planned { batch, lr }) in planned.iter().enumerate() {
                let lrs: Vec<f64> =
                    factors.iter().map(|factor| factor * lr * self.share(at, planned.len())).collect();
                let batches = vec![batch.clone(); arms.len()];
                let outputs = step.run_fleet(&mut fleet, &batches, &lrs)?;
                arms.iter_mut().zip(outputs).for_each(|(arm, output)| arm.add(output.loss, output.applied));
            }
            arms.iter_mut().zip(fleet.states).for_each(|(arm, state)| arm.state = state);
            return Ok(arms);
        }
        for (arm, factor) in arms.iter_mut().zip(factors) {
            for (at, Planned { batch, lr }) in planned.iter().enumerate() {
                let output = step.run(&mut arm.state, batch, factor * lr * self.share(at, planned.len()))?;
                arm.add(output.loss, output.applied);
            }
        }
        Ok(arms)
    }

    /// The part of the planned rate that is left at step `at` of `count`.
    fn share(&self, at: usize, count: usize) -> f64 {
        let falling = self.anneal * count as f64;
        let left = (count - at) as f64;
        if left < falling { left / falling } else { 1.0 }
    }

    fn lane(&self, arm: &Arm, ran: Ran, first: &[f64], counts: &[bool]) -> Lane {
        let differences: Vec<f64> = ran.losses.iter().zip(first).map(|(own, first)| own - first).collect();
        Lane {
            name: arm.name.clone(),
            smoothed: self.smooth(&ran.losses, counts),
            difference: self.smooth(&differences, counts),
            losses: ran.losses,
            skipped: ran.skipped,
            state: ran.state,
        }
    }

    /// Running means of what counts, as if all before the beginning had been alike.
    fn smooth(&self, values: &[f64], counts: &[bool]) -> Vec<f64> {
        let (mut sum, mut weight) = (0.0, 0.0);
        let next = |(value, counts): (&f64, &bool)| {
            if *counts {
                sum = self.smoothing * sum + (1.0 - self.smoothing) * value;
                weight = self.smoothing * weight + (1.0 - self.smoothing);
            }
            if weight > 0.0 { sum / weight } else { *value }
        };
        values.iter().zip(counts).map(next).collect()
    }
}

/// An arm on its way.
struct Ran {
    losses: Vec<f64>,
    skipped: usize,
    state: State,
}

impl Ran {
    fn add(&mut self, loss: f64, applied: bool) {
        self.losses.push(loss);
        self.skipped += usize::from(!applied);
    }
}

/// The step under the arm's terms.
fn changed<M: Module + Forward>(step: &Step<M>, arm: &Arm) -> Result<Step<M>> {
    let optimizer = arm.optimizer.as_ref().unwrap_or_else(|| step.optimizer());
    let options = arm.options.clone().unwrap_or_else(|| step.options().clone());
    match &arm.loss {
        Some(loss) => step.changed_with(optimizer, loss, options),
        None => step.changed(optimizer, options),
    }
}

/// The state for a step with other terms: everything that it has under the same name and of the same shape, the rest as at
/// the beginning of a run. So a step with another optimiser starts with the weights of this one.
pub fn adopted<M: Module + Forward>(state: &State, step: &Step<M>) -> Result<State> {
    let mut adopted = step.init(0)?;
    for (index, slot) in state.layout().slots().iter().enumerate() {
        let Ok(own) = position(step.layout(), &slot.name) else { continue };
        let target = &step.layout().slots()[own];
        if (&target.shape, target.dtype) == (&slot.shape, slot.dtype) {
            adopted.write(own, &state.read(index))?;
        }
    }
    Ok(adopted)
}

/// Whether a step on `batch` is too small for several cores.
fn is_small<M: Module + Forward>(step: &Step<M>, batch: &Batch) -> Result<bool> {
    let [x, y] = [&batch.x, &batch.y].map(|buffer| (buffer.shape(), buffer.dtype()));
    let flops: f64 = step.program(Mode::Train, x, y)?.kernels().iter().map(|kernel| kernel.flops).sum();
    Ok(flops < SMALL_FLOPS)
}

fn short(number: f64) -> String {
    let rounded = (number * 100.0).round() / 100.0;
    format!("{rounded}")
}

impl fmt::Display for RaceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.lanes.iter().map(|lane| lane.name.chars().count()).max().unwrap_or(0);
        for (at, lane) in self.lanes.iter().enumerate() {
            let last = lane.smoothed.last().copied().unwrap_or(f64::NAN);
            let held = match at {
                0 => String::new(),
                _ => format!("  {:+.1} % against {}", -100.0 * lane.advantage(), self.lanes[0].name),
            };
            let skipped = match lane.skipped {
                0 => String::new(),
                steps => format!("  ({steps} steps not taken)"),
            };
            writeln!(f, "{:<width$}  loss {last:.4}{held}{skipped}", lane.name)?;
        }
        Ok(())
    }
}
