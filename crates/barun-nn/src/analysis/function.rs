//! A scalar function of many numbers, compiled in f64 with its derivatives.

use std::sync::{Arc, OnceLock};

use barun_engine::graph::Primitive;

use crate::losses::Loss;
use crate::state::buffer;
use crate::{
    Batch, Buffer, DType, Error, Forward, Inventory, Layout, Mode, Module, Options, Pass, Program,
    ProgramSpec, Result, Shape, State, Tensor, fresh_state,
};

/// A scalar function of one or several f64 tensors, with its gradient and the products of its Hessian.
///
/// Compiled once, asked as often as needed. A point, a gradient and a direction are all the numbers of all tensors, one
/// after the other.
///
/// ```
/// use barun_nn::analysis::Function;
/// let f = Function::of_numbers(2, |x| Ok((x.square() * x).sum(..)))?; // x^3 + y^3
/// let at = [1.0, 2.0];
/// assert_eq!((f.value(&at)?, f.gradient(&at)?), (9.0, vec![3.0, 12.0]));
/// assert_eq!(f.hessian_times(&at, &[1.0, 1.0])?, [6.0, 12.0]);
/// # Ok::<(), barun_nn::Error>(())
/// ```
pub struct Function {
    inputs: Vec<Tensor>,
    /// The name and shape of each input.
    parts: Vec<(String, Shape)>,
    output: Tensor,
    gradients: Vec<Tensor>,
    value: Compiled,
    gradient: Compiled,
    /// Only for those who ask: a gradient check does not.
    product: OnceLock<Compiled>,
}

/// A tensor's name and its value.
pub(super) type Named = (String, Buffer);

/// A program of tensors that keeps no state.
pub(super) struct Compiled {
    pub program: Program,
    state: State,
}

impl Compiled {
    pub fn of(inputs: &[Tensor], outputs: &[Tensor]) -> Result<Compiled> {
        let layout = Layout::new(Vec::new())?;
        let spec = ProgramSpec { layout: &layout, inputs, outputs, updates: &[] };
        let program = Program::compile(&spec, &Options::default())?;
        Ok(Compiled { program, state: State::zeros(&layout) })
    }

    pub fn run(&self, feeds: &[&Buffer]) -> Result<Vec<Buffer>> {
        Ok(self.program.evaluate(&self.state, feeds)?)
    }
}

