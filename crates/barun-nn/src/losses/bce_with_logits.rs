//! Binary cross entropy of logits.

use super::{Loss, Outputs, Task, aligned};
use crate::activations::softplus;
use crate::{Hyper, Result, Tensor};

/// Binary cross entropy of logits with the sigmoid inside.
///
/// ```text
/// loss = mean of -(w t log s + (1 - t) log(1 - s)),  s = sigmoid(z);      with w = 1:  dloss/dz = (s - t) / n
/// ```
///
/// For two classes with one output, or for several labels at once. Logits and targets in `[0, 1]` of one shape. Finite
/// for any logit. Where one class is rare, `positive_weight` (PyTorch's pos_weight), often the ratio of the others to
/// it, makes up for it. [LOSS-11, LOSS-12, TENSOR-18]
#[derive(Clone, Debug, Hyper)]
pub struct BceWithLogits {
    /// The weight w of rows of class 1; 1 unless set.
    #[hyper(not_negative)]
    pub positive_weight: f64,
}

impl Default for BceWithLogits {
    fn default() -> Self {
        BceWithLogits { positive_weight: 1.0 }
    }
}

impl Loss for BceWithLogits {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let target = aligned("bce_with_logits", prediction, target)?;
        if self.positive_weight == 1.0 {
            return Ok((softplus(prediction) - target * prediction).mean(..));
        }
        // -log s = softplus(-z), and -log(1 - s) = z + softplus(-z).
        let weight = 1.0 + &target * (self.positive_weight - 1.0);
        Ok((weight * softplus(&-prediction) + (1.0 - target) * prediction).mean(..))
    }

    fn task(&self) -> Task {
        Task::TwoClasses(Outputs::Scores)
    }
}
