//! The leaky rectified linear unit.

use super::at_kink;
use crate::{Hyper, Id, Init, Tensor};

/// Leaky ReLU: the negative side is a line of small slope, so no unit dies.
///
/// ```text
/// f(x) = x  if x > 0,  else  slope x
/// ```
///
/// Where ReLU units die, with large rates or a poor start. The slope is 0.01 unless set, as in PyTorch and the notes,
/// and positive: it lets a part of the gradient through. Maas, Hannun & Ng, 2013, "Rectifier nonlinearities improve
/// neural network acoustic models". [ACT-05]
#[derive(Clone, Debug, Hyper)]
pub struct LeakyRelu {
    /// The slope of the negative side.
    pub slope: f64,
    /// Where between its slopes the derivative at 0 lies: 0 is `slope`, from the left, 1 is 1, from the right.
    #[hyper(share)]
    pub at_zero: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Default for LeakyRelu {
    fn default() -> Self {
        LeakyRelu { slope: 0.01, at_zero: 0.0, id: Id::new() }
    }
}

activation!(LeakyRelu, Init::HeNormal, of rounded |this, x| leaky_relu(x, &(x * this.slope), this.at_zero));

/// `x` above 0 and `below` elsewhere.
pub(crate) fn leaky_relu(x: &Tensor, below: &Tensor, at_zero: f64) -> Tensor {
    let zero = x.like(0.0);
    at_kink("leaky_relu", x, at_zero, || x.greater(&zero).where_(x, below), || x.less(&zero).where_(below, x))
}
