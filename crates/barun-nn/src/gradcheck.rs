//! Is a gradient right? Compared with differences, in f64. [GRADCHK-01 .. GRADCHK-08]
//!
//! Where both disagree, the difference is taken again a hundred times closer, so that neither its own error nor a kink
//! nearby counts. At a kink itself (ReLU at 0, the absolute error at a residual of 0) there is no derivative: any value
//! between the slopes on both sides is right there, and the place is listed. [ACT-04, LOSS-03]

use std::fmt;
use std::sync::Arc;

use barun_engine::random::Stream;

use crate::losses::Loss;
use crate::state::buffer;
use crate::{
    Batch, Buffer, DType, Error, Forward, Inventory, Layout, Mode, Module, Options, Pass, Program,
    ProgramSpec, Result, Shape, State, Tensor, fresh_state,
};

/// The distance of the notes, and of this module where none is given: the error of a central difference falls with
/// `h^2` until rounding takes over, which in f64 is near here.
pub const STEP: f64 = 1e-4;

/// The gradient of `f` at `x` by central differences, `(f(x + h) - f(x - h)) / 2h` in each place; `x` is restored.
///
/// `x` is any tensor's elements in row-major order. [GRADCHK-01, GRADCHK-02]
///
/// ```
/// use barun_nn::gradcheck::numerical_gradient;
/// let mut x = [3.0, 4.0];
/// let gradient = numerical_gradient(|x| x[0] * x[0] + x[1] * x[1], &mut x, 1e-4);
/// assert!((gradient[0] - 6.0).abs() < 1e-7 && (gradient[1] - 8.0).abs() < 1e-7);
/// assert_eq!(x, [3.0, 4.0]);
/// ```
pub fn numerical_gradient(mut f: impl FnMut(&[f64]) -> f64, x: &mut [f64], h: f64) -> Vec<f64> {
    let mut gradient = Vec::with_capacity(x.len());
    for index in 0..x.len() {
        let kept = x[index];
        x[index] = kept + h;
        let above = f(x);
        x[index] = kept - h;
        let below = f(x);
        x[index] = kept;
        gradient.push((above - below) / (2.0 * h));
    }
    gradient
}

/// Relative to the largest gradient, what a difference at [`STEP`] is trusted to.
const AGREEMENT: f64 = 1e-6;

/// The comparison for one tensor.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Which tensor.
    pub name: String,
    /// By back-propagation.
    pub analytic: Vec<f64>,
    /// By differences.
    pub numeric: Vec<f64>,
    /// Places where the function has a kink and the gradient is one of its subgradients; they are no error.
    pub kinks: Vec<usize>,
}

impl Comparison {
    /// The largest difference, relative to the largest gradient of this tensor (at least 1e-3, so that the rounding of
    /// a gradient that is 0 is not blown up).
    pub fn relative_error(&self) -> f64 {
        let size = self.analytic.iter().chain(&self.numeric).fold(1e-3, |size: f64, g| size.max(g.abs()));
        let pairs = self.analytic.iter().zip(&self.numeric).enumerate();
        let compared = pairs.filter(|(index, _)| !self.kinks.contains(index));
        // A NaN must not get lost in a maximum.
        let differences = compared.map(|(_, (a, n))| (a - n).abs());
        differences.fold(0.0, |largest, d| if d <= largest { largest } else { d }) / size
    }

    /// Looks again where both disagree: `f` is the function of this tensor's elements `x`.
    fn look_closer(&mut self, mut f: impl FnMut(&[f64]) -> f64, x: &mut [f64], h: f64) {
        let size = self.analytic.iter().fold(1e-3, |size: f64, g| size.max(g.abs()));
        for index in 0..x.len() {
            let analytic = self.analytic[index];
            let near = |slope: f64| (analytic - slope).abs() <= AGREEMENT * size;
            if near(self.numeric[index]) {
                continue;
            }
            let kept = x[index];
            let mut at = |value: f64| {
                x[index] = value;
                let result = f(x);
                x[index] = kept;
                result
            };
            let (below, here, above) = (at(kept - h), at(kept), at(kept + h));
            let (left, right) = ((here - below) / h, (above - here) / h);
            self.numeric[index] = (left + right) / 2.0;
            let is_kink = (right - left).abs() > 1e-3 * size;
            let slack = AGREEMENT * size;
            let is_between = analytic >= left.min(right) - slack && analytic <= left.max(right) + slack;
            if !near(self.numeric[index]) && is_kink && is_between {
                self.kinks.push(index);
            }
        }
    }
}

