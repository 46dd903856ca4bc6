//! Mish.

use super::softplus::softplus;
use crate::{Hyper, Id, Init};

/// Mish: x times the tanh of its softplus.
///
/// ```text
/// f(x) = x tanh(log(1 + exp(x)))
/// ```
///
/// Much like SiLU, a little smoother and dearer; usual in some detectors and good defaults for tables. Misra, 2019,
/// "Mish: a self regularized non-monotonic activation function".
#[derive(Clone, Debug, Default, Hyper)]
pub struct Mish {
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}
activation!(Mish, Init::HeNormal, of rounded |_this, x| x * softplus(x).tanh());
