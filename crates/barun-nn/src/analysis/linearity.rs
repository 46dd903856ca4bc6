//! Is a function linear? Additivity and homogeneity, tried. [TENSOR-15, TENSOR-16, ACT-20]

use std::fmt;

use barun_engine::random::Stream;

use super::function::Compiled;
use crate::{Buffer, DType, Result, Shape, Tensor};

/// What was found about a function's linearity: the largest violations.
#[derive(Clone, Debug)]
pub struct Linearity {
    /// How many pairs of inputs were tried.
    pub trials: usize,
    /// Where `f(x + y)` is farthest from `f(x) + f(y)`.
    pub additivity: Violation,
    /// Where `f(a x)` is farthest from `a f(x)`, over factors of both signs.
    pub homogeneity: Violation,
    /// The same over factors that are not negative: ReLU has none. [ACT-20]
    pub positive_homogeneity: Violation,
}

/// Two numbers that would be one if the function were linear.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Violation {
    /// What the function gives: one number of `f(x + y)` or `f(a x)`.
    pub found: f64,
    /// What a linear one would give there.
    pub expected: f64,
    /// The size of the numbers that were compared.
    pub size: f64,
    /// Of which inputs, in words.
    pub at: String,
}

impl Violation {
    /// The difference.
    pub fn difference(&self) -> f64 {
        (self.found - self.expected).abs()
    }

    /// Whether the difference is more than rounding.
    pub fn is_real(&self) -> bool {
        let difference = self.difference();
        difference.is_nan() || difference > 1e-9 * self.size.max(1e-3)
    }

    fn keep_larger(&mut self, found: &[f64], expected: &[f64], at: impl Fn() -> String) {
        let size = found.iter().chain(expected).fold(0.0, |size: f64, x| size.max(x.abs()));
        for (&found, &expected) in found.iter().zip(expected) {
            let difference = (found - expected).abs();
            if self.at.is_empty() || difference.is_nan() || difference > self.difference() {
                *self = Violation { found, expected, size, at: at() };
            }
        }
    }
}

impl Linearity {
    /// Whether nothing was found that a linear function does not do.
    pub fn is_linear(&self) -> bool {
        !self.additivity.is_real() && !self.homogeneity.is_real()
    }
}

impl fmt::Display for Linearity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_linear() {
            true => writeln!(f, "linear (nothing against it in {} trials)", self.trials)?,
            false => writeln!(f, "not linear")?,
        }
        for (name, violation) in [("additive", &self.additivity), ("homogeneous", &self.homogeneity)] {
            if violation.is_real() {
                let Violation { found, expected, at, .. } = violation;
                writeln!(f, "not {name}: {at}: {found:.6}, and a linear function would give {expected:.6}")?;
            }
        }
        Ok(())
    }
}

/// Whether `f`, of an f64 tensor of this shape, is linear: `f(x + y) = f(x) + f(y)` and `f(a x) = a f(x)`, by `trials` pairs
/// of inputs and factors. The first pair are all 1 and all -1, where ReLU and its kin show what they are.
///
/// A layer with a bias is not linear in this sense (it is affine): its `f(0)` is not 0.
///
/// # Errors
/// When `f` fails on such a tensor.
///
/// ```
/// use barun_nn::analysis::linearity;
/// let relu = linearity(|x| Ok(x.relu()), [1], 20, 1)?;
/// assert!(!relu.is_linear() && !relu.positive_homogeneity.is_real());
/// assert!(linearity(|x| Ok(x * 3.0), [1], 20, 1)?.is_linear());
/// # Ok::<(), barun_nn::Error>(())
/// ```
pub fn linearity(
    f: impl FnOnce(&Tensor) -> Result<Tensor>,
    shape: impl Into<Shape>,
    trials: usize,
    seed: u64,
) -> Result<Linearity> {
    let shape = shape.into();
    let x = Tensor::placeholder("x", shape.clone(), DType::F64);
    let output = f(&x)?;
    output.check()?;
    let program = Compiled::of(&[x], &[output.cast(DType::F64)])?;
    let apply = |values: &[f64]| {
        Ok::<_, crate::Error>(program.run(&[&Buffer::new(values, shape.clone())])?[0].to_f64())
    };
    let mut stream = Stream::new(seed, "linearity");
    let none = Violation::default;
    let mut found =
        Linearity { trials, additivity: none(), homogeneity: none(), positive_homogeneity: none() };
    for trial in 0..trials {
        let mut draw = |first: f64| -> Vec<f64> {
            let number = |_| if trial == 0 { first } else { stream.normal() };
            (0..shape.elements()).map(number).collect()
        };
        let (x, y) = (draw(1.0), draw(-1.0));
        let factor = if trial == 0 { -1.0 } else { 2.0 * stream.normal() };
        let (at_x, at_y) = (apply(&x)?, apply(&y)?);
        let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<_>>();
        let times = |a: f64, x: &[f64]| x.iter().map(|x| a * x).collect::<Vec<_>>();
        let first = |x: &[f64]| x.first().map_or(f64::NAN, |x| *x);
        let both = || format!("f(x + y) for x = {:.4}.., y = {:.4}..", first(&x), first(&y));
        found.additivity.keep_larger(&apply(&sum(&x, &y))?, &sum(&at_x, &at_y), both);
        for (factor, violation) in
            [(factor, &mut found.homogeneity), (factor.abs(), &mut found.positive_homogeneity)]
        {
            let at = || format!("f(a x) for a = {factor:.4}, x = {:.4}..", first(&x));
            violation.keep_larger(&apply(&times(factor, &x))?, &times(factor, &at_x), at);
        }
    }
    Ok(found)
}
