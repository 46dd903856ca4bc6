//! From a model to the programs of its step.

use std::sync::Arc;

use super::average::average_name;
use super::watched::RecordPlan;
use super::{Key, Purpose, Step, accumulated_name, slot_name};
use crate::metrics::{Aggregate, Metric};
use crate::optimizers::{Context, norm};
use crate::pass::position;
use crate::state::STEP;
use crate::{
    Arenas, DType, Error, Forward, Layout, Mode, Module, Options, ParameterEntry, Pass, Program, ProgramSpec,
    Result, Tensor,
};

/// A program with the names of its outputs, where they have some.
pub(super) struct Built {
    pub program: Arc<Program>,
    pub names: Vec<String>,
    /// What its last outputs are, if it tells of its step.
    pub record: RecordPlan,
}

/// What a program gives and changes.
#[derive(Default)]
struct Outcome {
    names: Vec<String>,
    outputs: Vec<Tensor>,
    updates: Vec<(usize, Tensor)>,
    record: RecordPlan,
}

/// A step of training, with what it was made of.
struct Taken {
    outcome: Outcome,
    trained: Vec<Trained>,
    /// Of this batch, for what is trained, before clipping.
    gradients: Vec<Tensor>,
}

/// Where in a row of accumulated batches a step stands.
struct Turn {
    /// The number of the update, from 1: an f64 scalar.
    update: Tensor,
    /// Whether this batch completes it; none where every batch does.
    is_last: Option<Tensor>,
}

impl Turn {
    /// Of step `step`, from 1, with so many batches for an update.
    fn of(step: &Tensor, accumulate: usize) -> Turn {
        let step = step.cast(DType::F64);
        if accumulate == 1 {
            return Turn { update: step, is_last: None };
        }
        let batches = accumulate as f64;
        let whole = (&step / batches).floor();
        let is_last = step.equal(&(&whole * batches));
        Turn { update: ((step - 1.0) / batches).floor() + 1.0, is_last: Some(is_last) }
    }
}

/// The changes of the state so far, all under one predicate.
struct Updates<'a> {
    layout: &'a Layout,
    applied: &'a Tensor,
    changes: Vec<(usize, Tensor)>,
}

impl Updates<'_> {
    /// What is called `name` becomes `new` if the step is applied, and if `only_if` holds where it is given.
    fn set(&mut self, name: &str, new: Tensor, only_if: Option<&Tensor>) -> Result<()> {
        let index = position(self.layout, name)?;
        let condition = only_if.map_or_else(|| self.applied.clone(), |only_if| self.applied.and(only_if));
        let new = condition.where_(&new, &self.layout.tensor(index));
        new.check()?;
        self.changes.push((index, new));
        Ok(())
    }
}

/// A trained parameter with its slot and its value in a pass.
type Trained = (ParameterEntry, Tensor);

