//! Activations: one file each, with formula, options, and the initial rule that suits the weights before it.
//!
//! Each is a layer for a [`Sequential`](crate::layers::Sequential) and a function by [`Activation::apply`]. A new one
//! is a new file and a word in the list below.

use std::fmt;

use crate::family::family;
use crate::{Hyper, Init, Layer, Tensor};

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
                if pass.passes_over(&self.id) {
                    return Ok($input.clone());
                }
                pass.layer(&self.id, stringify!($type), |$pass| Ok(self.apply(&$taken)))
            }
        }
    };
}

family! {
    an activation, Box<dyn Activation>, Box::new;
    identity: Identity,
    relu: Relu,
    leaky_relu: LeakyRelu,
    elu: Elu,
    selu: Selu,
    gelu: Gelu,
    silu: Silu,
    softplus: Softplus,
    softsign: Softsign,
    mish: Mish,
    sigmoid: Sigmoid,
    tanh: Tanh,
    hard_tanh: HardTanh,
    hard_sigmoid: HardSigmoid,
    hard_swish: HardSwish,
    softmax: Softmax,
    log_softmax: LogSoftmax,
}
pub use gelu::GeluForm;
pub(crate) use leaky_relu::leaky_relu;
pub(crate) use softplus::softplus;

/// A function with a kink, whose derivative there may be any value between its slopes: `share` 0 takes the one that
/// `lower` has at its kink, 1 that of `upper`, and what is between mixes both. Everywhere else both are the same. [ACT-04]
fn at_kink(
    name: &str,
    x: &Tensor,
    share: f64,
    lower: impl Fn() -> Tensor,
    upper: impl Fn() -> Tensor,
) -> Tensor {
    match share {
        0.0 => lower(),
        1.0 => upper(),
        share if (0.0..1.0).contains(&share) => upper() * share + lower() * (1.0 - share),
        _ => {
            let requirement = format!("a subgradient is chosen by {share}, which must lie in [0, 1]");
            Tensor::error(name, &[x], requirement, "set it to 0, 0.5 or 1")
        }
    }
}

/// `x` between two borders; the derivative at them is `at_kink`.
fn clamp(name: &str, x: &Tensor, low: f64, high: f64, at_kink: f64) -> Tensor {
    let (low, high) = (x.like(low), x.like(high));
    // Where both are equal, a maximum's gradient goes to its argument.
    self::at_kink(name, x, at_kink, || x.maximum(&low).minimum(&high), || high.minimum(&low.maximum(x)))
}

/// Whether a layer of this kind gives exactly 0, with slope 0, over a whole range of its input, so that a unit that only
/// meets such inputs learns nothing. [ACT-15]
pub(crate) fn can_die(kind: &str) -> bool {
    matches!(kind, "Relu" | "HardSwish" | "HardSigmoid")
}

/// The lowest and the highest value of a layer of this kind, if its slope fades or ends towards both. [ACT-12]
pub(crate) fn ends(kind: &str) -> Option<[f64; 2]> {
    match kind {
        "Sigmoid" | "HardSigmoid" => Some([0.0, 1.0]),
        "Tanh" | "HardTanh" => Some([-1.0, 1.0]),
        _ => None,
    }
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
