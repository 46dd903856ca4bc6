//! Is a function convex? Looked for: a counter-example, in three forms. [OPT-46 .. OPT-48]

use std::fmt;

use barun_engine::random::Stream;

use super::curvature::hessian_eigenvalues;
use super::function::Function;
use crate::Result;

/// Where points are drawn from: each number between two bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// What the trials leave a function to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curvature {
    /// Every chord lies above; not every one below.
    Convex,
    /// Every chord lies below; not every one above.
    Concave,
    /// Every chord lies on it.
    Affine,
    /// Some chord lies above, another below.
    Neither,
}

impl fmt::Display for Curvature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Curvature::Convex => "convex",
            Curvature::Concave => "concave",
            Curvature::Affine => "affine",
            Curvature::Neither => "neither convex nor concave",
        })
    }
}

/// Where a function is not convex (or, found for `-f`, not concave).
#[derive(Clone, Debug, PartialEq)]
pub enum CounterExample {
    /// `f(t x + (1 - t) y) > t f(x) + (1 - t) f(y)`: the function is above its chord.
    Chord {
        /// One end.
        x: Vec<f64>,
        /// The other.
        y: Vec<f64>,
        /// The share of `x`.
        t: f64,
        /// The function between them.
        value: f64,
        /// The chord there.
        chord: f64,
    },
    /// `f(y) < f(x) + f'(x) . (y - x)`: the function is below its tangent.
    Tangent {
        /// Where the tangent touches.
        x: Vec<f64>,
        /// Where they are compared.
        y: Vec<f64>,
        /// The function there.
        value: f64,
        /// The tangent there.
        tangent: f64,
    },
    /// A negative eigenvalue of the Hessian: there is a direction in which it curves down.
    Hessian {
        /// Where.
        x: Vec<f64>,
        /// The smallest eigenvalue.
        eigenvalue: f64,
    },
}

impl fmt::Display for CounterExample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |point: &[f64]| {
            let numbers: Vec<String> = point.iter().take(4).map(|x| format!("{x:.4}")).collect();
            let more = if point.len() > 4 { format!(", ... {} in all", point.len()) } else { String::new() };
            format!("({}{more})", numbers.join(", "))
        };
        match self {
            CounterExample::Chord { x, y, t, value, chord } => write!(
                f,
                "x = {}, y = {}, t = {t:.4}: f(t x + (1 - t) y) = {value:.6}, the chord there {chord:.6}",
                shown(x),
                shown(y)
            ),
            CounterExample::Tangent { x, y, value, tangent } => write!(
                f,
                "x = {}, y = {}: f(y) = {value:.6}, the tangent at x gives {tangent:.6} there",
                shown(x),
                shown(y)
            ),
            CounterExample::Hessian { x, eigenvalue } => {
                write!(f, "x = {}: an eigenvalue of the Hessian is {eigenvalue:.6}", shown(x))
            }
        }
    }
}

/// What was found about a function's convexity.
#[derive(Clone, Debug)]
pub struct Convexity {
    /// How many pairs of points were tried.
    pub trials: usize,
    /// Counter-examples to convexity: the first of each form that was found.
    pub against_convex: Vec<CounterExample>,
    /// Counter-examples to concavity, as those of `-f` to its convexity.
    pub against_concave: Vec<CounterExample>,
    /// Whether the answer is proved: one Hessian holds everywhere.
    pub is_proved: bool,
}

impl Convexity {
    /// What the trials leave it to be.
    pub fn curvature(&self) -> Curvature {
        match (self.against_convex.is_empty(), self.against_concave.is_empty()) {
            (true, true) => Curvature::Affine,
            (true, false) => Curvature::Convex,
            (false, true) => Curvature::Concave,
            (false, false) => Curvature::Neither,
        }
    }
}

impl fmt::Display for Convexity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let basis = match (self.is_proved, self.curvature()) {
            (_, Curvature::Neither) => "shown by example".to_string(),
            (true, _) => "proved: its second derivatives are the same everywhere".to_string(),
            (false, _) => format!("no counter-example in {} trials, which is no proof", self.trials),
        };
        writeln!(f, "{} ({basis})", self.curvature())?;
        for (what, found) in [("convex", &self.against_convex), ("concave", &self.against_concave)] {
            for example in found {
                writeln!(f, "not {what}: {example}")?;
            }
        }
        Ok(())
    }
}

