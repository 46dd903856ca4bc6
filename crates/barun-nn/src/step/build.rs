//! From a model to the programs of its step.

use std::sync::Arc;

use super::{Key, Purpose, Step, slot_name};
use crate::metrics::{Aggregate, Metric};
use crate::optimizers::Context;
use crate::pass::position;
use crate::state::STEP;
use crate::{
    DType, Error, Forward, Mode, Module, ParameterEntry, Pass, Program, ProgramSpec, Result, Tensor,
};

/// A program with the names of its outputs, where they have some.
pub(super) struct Built {
    pub program: Arc<Program>,
    pub names: Vec<String>,
}

/// What a program gives and changes.
#[derive(Default)]
struct Outcome {
    names: Vec<String>,
    outputs: Vec<Tensor>,
    updates: Vec<(usize, Tensor)>,
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
            Purpose::Evaluate | Purpose::Predict | Purpose::Observe => Mode::Eval,
            Purpose::Train | Purpose::Gradients | Purpose::Watch(_) => Mode::Train,
        };
        let (prediction, pass) = self.predicted(&x, mode)?;
        let outcome = match (&key.purpose, y) {
            (Purpose::Train, Some(y)) => {
                let lr = Tensor::placeholder("lr", [], DType::F64);
                inputs.push(lr.clone());
                self.training(&prediction, &self.target(&y, &pass), &lr, &pass)?
            }
            (Purpose::Evaluate, Some(y)) => {
                let y = self.target(&y, &pass);
                let mut outputs = vec![self.loss.loss(&prediction, &y)?];
                outputs.extend(self.metrics(&prediction, &y, &pass)?);
                Outcome { outputs, ..Outcome::default() }
            }
            (Purpose::Gradients, Some(y)) => {
                let loss = self.loss.loss(&prediction, &self.target(&y, &pass))?;
                let trained = self.trained(&pass);
                let names = trained.iter().map(|(entry, _)| entry.path.clone()).collect();
                Outcome { names, outputs: gradients(&loss, &trained)?, ..Outcome::default() }
            }
            (Purpose::Watch(wanted), _) => watched(&pass, wanted.as_deref())?,
            (Purpose::Observe, _) => watched(&pass, None)?,
            (Purpose::Predict, _) => Outcome { outputs: vec![prediction], ..Outcome::default() },
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
        let program = Arc::new(Program::compile(&spec, &self.options.engine)?);
        Ok(Built { program, names: outcome.names })
    }

    /// What the model makes of an input, and the pass that it went through.
    pub(super) fn predicted(&self, x: &Tensor, mode: Mode) -> Result<(Tensor, Pass)> {
        let pass = Pass::captured(&self.inventory, &self.layout, mode)?;
        let mut pass = pass.in_precision(self.options.precision);
        let prediction = self.model.forward(&self.options.prepare(x), &mut pass)?;
        // A model may end with something that was rounded; what is made of its outputs is not.
        Ok((prediction.cast(prediction.dtype().computed()), pass))
    }

    /// Two phases: all gradients first, then every change of the state under one predicate computed from them, so that
    /// a step that is not finite leaves the state as it was.
    fn training(&self, prediction: &Tensor, y: &Tensor, lr: &Tensor, pass: &Pass) -> Result<Outcome> {
        let loss = self.loss.loss(prediction, y)?;
        let trained = self.trained(pass);
        let gradients = gradients(&loss, &trained)?;
        let squares = gradients.iter().map(|gradient| gradient.square().sum(..));
        let norm = squares.reduce(|sum, square| sum + square).unwrap_or_else(|| loss.like(0.0)).sqrt();
        let is_finite = |value: &Tensor| value.abs().less(&value.like(f64::INFINITY));
        let applied = is_finite(&loss).and(&is_finite(&norm));
        let clip = self.options.clip_norm.map(|limit| {
            let factor = (norm.recip() * limit).minimum(&norm.like(1.0));
            // A norm of 0 has no direction to keep.
            norm.greater(&norm.like(0.0)).where_(&factor, &norm.like(1.0))
        });

        let mut updates = Vec::new();
        let mut update = |name: &str, new: &Tensor| -> Result<()> {
            let index = position(&self.layout, name)?;
            let new = applied.where_(new, &self.layout.tensor(index));
            new.check()?;
            updates.push((index, new));
            Ok(())
        };
        let step = pass.step() + 1.0;
        let mut context =
            Context { lr: lr.cast(self.options.dtype()), step: step.cast(DType::F64), decays: false };
        for ((entry, value), gradient) in trained.iter().zip(&gradients) {
            context.decays = self.options.decay.applies_to(entry.role);
            let gradient = clip.as_ref().map_or_else(|| gradient.clone(), |factor| gradient * factor);
            let names: Vec<String> =
                self.optimizer.slot_names().iter().map(|name| slot_name(&entry.path, name)).collect();
            let slots: Result<Vec<Tensor>> =
                names.iter().map(|name| Ok(self.layout.tensor(position(&self.layout, name)?))).collect();
            let (new, slots) = self.optimizer.update(value, &gradient, slots?, &context);
            update(&entry.path, &new)?;
            for (name, slot) in names.iter().zip(&slots) {
                update(name, slot)?;
            }
        }
        for (path, value) in pass.updates() {
            update(path, value)?;
        }
        update(STEP, &step)?;
        let mut outputs = vec![loss, norm, applied];
        outputs.extend(self.metrics(prediction, y, pass)?);
        Ok(Outcome { names: Vec::new(), outputs, updates })
    }

    fn trained(&self, pass: &Pass) -> Vec<Trained> {
        let trained = pass.parameters().filter(|(entry, _)| self.options.is_trained(&entry.path));
        trained.map(|(entry, value)| (entry.clone(), value.clone())).collect()
    }

    /// The target as the loss gets it: one for each answer.
    fn target(&self, y: &Tensor, pass: &Pass) -> Tensor {
        let y = self.options.prepare_target(y);
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
    let chosen = all.into_iter().filter(|(name, _)| wanted.is_none_or(|names| names.contains(name)));
    let (names, outputs) = chosen.unzip();
    Ok(Outcome { names, outputs, updates: Vec::new() })
}
