//! The sigmoid in three straight pieces.

use super::clamp;
use crate::{Hyper, Id, Init, Tensor};

/// Hard sigmoid: a straight line from 0 at -3 to 1 at 3.
///
/// ```text
/// f(x) = min(max(x / 6 + 1/2, 0), 1)
/// ```
///
/// The gate of small networks for phones: no exponential. As in PyTorch. Courbariaux, Bengio & David, 2015,
/// "BinaryConnect"; in this form Howard et al., 2019.
#[derive(Clone, Debug, Default, Hyper)]
pub struct HardSigmoid {
    /// Which part of the line's slope the derivative at -3 and 3 is; 0 unless set, as in PyTorch.
    #[hyper(share)]
    pub at_kink: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}
activation!(HardSigmoid, Init::XavierNormal, |this, x| hard_sigmoid(x, this.at_kink));

pub(super) fn hard_sigmoid(x: &Tensor, at_kink: f64) -> Tensor {
    clamp("hard_sigmoid", &(x * (1.0 / 6.0) + 0.5), 0.0, 1.0, at_kink)
}
