//! Softmax.

use crate::{Hyper, Id, Init};

/// Softmax: positive values that sum to 1 along an axis.
///
/// ```text
/// f(x)_i = exp(x_i) / sum_j exp(x_j)
/// ```
///
/// At the output, to read probabilities; exponentials, so that negative x give probabilities too. The largest x is
/// subtracted first, so nothing overflows. For training, leave it out and use
/// [`CrossEntropy`](crate::losses::CrossEntropy), which has it inside. Bridle, 1990. [ACT-08, ACT-09]
#[derive(Clone, Debug, Hyper)]
pub struct Softmax {
    /// The axis; the last unless set.
    pub axis: i64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Default for Softmax {
    fn default() -> Self {
        Softmax { axis: -1, id: Id::new() }
    }
}

activation!(Softmax, Init::LecunNormal, |this, x| x.softmax(this.axis));
