//! How a function curves: its Hessian, all its eigenvalues where it is small, the largest one where it is not.

use barun_engine::random::Stream;
use barun_engine::{ScanOptions, scan};

use super::eigen::symmetric_eigen;
use super::function::{Compiled, Function, joined};
use crate::{DType, Error, Result, Tensor};

/// The most numbers of which all second derivatives are taken: a matrix of 32 MB, whose eigenvalues take a minute.
const LARGEST: usize = 2000;

impl Function {
    /// All second derivatives at a point, row by row: as many [products](Function::hessian_times) as there are numbers.
    ///
    /// # Errors
    /// When the point has another number of numbers, or there are too many for a matrix.
    pub fn hessian(&self, point: &[f64]) -> Result<Vec<Vec<f64>>> {
        let n = self.dimensions();
        if n > LARGEST {
            return Err(Error::Model(format!(
                "a Hessian of {n} by {n} numbers is too large (at most {LARGEST}); take its largest eigenvalue with `top_eigenvalue`"
            )));
        }
        let axis = |at: usize| (0..n).map(|other| f64::from(at == other)).collect::<Vec<_>>();
        let rows = (0..n).map(|at| self.hessian_times(point, &axis(at))).collect::<Result<Vec<_>>>()?;
        // Equal to its transpose but for rounding; what comes after relies on its being equal.
        let mean = |row: usize, column: usize| (rows[row][column] + rows[column][row]) / 2.0;
        Ok((0..n).map(|row| (0..n).map(|column| mean(row, column)).collect()).collect())
    }
}

/// The eigenvalues of the Hessian at a point, ascending. Errors as for [`Function::hessian`].
pub fn hessian_eigenvalues(function: &Function, point: &[f64]) -> Result<Vec<f64>> {
    Ok(symmetric_eigen(function.hessian(point)?).values)
}

/// The eigenvalue of the Hessian that is largest by its size: the sharpest curvature.
#[derive(Clone, Debug)]
pub struct TopEigenvalue {
    /// The eigenvalue; negative where the sharpest curvature goes down.
    pub value: f64,
    /// Its direction, of length 1.
    pub direction: Vec<f64>,
    /// `|H v - value v|`, which is 0 once the search has arrived: some eigenvalue is this near to `value`.
    pub residual: f64,
}

/// The sharpest curvature at a point by power iteration: `v <- H v / |H v|`, `turns` times from a random direction.
///
/// No matrix is kept, so it serves networks of any size; the turns are one loop of the graph, compiled once. It converges
/// the faster the more the largest eigenvalue leads; look at the [residual](TopEigenvalue::residual). Gradient descent is
/// stable up to a rate of `2 / value`. Errors as for [`Function::value`].
///
/// ```
/// use barun_nn::analysis::{Function, top_eigenvalue};
/// let bowl = Function::of_numbers(2, |x| Ok((x.square() * barun_nn::Tensor::from([0.5f64, 2.0])).sum(..)))?;
/// let top = top_eigenvalue(&bowl, &[3.0, -1.0], 40, 1)?;
/// assert!((top.value - 4.0).abs() < 1e-9 && top.residual < 1e-6);
/// # Ok::<(), barun_nn::Error>(())
/// ```
pub fn top_eigenvalue(function: &Function, point: &[f64], turns: usize, seed: u64) -> Result<TopEigenvalue> {
    let mut stream = Stream::new(seed, "power iteration");
    let start: Vec<f64> = (0..function.dimensions()).map(|_| stream.normal()).collect();
    let (at, from) = (function.buffers(point)?, function.buffers(&start)?);
    let starts: Vec<Tensor> =
        function.shapes().map(|shape| Tensor::placeholder("start", shape.clone(), DType::F64)).collect();
    let carries: Vec<&Tensor> = starts.iter().collect();
    let options = ScanOptions { length: Some(turns), reverse: false };
    let (found, _) = scan(&carries, &[], options, |direction, _| {
        let product = function.product_nodes(direction).map_err(engine)?;
        Ok((normalized(&product), Vec::new()))
    })?;
    let found = normalized(&found);
    let inputs = [function.inputs(), &starts].concat();
    let program = Compiled::of(&inputs, &found)?;
    let direction = joined(&program.run(&at.iter().chain(&from).collect::<Vec<_>>())?);
    let product = function.hessian_times(point, &direction)?;
    let value: f64 = product.iter().zip(&direction).map(|(h, v)| h * v).sum();
    let residual = product.iter().zip(&direction).map(|(h, v)| (h - value * v).powi(2)).sum::<f64>().sqrt();
    Ok(TopEigenvalue { value, direction, residual })
}

/// What the body of a scan may fail with.
fn engine(error: Error) -> barun_engine::Error {
    match error {
        Error::Engine(error) => error,
        other => barun_engine::Error::NotEvaluable(other.to_string()),
    }
}

/// All tensors over the length of them together; 0 stays 0.
fn normalized(tensors: &[Tensor]) -> Vec<Tensor> {
    let squares = tensors.iter().map(|tensor| tensor.square().sum(..)).reduce(|sum, square| sum + square);
    let Some(squares) = squares else { return Vec::new() };
    let length = squares.sqrt().maximum(&squares.like(f64::MIN_POSITIVE));
    tensors.iter().map(|tensor| tensor / &length).collect()
}