/// A comparison of all gradients.
#[derive(Clone, Debug)]
pub struct Report {
    /// One for each tensor.
    pub comparisons: Vec<Comparison>,
}

impl Report {
    /// The largest relative error.
    pub fn relative_error(&self) -> f64 {
        let errors = self.comparisons.iter().map(Comparison::relative_error);
        errors.fold(0.0, |largest, error| if error <= largest { largest } else { error })
    }

    /// Whether all gradients are right to `tolerance`.
    pub fn passes(&self, tolerance: f64) -> bool {
        self.relative_error() <= tolerance
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.comparisons.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).max(9);
        writeln!(f, "{:<width$}  elements  relative error  kinks", "parameter")?;
        for comparison in &self.comparisons {
            let (count, error) = (comparison.analytic.len(), comparison.relative_error());
            let kinks = comparison.kinks.len();
            writeln!(f, "{:<width$}  {count:>8}  {error:>14.3e}  {kinks:>5}", comparison.name)?;
        }
        Ok(())
    }
}

/// Compares the gradients of `f` with differences at the float `inputs` (f64). An output that is no scalar is weighed
/// with fixed random numbers.
///
/// ```
/// use barun_nn::{Buffer, gradcheck::gradcheck};
/// let x = Buffer::new(&[0.5f64, -1.0, 2.0], [3]);
/// assert!(gradcheck(|inputs| Ok(inputs[0].tanh()), &[x.clone()])?.passes(1e-6));
/// // A function that claims half its gradient is caught.
/// let wrong = |inputs: &[barun_nn::Tensor]| {
///     let y = inputs[0].square();
///     Ok(&y * 0.5 + y.detach() * 0.5)
/// };
/// assert!(!gradcheck(wrong, &[x])?.passes(1e-2));
/// # Ok::<(), barun_nn::Error>(())
/// ```
pub fn gradcheck(f: impl FnOnce(&[Tensor]) -> Result<Tensor>, inputs: &[Buffer]) -> Result<Report> {
    let named = inputs.iter().enumerate().map(|(index, value)| (format!("input {index}"), value.clone()));
    check(f, named.collect(), STEP)
}

/// Compares the gradients of a model's loss for one batch, for each parameter and for float inputs. [GRADCHK-08]
///
/// The model runs in f64 and in `mode`, with parameters drawn from `seed` and dropout masks that stay. Every number is
/// displaced by itself, so it is for small models; for large ones there is [`gradcheck_directions`].
pub fn gradcheck_model<M: Module + Forward + ?Sized>(
    model: &M,
    loss: &impl Loss,
    batch: &Batch,
    mode: Mode,
    seed: u64,
) -> Result<Report> {
    let (forward, values) = model_of_values(model, loss, batch, mode, seed)?;
    check(forward, values, STEP)
}

/// A derivative along one direction, by back-propagation and by a difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DirectionCheck {
    /// By back-propagation: the gradient times the direction.
    pub analytic: f64,
    /// By a difference.
    pub numeric: f64,
    /// The norm of the gradient, about which the derivative along a random direction is.
    pub gradient_norm: f64,
}

impl DirectionCheck {
    /// The difference, relative to the gradient (of norm 1e-3 at least, so that rounding of 0 is not blown up).
    pub fn relative_error(&self) -> f64 {
        (self.analytic - self.numeric).abs() / self.gradient_norm.max(1e-3)
    }
}

