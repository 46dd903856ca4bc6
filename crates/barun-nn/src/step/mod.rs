//! The compiled training step: forward, backward, update and statistics as one program over one state.
//!
//! Programs are specialised to the shapes of the batch, kept, and compiled when first needed. All of them - training,
//! evaluation, prediction, probes - work on the same state.

mod average;
mod build;
mod finalize;
mod fleet;
mod groups;
mod locate;
mod memory;
mod options;
mod record;
mod visit;
mod watched;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub use average::{WeightAverage, averaged};
pub use groups::{Group, Select};
pub use locate::NonFinite;
pub use memory::StateMemory;
pub use options::{Decay, InputTransform, Learns, StepOptions};
pub use record::{ActivationRecord, ParameterRecord, StepRecord};
pub use visit::{Passing, Way, break_if_not_finite};

use barun_engine::graph::Graph;

use crate::losses::Loss;
use crate::metrics::Aggregate;
use crate::optimizers::{AnyOptimizer, ToAny};
use crate::{
    Buffer, DType, Error, Forward, Inventory, Layout, Mode, Model, Module, Profile, Program, ProgramSpec,
    Result, Shape, State, Tensor, state,
};
use average::average_name;
use build::Built;

/// Rows of inputs with their targets.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Inputs, batch first.
    pub x: Buffer,
    /// Targets, batch first.
    pub y: Buffer,
}

/// What a training step reports.
#[derive(Clone, Debug, Default)]
pub struct StepOutput {
    /// The loss before the update, without the penalty.
    pub loss: f64,
    /// What the weights cost, see [`Penalty`](crate::regularization::Penalty): what is minimised is the sum of both.
    pub penalty: f64,
    /// The norm of all gradients together, before clipping.
    pub gradient_norm: f64,
    /// Whether the update was made. It is not if the loss or a gradient is not finite: then the state is as before.
    pub applied: bool,
    /// The metrics by name.
    pub metrics: Vec<(String, f64)>,
}

/// What an evaluation reports.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// The loss.
    pub loss: f64,
    /// The metrics by name.
    pub metrics: Vec<(String, f64)>,
    /// The number of rows.
    pub rows: usize,
}

impl Evaluation {
    /// Several batches as one: means weighted by rows, sums added. `None` without batches.
    pub fn join(parts: &[Evaluation], options: &StepOptions) -> Option<Evaluation> {
        let first = parts.first()?;
        let rows: usize = parts.iter().map(|part| part.rows).sum();
        let mean = |value: &dyn Fn(&Evaluation) -> f64| {
            parts.iter().map(|part| value(part) * part.rows as f64).sum::<f64>() / rows as f64
        };
        let join = |index: usize| match options.metrics[index].aggregate() {
            Aggregate::Mean => mean(&|part| part.metrics[index].1),
            Aggregate::Sum => parts.iter().map(|part| part.metrics[index].1).sum(),
        };
        let metrics = first.metrics.iter().enumerate();
        let metrics = metrics.map(|(index, (name, _))| (name.clone(), join(index))).collect();
        Some(Evaluation { loss: mean(&|part| part.loss), metrics, rows })
    }
}

/// The count of steps under which the first sample is drawn; no run is as long.
const FIRST_SAMPLE: i64 = 1 << 48;

/// A program's purpose and the shapes it is specialised to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    purpose: Purpose,
    x: (Shape, DType),
    y: Option<(Shape, DType)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Purpose {
    Train,
    /// The same step, which also tells of itself.
    TrainWatched,
    Evaluate,
    /// The same evaluation, which also gives the model's output.
    EvaluateTelling,
    Predict,
    /// Prediction with dropout.
    Sample,
    Gradients,
    /// Those of what layers give, and of parameters.
    AllGradients,
    /// All that must be finite: what is minimised, and its gradients; op by op, to find what is not.
    Checked,
    /// What is watched: these names, or all.
    Watch(Mode, Option<Vec<String>>),
}

/// A model, an optimiser and a loss, compiled into steps.
///
/// The model may be given as a reference, an `Arc` or a value. Many states can run under one step, also at once from
/// several threads: they share the programs. See the crate's example.
pub struct Step<M> {
    model: Arc<M>,
    optimizer: AnyOptimizer,
    loss: Box<dyn Loss>,
    options: StepOptions,
    inventory: Arc<Inventory>,
    layout: Arc<Layout>,
    programs: Arc<Mutex<HashMap<Key, Arc<Built>>>>,
}

