//! Going down to a minimum of a function of few numbers, and from many starts, to see where they end. [OPT-45]

use super::critical::length;
use super::eigen::{Eigen, symmetric_eigen};
use super::function::Function;
use crate::Result;

impl Eigen {
    /// `from - sum over eigenvectors v of weight(eigenvalue) (v . gradient) v`.
    pub(super) fn moved(&self, from: &[f64], gradient: &[f64], weight: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut to = from.to_vec();
        for (value, vector) in self.values.iter().zip(&self.vectors) {
            let along: f64 = vector.iter().zip(gradient).map(|(v, g)| v * g).sum();
            to.iter_mut().zip(vector).for_each(|(to, v)| *to -= weight(*value) * along * v);
        }
        to
    }
}

/// Newton's way down that turns away from saddles: `x <- x - V (|L| + m)^-1 V' g`, for the eigenvalues `L` and eigenvectors
/// `V` of the Hessian, with `m` raised until the value falls.
///
/// With plain `L` Newton's steps are as fast and end at saddles as readily. A step costs a whole Hessian and its eigenvalues:
/// for tens or a few hundred numbers. Dauphin et al., 2014, "Identifying and attacking the saddle point problem".
#[derive(Clone, Copy, Debug)]
pub struct Descent {
    /// The most steps from one start.
    pub steps: usize,
    /// The length of the gradient at which it has arrived.
    pub gradient_norm: f64,
}

impl Default for Descent {
    fn default() -> Self {
        Descent { steps: 200, gradient_norm: 1e-9 }
    }
}

impl Descent {
    /// Where it ends from `start`. Errors are those of [`Function::hessian`].
    pub fn run(&self, function: &Function, start: &[f64]) -> Result<Vec<f64>> {
        let mut at = start.to_vec();
        let mut value = function.value(&at)?;
        let mut damping = 1e-6;
        for _ in 0..self.steps {
            let gradient = function.gradient(&at)?;
            if length(&gradient) <= self.gradient_norm {
                break;
            }
            let eigen = symmetric_eigen(function.hessian(&at)?);
            let before = value;
            while damping < 1e12 {
                let next = eigen.moved(&at, &gradient, |value| 1.0 / (value.abs() + damping));
                let reached = function.value(&next)?;
                if reached < value {
                    (at, value, damping) = (next, reached, (damping / 10.0).max(1e-12));
                    break;
                }
                damping *= 10.0;
            }
            if value == before {
                break;
            }
        }
        Ok(at)
    }

    /// Where it ends from each of `starts`, the lowest end first. Errors are those of [`Function::hessian`].
    ///
    /// ```
    /// use barun_nn::analysis::{Descent, Function};
    /// let wells = Function::of_numbers(1, |x| Ok(((x.square() - 1.0).square() + x * 0.3).sum(..)))?;
    /// let ends = Descent::default().from_each(&wells, &[vec![-2.0], vec![2.0], vec![-0.5]])?;
    /// assert_eq!((ends.starts(), ends.agreeing(1e-6)), (3, 2)); // two fall into the deeper well
    /// # Ok::<(), barun_nn::Error>(())
    /// ```
    pub fn from_each(&self, function: &Function, starts: &[Vec<f64>]) -> Result<Restarts> {
        let end = |start: &Vec<f64>| {
            let point = self.run(function, start)?;
            Ok((function.value(&point)?, point))
        };
        let mut ends = starts.iter().map(end).collect::<Result<Vec<_>>>()?;
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let first_values = starts.iter().map(|start| function.value(start)).collect::<Result<_>>()?;
        Ok(Restarts { ends, first_values })
    }
}

/// Where descents from several starts ended.
#[derive(Clone, Debug)]
pub struct Restarts {
    /// Value and point of each end, the lowest first.
    pub ends: Vec<(f64, Vec<f64>)>,
    /// The value at each start, in the order in which they were given.
    pub first_values: Vec<f64>,
}

impl Restarts {
    /// How many starts there were.
    pub fn starts(&self) -> usize {
        self.ends.len()
    }

    /// The lowest value; NaN without a start.
    pub fn best(&self) -> f64 {
        self.ends.first().map_or(f64::NAN, |(value, _)| *value)
    }

    /// How many ends are as low as the lowest, to `tolerance`.
    pub fn agreeing(&self, tolerance: f64) -> usize {
        self.ends.iter().filter(|(value, _)| value - self.best() <= tolerance).count()
    }

    /// The distance from the lowest end to the one farthest from it.
    pub fn farthest(&self) -> f64 {
        let Some((_, best)) = self.ends.first() else { return 0.0 };
        let apart =
            |point: &Vec<f64>| length(&point.iter().zip(best).map(|(a, b)| a - b).collect::<Vec<_>>());
        self.ends.iter().map(|(_, point)| apart(point)).fold(0.0, f64::max)
    }
}
