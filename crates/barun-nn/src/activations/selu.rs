//! The scaled exponential linear unit.

use super::elu::elu;
use crate::{Hyper, Id, Init};

/// Mean 0 and variance 1 are a fixed point that layers of SELU pull their activations to.
const ALPHA: f64 = 1.673_263_242_354_377_2;
const SCALE: f64 = 1.050_700_987_355_480_5;

/// Scaled exponential linear unit: ELU with the two constants under which a deep network normalises itself.
///
/// ```text
/// f(x) = 1.0507 x  if x > 0,  else  1.0507 * 1.67326 (exp(x) - 1)
/// ```
///
/// For deep fully connected networks without normalisation layers; it needs LeCun's initial weights, which `auto` gives.
/// The derivative at 0 is that from the left, 1.758, unless set. Klambauer et al., 2017, "Self-normalizing neural
/// networks". [ACT-07]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Selu {
    /// Where between its slopes the derivative at 0 lies: 0 is 1.758, from the left, 1 is 1.0507, from the right.
    #[hyper(share)]
    pub at_zero: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}
activation!(Selu, Init::LecunNormal, of rounded |this, x| elu(x, ALPHA, this.at_zero) * SCALE);
