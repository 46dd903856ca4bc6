//! Tanh in three straight pieces.

use super::clamp;
use crate::{Hyper, Id, Init};

/// Hard tanh: the identity between -1 and 1, constant outside.
///
/// ```text
/// f(x) = min(max(x, low), high)
/// ```
///
/// Cheap, and what a quantised network can do; a unit outside of the borders learns nothing. Borders as in PyTorch.
/// Collobert, 2004, "Large scale machine learning".
#[derive(Clone, Debug, Hyper)]
pub struct HardTanh {
    /// The lowest value.
    pub low: f64,
    /// The highest value.
    pub high: f64,
    /// The derivative at both borders, within `[0, 1]`; 0 unless set, as in PyTorch.
    #[hyper(share)]
    pub at_kink: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Default for HardTanh {
    fn default() -> Self {
        HardTanh { low: -1.0, high: 1.0, at_kink: 0.0, id: Id::new() }
    }
}

activation!(HardTanh, Init::XavierNormal, of rounded |this, x| clamp("hard_tanh", x, this.low, this.high, this.at_kink));
