//! The hyperbolic tangent.

use crate::{Hyper, Id, Init};

/// Hyperbolic tangent, into (-1, 1).
///
/// ```text
/// f(x) = tanh(x) = 2 sigmoid(2 x) - 1;      f'(x) = 1 - f(x)^2, at most 1
/// ```
///
/// A sigmoid that is centred at 0 and four times as steep; for small and for recurrent networks. It saturates on both
/// sides. LeCun et al., 1998, "Efficient backprop". [ACT-02, ACT-12]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Tanh {
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}
activation!(Tanh, Init::XavierNormal, of rounded |_this, x| x.tanh());
