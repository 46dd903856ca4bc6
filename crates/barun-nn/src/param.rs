//! What a model is made of: identities, trained parameters, and statistics that are kept but not trained.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Init, Module, Pass, Result, Shape, Tensor, Visitor};

/// The identity of a layer. A clone is another layer of the same description, so it has another identity.
pub struct Id(u64);

impl Id {
    /// A new identity.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Id(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The number behind it.
    pub fn value(&self) -> u64 {
        self.0
    }
}

impl Default for Id {
    fn default() -> Self {
        Id::new()
    }
}

impl Clone for Id {
    fn clone(&self) -> Self {
        Id::new()
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

/// What a parameter is for; weight decay leaves biases and normalisations alone. [REG-10]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Multiplies an input.
    Weight,
    /// Is added.
    Bias,
    /// Scales or shifts a normalised value.
    Norm,
}

/// A trained tensor: its shape, how its first values are drawn, and what it is for.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The shape.
    pub shape: Shape,
    /// The rule of its first values.
    pub init: Init,
    /// What it is for.
    pub role: Role,
}

impl Parameter {
    /// A weight.
    pub fn weight(shape: impl Into<Shape>, init: Init) -> Self {
        Parameter { shape: shape.into(), init, role: Role::Weight }
    }

    /// A bias.
    pub fn bias(shape: impl Into<Shape>, init: Init) -> Self {
        Parameter { shape: shape.into(), init, role: Role::Bias }
    }

    /// A scale or shift of a normalisation.
    pub fn norm(shape: impl Into<Shape>, value: f64) -> Self {
        Parameter { shape: shape.into(), init: Init::Constant(value), role: Role::Norm }
    }
}

/// A trained tensor of one's own, as a field of a model.
///
/// ```
/// use barun_nn::{Forward, Init, Module, Param, Pass, Result, Tensor};
///
/// #[derive(Module)]
/// struct Scale { factor: Param }
///
/// impl Forward for Scale {
///     fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
///         Ok(x * self.factor.tensor(pass)?)
///     }
/// }
///
/// let scale = Scale { factor: Param::new([], Init::Constant(2.0)) };
/// assert_eq!(barun_nn::parameters(&scale)?[0].path, "factor");
/// # Ok::<(), barun_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Param {
    /// Shape, first values, role.
    pub parameter: Parameter,
    /// The identity.
    pub id: Id,
}

impl Param {
    /// A weight of this shape.
    pub fn new(shape: impl Into<Shape>, init: Init) -> Self {
        Param { parameter: Parameter::weight(shape, init), id: Id::new() }
    }

    /// A bias of this shape, all 0 at first.
    pub fn bias(shape: impl Into<Shape>) -> Self {
        Param { parameter: Parameter::bias(shape, Init::Zeros), id: Id::new() }
    }

    /// Its value in this pass.
    pub fn tensor(&self, pass: &Pass) -> Result<Tensor> {
        pass.parameter(&self.id, "")
    }
}

impl Module for Param {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.parameter(&self.id, "", &self.parameter);
    }
}

/// A tensor that is kept from step to step without being trained, as a field of a model.
#[derive(Clone, Debug)]
pub struct Stat {
    /// The shape.
    pub shape: Shape,
    /// Its first value, everywhere.
    pub initial: f64,
    /// The identity.
    pub id: Id,
}

impl Stat {
    /// A statistic that starts with `initial` everywhere.
    pub fn new(shape: impl Into<Shape>, initial: f64) -> Self {
        Stat { shape: shape.into(), initial, id: Id::new() }
    }

    /// Its value in this pass.
    pub fn tensor(&self, pass: &Pass) -> Result<Tensor> {
        pass.stat(&self.id, "")
    }

    /// Its value from now on.
    pub fn update(&self, pass: &mut Pass, value: Tensor) -> Result<()> {
        pass.update_stat(&self.id, "", value)
    }
}

impl Module for Stat {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.stat(&self.id, "", self.shape.clone(), self.initial);
    }
}