/// Compares the gradient of a model's loss for one batch with differences along random directions, in which all parameters
/// and float inputs move at once, each by a standard normal number: two evaluations a direction, however large the model.
///
/// Along `directions` of them an error in any part of the gradient shows, though not in which. As [`gradcheck_model`] in all
/// else. Where both disagree the difference is taken again a hundred times closer.
///
/// ```
/// use barun_nn::{Batch, Buffer, Mode, layers::*, losses::CrossEntropy, gradcheck::gradcheck_directions, sequential};
/// let model = sequential![Linear::new(3, 8), Tanh::default(), Linear::new(8, 2)];
/// let batch = Batch { x: Buffer::new(&[0.5f64, -1.0, 2.0], [1, 3]), y: Buffer::new(&[1i64], [1]) };
/// for found in gradcheck_directions(&model, &CrossEntropy::default(), &batch, Mode::Train, 1, 8)? {
///     assert!(found.relative_error() < 1e-6);
/// }
/// # Ok::<(), barun_nn::Error>(())
/// ```
pub fn gradcheck_directions<M: Module + Forward + ?Sized>(
    model: &M,
    loss: &impl Loss,
    batch: &Batch,
    mode: Mode,
    seed: u64,
    directions: usize,
) -> Result<Vec<DirectionCheck>> {
    let (forward, mut values) = model_of_values(model, loss, batch, mode, seed)?;
    let function = Differentiated::new(forward, &values)?;
    let gradients: Vec<Vec<f64>> = function.gradients(&values)?.iter().map(Buffer::to_f64).collect();
    let gradient_norm = gradients.iter().flatten().map(|g| g * g).sum::<f64>().sqrt();
    let at: Vec<Vec<f64>> = values.iter().map(|(_, value)| value.to_f64()).collect();
    let mut stream = Stream::new(seed, "directions");
    let mut found = Vec::with_capacity(directions);
    for _ in 0..directions {
        let along: Vec<Vec<f64>> = at.iter().map(|x| x.iter().map(|_| stream.normal()).collect()).collect();
        let products = gradients.iter().flatten().zip(along.iter().flatten()).map(|(g, d)| g * d);
        let analytic = products.sum();
        let mut moved = |h: f64| {
            for ((value, x), d) in values.iter_mut().zip(&at).zip(&along) {
                let moved: Vec<f64> = x.iter().zip(d).map(|(x, d)| x + h * d).collect();
                value.1 = Buffer::new(&moved, value.1.shape().clone());
            }
            function.value(&values)
        };
        let mut difference = |h: f64| Ok::<f64, Error>((moved(h)? - moved(-h)?) / (2.0 * h));
        // So that the value changes about as much whatever the gradient.
        let step = DIRECTION_STEP / gradient_norm.max(1.0);
        let mut check = DirectionCheck { analytic, numeric: difference(step)?, gradient_norm };
        if check.relative_error() > AGREEMENT {
            let closer = DirectionCheck { numeric: difference(step / 100.0)?, ..check };
            check = if closer.relative_error() < check.relative_error() { closer } else { check };
        }
        found.push(check);
    }
    Ok(found)
}

/// How far every number is moved along a direction where the gradient is 1 or less: all move at once, so it is much less
/// than [`STEP`].
const DIRECTION_STEP: f64 = 1e-6;

/// A tensor's name and its value.
type Named = (String, Buffer);

/// A function of tensors.
type Function<'a> = Box<dyn FnOnce(&[Tensor]) -> Result<Tensor> + 'a>;

/// The loss of a model for one batch as a function of the values that are returned with it: all parameters, and the inputs
/// where they are floats.
fn model_of_values<'a, M: Module + Forward + ?Sized>(
    model: &'a M,
    loss: &'a impl Loss,
    batch: &Batch,
    mode: Mode,
    seed: u64,
) -> Result<(Function<'a>, Vec<Named>)> {
    let inventory = Arc::new(Inventory::of(model)?);
    let state = fresh_state(model, seed, DType::F64)?;
    let get =
        |state: &State, path: &str| Ok::<_, Error>(state.read(crate::pass::position(state.layout(), path)?));
    let mut values = Vec::new();
    for entry in &inventory.parameters {
        values.push((entry.path.clone(), get(&state, &entry.path)?));
    }
    let mut x = Tensor::new(batch.x.clone());
    let x_is_float = x.dtype().is_float();
    if x_is_float {
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
                None => Ok(Tensor::new(get(&state, path)?)),
            }
        })?;
        if x_is_float {
            x = leaves[leaves.len() - 1].clone();
        }
        loss.loss(&model.forward(&x, &mut pass)?, &y)
    };
    Ok((Box::new(forward), values))
}

