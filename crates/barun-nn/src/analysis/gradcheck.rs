//! Is a gradient right? Compared with differences, in f64. [GRADCHK-01 .. GRADCHK-08]
//!
//! Where both disagree, the difference is taken again a hundred times closer, so that neither its own error nor a kink
//! nearby counts. At a kink itself (ReLU at 0, the absolute error at a residual of 0) there is no derivative: any value
//! between the slopes on both sides is right there, and the place is listed. [ACT-04, LOSS-03]

use std::fmt;

use barun_engine::random::Stream;

use super::differences::{STEP, numerical_gradient};
use super::function::{Function, Named, Wanted, model_of_values};
use crate::losses::Loss;
use crate::state::buffer;
use crate::{Batch, Buffer, DType, Error, Forward, Mode, Module, Result, Shape, Tensor};

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

    /// Where both differ most, apart from kinks: the place among the tensor's elements in row-major order, by
    /// back-propagation, by differences. None for a tensor without elements.
    pub fn worst(&self) -> Option<(usize, f64, f64)> {
        let compared = (0..self.analytic.len()).filter(|place| !self.kinks.contains(place));
        let of = |place: usize| (place, self.analytic[place], self.numeric[place]);
        // The total order puts NaN above every number.
        compared.map(of).max_by(|a, b| (a.1 - a.2).abs().total_cmp(&(b.1 - b.2).abs()))
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
        self.wrong(tolerance).is_empty()
    }

    /// The tensors whose gradient is wrong by more than `tolerance`.
    pub fn wrong(&self, tolerance: f64) -> Vec<&Comparison> {
        // A NaN is not right.
        let is_right = |comparison: &&Comparison| comparison.relative_error() <= tolerance;
        self.comparisons.iter().filter(|comparison| !is_right(comparison)).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.comparisons.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).max(9);
        writeln!(f, "{:<width$}  elements  relative error  kinks  largest difference", "parameter")?;
        for comparison in &self.comparisons {
            let (count, error) = (comparison.analytic.len(), comparison.relative_error());
            let kinks = comparison.kinks.len();
            write!(f, "{:<width$}  {count:>8}  {error:>14.3e}  {kinks:>5}", comparison.name)?;
            match comparison.worst() {
                Some((place, analytic, numeric)) => {
                    writeln!(
                        f,
                        "  [{place}]: {analytic:.6} by back-propagation, {numeric:.6} by differences"
                    )?;
                }
                None => writeln!(f)?,
            }
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
    let (forward, values) = model_of_values(model, loss, batch, mode, seed, Wanted::ParametersAndInput)?;
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
    let (forward, mut values) = model_of_values(model, loss, batch, mode, seed, Wanted::ParametersAndInput)?;
    let function = Function::at(forward, &values)?;
    let gradients: Vec<Vec<f64>> =
        function.gradients_of(&tensors(&values))?.iter().map(Buffer::to_f64).collect();
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
            function.value_of(&tensors(&values))
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

fn tensors(values: &[Named]) -> Vec<&Buffer> {
    values.iter().map(|(_, value)| value).collect()
}

/// Compiles `f` with its gradients once and compares at `values`, displacing each number by itself.
fn check(f: impl FnOnce(&[Tensor]) -> Result<Tensor>, mut values: Vec<Named>, h: f64) -> Result<Report> {
    // Of an output that is no scalar: its sum, weighed.
    let scalar = |leaves: &[Tensor]| {
        let output = f(leaves)?;
        Ok((&output * random_weights(output.shape()?)).sum(..))
    };
    let function = Function::at(scalar, &values)?;
    let gradients = function.gradients_of(&tensors(&values))?;
    let mut comparisons = Vec::new();
    for (index, gradient) in gradients.iter().enumerate() {
        let name = values[index].0.clone();
        let mut x = values[index].1.to_f64();
        let shape = values[index].1.shape().clone();
        let mut failure = None;
        let mut value_at = |x: &[f64]| {
            values[index].1 = Buffer::new(x, shape.clone());
            function.value_of(&tensors(&values)).unwrap_or_else(|error| {
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
