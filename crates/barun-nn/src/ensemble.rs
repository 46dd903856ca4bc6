//! Several trained models that answer together, and one that answers several times.
//!
//! *Members* are states under one step: other seeds, other folds, the ends of the rounds of one run ([`Snapshots`]), or
//! draws of dropout from one state ([`dropout_samples`]). Their answers are averaged as probabilities where the loss is
//! about classes, as numbers elsewhere. Since the logarithm is concave, the cross entropy of the average is never above the
//! members' mean. [ENS-01, ENS-02]

use crate::losses::{Outputs, Task};
use crate::schedules::{CosineRestarts, Moment};
use crate::{Buffer, Error, Forward, Module, Result, State, Step, Tensor};

/// The mean answer of several states under one step: for classes probabilities `[n, classes]`, rows that sum to 1; for two
/// classes with one output its probability; for numbers the number.
pub fn average<M: Module + Forward>(step: &Step<M>, states: &[State], x: &Buffer) -> Result<Buffer> {
    let outputs: Result<Vec<Buffer>> = states.iter().map(|state| step.predict(state, x)).collect();
    mean(&answers(step, &outputs?)?)
}

/// The answers of one state under `draws` different dropout masks, at the price of as many predictions: their mean is a
/// better answer, their spread says how sure it is. Everything but dropout is as in evaluation. Gal & Ghahramani, 2016,
/// "Dropout as a Bayesian approximation". [ENS-03 .. ENS-05]
pub fn dropout_samples<M: Module + Forward>(
    step: &Step<M>,
    state: &State,
    x: &Buffer,
    draws: usize,
) -> Result<Vec<Buffer>> {
    answers(step, &step.samples(state, x, draws)?)
}

/// What outputs say: probabilities where the loss is about classes, else the outputs.
pub fn answers<M: Module + Forward>(step: &Step<M>, outputs: &[Buffer]) -> Result<Vec<Buffer>> {
    let answer = |output: &Buffer| -> Result<Buffer> {
        let output = Tensor::new(output.clone());
        let answer = match step.loss().task() {
            Task::Classes(Outputs::Scores) => output.softmax(-1),
            Task::TwoClasses(Outputs::Scores) => output.sigmoid(),
            _ => output,
        };
        Ok((*answer.eval()?).clone())
    };
    outputs.iter().map(answer).collect()
}

/// The mean of several answers to the same rows.
pub fn mean(answers: &[Buffer]) -> Result<Buffer> {
    let sum = answers.iter().map(|answer| Tensor::new(answer.clone())).reduce(|sum, answer| sum + answer);
    let sum = sum.ok_or_else(|| Error::Model("an ensemble needs at least one member".to_string()))?;
    Ok((*(sum / answers.len() as f64).eval()?).clone())
}

/// How often two members name different classes for a row: the mean over rows and pairs of members, from 0 to 1. Members
/// that always agree add nothing to each other. `answers` are rows `[n, classes]`, or `[n, 1]` probabilities of the second
/// class. [ENS-06]
pub fn disagreement(answers: &[Buffer]) -> f64 {
    let classes: Vec<Vec<usize>> = answers.iter().map(classes).collect();
    let mut pairs = 0;
    let mut differ = 0;
    for (index, one) in classes.iter().enumerate() {
        for other in &classes[..index] {
            pairs += one.len();
            differ += one.iter().zip(other).filter(|(a, b)| a != b).count();
        }
    }
    if pairs == 0 { 0.0 } else { differ as f64 / pairs as f64 }
}

/// The class each row names.
fn classes(answer: &Buffer) -> Vec<usize> {
    let width = answer.shape().last().copied().unwrap_or(1).max(1);
    let values = answer.to_f64();
    let largest =
        |row: &[f64]| (0..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best });
    match width {
        1 => values.iter().map(|&probability| usize::from(probability > 0.5)).collect(),
        _ => values.chunks(width).map(largest).collect(),
    }
}

/// Keeps the state at the end of each round of a [`CosineRestarts`]: an ensemble for the price of one run. Huang et al.,
/// 2017, "Snapshot ensembles: train 1, get M for free".
///
/// ```
/// use barun_nn::{ensemble::{Snapshots, average}, schedules::{CosineRestarts, Moment, Schedule}};
/// # use barun_nn::{Batch, Buffer, Step, layers::*, losses::CrossEntropy, optimizers::Sgd, sequential};
/// # let step = Step::compile(sequential![Linear::new(2, 2)], &Sgd::default(), &CrossEntropy::default())?;
/// # let mut state = step.init(1)?;
/// # let batch = Batch { x: Buffer::new(&[0.0f32, 1.0], [1, 2]), y: Buffer::new(&[1i64], [1]) };
/// let mut snapshots = Snapshots::new(CosineRestarts::default());
/// for at in 0..100 {
///     let moment = Moment::new(at, 100, 10);
///     step.run(&mut state, &batch, snapshots.schedule.lr(0.1, &moment))?;
///     snapshots.after(&moment, &state);
/// }
/// assert_eq!(snapshots.states.len(), 5);
/// let probabilities = average(&step, &snapshots.states, &batch.x)?;
/// # Ok::<(), barun_nn::Error>(())
/// ```
pub struct Snapshots {
    /// The schedule whose rounds they end.
    pub schedule: CosineRestarts,
    /// The states so far, oldest first.
    pub states: Vec<State>,
}

impl Snapshots {
    /// None yet.
    pub fn new(schedule: CosineRestarts) -> Self {
        Snapshots { schedule, states: Vec::new() }
    }

    /// Keeps `state` if a round ends with the step at `moment`, which has just been taken.
    pub fn after(&mut self, moment: &Moment<'_>, state: &State) {
        if self.schedule.ends_round(moment) {
            self.states.push(state.clone());
        }
    }
}
