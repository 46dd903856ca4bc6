//! Derivatives without derivatives: how much a function changes when one number is moved a little.

/// The distance of the notes, and of every check where none is given: the error of a central difference falls with
/// `h^2` until rounding takes over, which in f64 is near here. In f32 rounding takes over at once: a function that computes
/// in f32 has no digit left at this distance. [GRADCHK-03]
pub const STEP: f64 = 1e-4;

/// The gradient of `f` at `x` by central differences, `(f(x + h) - f(x - h)) / 2h` in each place; `x` is restored.
///
/// `x` is any tensor's elements in row-major order. It takes `2 n` values of `f` for `n` numbers, whatever `f` costs, where
/// back-propagation takes a few; so it is for checking. Its error is of order `h^2`. [GRADCHK-01, GRADCHK-02, GRADCHK-09]
///
/// ```
/// use barun_nn::analysis::numerical_gradient;
/// let mut x = [3.0, 4.0];
/// let gradient = numerical_gradient(|x| x[0] * x[0] + x[1] * x[1], &mut x, 1e-4);
/// assert!((gradient[0] - 6.0).abs() < 1e-7 && (gradient[1] - 8.0).abs() < 1e-7);
/// assert_eq!(x, [3.0, 4.0]);
/// ```
pub fn numerical_gradient(mut f: impl FnMut(&[f64]) -> f64, x: &mut [f64], h: f64) -> Vec<f64> {
    let places = 0..x.len();
    places.map(|place| (moved(&mut f, x, place, h) - moved(&mut f, x, place, -h)) / (2.0 * h)).collect()
}

/// The gradient of `f` at `x` by forward differences, `(f(x + h) - f(x)) / h` in each place; `x` is restored.
///
/// It takes `n + 1` values of `f`, but its error is of order `h`: half the distance halves it, where that of
/// [`numerical_gradient`] becomes a quarter. [GRADCHK-04]
pub fn forward_gradient(mut f: impl FnMut(&[f64]) -> f64, x: &mut [f64], h: f64) -> Vec<f64> {
    let here = f(x);
    let places = 0..x.len();
    places.map(|place| (moved(&mut f, x, place, h) - here) / h).collect()
}

/// `f` with one number moved by `h`, which comes back to the bit.
fn moved(f: &mut impl FnMut(&[f64]) -> f64, x: &mut [f64], place: usize, h: f64) -> f64 {
    let kept = x[place];
    x[place] = kept + h;
    let value = f(x);
    x[place] = kept;
    value
}

/// How far differences at one distance are from the derivative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepErrors {
    /// The distance.
    pub h: f64,
    /// The largest error of a central difference.
    pub central: f64,
    /// The largest error of a forward difference.
    pub forward: f64,
}

/// The errors of both differences over the distances `steps`, where the gradient of `f` at `x` is `exact`: large at both
/// ends, since a curve is no line and a small difference of large numbers has few digits. [GRADCHK-03, GRADCHK-04]
///
/// ```
/// use barun_nn::analysis::errors_by_step;
/// let errors = errors_by_step(|x| x[0].powi(3), &mut [2.0], &[12.0], &[1e-2, 1e-4, 1e-12]);
/// assert!(errors[1].central < errors[0].central && errors[1].central < errors[2].central);
/// ```
pub fn errors_by_step(
    mut f: impl FnMut(&[f64]) -> f64,
    x: &mut [f64],
    exact: &[f64],
    steps: &[f64],
) -> Vec<StepErrors> {
    let largest = |found: Vec<f64>| found.iter().zip(exact).map(|(f, e)| (f - e).abs()).fold(0.0, f64::max);
    let at = |&h: &f64| {
        let central = largest(numerical_gradient(&mut f, x, h));
        StepErrors { h, central, forward: largest(forward_gradient(&mut f, x, h)) }
    };
    steps.iter().map(at).collect()
}
