//! What a function, a loss or a network is like, found out by looking at it: is its gradient right, how is it curved, is
//! the point where training came to rest a minimum, is it convex, is it linear, how far does a unit see.
//!
//! All of it works on a [`Function`]: a scalar of many numbers, compiled in f64 with its gradient and the products of its
//! Hessian. A formula is one ([`Function::of_numbers`]), and so is the loss of a model for one batch
//! ([`Function::of_model`]). Gradients are nodes of the graph, so second derivatives cost no second mechanism.
//!
//! ```
//! use barun_nn::analysis::{Function, Kind, classify};
//! let saddle = Function::of_numbers(2, |x| {
//!     let squares = x.square();
//!     Ok(squares.narrow(0, 0, 1).sum(..) - squares.narrow(0, 1, 2).sum(..)) // x^2 - y^2
//! })?;
//! assert_eq!(classify(&saddle, &[0.0, 0.0])?.kind, Kind::Saddle);
//! # Ok::<(), barun_nn::Error>(())
//! ```
//!
//! What is reported is what was found: a check by trials says how many there were, and only a proof is called one.

mod convexity;
mod cost;
mod critical;
mod curvature;
mod descent;
mod differences;
mod eigen;
mod function;
pub mod gradcheck;
mod linearity;
mod minimum;
mod receptive_field;
mod zig_zag;

pub use convexity::{Convexity, CounterExample, Curvature, Region, convexity};
pub use cost::{GradientCost, gradient_cost};
pub use critical::{CriticalPoint, Kind, classify, find_critical_point};
pub use curvature::{TopEigenvalue, hessian_eigenvalues, top_eigenvalue};
pub use descent::{Descent, Restarts};
pub use differences::{STEP, StepErrors, errors_by_step, forward_gradient, numerical_gradient};
pub use eigen::{Eigen, symmetric_eigen};
pub use function::{Function, first_point};
pub use linearity::{Linearity, Violation, linearity};
pub use minimum::{MinimumReport, Verdict, minimum_report};
pub use receptive_field::{Field, LayerField, Window, receptive_fields, receptive_fields_of_model};
pub use zig_zag::{ZigZag, zig_zag};
