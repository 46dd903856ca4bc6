//! One walk of a model over an input: what layers get from outside, and what they leave behind.

use std::collections::HashMap;
use std::sync::Arc;

use barun_engine::layer_scope;
use barun_engine::random::{combine, hash_name};

use crate::module::Key;
use crate::state::{SEED, STEP};
use crate::{
    Buffer, DType, Error, Id, Inventory, Layout, Module, ParameterEntry, Result, Role, Shape, State, Tensor,
};

/// Whether the model learns or is used; dropout and batch norm obey it. [LAYER-11]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Dropout drops, batch norm uses and records the batch's statistics.
    Train,
    /// Dropout does nothing, batch norm uses its running statistics.
    Eval,
}

/// When dropout drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noise {
    InTraining,
    Always,
    Never,
}

/// One call of a layer.
#[derive(Clone, Debug)]
pub struct Call {
    /// The layer's path.
    pub path: Arc<str>,
    /// The layer's kind: `Linear`.
    pub kind: &'static str,
    /// What it gave.
    pub output: Tensor,
    id: u64,
}

impl Call {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

/// Parameters, mode and randomness for a model, and the record of what its layers did.
///
/// A pass may work in bf16 ([`Pass::in_precision`]): then layers take their inputs, and contractions their weights,
/// rounded to bf16. So that is what is kept for the way back, at half the size. Everything else stays f32: what
/// contractions sum, normalise and give, losses, gradients, the weights themselves. Micikevicius et al., 2017, "Mixed
/// precision training".
pub struct Pass {
    mode: Mode,
    precision: DType,
    weight_noise: f64,
    noise: Noise,
    without: Vec<String>,
    inventory: Arc<Inventory>,
    values: HashMap<Key, Tensor>,
    updated: Vec<Key>,
    seed: Tensor,
    step: Tensor,
    inside: Vec<Arc<str>>,
    draws: HashMap<Arc<str>, u64>,
    calls: Vec<Call>,
    probes: Vec<(String, Tensor)>,
    members: Option<usize>,
}

impl Pass {
    /// A pass over tensors found by path; `seed` and `step` (i64 scalars) drive the random numbers.
    pub fn new(
        inventory: &Arc<Inventory>,
        mode: Mode,
        seed: Tensor,
        step: Tensor,
        mut lookup: impl FnMut(&str) -> Result<Tensor>,
    ) -> Result<Pass> {
        let mut values = HashMap::new();
        let parameters = inventory.parameters.iter().map(|entry| (entry.key, &entry.path));
        for (key, path) in parameters.chain(inventory.stats.iter().map(|entry| (entry.key, &entry.path))) {
            values.insert(key, lookup(path)?);
        }
        Ok(Pass {
            mode,
            precision: DType::F32,
            weight_noise: 0.0,
            noise: Noise::InTraining,
            without: Vec::new(),
            inventory: Arc::clone(inventory),
            values,
            updated: Vec::new(),
            seed,
            step,
            inside: Vec::new(),
            draws: HashMap::new(),
            calls: Vec::new(),
            probes: Vec::new(),
            members: None,
        })
    }

    /// A pass over the values in `state`, evaluated by run: the graph may be another at each call. [TENSOR-08]
    ///
    /// ```
    /// use barun_nn::{DType, Forward, Mode, Pass, Tensor, layers::Linear};
    /// let model = Linear::new(2, 1);
    /// let mut state = barun_nn::fresh_state(&model, 7, DType::F32)?;
    /// let mut pass = Pass::by_run(&model, &state, Mode::Train)?;
    /// let mut x = Tensor::from([[1.0f32, 2.0]]);
    /// let loss = model.forward(&x, &mut pass)?.square().sum(..);
    /// let (names, weights): (Vec<_>, Vec<_>) = pass.parameters().map(|(entry, value)| (entry.path.clone(), value.clone())).unzip();
    /// let gradients = loss.grad(&weights.iter().collect::<Vec<_>>())?;
    /// for ((name, weight), gradient) in names.iter().zip(&weights).zip(&gradients) {
    ///     state.set(name, &*(weight - 0.1 * gradient).eval()?)?;
    /// }
    /// pass.commit(&mut state)?;
    /// # Ok::<(), barun_nn::Error>(())
    /// ```
    pub fn by_run<M: Module + ?Sized>(model: &M, state: &State, mode: Mode) -> Result<Pass> {
        let layout = state.layout();
        let read = |path: &str| Ok::<_, Error>(Tensor::new(state.read(position(layout, path)?)));
        let inventory = Arc::new(Inventory::of(model)?);
        Pass::new(&inventory, mode, read(SEED)?, read(STEP)?, |path| Ok(read(path)?.variable()))
    }

    /// A pass over the slots of a program's state.
    pub fn captured(inventory: &Arc<Inventory>, layout: &Layout, mode: Mode) -> Result<Pass> {
        let slot = |path: &str| Ok::<_, Error>(layout.tensor(position(layout, path)?));
        Pass::new(inventory, mode, slot(SEED)?, slot(STEP)?, slot)
    }