impl<M: Module + Forward> Step<M> {
    /// With default options.
    pub fn compile(model: M, optimizer: &impl ToAny, loss: &impl Loss) -> Result<Step<M>> {
        Step::with(model, optimizer, loss, StepOptions::default())
    }

    /// With `options`.
    pub fn with(model: M, optimizer: &impl ToAny, loss: &impl Loss, options: StepOptions) -> Result<Step<M>> {
        Step::of(Arc::new(model), optimizer.to_any(), loss.clone_box(), options)
    }

    /// The same model under another optimiser and other options: what a run becomes under other terms. A state for it is
    /// [adopted](crate::fork::adopted).
    ///
    /// # Errors
    /// As [`with`](Step::with).
    pub fn changed(&self, optimizer: &impl ToAny, options: StepOptions) -> Result<Step<M>> {
        self.changed_with(optimizer, &self.loss, options)
    }

    /// [`changed`](Step::changed), with another loss as well.
    ///
    /// # Errors
    /// As [`with`](Step::with).
    pub fn changed_with(
        &self,
        optimizer: &impl ToAny,
        loss: &impl Loss,
        options: StepOptions,
    ) -> Result<Step<M>> {
        Step::of(Arc::clone(&self.model), optimizer.to_any(), loss.clone_box(), options)
    }

    fn of(
        model: Arc<M>,
        optimizer: AnyOptimizer,
        loss: Box<dyn Loss>,
        options: StepOptions,
    ) -> Result<Step<M>> {
        let inventory = Arc::new(Inventory::of(&*model)?);
        options.check(&inventory)?;
        let slots = inventory.parameters.iter().filter(|entry| options.is_trained(&entry.path));
        let slots = slots.flat_map(|entry| {
            let slots = options.optimizer_of(entry, &optimizer).slots(&entry.shape).into_iter();
            let slot = |(name, shape)| (slot_name(&entry.path, name), shape, options.dtype());
            let own = (options.accumulate > 1)
                .then(|| (accumulated_name(&entry.path), entry.shape.clone(), options.dtype()));
            slots.map(slot).chain(own).collect::<Vec<_>>()
        });
        let mut slots: Vec<_> = slots.collect();
        if options.average.is_some() {
            let parameters = inventory.parameters.iter().map(|entry| (&entry.path, &entry.shape));
            let stats = inventory.stats.iter().map(|entry| (&entry.path, &entry.shape));
            let averages = parameters.chain(stats);
            slots.extend(averages.map(|(path, shape)| (average_name(path), shape.clone(), options.dtype())));
        }
        let layout = state::layout(&inventory, options.dtype(), slots)?;
        let programs = Arc::default();
        Ok(Step { model, optimizer, loss, options, inventory, layout, programs })
    }

    /// This step for whoever does not know its model's type; both share the compiled programs.
    pub fn erased(&self) -> Step<&dyn Model> {
        Step {
            model: Arc::new(&*self.model),
            optimizer: self.optimizer.clone(),
            loss: self.loss.clone_box(),
            options: self.options.clone(),
            inventory: Arc::clone(&self.inventory),
            layout: Arc::clone(&self.layout),
            programs: Arc::clone(&self.programs),
        }
    }

    /// A state with first values drawn from `seed`. [INIT-20]
    pub fn init(&self, seed: u64) -> Result<State> {
        state::first_values(&self.inventory, &self.layout, seed)
    }

    /// One step of training: predict, compare, go back, update. [TRAIN-01]
    pub fn run(&self, state: &mut State, batch: &Batch, lr: f64) -> Result<StepOutput> {
        let built = self.built(Purpose::Train, &batch.x, Some(&batch.y))?;
        let lr = Buffer::new(&[lr], []);
        let outputs = built.program.run(state, &[&batch.x, &batch.y, &lr])?;
        Ok(self.step_output(&outputs))
    }

    /// The same step as [`run`](Step::run), bit for bit, with a record of what happened inside: for every k-th step, since
    /// what is told must be computed. [DIAG-01, DIAG-07]
    pub fn run_watched(&self, state: &mut State, batch: &Batch, lr: f64) -> Result<(StepOutput, StepRecord)> {
        let built = self.built(Purpose::TrainWatched, &batch.x, Some(&batch.y))?;
        let lr = Buffer::new(&[lr], []);
        let outputs = built.program.run(state, &[&batch.x, &batch.y, &lr])?;
        let (own, sums) = outputs.split_at(outputs.len() - built.record.outputs());
        Ok((self.step_output(own), built.record.read(sums)))
    }

