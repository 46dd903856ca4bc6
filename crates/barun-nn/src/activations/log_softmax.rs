//! The logarithm of softmax.

use crate::{Hyper, Id, Init};

/// Log-softmax: logarithms of positive values that sum to 1 along an axis.
///
/// ```text
/// f(x)_i = x_i - log sum_j exp(x_j)
/// ```
///
/// The output that [`Nll`](crate::losses::Nll) takes `of = log_probabilities`; stable where the logarithm of softmax is
/// not. [`CrossEntropy`](crate::losses::CrossEntropy) has it inside. As PyTorch's LogSoftmax. [TENSOR-18]
#[derive(Clone, Debug, Hyper)]
pub struct LogSoftmax {
    /// The axis; the last unless set.
    pub axis: i64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Default for LogSoftmax {
    fn default() -> Self {
        LogSoftmax { axis: -1, id: Id::new() }
    }
}

activation!(LogSoftmax, Init::LecunNormal, |this, x| x.log_softmax(this.axis));