impl<M: Module + Forward> Step<M> {
    pub(super) fn build(&self, key: &Key) -> Result<Built> {
        let x = Tensor::placeholder("x", key.x.0.clone(), key.x.1);
        let mut inputs = vec![x.clone()];
        let y = key.y.as_ref().map(|(shape, dtype)| Tensor::placeholder("y", shape.clone(), *dtype));
        inputs.extend(y.clone());
        let mode = match key.purpose {
            Purpose::AllGradients => Mode::Train,
            Purpose::Evaluate | Purpose::EvaluateTelling | Purpose::Predict | Purpose::Sample => Mode::Eval,
            Purpose::Train | Purpose::TrainWatched | Purpose::Gradients | Purpose::Checked => Mode::Train,
            Purpose::Watch(mode, _) => mode,
        };
        let sampled = key.purpose == Purpose::Sample;
        let (prediction, pass) = self.predicted(&x, mode, sampled)?;
        let outcome = match (&key.purpose, y) {
            (Purpose::Train | Purpose::TrainWatched, Some(y)) => {
                let lr = Tensor::placeholder("lr", [], DType::F64);
                inputs.push(lr.clone());
                let taken = self.training(&prediction, &self.target(&x, &y, &pass), &lr, &pass)?;
                if key.purpose == Purpose::Train { taken.outcome } else { self.recorded(taken, &pass)? }
            }
            (Purpose::Evaluate | Purpose::EvaluateTelling, Some(y)) => {
                let y = self.target(&x, &y, &pass);
                let mut outputs = vec![self.loss.loss(&prediction, &y)?];
                outputs.extend(self.metrics(&prediction, &y, &pass)?);
                outputs.extend((key.purpose == Purpose::EvaluateTelling).then_some(prediction));
                Outcome { outputs, ..Outcome::default() }
            }
            (Purpose::Gradients, Some(y)) => {
                let loss = self.loss.loss(&prediction, &self.target(&x, &y, &pass))?;
                let trained = self.trained(&pass);
                let names = trained.iter().map(|(entry, _)| entry.path.clone()).collect();
                Outcome { names, outputs: gradients(&loss, &trained)?, ..Outcome::default() }
            }
            (Purpose::AllGradients, Some(y)) => {
                let loss = self.loss.loss(&prediction, &self.target(&x, &y, &pass))?;
                let calls = pass.named_calls().filter(|(_, call)| call.output.dtype().is_float());
                let mut wanted: Vec<(String, Tensor)> =
                    calls.map(|(name, call)| (name, call.output.clone())).collect();
                wanted.reverse();
                wanted.extend(self.trained(&pass).into_iter().map(|(entry, value)| (entry.path, value)));
                let (names, values): (Vec<String>, Vec<Tensor>) = wanted.into_iter().unzip();
                let outputs = loss.grad(&values.iter().collect::<Vec<_>>())?;
                Outcome { names, outputs, ..Outcome::default() }
            }
            (Purpose::Checked, Some(y)) => {
                let loss = self.loss.loss(&prediction, &self.target(&x, &y, &pass))?;
                let trained = self.trained(&pass);
                let total = Self::total(&loss, self.penalty(&trained, &loss).as_ref());
                let gradients = gradients(&total, &trained)?;
                Outcome { outputs: std::iter::once(total).chain(gradients).collect(), ..Outcome::default() }
            }
            (Purpose::Watch(_, wanted), _) => watched(&pass, wanted.as_deref())?,
            (Purpose::Predict | Purpose::Sample, _) => {
                Outcome { outputs: vec![prediction], ..Outcome::default() }
            }
            (purpose, None) => return Err(Error::Model(format!("{purpose:?} needs targets"))),
        };
        for output in &outcome.outputs {
            output.check()?;
        }
        let spec = ProgramSpec {
            layout: &self.layout,
            inputs: &inputs,
            outputs: &outcome.outputs,
            updates: &outcome.updates,
        };
        let program = Arc::new(match key.purpose {
            // Seldom run, and op by op: it shares no memory with the others.
            Purpose::Checked => {
                let engine = self.options.engine.clone();
                let checked = Options { check_finite: true, arenas: Arenas::default(), ..engine };
                Program::compile(&spec, &checked)?
            }
            _ => Program::compile(&spec, &self.options.engine)?,
        });
        Ok(Built { program, names: outcome.names, record: outcome.record })
    }

    /// What the model makes of an input, and the pass that it went through; `sampled`: with dropout also in eval mode.
    pub(super) fn predicted(&self, x: &Tensor, mode: Mode, sampled: bool) -> Result<(Tensor, Pass)> {
        let pass = Pass::captured(&self.inventory, &self.layout, mode)?;
        let mut pass = pass.in_precision(self.options.precision).with_weight_noise(self.options.weight_noise);
        pass = pass.passing_over(&self.options.without);
        if !self.options.noise {
            pass = pass.without_noise();
        }
        if sampled {
            pass = pass.with_dropout();
        }
        let prediction = self.model.forward(&self.options.prepare(x), &mut pass)?;
        // A model may end with something that was rounded; what is made of its outputs is not.
        Ok((prediction.cast(prediction.dtype().computed()), pass))
    }

