//! SiLU in three pieces.

use super::hard_sigmoid::hard_sigmoid;
use crate::{Hyper, Id, Init};

/// Hard swish: x times its hard sigmoid.
///
/// ```text
/// f(x) = x min(max(x / 6 + 1/2, 0), 1)
/// ```
///
/// SiLU without an exponential: 0 below -3, x above 3, a parabola in between. Howard et al., 2019, "Searching for
/// MobileNetV3".
#[derive(Clone, Debug, Default, Hyper)]
pub struct HardSwish {
    /// Which part of the gate's slope its derivative at -3 and 3 is; 0 unless set.
    #[hyper(share)]
    pub at_kink: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}
activation!(HardSwish, Init::HeNormal, of rounded |this, x| x * hard_sigmoid(x, this.at_kink));