    /// Trains `steps` steps on one batch and tells where their time went.
    pub fn profile(&self, state: &mut State, batch: &Batch, lr: f64, steps: usize) -> Result<Profile> {
        let built = self.built(Purpose::Train, &batch.x, Some(&batch.y))?;
        let lr = Buffer::new(&[lr], []);
        Ok(built.program.profile(state, &[&batch.x, &batch.y, &lr], steps)?)
    }

    /// Loss and metrics of a batch in eval mode; the state stays as it is.
    pub fn evaluate(&self, state: &State, batch: &Batch) -> Result<Evaluation> {
        let built = self.built(Purpose::Evaluate, &batch.x, Some(&batch.y))?;
        let outputs = built.program.evaluate(state, &[&batch.x, &batch.y])?;
        Ok(self.evaluation(&outputs, batch))
    }

    /// The same evaluation as [`evaluate`](Step::evaluate), bit for bit, with the model's output for the batch: for those who
    /// look at rows one by one, and want no second pass for it.
    pub fn evaluate_telling(&self, state: &State, batch: &Batch) -> Result<(Evaluation, Buffer)> {
        let built = self.built(Purpose::EvaluateTelling, &batch.x, Some(&batch.y))?;
        let mut outputs = built.program.evaluate(state, &[&batch.x, &batch.y])?;
        let told = outputs.pop().ok_or_else(|| Error::Model("the model has no output".into()))?;
        Ok((self.evaluation(&outputs, batch), told))
    }

    /// The model's output for `x` in eval mode; the state stays as it is. [TRAIN-13]
    pub fn predict(&self, state: &State, x: &Buffer) -> Result<Buffer> {
        let built = self.built(Purpose::Predict, x, None)?;
        Ok(built.program.evaluate(state, &[x])?.remove(0))
    }

    /// The model's outputs for `x` in eval mode, but with dropout: `draws` of them, each with other masks, the same for the
    /// same state. The state stays as it is. [ENS-03]
    pub fn samples(&self, state: &State, x: &Buffer, draws: usize) -> Result<Vec<Buffer>> {
        let built = self.built(Purpose::Sample, x, None)?;
        let counter = crate::pass::position(&self.layout, state::STEP)?;
        let mut drawn = state.clone();
        let sample = |draw: usize| {
            // Masks follow the count of steps; those of training come from other counts.
            drawn.write(counter, &Buffer::new(&[FIRST_SAMPLE + draw as i64], []))?;
            Ok(built.program.evaluate(&drawn, &[x])?.remove(0))
        };
        (0..draws).map(sample).collect()
    }

    /// The gradient of the loss for each trained parameter, by path, in training mode. Commits nothing.
    pub fn gradients(&self, state: &State, batch: &Batch) -> Result<Vec<(String, Buffer)>> {
        self.named(Purpose::Gradients, state, batch)
    }

    /// What layers give in training mode, by path, and what they probe by name; only `names` unless `None`. Commits
    /// nothing, so looking changes nothing.
    pub fn watch(
        &self,
        state: &State,
        batch: &Batch,
        names: Option<&[&str]>,
    ) -> Result<Vec<(String, Buffer)>> {
        let names = names.map(|names| names.iter().map(|name| name.to_string()).collect());
        self.named(Purpose::Watch(Mode::Train, names), state, batch)
    }

    /// What layers give for `x` in eval mode, by path, and what they probe by name. Commits nothing.
    pub fn observe(&self, state: &State, x: &Buffer) -> Result<Vec<(String, Buffer)>> {
        let built = self.built(Purpose::Watch(Mode::Eval, None), x, None)?;
        let outputs = built.program.evaluate(state, &[x])?;
        Ok(built.names.iter().cloned().zip(outputs).collect())
    }

    /// The program that trains on batches of these shapes, or evaluates them: to compile it now, so that a mistake
    /// shows, or to look at its kernels and its memory.
    pub fn program(&self, mode: Mode, x: (&Shape, DType), y: (&Shape, DType)) -> Result<Arc<Program>> {
        let [x, y] = [x, y].map(|(shape, dtype)| (shape.clone(), dtype));
        let purpose = match mode {
            Mode::Train => Purpose::Train,
            Mode::Eval => Purpose::Evaluate,
        };
        Ok(Arc::clone(&self.built_for(Key { purpose, x, y: Some(y) })?.program))
    }