    /// Two phases: all gradients first, then every change of the state under one predicate computed from them, so that
    /// a step that is not finite leaves the state as it was.
    fn training(&self, prediction: &Tensor, y: &Tensor, lr: &Tensor, pass: &Pass) -> Result<Taken> {
        let loss = self.loss.loss(prediction, y)?;
        let trained = self.trained(pass);
        let penalty = self.penalty(&trained, &loss);
        let total = Self::total(&loss, penalty.as_ref());
        let own = gradients(&total, &trained)?;
        let own_norm = if own.is_empty() { loss.like(0.0) } else { norm(&own) };
        let is_finite = |value: &Tensor| value.abs().less(&value.like(f64::INFINITY));
        let applied = is_finite(&total).and(&is_finite(&own_norm));

        let mut updates = Updates { layout: &self.layout, applied: &applied, changes: Vec::new() };
        let step = pass.step() + 1.0;
        let turn = Turn::of(&step, self.options.accumulate);
        let (gradients, norm) = match &turn.is_last {
            None => (own.clone(), own_norm.clone()),
            Some(is_last) => {
                let sums = self.accumulate(&trained, &own, is_last, &mut updates)?;
                let norm = if sums.is_empty() { own_norm.clone() } else { norm(&sums) };
                (sums, norm)
            }
        };
        let gradients = match self.options.clip {
            None => gradients,
            Some(clip) => {
                let parameters: Vec<Tensor> = trained.iter().map(|(_, value)| value.clone()).collect();
                clip.apply(&gradients, &parameters, &norm)
            }
        };
        self.update_parameters(&trained, &gradients, lr, &turn, &mut updates)?;
        for (path, value) in pass.updates() {
            updates.set(path, value.clone(), None)?;
        }
        self.update_averages(&turn, &mut updates)?;
        updates.set(STEP, step, None)?;
        let changes = updates.changes;
        let mut outputs = vec![loss, own_norm, applied.clone()];
        outputs.extend(penalty);
        outputs.extend(self.metrics(prediction, y, pass)?);
        let outcome = Outcome { outputs, updates: changes, ..Outcome::default() };
        Ok(Taken { outcome, trained, gradients: own })
    }

    /// The same step that also tells of itself.
    fn recorded(&self, taken: Taken, pass: &Pass) -> Result<Outcome> {
        let Taken { mut outcome, trained, gradients } = taken;
        let mut record = RecordPlan::default();
        for ((entry, value), gradient) in trained.iter().zip(&gradients) {
            let index = position(&self.layout, &entry.path)?;
            let new = outcome.updates.iter().find(|(changed, _)| *changed == index);
            let new = new.map_or(value, |(_, new)| new);
            outcome.outputs.extend(record.parameter(entry, value, gradient, new));
        }
        outcome.outputs.extend(record.calls(pass.named_calls())?);
        Ok(Outcome { record, ..outcome })
    }

    /// What is minimised.
    fn total(loss: &Tensor, penalty: Option<&Tensor>) -> Tensor {
        penalty.map_or_else(|| loss.clone(), |penalty| loss + penalty)
    }

    /// What the weights cost; none unless something does.
    fn penalty(&self, trained: &[Trained], loss: &Tensor) -> Option<Tensor> {
        if self.options.penalty.is_none() {
            return None;
        }
        let weights = trained.iter().filter(|(entry, _)| self.options.decay.applies_to(entry.role));
        let cost = self.options.penalty.of(weights.map(|(_, value)| value));
        Some(cost.unwrap_or_else(|| loss.like(0.0)))
    }

    /// The mean gradients with those of the batches before, which are kept until their update.
    fn accumulate(
        &self,
        trained: &[Trained],
        gradients: &[Tensor],
        is_last: &Tensor,
        updates: &mut Updates<'_>,
    ) -> Result<Vec<Tensor>> {
        let share = 1.0 / self.options.accumulate as f64;
        let mut sums = Vec::new();
        for ((entry, _), gradient) in trained.iter().zip(gradients) {
            let name = accumulated_name(&entry.path);
            let sum = self.layout.tensor(position(&self.layout, &name)?) + gradient * share;
            updates.set(&name, is_last.where_(&sum.like(0.0), &sum), None)?;
            sums.push(sum);
        }
        Ok(sums)
    }