/// A function of f64 tensors and its gradient, compiled. An output that is no scalar is weighed with fixed random numbers.
struct Differentiated {
    value: Program,
    gradients: Program,
    state: State,
}

impl Differentiated {
    /// `values` are of the kind that it takes.
    fn new(f: impl FnOnce(&[Tensor]) -> Result<Tensor>, values: &[Named]) -> Result<Self> {
        let leaf = |(name, value): &Named| Tensor::placeholder(name, value.shape().clone(), value.dtype());
        let inputs: Vec<Tensor> = values.iter().map(leaf).collect();
        if let Some(input) = inputs.iter().find(|input| input.dtype() != DType::F64) {
            return Err(Error::Model(format!("a gradient check needs f64, not {}", input.describe())));
        }
        let output = f(&inputs)?;
        let weights = random_weights(output.shape()?);
        let scalar = (&output * weights).sum(..);
        let gradients = scalar.grad(&inputs.iter().collect::<Vec<_>>())?;
        let layout = Layout::new(Vec::new())?;
        let compile = |outputs: &[Tensor]| {
            let spec = ProgramSpec { layout: &layout, inputs: &inputs, outputs, updates: &[] };
            Program::compile(&spec, &Options::default())
        };
        let (value, gradients) = (compile(&[scalar])?, compile(&gradients)?);
        Ok(Differentiated { value, gradients, state: State::zeros(&layout) })
    }

    fn value(&self, values: &[Named]) -> Result<f64> {
        let outputs = self.value.evaluate(&self.state, &feeds(values))?;
        Ok(outputs[0].to_f64()[0])
    }

    fn gradients(&self, values: &[Named]) -> Result<Vec<Buffer>> {
        Ok(self.gradients.evaluate(&self.state, &feeds(values))?)
    }
}

fn feeds(values: &[Named]) -> Vec<&Buffer> {
    values.iter().map(|(_, value)| value).collect()
}

/// Compiles `f` with its gradients once and compares at `values`, displacing each number by itself.
fn check(f: impl FnOnce(&[Tensor]) -> Result<Tensor>, mut values: Vec<Named>, h: f64) -> Result<Report> {
    let function = Differentiated::new(f, &values)?;
    let gradients = function.gradients(&values)?;
    let mut comparisons = Vec::new();
    for (index, gradient) in gradients.iter().enumerate() {
        let name = values[index].0.clone();
        let mut x = values[index].1.to_f64();
        let shape = values[index].1.shape().clone();
        let mut failure = None;
        let mut value_at = |x: &[f64]| {
            values[index].1 = Buffer::new(x, shape.clone());
            function.value(&values).unwrap_or_else(|error| {
                failure = Some(error);
                f64::NAN
            })
        };
        let numeric = numerical_gradient(&mut value_at, &mut x, h);
        let mut comparison = Comparison { name, analytic: gradient.to_f64(), numeric, kinks: Vec::new() };
        comparison.look_closer(value_at, &mut x, h / 100.0);
        if let Some(error) = failure {
            return Err(error);
        }
        values[index].1 = Buffer::new(&x, shape);
        comparisons.push(comparison);
    }
    Ok(Report { comparisons })
}

/// Fixed numbers in `[0.5, 1.5)`, so that a gradient of the output's sum, which can be 0 by construction (softmax), is
/// not what is checked; 1 for a scalar.
fn random_weights(shape: &Shape) -> Tensor {
    if shape.rank() == 0 {
        return Tensor::scalar(1.0, DType::F64);
    }
    let mut stream = Stream::new(0, "gradcheck");
    let weights = std::iter::from_fn(|| Some(stream.between(0.5, 1.5)));
    Tensor::new(buffer(weights, shape, DType::F64))
}
