//! Activations: one file each, with formula, options, and the initial rule that suits the weights before it.
//!
//! Each is a layer for a [`Sequential`](crate::layers::Sequential) and a function by [`Activation::apply`]. A new one
//! is a new file and a word in the list below.

use std::fmt;

use crate::hyper::{HyperValue, Value, by_name as find};
use crate::{Hyper, Init, Layer, Result, Tensor};

/// A function of each element (softmax: of each row) that makes layers more than one linear map. [ACT-11]
pub trait Activation: Layer + Hyper {
    /// The value for `x`.
    fn apply(&self, x: &Tensor) -> Tensor;

    /// The rule for the first values of the weights before it. [INIT-23]
    fn init(&self) -> Init;

    /// An independent layer of the same description.
    fn clone_activation(&self) -> Box<dyn Activation>;
}

/// Makes a struct with a field `id: Id` an [`Activation`] and a layer: its formula, its initial rule; with `of rounded`
/// before the formula the layer takes its input [rounded](crate::Pass::rounded), as what is between hidden layers may be,
/// and outputs and probabilities should not.
macro_rules! activation {
    ($type:ident, $init:expr, of rounded |$this:ident, $x:ident| $formula:expr) => {
        activation!(@ $type, $init, |$this, $x| $formula, |pass, x| pass.rounded(x));
    };
    ($type:ident, $init:expr, |$this:ident, $x:ident| $formula:expr) => {
        activation!(@ $type, $init, |$this, $x| $formula, |_pass, x| x.clone());
    };
    (@ $type:ident, $init:expr, |$this:ident, $x:ident| $formula:expr, |$pass:ident, $input:ident| $taken:expr) => {
        impl $crate::activations::Activation for $type {
            fn apply(&self, $x: &$crate::Tensor) -> $crate::Tensor {
                let $this = self;
                $formula
            }
            fn init(&self) -> $crate::Init {
                $init
            }
            fn clone_activation(&self) -> Box<dyn $crate::activations::Activation> {
                Box::new(self.clone())
            }
        }
        impl $crate::Module for $type {
            fn visit(&self, visitor: &mut $crate::Visitor<'_>) {
                visitor.layer(&self.id);
            }
            fn feeds(&self) -> $crate::Feeds {
                $crate::Feeds::Activation($init)
            }
        }
        impl $crate::Forward for $type {
            fn forward(
                &self,
                $input: &$crate::Tensor,
                pass: &mut $crate::Pass,
            ) -> $crate::Result<$crate::Tensor> {
                use $crate::activations::Activation;
                pass.layer(&self.id, stringify!($type), |$pass| Ok(self.apply(&$taken)))
            }
        }
    };
}

macro_rules! activations {
    ($($file:ident: $type:ident),* $(,)?) => {
        $(mod $file; pub use $file::$type;)*

        /// The activations alone, for `layers` to give out as layers.
        pub(crate) mod kinds {
            pub use super::{$($type),*};
        }

        /// Every activation with its default settings.
        pub fn all() -> Vec<Box<dyn Activation>> {
            vec![$(Box::new($type::default())),*]
        }
    };
}
activations! {
    identity: Identity,
    relu: Relu,
    leaky_relu: LeakyRelu,
    sigmoid: Sigmoid,
    tanh: Tanh,
    softmax: Softmax,
}

/// The activation called `name`, with its default settings.
pub fn by_name(name: &str) -> Result<Box<dyn Activation>> {
    find("activation", all(), name)
}

impl Clone for Box<dyn Activation> {
    fn clone(&self) -> Self {
        (**self).clone_activation()
    }
}

impl fmt::Display for dyn Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl HyperValue for Box<dyn Activation> {
    const EXPECTED: &'static str = "the name of an activation";
    fn to_value(&self) -> Value {
        Value::Text(self.name().to_string())
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(name) => by_name(name).ok(),
            _ => None,
        }
    }
}
