//! The rectified linear unit.

use crate::{Hyper, Id, Init, Tensor};

/// Rectified linear unit: negative values become 0, positive ones stay: `f(x) = max(x, 0)`.
///
/// It has no derivative at 0; any value in `[0, 1]` is a subgradient there, and `at_zero` chooses which one is used.
/// 0 is the default, as in PyTorch. Nair & Hinton, 2010. [ACT-03, ACT-04]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Relu {
    /// The derivative at 0, within `[0, 1]`; 0 unless set.
    pub at_zero: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}
activation!(Relu, Init::HeNormal, of rounded |this, x| relu(x, this.at_zero));

fn relu(x: &Tensor, at_zero: f64) -> Tensor {
    if !(0.0..=1.0).contains(&at_zero) {
        let requirement = format!("the derivative at 0 is {at_zero}, a subgradient lies in [0, 1]");
        return Tensor::error("relu", &[x], requirement, "set `at_zero` to 0, 0.5 or 1");
    }
    let zero = x.like(0.0);
    let with_one_at_zero = || x.less(&zero).where_(&zero, x);
    match at_zero {
        0.0 => x.relu(),
        1.0 => with_one_at_zero(),
        _ => with_one_at_zero() * at_zero + x.relu() * (1.0 - at_zero),
    }
}
