//! The logistic sigmoid.

use crate::{Hyper, Id, Init};

/// Logistic sigmoid, into (0, 1).
///
/// ```text
/// f(x) = 1 / (1 + exp(-x));      f'(x) = f(x) (1 - f(x)), at most 1/4
/// ```
///
/// For gates, and at the output for the probability of the first of two classes: `sigmoid(z) = softmax(z, 0)[0]`. In
/// hidden layers it saturates and is not centred at 0: prefer ReLU. Stable for any x. Verhulst, 1838.
/// [ACT-01, ACT-12, ACT-24]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Sigmoid {
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}
activation!(Sigmoid, Init::XavierNormal, |_this, x| x.sigmoid());
