//! Is this the global minimum? What can be said, and no more. [OPT-44, OPT-45, ERR-22]
//!
//! In general nobody can know: a deeper valley may be where nobody looked. What can be looked at: whether the point is a
//! minimum in all directions, and whether descents from elsewhere end lower. A proof there is only where the function is
//! known to be convex; here, where its second derivatives are the same everywhere and none is negative.

use std::fmt;

use super::critical::{CriticalPoint, Kind, classify};
use super::descent::Restarts;
use super::function::Function;
use crate::Result;

/// What is known about a point as a minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Proved: the function is a convex quadratic.
    GlobalMinimum,
    /// A minimum in all directions, and no start that was tried ended lower. No proof.
    LikelyGlobal,
    /// A minimum in all directions; nothing was tried elsewhere.
    LocalMinimum,
    /// A minimum in all directions, but another start ended lower.
    NotGlobal,
    /// There are ways down: a saddle, a maximum.
    NoMinimum,
    /// Flat in some directions: second derivatives do not tell.
    Undecided,
    /// The gradient is not 0: training has not come to rest.
    NotAtRest,
}

/// What is known about a point as the global minimum, and why.
#[derive(Clone, Debug)]
pub struct MinimumReport {
    /// The answer.
    pub verdict: Verdict,
    /// The point to second order.
    pub point: CriticalPoint,
    /// Where descents from elsewhere ended, if they were made.
    pub restarts: Option<Restarts>,
}

/// Relative to the value's size (1 at least): what counts as equally low.
const EQUALLY_LOW: f64 = 1e-6;

/// Whether `point` is the global minimum, as far as can be known; `restarts` are descents from other starts.
///
/// # Errors
/// Those of [`Function::hessian`].
///
/// ```
/// use barun_nn::analysis::{Function, Verdict, minimum_report};
/// let bowl = Function::of_numbers(3, |x| Ok(x.square().sum(..)))?;
/// let report = minimum_report(&bowl, &[0.0; 3], None)?;
/// assert_eq!(report.verdict, Verdict::GlobalMinimum);
/// # Ok::<(), barun_nn::Error>(())
/// ```
pub fn minimum_report(
    function: &Function,
    point: &[f64],
    restarts: Option<Restarts>,
) -> Result<MinimumReport> {
    let point = classify(function, point)?;
    let slack = EQUALLY_LOW * point.value.abs().max(1.0);
    let is_beaten = restarts.as_ref().is_some_and(|restarts| restarts.best() < point.value - slack);
    let [up, _, down] = point.signs();
    let verdict = match point.kind {
        Kind::NotCritical => Verdict::NotAtRest,
        Kind::Saddle | Kind::Maximum => Verdict::NoMinimum,
        Kind::Minimum | Kind::Degenerate if down == 0 && function.is_quadratic()? => Verdict::GlobalMinimum,
        Kind::Degenerate if up == 0 && down > 0 => Verdict::NoMinimum,
        Kind::Degenerate => Verdict::Undecided,
        Kind::Minimum if is_beaten => Verdict::NotGlobal,
        Kind::Minimum if restarts.is_some() => Verdict::LikelyGlobal,
        Kind::Minimum => Verdict::LocalMinimum,
    };
    Ok(MinimumReport { verdict, point, restarts })
}

impl fmt::Display for MinimumReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.verdict {
            Verdict::GlobalMinimum => "the global minimum, for certain: the function is a convex quadratic",
            Verdict::LikelyGlobal => {
                "a local minimum in all directions, probably the global one; this is no proof"
            }
            Verdict::LocalMinimum => "a local minimum in all directions; whether the global one is not known",
            Verdict::NotGlobal => "a local minimum, and not the global one: another start ended lower",
            Verdict::NoMinimum => "no minimum: there are directions that lead down",
            Verdict::Undecided => "undecided: flat in some directions, where second derivatives do not tell",
            Verdict::NotAtRest => "not at rest: the gradient is not 0",
        })?;
        let CriticalPoint { value, gradient_norm, .. } = self.point;
        let [up, flat, down] = self.point.signs();
        write!(f, "\nvalue {value:.6e}, gradient {gradient_norm:.1e}; of {} directions ", up + flat + down)?;
        writeln!(f, "{up} lead up, {flat} are flat, {down} lead down")?;
        if let Some(restarts) = &self.restarts {
            let slack = EQUALLY_LOW * restarts.best().abs().max(1.0);
            let (agree, starts) = (restarts.agreeing(slack), restarts.starts());
            writeln!(
                f,
                "{starts} other starts: the lowest ended at {:.6e}, and {agree} as low",
                restarts.best()
            )?;
        }
        Ok(())
    }
}
