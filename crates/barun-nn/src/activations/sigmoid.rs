//! The logistic sigmoid.

use crate::{Hyper, Id, Init};

/// Logistic sigmoid, into (0, 1): `f(x) = 1 / (1 + exp(-x))`, stable for any x.
///
/// At the output it is the probability of the first of two classes: `sigmoid(z) = softmax(z, 0)[0]`. [ACT-01, ACT-24]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Sigmoid {
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}
activation!(Sigmoid, Init::XavierNormal, |_this, x| x.sigmoid());