    /// The program of [`run_watched`](Step::run_watched) for batches of these shapes, to compile it now or to look at it.
    pub fn watched_program(&self, x: (&Shape, DType), y: (&Shape, DType)) -> Result<Arc<Program>> {
        let [x, y] = [x, y].map(|(shape, dtype)| (shape.clone(), dtype));
        Ok(Arc::clone(&self.built_for(Key { purpose: Purpose::TrainWatched, x, y: Some(y) })?.program))
    }

    /// The graph of a prediction for inputs of this shape, to be translated for other programs: `before` makes of a raw input
    /// what the step takes, `after` makes of the model's output the results. Also given data that the graph refers to; its
    /// feeds are the raw input, then that data, its slots those of the [layout](Step::layout).
    pub fn graph(
        &self,
        (shape, dtype): (&Shape, DType),
        before: impl Fn(&Tensor) -> Tensor,
        after: impl Fn(&Tensor) -> Vec<Tensor>,
    ) -> Result<(Graph, Vec<Arc<Buffer>>)> {
        let x = Tensor::placeholder("x", shape.clone(), dtype);
        let (prediction, _) = self.predicted(&before(&x), Mode::Eval, false)?;
        let outputs = after(&prediction);
        let spec = ProgramSpec { layout: &self.layout, inputs: &[x], outputs: &outputs, updates: &[] };
        Ok(spec.trace()?)
    }

    /// The model.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The loss.
    pub fn loss(&self) -> &dyn Loss {
        &*self.loss
    }

    /// The optimiser.
    pub fn optimizer(&self) -> &AnyOptimizer {
        &self.optimizer
    }

    /// The options.
    pub fn options(&self) -> &StepOptions {
        &self.options
    }

    /// What the state holds: parameters and statistics by their paths, then what the optimiser remembers
    /// (`optimizer/PATH/NAME`), gradients that wait for their update (`accumulated/PATH`), averages (`average/PATH`),
    /// `run/seed` and `run/step`.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// What the model has.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    fn named(&self, purpose: Purpose, state: &State, batch: &Batch) -> Result<Vec<(String, Buffer)>> {
        let built = self.built(purpose, &batch.x, Some(&batch.y))?;
        let outputs = built.program.evaluate(state, &[&batch.x, &batch.y])?;
        Ok(built.names.iter().cloned().zip(outputs).collect())
    }

    fn step_output(&self, outputs: &[Buffer]) -> StepOutput {
        let [loss, gradient_norm, applied] = [0, 1, 2].map(|index| scalar(&outputs[index]));
        let (penalty, metrics) = match self.options.penalty.is_none() {
            true => (0.0, &outputs[3..]),
            false => (scalar(&outputs[3]), &outputs[4..]),
        };
        let metrics = self.named_metrics(metrics);
        StepOutput { loss, penalty, gradient_norm, applied: applied != 0.0, metrics }
    }

    fn evaluation(&self, outputs: &[Buffer], batch: &Batch) -> Evaluation {
        let rows = batch.x.shape().first().copied().unwrap_or(1);
        Evaluation { loss: scalar(&outputs[0]), metrics: self.named_metrics(&outputs[1..]), rows }
    }

    fn named_metrics(&self, values: &[Buffer]) -> Vec<(String, f64)> {
        let names = self.options.metrics.iter().map(|metric| metric.name().to_string());
        names.zip(values.iter().map(scalar)).collect()
    }

    fn built(&self, purpose: Purpose, x: &Buffer, y: Option<&Buffer>) -> Result<Arc<Built>> {
        let kind = |buffer: &Buffer| (buffer.shape().clone(), buffer.dtype());
        self.built_for(Key { purpose, x: kind(x), y: y.map(kind) })
    }

    fn built_for(&self, key: Key) -> Result<Arc<Built>> {
        // Held while compiling: threads that want the same program wait for it instead of compiling it again.
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(built) = programs.get(&key) {
            return Ok(Arc::clone(built));
        }
        let built = Arc::new(self.build(&key)?);
        programs.insert(key, Arc::clone(&built));
        Ok(built)
    }
}

/// The name of what the optimiser remembers as `slot` about the parameter at `path`.
fn slot_name(path: &str, slot: &str) -> String {
    format!("optimizer/{path}/{slot}")
}

/// The name of the sum of gradients of the parameter at `path` that wait for their update.
fn accumulated_name(path: &str) -> String {
    format!("accumulated/{path}")
}

fn scalar(buffer: &Buffer) -> f64 {
    buffer.to_f64().first().copied().unwrap_or(f64::NAN)
}
