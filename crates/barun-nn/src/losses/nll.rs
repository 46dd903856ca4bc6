//! Cross entropy of probabilities.

use super::{Loss, PROBABILITY_EPS, class_rows, mean_row_entropy};
use crate::{Hyper, Result, Tensor};

/// Cross entropy of probabilities that a softmax layer already gave.
///
/// ```text
/// loss = mean over rows of -sum_k t_k log max(p_k, eps)
/// ```
///
/// A probability of 0 gives a large finite loss, and no gradient, below eps. [`CrossEntropy`](super::CrossEntropy) on
/// logits has no such edge; prefer it. [LOSS-08, LOSS-19]
#[derive(Clone, Debug, Hyper)]
pub struct Nll {
    /// The smallest probability whose logarithm is taken; 1e-7 unless set.
    pub eps: f64,
}

impl Default for Nll {
    fn default() -> Self {
        Nll { eps: PROBABILITY_EPS }
    }
}

impl Loss for Nll {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let rows = class_rows("nll", prediction, target)?;
        let log_probability = prediction.maximum(&prediction.like(self.eps)).ln();
        Ok(mean_row_entropy(&rows, &log_probability, !target.dtype().is_float()))
    }
}