    /// Every parameter and what is remembered about it, by its optimiser.
    fn update_parameters(
        &self,
        trained: &[Trained],
        gradients: &[Tensor],
        lr: &Tensor,
        turn: &Turn,
        updates: &mut Updates<'_>,
    ) -> Result<()> {
        for ((entry, value), gradient) in trained.iter().zip(gradients) {
            let (optimizer, ratio) = self.optimizer_of(entry);
            let lr = if ratio == 1.0 { lr.clone() } else { lr * ratio };
            let context = Context {
                lr: lr.cast(self.options.dtype()),
                step: turn.update.clone(),
                decays: self.options.decay.applies_to(entry.role),
            };
            let slots = optimizer.slots(&entry.shape);
            let names: Vec<String> = slots.iter().map(|(name, _)| slot_name(&entry.path, name)).collect();
            let slots: Result<Vec<Tensor>> =
                names.iter().map(|name| Ok(self.layout.tensor(position(&self.layout, name)?))).collect();
            let (new, slots) = optimizer.update(value, gradient, slots?, &context);
            updates.set(&entry.path, new, turn.is_last.as_ref())?;
            for (name, slot) in names.iter().zip(slots) {
                updates.set(name, slot, turn.is_last.as_ref())?;
            }
        }
        Ok(())
    }

    /// The averages, of what parameters and statistics become by this step.
    fn update_averages(&self, turn: &Turn, updates: &mut Updates<'_>) -> Result<()> {
        let Some(average) = self.options.average else { return Ok(()) };
        let parameters = self.inventory.parameters.iter().map(|entry| &entry.path);
        for path in parameters.chain(self.inventory.stats.iter().map(|entry| &entry.path)) {
            let index = position(&self.layout, path)?;
            let change = updates.changes.iter().find(|(changed, _)| *changed == index);
            let new = change.map_or_else(|| self.layout.tensor(index), |(_, new)| new.clone());
            let name = average_name(path);
            let old = self.layout.tensor(position(&self.layout, &name)?);
            updates.set(&name, average.update(&old, &new, &turn.update), turn.is_last.as_ref())?;
        }
        Ok(())
    }

    fn trained(&self, pass: &Pass) -> Vec<Trained> {
        let trained = pass.parameters().filter(|(entry, _)| self.options.is_trained(&entry.path));
        trained.map(|(entry, value)| (entry.clone(), value.clone())).collect()
    }

    /// The target as the loss gets it: one for each answer.
    fn target(&self, x: &Tensor, y: &Tensor, pass: &Pass) -> Tensor {
        let y = self.options.prepare_target(x, y);
        let Some(members) = pass.members() else { return y };
        let y = y.unsqueeze(1);
        let mut sizes = y.shape().map(|shape| shape.to_vec()).unwrap_or_default();
        sizes.iter_mut().skip(1).take(1).for_each(|size| *size = members);
        y.broadcast_to(sizes)
    }

    /// Figures over rows: where members answer, the mean of theirs.
    fn metrics(&self, prediction: &Tensor, y: &Tensor, pass: &Pass) -> Result<Vec<Tensor>> {
        let by_member = |metric: &Arc<dyn Metric>| {
            let value = metric.metric(prediction, y)?;
            Ok(match (metric.aggregate(), pass.members()) {
                (Aggregate::Sum, Some(members)) => value / members as f64,
                _ => value,
            })
        };
        self.options.metrics.iter().map(by_member).collect()
    }
}

fn gradients(loss: &Tensor, trained: &[Trained]) -> Result<Vec<Tensor>> {
    let parameters: Vec<&Tensor> = trained.iter().map(|(_, value)| value).collect();
    Ok(loss.grad(&parameters)?)
}

fn watched(pass: &Pass, wanted: Option<&[String]>) -> Result<Outcome> {
    let all = pass.watched();
    if let Some(name) = wanted.and_then(|names| names.iter().find(|name| all.iter().all(|(n, _)| n != *name)))
    {
        let known = all.into_iter().map(|(name, _)| name).collect();
        return Err(Error::UnknownName { family: "layer or probe".into(), name: name.clone(), known });
    }
    // In the order of the names where they are given.
    let chosen: Vec<(String, Tensor)> = match wanted {
        None => all,
        Some(names) => {
            let named = |name: &String| all.iter().find(|(known, _)| known == name).cloned();
            names.iter().filter_map(named).collect()
        }
    };
    let (names, outputs) = chosen.into_iter().unzip();
    Ok(Outcome { names, outputs, ..Outcome::default() })
}
