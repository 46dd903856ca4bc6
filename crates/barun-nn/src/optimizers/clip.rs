//! Clipping: no gradient is larger than one is willing to follow.

use std::fmt;

use crate::Tensor;
use crate::hyper::{HyperValue, Value};

/// How gradients are made smaller before the update; recipes write `"norm(1)"`, `"value(0.5)"`, `"adaptive(0.01)"`.
/// [DIAG-05]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    /// All together scaled down to this norm if theirs is larger; the direction stays. Pascanu, Mikolov & Bengio, 2012, "On
    /// the difficulty of training recurrent neural networks".
    Norm(f64),
    /// Each element to this size at most.
    Value(f64),
    /// The gradient of each unit scaled down to this part of the norm of its weights: what a unit learns in a step stays in
    /// proportion to what it knows. Brock et al., 2021, "High-performance large-scale image recognition without normalization".
    Adaptive(f64),
}

/// The norm a unit's weights have at least for [`Clip::Adaptive`], so that weights of 0 can move.
const LEAST_NORM: f64 = 1e-3;

/// The norm of all `tensors` together.
pub fn norm(tensors: &[Tensor]) -> Tensor {
    let squares = tensors.iter().map(|tensor| tensor.square().sum(..));
    squares.reduce(|sum, square| sum + square).map_or(Tensor::from(0.0f32), |sum| sum.sqrt())
}

impl Clip {
    /// The clipped gradients, for parameters in the same order; `norm` is that of all gradients.
    pub fn apply(self, gradients: &[Tensor], parameters: &[Tensor], norm: &Tensor) -> Vec<Tensor> {
        let each = gradients.iter();
        match self {
            Clip::Norm(limit) => {
                let factor = part(norm, &norm.like(limit));
                each.map(|gradient| gradient * &factor).collect()
            }
            Clip::Value(limit) => each.map(|g| g.maximum(&g.like(-limit)).minimum(&g.like(limit))).collect(),
            Clip::Adaptive(limit) => {
                let clipped = each.zip(parameters).map(|(gradient, parameter)| {
                    let weights = unit_norms(parameter);
                    let most = weights.maximum(&weights.like(LEAST_NORM)) * limit;
                    gradient * part(&unit_norms(gradient), &most)
                });
                clipped.collect()
            }
        }
    }
}

/// The part of `norm` that `limit` leaves; all of 0, which has no direction to keep.
fn part(norm: &Tensor, limit: &Tensor) -> Tensor {
    let one = norm.like(1.0);
    norm.greater(limit).where_(&(limit / norm), &one)
}

/// The norm of the weights of each unit: of a matrix's or kernel's columns; a vector is one unit.
fn unit_norms(x: &Tensor) -> Tensor {
    let inputs: Vec<i64> = (0..x.rank().saturating_sub(1) as i64).collect();
    let squares = x.square();
    let sums = if inputs.is_empty() { squares.sum(..) } else { squares.sum_keep(&inputs[..]) };
    sums.sqrt()
}

impl fmt::Display for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clip::Norm(limit) => write!(f, "norm({limit})"),
            Clip::Value(limit) => write!(f, "value({limit})"),
            Clip::Adaptive(limit) => write!(f, "adaptive({limit})"),
        }
    }
}

impl HyperValue for Clip {
    const EXPECTED: &'static str = "norm(1), value(0.5) or adaptive(0.01), with a number above 0";
    fn to_value(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Text(text) = value else { return None };
        let (name, rest) = text.trim().split_once('(')?;
        let limit: f64 = rest.strip_suffix(')')?.trim().parse().ok()?;
        if !(limit.is_finite() && limit > 0.0) {
            return None;
        }
        match name.trim() {
            "norm" => Some(Clip::Norm(limit)),
            "value" => Some(Clip::Value(limit)),
            "adaptive" => Some(Clip::Adaptive(limit)),
            _ => None,
        }
    }
}