impl Function {
    /// Of one vector of `count` numbers.
    ///
    /// # Errors
    /// When `f` gives no scalar, or what it gives carries an error.
    pub fn of_numbers(count: usize, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Function> {
        let x = Tensor::placeholder("x", [count], DType::F64);
        let output = f(&x)?;
        Function::new(vec![("x".to_string(), x)], output)
    }

    /// The loss of a model for one batch, as a function of its parameters in the order of its fields.
    ///
    /// In f64 and in `mode`; statistics are the first ones, and dropout masks, drawn from `seed`, stay.
    /// [`first_point`] is where a training begins.
    ///
    /// # Errors
    /// When the model and the batch do not fit.
    pub fn of_model<M: Module + Forward + ?Sized>(
        model: &M,
        loss: &impl Loss,
        batch: &Batch,
        mode: Mode,
        seed: u64,
    ) -> Result<Function> {
        let (forward, values) = model_of_values(model, loss, batch, mode, seed, Wanted::Parameters)?;
        Function::at(forward, &values)
    }

    /// Of tensors like `values`.
    pub(super) fn at(f: impl FnOnce(&[Tensor]) -> Result<Tensor>, values: &[Named]) -> Result<Function> {
        let leaf = |(name, value): &Named| {
            (name.clone(), Tensor::placeholder(name, value.shape().clone(), value.dtype()))
        };
        let inputs: Vec<(String, Tensor)> = values.iter().map(leaf).collect();
        let leaves: Vec<Tensor> = inputs.iter().map(|(_, leaf)| leaf.clone()).collect();
        if let Some(input) = leaves.iter().find(|input| input.dtype() != DType::F64) {
            return Err(Error::Model(format!(
                "derivatives are checked and analysed in f64, not {}: in f32 a difference has no digits left",
                input.describe()
            )));
        }
        let output = f(&leaves)?;
        Function::new(inputs, output)
    }

    fn new(inputs: Vec<(String, Tensor)>, output: Tensor) -> Result<Function> {
        let part = |(name, input): &(String, Tensor)| Ok((name.clone(), input.shape()?.clone()));
        let parts = inputs.iter().map(part).collect::<Result<_>>()?;
        let inputs: Vec<Tensor> = inputs.into_iter().map(|(_, input)| input).collect();
        // Of shape [] whatever it was.
        let output = if output.shape()?.elements() == 1 { output.sum(..) } else { output };
        let gradients = output.grad(&inputs.iter().collect::<Vec<_>>())?;
        let value = Compiled::of(&inputs, std::slice::from_ref(&output))?;
        let gradient = Compiled::of(&inputs, &gradients)?;
        Ok(Function { inputs, parts, output, gradients, value, gradient, product: OnceLock::new() })
    }

    /// `-f`: what has its maxima where this has its minima. [OPT-48, LOSS-15]
    ///
    /// # Errors
    /// When it does not compile.
    pub fn negated(&self) -> Result<Function> {
        let names = self.parts.iter().map(|(name, _)| name.clone());
        let inputs = names.zip(self.inputs.iter().cloned());
        Function::new(inputs.collect(), -&self.output)
    }

    /// How many numbers it is a function of.
    pub fn dimensions(&self) -> usize {
        self.shapes().map(Shape::elements).sum()
    }

    /// The value at a point.
    ///
    /// # Errors
    /// When the point has another number of numbers.
    pub fn value(&self, point: &[f64]) -> Result<f64> {
        self.value_of(&self.buffers(point)?.iter().collect::<Vec<_>>())
    }

    /// The gradient at a point. Errors as for [`value`](Function::value).
    pub fn gradient(&self, point: &[f64]) -> Result<Vec<f64>> {
        Ok(joined(&self.gradients_of(&self.buffers(point)?.iter().collect::<Vec<_>>())?))
    }

    /// The Hessian at a point times a direction, without the Hessian: the gradient of the slope along the direction, for the
    /// price of about two gradients. Pearlmutter, 1994, "Fast exact multiplication by the Hessian". Errors as for
    /// [`value`](Function::value).
    pub fn hessian_times(&self, point: &[f64], direction: &[f64]) -> Result<Vec<f64>> {
        let (at, along) = (self.buffers(point)?, self.buffers(direction)?);
        Ok(joined(&self.product()?.run(&at.iter().chain(&along).collect::<Vec<_>>())?))
    }

    /// Whether the second derivatives are the same everywhere, by the structure of the graph: then one Hessian tells all, and
    /// a minimum is a proof. A graph may hide it, so `false` says nothing. [OPT-44]
    ///
    /// # Errors
    /// When its second derivatives do not compile.
    pub fn is_quadratic(&self) -> Result<bool> {
        // The products' feeds: first the point, then the direction.
        let is_point = |op: &Primitive| matches!(op, Primitive::Feed { index } if *index < self.inputs.len());
        Ok(!self.product()?.program.graph().nodes.iter().any(|inst| is_point(&inst.op)))
    }

    /// The compiled programs of value and gradient, to count what they do. [GRADCHK-09]
    pub fn programs(&self) -> [&Program; 2] {
        [&self.value.program, &self.gradient.program]
    }

    pub(super) fn shapes(&self) -> impl Iterator<Item = &Shape> {
        self.parts.iter().map(|(_, shape)| shape)
    }

    pub(super) fn inputs(&self) -> &[Tensor] {
        &self.inputs
    }

    pub(super) fn value_of(&self, tensors: &[&Buffer]) -> Result<f64> {
        Ok(self.value.run(tensors)?[0].to_f64()[0])
    }

    pub(super) fn gradients_of(&self, tensors: &[&Buffer]) -> Result<Vec<Buffer>> {
        self.gradient.run(tensors)
    }

    /// The Hessian times a direction, as nodes: the gradient of `<gradient, direction>`.
    pub(super) fn product_nodes(&self, direction: &[Tensor]) -> Result<Vec<Tensor>> {
        let slopes = self.gradients.iter().zip(direction).map(|(g, d)| (g * d).sum(..));
        let slope = slopes.reduce(|sum, slope| sum + slope).unwrap_or_else(|| self.output.like(0.0));
        Ok(slope.grad(&self.inputs.iter().collect::<Vec<_>>())?)
    }

    fn product(&self) -> Result<&Compiled> {
        if let Some(product) = self.product.get() {
            return Ok(product);
        }
        let direction: Vec<Tensor> =
            self.shapes().map(|shape| Tensor::placeholder("direction", shape.clone(), DType::F64)).collect();
        let outputs = self.product_nodes(&direction)?;
        let inputs = [&self.inputs[..], &direction].concat();
        let product = Compiled::of(&inputs, &outputs)?;
        Ok(self.product.get_or_init(|| product))
    }

    /// The numbers of a point as tensors.
    pub(super) fn buffers(&self, point: &[f64]) -> Result<Vec<Buffer>> {
        if point.len() != self.dimensions() {
            return Err(Error::Model(format!(
                "the function is one of {} numbers, and {} were given",
                self.dimensions(),
                point.len()
            )));
        }
        let mut rest = point;
        let take = |shape: &Shape| {
            let (own, after) = rest.split_at(shape.elements());
            rest = after;
            Buffer::new(own, shape.clone())
        };
        Ok(self.shapes().map(take).collect())
    }
}

/// All numbers, one tensor after the other.
pub(super) fn joined(tensors: &[Buffer]) -> Vec<f64> {
    tensors.iter().flat_map(Buffer::to_f64).collect()
}

/// The first values of a model's parameters, as [`Function::of_model`] takes them.
///
/// # Errors
/// When two tensors of the model have one name.
pub fn first_point<M: Module + ?Sized>(model: &M, seed: u64) -> Result<Vec<f64>> {
    let values = first_values(&Inventory::of(model)?, &fresh_state(model, seed, DType::F64)?)?;
    Ok(values.iter().flat_map(|(_, value)| value.to_f64()).collect())
}

fn first_values(inventory: &Inventory, state: &State) -> Result<Vec<Named>> {
    let value = |path: &String| Ok((path.clone(), read(state, path)?));
    inventory.parameters.iter().map(|entry| value(&entry.path)).collect()
}

fn read(state: &State, path: &str) -> Result<Buffer> {
    Ok(state.read(crate::pass::position(state.layout(), path)?))
}

/// What the loss of a model is a function of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Its parameters.
    Parameters,
    /// Its parameters and, where they are floats, its inputs.
    ParametersAndInput,
}