    /// The same pass under a precision: bf16 rounds what layers take, any other leaves all as it is.
    pub fn in_precision(self, precision: DType) -> Pass {
        Pass { precision, ..self }
    }

    /// The same pass with normal noise of this deviation on every weight, in training alone; gradients are those of the
    /// weights without it. [REG-26]
    pub fn with_weight_noise(self, deviation: f64) -> Pass {
        Pass { weight_noise: deviation, ..self }
    }

    /// The same pass with the activations and dropout layers at `paths` passed over.
    pub fn passing_over(self, paths: &[String]) -> Pass {
        Pass { without: paths.to_vec(), ..self }
    }

    /// Whether the layer `id` is passed over: it then gives what it gets. A layer that can be asks before it begins.
    pub fn passes_over(&self, id: &Id) -> bool {
        self.inventory.paths.get(&id.value()).is_some_and(|path| self.is_without(path))
    }

    fn is_without(&self, path: &str) -> bool {
        self.without.iter().any(|without| without == path)
    }

    /// The same pass with dropout as in training, whatever the mode, to see how the answers differ. [ENS-03]
    pub fn with_dropout(self) -> Pass {
        Pass { noise: Noise::Always, ..self }
    }

    /// The same pass without dropout and other noise that layers add, also in training.
    pub fn without_noise(self) -> Pass {
        Pass { noise: Noise::Never, ..self }
    }

    /// Whether dropout drops: in training, and where it is asked for.
    pub fn drops(&self) -> bool {
        match self.noise {
            Noise::InTraining => self.is_training(),
            Noise::Always => true,
            Noise::Never => false,
        }
    }

    /// Whether layers add noise to what they get: in training, unless it is to be without.
    pub fn is_noisy(&self) -> bool {
        self.is_training() && self.noise != Noise::Never
    }

    /// A value as layers take it: f32 is rounded to bf16 where the pass works in bf16; everything else stays as it is.
    #[track_caller]
    pub fn rounded(&self, x: &Tensor) -> Tensor {
        let rounds = self.precision == DType::BF16 && x.check().is_ok() && x.dtype() == DType::F32;
        if rounds { x.cast(DType::BF16) } else { x.clone() }
    }

    /// Train or eval.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether this is training.
    pub fn is_training(&self) -> bool {
        self.mode == Mode::Train
    }

    /// Runs a layer: names it in errors, keeps its output for summaries and probes, and is the boundary where an error
    /// that the output carries comes out.
    pub fn layer(
        &mut self,
        id: &Id,
        kind: &'static str,
        body: impl FnOnce(&mut Pass) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let path = match self.inventory.paths.get(&id.value()) {
            Some(path) => Arc::clone(path),
            None => return Err(not_visited(kind)),
        };
        if self.is_without(&path) {
            return Err(not_passed_over(&path, kind));
        }
        // A single layer used as a model has an empty path; its errors name the kind.
        let _scope = layer_scope(if path.is_empty() { kind } else { &path });
        self.inside.push(Arc::clone(&path));
        let output = body(self);
        self.inside.pop();
        let output = output?;
        output.check()?;
        self.calls.push(Call { path, kind, output: output.clone(), id: id.value() });
        Ok(output)
    }

    /// The value of a parameter of the layer `id`, with the noise of this pass if it is a weight.
    pub fn parameter(&self, id: &Id, name: &'static str) -> Result<Tensor> {
        let value = self.kept(id, name)?;
        if self.weight_noise == 0.0 || !self.is_training() {
            return Ok(value);
        }
        let key = (id.value(), name);
        match self.inventory.parameters.iter().find(|entry| entry.key == key) {
            Some(entry) if entry.role == Role::Weight => {
                Ok(&value + self.noise(entry, value.dtype()) * self.weight_noise)
            }
            _ => Ok(value),
        }
    }

    /// Standard normal numbers for a weight, another draw at each step.
    fn noise(&self, entry: &ParameterEntry, dtype: DType) -> Tensor {
        let uniform = |draw| {
            let key = combine(hash_name(&entry.path), combine(hash_name("weight noise"), draw));
            Tensor::random(key, entry.shape.clone(), dtype, &self.seed, &self.step)
        };
        normal(&uniform(0), &uniform(1))
    }

    fn kept(&self, id: &Id, name: &'static str) -> Result<Tensor> {
        self.values.get(&(id.value(), name)).cloned().ok_or_else(|| not_visited(name))
    }

    /// The value of a statistic of the layer `id`: as the state has it, or as this pass last updated it.
    pub fn stat(&self, id: &Id, name: &'static str) -> Result<Tensor> {
        self.kept(id, name)
    }

    /// The value of a statistic from now on; committed once, after the step. A layer called twice in one pass sees its
    /// own first update.
    pub fn update_stat(&mut self, id: &Id, name: &'static str, value: Tensor) -> Result<()> {
        let key = (id.value(), name);
        let slot = self.values.get_mut(&key).ok_or_else(|| not_visited(name))?;
        *slot = value.detach();
        if !self.updated.contains(&key) {
            self.updated.push(key);
        }
        Ok(())
    }

