//! The smooth ReLU.

use crate::{Hyper, Id, Init, Tensor};

/// Softplus: a ReLU with a round corner, always positive.
///
/// ```text
/// f(x) = log(1 + exp(beta x)) / beta;      f'(x) = sigmoid(beta x)
/// ```
///
/// Mostly at an output that must be above 0, such as a variance. Stable for any x without PyTorch's threshold. Beta is
/// 1 as there. Dugas et al., 2001, "Incorporating second-order functional knowledge".
#[derive(Clone, Debug, Hyper)]
pub struct Softplus {
    /// The sharpness of the corner.
    #[hyper(positive)]
    pub beta: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Default for Softplus {
    fn default() -> Self {
        Softplus { beta: 1.0, id: Id::new() }
    }
}

activation!(Softplus, Init::HeNormal, of rounded |this, x| softplus(&(x * this.beta)) * (1.0 / this.beta));

/// `log(1 + exp(x))`, stable for any x: `log(exp(0) + exp(x))` about the larger of both. As that is a constant here, the
/// derivative is exact at 0 too.
pub(crate) fn softplus(x: &Tensor) -> Tensor {
    let larger = x.relu().detach();
    ((-&larger).exp() + (x - &larger).exp()).ln() + larger
}
