//! Points where the gradient is 0: what kind they are, and finding them, of whatever kind.

use std::fmt;

use super::curvature::hessian_eigenvalues;
use super::eigen::symmetric_eigen;
use super::function::Function;
use crate::Result;

/// What a point is, by its gradient and the eigenvalues of its Hessian. [OPT-39]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The gradient is not 0.
    NotCritical,
    /// Upwards in every direction.
    Minimum,
    /// Downwards in every direction.
    Maximum,
    /// Upwards in some directions and downwards in others.
    Saddle,
    /// Flat in some directions and to one side at most in the others: second derivatives do not tell.
    Degenerate,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::NotCritical => "no critical point",
            Kind::Minimum => "local minimum",
            Kind::Maximum => "local maximum",
            Kind::Saddle => "saddle point",
            Kind::Degenerate => "degenerate critical point",
        })
    }
}

/// A point and what is known of it to second order.
#[derive(Clone, Debug)]
pub struct CriticalPoint {
    /// The point.
    pub point: Vec<f64>,
    /// The function's value there.
    pub value: f64,
    /// The length of the gradient.
    pub gradient_norm: f64,
    /// The eigenvalues of the Hessian, ascending.
    pub eigenvalues: Vec<f64>,
    /// What that makes it.
    pub kind: Kind,
}

/// Beside the largest eigenvalue and 1, a smaller one than this counts as 0.
const FLAT: f64 = 1e-7;
/// Beside the largest eigenvalue and 1, a gradient shorter than this counts as 0.
const STILL: f64 = 1e-6;

impl CriticalPoint {
    /// How many eigenvalues are above, about and below 0.
    pub fn signs(&self) -> [usize; 3] {
        let flat = FLAT * self.scale();
        let count = |is: &dyn Fn(f64) -> bool| self.eigenvalues.iter().filter(|value| is(**value)).count();
        let (up, down) = (count(&|value| value > flat), count(&|value| value < -flat));
        [up, self.eigenvalues.len() - up - down, down]
    }

    /// The share of directions that curve downwards, from 0 at a minimum to 1 at a maximum. [OPT-42]
    pub fn index(&self) -> f64 {
        self.signs()[2] as f64 / self.eigenvalues.len().max(1) as f64
    }

    /// What gradients and eigenvalues are compared with.
    fn scale(&self) -> f64 {
        self.eigenvalues.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()))
    }

    fn judged(mut self) -> Self {
        let [up, flat, down] = self.signs();
        let is_still = self.gradient_norm <= STILL * self.scale();
        self.kind = match (up > 0, flat > 0, down > 0) {
            _ if !is_still => Kind::NotCritical,
            (true, _, true) => Kind::Saddle,
            (true, false, false) => Kind::Minimum,
            (false, false, true) => Kind::Maximum,
            _ => Kind::Degenerate,
        };
        self
    }
}

/// What kind of point this is: a minimum, a maximum, a saddle, or one where the gradient is 0 and second derivatives do not
/// tell; or none, where the gradient is not 0. [OPT-39]
///
/// # Errors
/// Those of [`Function::hessian`].
///
/// ```
/// use barun_nn::analysis::{Function, Kind, classify};
/// let bowl = Function::of_numbers(2, |x| Ok(x.square().sum(..)))?;
/// assert_eq!(classify(&bowl, &[0.0, 0.0])?.kind, Kind::Minimum);
/// assert_eq!(classify(&bowl, &[1.0, 0.0])?.kind, Kind::NotCritical);
/// # Ok::<(), barun_nn::Error>(())
/// ```
pub fn classify(function: &Function, point: &[f64]) -> Result<CriticalPoint> {
    let gradient_norm = length(&function.gradient(point)?);
    let point = CriticalPoint {
        point: point.to_vec(),
        value: function.value(point)?,
        gradient_norm,
        eigenvalues: hessian_eigenvalues(function, point)?,
        kind: Kind::NotCritical,
    };
    Ok(point.judged())
}

/// Walks from `start` to where the gradient is 0, be it a minimum, a saddle or a maximum: what is made small is the
/// gradient's length, not the function. [OPT-42]
///
/// Each of at most `turns` steps solves `(H^2 + m I) d = -H g` (Levenberg and Marquardt's for `|g|^2 / 2`), with `m` raised
/// until the gradient becomes shorter. It may end where `H g` is 0 and `g` is not; the answer's
/// [kind](CriticalPoint::kind) says so. Dauphin et al., 2014, "Identifying and attacking the saddle point problem".
///
/// # Errors
/// Those of [`Function::hessian`].
pub fn find_critical_point(function: &Function, start: &[f64], turns: usize) -> Result<CriticalPoint> {
    let mut at = start.to_vec();
    let mut gradient = function.gradient(&at)?;
    let mut damping = 1e-3;
    for _ in 0..turns {
        if length(&gradient) < 1e-10 {
            break;
        }
        let eigen = symmetric_eigen(function.hessian(&at)?);
        let shorter = |damping: f64| {
            let weight = |value: f64| value / (value * value + damping);
            let next: Vec<f64> = eigen.moved(&at, &gradient, weight);
            let gradient = function.gradient(&next)?;
            Ok::<_, crate::Error>((next, gradient))
        };
        let mut is_stuck = true;
        while damping < 1e12 {
            let (next, shortened) = shorter(damping)?;
            if length(&shortened) < length(&gradient) {
                (at, gradient, is_stuck) = (next, shortened, false);
                damping = (damping / 5.0).max(1e-15);
                break;
            }
            damping *= 4.0;
        }
        if is_stuck {
            break;
        }
    }
    classify(function, &at)
}

/// The length of a vector.
pub(super) fn length(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}