/// Trials for one look at all eigenvalues, which costs a whole Hessian.
const HESSIAN_EVERY: usize = 16;
/// The most numbers for which they are looked at.
const LARGEST_HESSIAN: usize = 64;

/// Whether a function is convex, concave, both or neither, by `trials` pairs of points of a region: chords, tangents, and,
/// of up to 64 numbers, the Hessian's eigenvalues.
///
/// A counter-example is certain. That none was found is no proof, unless the function is
/// [quadratic](Function::is_quadratic). The check of [`-f`](Function::negated) has the opposite answer. Boyd & Vandenberghe,
/// 2004, "Convex optimization", 3.1. [OPT-46, OPT-48]
///
/// # Errors
/// When the function does not compile to second order.
///
/// ```
/// use barun_nn::analysis::{Curvature, Function, Region, convexity};
/// let sine = Function::of_numbers(1, |x| Ok(x.sin().sum(..)))?;
/// let found = convexity(&sine, Region { low: -3.0, high: 3.0 }, 100, 1)?;
/// assert_eq!(found.curvature(), Curvature::Neither);
/// println!("{found}"); // with a counter-example to each
/// # Ok::<(), barun_nn::Error>(())
/// ```
pub fn convexity(function: &Function, region: Region, trials: usize, seed: u64) -> Result<Convexity> {
    let n = function.dimensions();
    let mut stream = Stream::new(seed, "convexity");
    let mut found = Convexity {
        trials,
        against_convex: Vec::new(),
        against_concave: Vec::new(),
        is_proved: function.is_quadratic()? && n <= LARGEST_HESSIAN,
    };
    for trial in 0..trials {
        let mut point = || (0..n).map(|_| stream.between(region.low, region.high)).collect::<Vec<_>>();
        let (x, y) = (point(), point());
        let t = stream.uniform();
        found.chord(function, &x, &y, t)?;
        found.tangent(function, &x, &y)?;
        if trial % HESSIAN_EVERY == 0 && n <= LARGEST_HESSIAN {
            found.hessian(function, &x)?;
        }
    }
    Ok(found)
}

impl Convexity {
    /// `over` is by how much the example contradicts convexity; below 0 it contradicts concavity. `size` is that of the
    /// numbers it is a difference of.
    fn note(&mut self, over: f64, size: f64, example: CounterExample) {
        // What rounding does to a difference of such numbers.
        let rounding = 1e-9 * size.max(1e-3);
        let against = match over {
            over if over > rounding => &mut self.against_convex,
            over if over < -rounding => &mut self.against_concave,
            _ => return,
        };
        let form = std::mem::discriminant(&example);
        if against.iter().all(|known| std::mem::discriminant(known) != form) {
            against.push(example);
        }
    }

    fn chord(&mut self, function: &Function, x: &[f64], y: &[f64], t: f64) -> Result<()> {
        let between: Vec<f64> = x.iter().zip(y).map(|(x, y)| t * x + (1.0 - t) * y).collect();
        let (at_x, at_y, value) = (function.value(x)?, function.value(y)?, function.value(&between)?);
        let chord = t * at_x + (1.0 - t) * at_y;
        let example = CounterExample::Chord { x: x.to_vec(), y: y.to_vec(), t, value, chord };
        self.note(value - chord, at_x.abs().max(at_y.abs()).max(value.abs()), example);
        Ok(())
    }

    fn tangent(&mut self, function: &Function, x: &[f64], y: &[f64]) -> Result<()> {
        let (at_x, value, gradient) = (function.value(x)?, function.value(y)?, function.gradient(x)?);
        let rise: f64 = gradient.iter().zip(x.iter().zip(y)).map(|(g, (x, y))| g * (y - x)).sum();
        let tangent = at_x + rise;
        let example = CounterExample::Tangent { x: x.to_vec(), y: y.to_vec(), value, tangent };
        self.note(tangent - value, at_x.abs().max(value.abs()).max(rise.abs()), example);
        Ok(())
    }

    fn hessian(&mut self, function: &Function, x: &[f64]) -> Result<()> {
        let eigenvalues = hessian_eigenvalues(function, x)?;
        let size = eigenvalues.iter().fold(0.0, |size: f64, value| size.max(value.abs()));
        for eigenvalue in [eigenvalues.first(), eigenvalues.last()].into_iter().flatten() {
            let example = CounterExample::Hessian { x: x.to_vec(), eigenvalue: *eigenvalue };
            self.note(-eigenvalue, size, example);
        }
        Ok(())
    }
}
