//! The leaky rectified linear unit.

use crate::{Hyper, Id, Init};

/// Leaky ReLU: the negative side is a line of small slope, so no unit dies: `f(x) = x` if `x > 0`, else `slope x`.
///
/// The slope is 0.01 unless set, as in PyTorch and the notes; it is also the derivative used at 0. Maas, Hannun & Ng,
/// 2013. [ACT-05]
#[derive(Clone, Debug, Hyper)]
pub struct LeakyRelu {
    /// The slope of the negative side.
    pub slope: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Default for LeakyRelu {
    fn default() -> Self {
        LeakyRelu { slope: 0.01, id: Id::new() }
    }
}

activation!(LeakyRelu, Init::HeNormal, of rounded |this, x| x.greater(&x.like(0.0)).where_(x, &(x * this.slope)));