    /// Uniform numbers in `[0, 1)`: a function of seed, step, the layer's path and how many draws it made before.
    pub fn uniform(&mut self, shape: impl Into<Shape>, dtype: DType) -> Tensor {
        let path = self.inside.last().cloned().unwrap_or_else(|| Arc::from(""));
        let name = hash_name(&path);
        let draws = self.draws.entry(path).or_insert(0);
        let key = combine(name, *draws);
        *draws += 1;
        Tensor::random(key, shape, dtype, &self.seed, &self.step)
    }

    /// Says that the model's output is an answer of each of `members` members: it has an axis for them after that of the
    /// rows.
    pub fn answers_by_member(&mut self, members: usize) {
        self.members = Some(members);
    }

    /// How many members answered, each for itself; none where the model gives one answer.
    pub fn members(&self) -> Option<usize> {
        self.members
    }

    /// Standard normal numbers, drawn as [uniform](Pass::uniform) ones are.
    pub fn normal(&mut self, shape: impl Into<Shape>, dtype: DType) -> Tensor {
        let shape = shape.into();
        let first = self.uniform(shape.clone(), dtype);
        normal(&first, &self.uniform(shape, dtype))
    }

    /// Keeps `tensor` under `name` (inside a layer: its path, a dot, the name) for whoever watches this pass.
    pub fn probe(&mut self, name: &str, tensor: &Tensor) {
        let path = self.inside.last().filter(|path| !path.is_empty());
        let name = path.map_or_else(|| name.to_string(), |path| format!("{path}.{name}"));
        self.probes.push((name, tensor.clone()));
    }

    /// The parameters with their values, in the order of the model's fields.
    pub fn parameters(&self) -> impl Iterator<Item = (&ParameterEntry, &Tensor)> {
        self.inventory.parameters.iter().map(|entry| (entry, &self.values[&entry.key]))
    }

    /// The statistics this pass updated, by path, with their new values.
    pub fn updates(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        let updated = |key: &Key| self.updated.contains(key);
        let stats = self.inventory.stats.iter().filter(move |entry| updated(&entry.key));
        stats.map(|entry| (entry.path.as_str(), &self.values[&entry.key]))
    }

    /// The calls of layers so far.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// Everything that can be watched: what layers gave, by path (`hidden`, and `hidden#2` for a second call), and
    /// what was probed by name.
    pub fn watched(&self) -> Vec<(String, Tensor)> {
        let calls = self.calls.iter().map(|call| (call.path.to_string(), call.output.clone()));
        let mut numbers = Numbers::default();
        let numbered = |(name, tensor): (String, Tensor)| (numbers.next(name), tensor);
        calls.chain(self.probes.iter().cloned()).map(numbered).collect()
    }

    /// The calls of layers by the names that [`watched`](Pass::watched) gives them.
    pub(crate) fn named_calls(&self) -> impl Iterator<Item = (String, &Call)> {
        let mut numbers = Numbers::default();
        self.calls.iter().map(move |call| (numbers.next(call.path.to_string()), call))
    }

    pub(crate) fn step(&self) -> &Tensor {
        &self.step
    }

    /// By run: writes the updated statistics into `state` and counts the step.
    pub fn commit(&self, state: &mut State) -> Result<()> {
        for (path, value) in self.updates() {
            let index = position(state.layout(), path)?;
            state.write(index, &*value.eval()?)?;
        }
        let index = position(state.layout(), STEP)?;
        let step = state.read(index).as_slice::<i64>()?[0];
        state.write(index, &Buffer::new(&[step + 1], []))?;
        Ok(())
    }
}

/// How often each name has come.
#[derive(Default)]
struct Numbers(HashMap<String, usize>);

impl Numbers {
    /// The name itself when it comes first, then with its number.
    fn next(&mut self, name: String) -> String {
        let time = self.0.entry(name.clone()).or_insert(0);
        *time += 1;
        if *time == 1 { name } else { format!("{name}#{time}") }
    }
}

/// Standard normal numbers from two uniform ones each. Box and Muller, 1958.
fn normal(first: &Tensor, second: &Tensor) -> Tensor {
    let radius = ((1.0 - first).ln() * -2.0).sqrt();
    radius * (second * std::f64::consts::TAU).cos()
}

fn not_visited(what: &str) -> Error {
    Error::Model(format!(
        "the {what} of a layer is not part of the model that is being run; its field may be marked #[module(skip)], or `visit` written by hand may leave it out"
    ))
}

fn not_passed_over(path: &str, kind: &str) -> Error {
    Error::Model(format!(
        "`{path}` is a {kind}: only activations and dropout can be passed over, take it out of `without`"
    ))
}

pub(crate) fn position(layout: &Layout, path: &str) -> Result<usize> {
    layout
        .position(path)
        .ok_or_else(|| Error::Model(format!("the state has no `{path}`; it was made for another model")))
}
