//! The exponential linear unit.

use super::at_kink;
use crate::{Hyper, Id, Init, Tensor};

/// Exponential linear unit: the negative side is a curve down to `-alpha`.
///
/// ```text
/// f(x) = x  if x > 0,  else  alpha (exp(x) - 1)
/// ```
///
/// Its outputs have a mean nearer 0 than ReLU's and no unit dies, for the price of an exponential; worth a try where
/// there is no normalisation. Alpha is 1 as in PyTorch, and smooth at 0 only then: the slope from the left is alpha.
/// Clevert, Unterthiner & Hochreiter, 2015, "Fast and accurate deep network learning by exponential linear units".
/// [ACT-06]
#[derive(Clone, Debug, Hyper)]
pub struct Elu {
    /// How far the negative side goes down.
    #[hyper(not_negative)]
    pub alpha: f64,
    /// Where between its slopes the derivative at 0 lies: 0 is alpha, from the left, 1 is 1, from the right.
    #[hyper(share)]
    pub at_zero: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Default for Elu {
    fn default() -> Self {
        Elu { alpha: 1.0, at_zero: 0.0, id: Id::new() }
    }
}

activation!(Elu, Init::HeNormal, of rounded |this, x| elu(x, this.alpha, this.at_zero));

pub(super) fn elu(x: &Tensor, alpha: f64, at_zero: f64) -> Tensor {
    let zero = x.like(0.0);
    // The exponential sees no positive x, whose overflow would turn a gradient of 0 into NaN; at 0 it keeps its slope.
    let curve = (zero.minimum(x).exp() - 1.0) * alpha;
    at_kink("elu", x, at_zero, || x.greater(&zero).where_(x, &curve), || x.less(&zero).where_(&curve, x))
}
