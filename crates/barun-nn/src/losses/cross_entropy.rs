//! Cross entropy of logits.

use super::{Loss, class_rows, mean_row_entropy};
use crate::{Hyper, Result, Tensor};

/// Cross entropy of logits with softmax inside, for classification.
///
/// ```text
/// loss = mean over rows of -sum_k t_k log softmax(z)_k;      dloss/dz = (softmax(z) - t) / n
/// ```
///
/// Logits `[.., k]`; targets are labels `[..]` (whole numbers) or rows of probabilities `[.., k]` (floats, one-hot or
/// soft). A label outside `0..k` makes the loss NaN, so the step is not applied. With label smoothing s, `t` becomes
/// `(1 - s) t + s / k`. Definition and defaults follow PyTorch. [LOSS-08, LOSS-09]
#[derive(Clone, Debug, Default, Hyper)]
pub struct CrossEntropy {
    /// The part of each target that is spread evenly over all classes; 0 unless set.
    pub label_smoothing: f64,
}

impl Loss for CrossEntropy {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let rows = class_rows("cross_entropy", prediction, target)?;
        let log_probability = prediction.log_softmax(-1);
        let hard = mean_row_entropy(&rows, &log_probability, !target.dtype().is_float());
        if self.label_smoothing == 0.0 {
            return Ok(hard);
        }
        let even = -log_probability.mean(-1).mean(..);
        Ok(hard * (1.0 - self.label_smoothing) + even * self.label_smoothing)
    }
}
