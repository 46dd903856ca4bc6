//! What can go wrong in the engine, said so that a user can act on it.

use std::fmt;
use std::sync::Arc;

/// The engine's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the engine. Cheap to clone, so a tensor can carry it to the next boundary.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// An operation was given operands it cannot take. Carried in the resulting tensor; the first one wins.
    #[error("{0}")]
    Op(Arc<OpError>),

    /// A value was read as another type than it has.
    #[error(
        "this tensor is {actual}, it cannot be read as {requested}; call .cast(DType::{requested:?}) first"
    )]
    WrongType {
        /// What the tensor is.
        actual: crate::DType,
        /// What was asked for.
        requested: crate::DType,
    },

    /// `item()` on a tensor that has not exactly one element.
    #[error("item() needs a tensor of one element, this one is {0}; use to_vec(), or reduce it first")]
    NotScalar(String),

    /// A tensor was read that depends on something only a session or a step can provide.
    #[error(
        "this tensor depends on {0}, which has no value outside a compiled program; run it through a Session or a Step"
    )]
    NotEvaluable(String),

    /// What was fed does not fit the program's input.
    #[error("input `{name}`: expected {expected}, got {actual}")]
    Feed {
        /// The input's name.
        name: String,
        /// What the program was compiled for.
        expected: String,
        /// What it was given.
        actual: String,
    },

    /// The program has no such input.
    #[error("this program has no input `{name}`; its inputs are {known}")]
    UnknownFeed {
        /// The name that was given.
        name: String,
        /// The inputs it has.
        known: String,
    },

    /// A state was used with a program of another layout, or a saved tensor does not fit.
    #[error("{0}")]
    State(String),

    /// The debug switch found a NaN or an infinity.
    #[error("{0}")]
    NonFinite(Arc<NonFinite>),

    /// An option or environment variable that cannot be used.
    #[error("{0}")]
    Option(String),
}

/// An operation that does not fit its operands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpError {
    /// The path of the layer that was building the graph, empty outside layers.
    pub layer: String,
    /// The operation.
    pub op: String,
    /// Type and shape of each operand, such as `f32[128, 784]`.
    pub operands: Vec<String>,
    /// What the operation requires and what it found.
    pub requirement: String,
    /// `file:line` of the caller.
    pub location: String,
    /// What would help.
    pub suggestion: String,
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.layer.is_empty() {
            write!(f, "{}: ", self.layer)?;
        }
        write!(f, "{}", self.op)?;
        if !self.operands.is_empty() {
            write!(f, " of {}", self.operands.join(" and "))?;
        }
        write!(f, ": {} (at {})", self.requirement, self.location)?;
        if !self.suggestion.is_empty() {
            write!(f, "; {}", self.suggestion)?;
        }
        Ok(())
    }
}

/// A NaN or an infinity, where op-by-op evaluation met it first.
#[derive(Clone, Debug, PartialEq)]
pub struct NonFinite {
    /// The path of the layer, empty outside layers.
    pub layer: String,
    /// The operation that made it.
    pub op: String,
    /// Type and shape of its result.
    pub shape: String,
    /// `file:line` where the operation was built; of a gradient, where that was built whose gradient it is.
    pub location: String,
    /// Whether the operation belongs to a gradient.
    pub in_gradient: bool,
    /// `NaN`, `inf` or `-inf`.
    pub value: f64,
    /// Flat index of the element.
    pub index: usize,
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.layer.is_empty() {
            write!(f, "{}: ", self.layer)?;
        }
        let NonFinite { op, value, index, shape, location, in_gradient, .. } = self;
        write!(f, "{op} made {value} at element {index} of its result {shape} (")?;
        match in_gradient {
            true => write!(f, "in the gradient of what was built at {location})"),
            false => write!(f, "built at {location})"),
        }
    }
}
