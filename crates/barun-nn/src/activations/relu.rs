//! The rectified linear unit.

use super::at_kink;
use crate::{Hyper, Id, Init, Tensor};

/// Rectified linear unit: negative values become 0, positive ones stay.
///
/// ```text
/// f(x) = max(x, 0)
/// ```
///
/// The first choice for hidden layers: cheap, and it does not saturate for positive x. It has no derivative at 0; any
/// value in `[0, 1]` is a subgradient there, and `at_zero` chooses which one is used: 0, as in PyTorch, unless set. Nair
/// & Hinton, 2010, "Rectified linear units improve restricted Boltzmann machines". [ACT-03, ACT-04]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Relu {
    /// The derivative at 0, within `[0, 1]`; 0 unless set.
    #[hyper(share)]
    pub at_zero: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}
activation!(Relu, Init::HeNormal, of rounded |this, x| relu(x, this.at_zero));

fn relu(x: &Tensor, at_zero: f64) -> Tensor {
    let zero = x.like(0.0);
    at_kink("relu", x, at_zero, || x.relu(), || x.less(&zero).where_(&zero, x))
}
