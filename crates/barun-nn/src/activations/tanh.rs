//! The hyperbolic tangent.

use crate::{Hyper, Id, Init};

/// Hyperbolic tangent, into (-1, 1): `f(x) = tanh(x) = 2 sigmoid(2 x) - 1`. [ACT-02]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Tanh {
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}
activation!(Tanh, Init::XavierNormal, of rounded |_this, x| x.tanh());