/// A function of tensors.
pub(super) type Formula<'a> = Box<dyn FnOnce(&[Tensor]) -> Result<Tensor> + 'a>;

/// The loss of a model for one batch as a function of the values that are returned with it.
pub(super) fn model_of_values<'a, M: Module + Forward + ?Sized>(
    model: &'a M,
    loss: &'a impl Loss,
    batch: &Batch,
    mode: Mode,
    seed: u64,
    wanted: Wanted,
) -> Result<(Formula<'a>, Vec<Named>)> {
    let inventory = Arc::new(Inventory::of(model)?);
    let state = fresh_state(model, seed, DType::F64)?;
    let mut values = first_values(&inventory, &state)?;
    let mut x = Tensor::new(batch.x.clone());
    if x.dtype().is_float() {
        x = x.cast(DType::F64);
    }
    let x_is_input = x.dtype().is_float() && wanted == Wanted::ParametersAndInput;
    if x_is_input {
        values.push(("x".to_string(), buffer(batch.x.to_f64().into_iter(), batch.x.shape(), DType::F64)));
    }
    let y = Tensor::new(batch.y.clone());
    let y = if y.dtype().is_float() { y.cast(DType::F64) } else { y };
    let forward = move |leaves: &[Tensor]| {
        let scalar = |value: i64| Tensor::new(Buffer::new(&[value], []));
        let mut pass = Pass::new(&inventory, mode, scalar(seed as i64), scalar(0), |path| {
            let parameters = inventory.parameters.iter().position(|entry| entry.path == path);
            match parameters {
                Some(index) => Ok(leaves[index].clone()),
                None => Ok(Tensor::new(read(&state, path)?)),
            }
        })?;
        if x_is_input {
            x = leaves[leaves.len() - 1].clone();
        }
        loss.loss(&model.forward(&x, &mut pass)?, &y)
    };
    Ok((Box::new(forward), values))
}
