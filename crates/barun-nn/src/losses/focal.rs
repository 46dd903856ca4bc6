//! The focal loss.

use super::{Loss, Outputs, Task, class_rows, mean_row_entropy, weighted};
use crate::{Hyper, Result, Tensor};

/// Focal loss: cross entropy that looks away from rows that are right already.
///
/// ```text
/// loss = mean over rows of -sum_k w_k t_k (1 - p_k)^gamma log p_k,      p = softmax(z)
/// ```
///
/// Where most rows are easy and of one class, as in detection. With gamma 0 it is cross entropy; 2 is the paper's
/// choice. Logits and targets as for [`CrossEntropy`](super::CrossEntropy). Lin et al., 2017, "Focal loss for dense object
/// detection".
#[derive(Clone, Debug, Hyper)]
pub struct Focal {
    /// How much less a row counts the surer it is.
    #[hyper(not_negative)]
    pub gamma: f64,
    /// The weight of each class; all 1 if none are given.
    #[hyper(not_negative)]
    pub class_weights: Vec<f64>,
}

impl Default for Focal {
    fn default() -> Self {
        Focal { gamma: 2.0, class_weights: Vec::new() }
    }
}

/// A probability is taken to be this far from 1 at least, below which a power under 1 has no finite slope.
const LEAST_DOUBT: f64 = 1e-12;

impl Loss for Focal {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let rows = class_rows("focal", prediction, target)?;
        let log_probability = prediction.log_softmax(-1);
        let doubt = 1.0 - log_probability.exp();
        let doubt = doubt.maximum(&doubt.like(LEAST_DOUBT));
        let focused = match self.gamma {
            0.0 => log_probability,
            gamma => doubt.powf(gamma) * log_probability,
        };
        let focused = weighted("focal", &focused, &self.class_weights)?;
        Ok(mean_row_entropy(&rows, &focused, !target.dtype().is_float()))
    }

    fn task(&self) -> Task {
        Task::Classes(Outputs::Scores)
    }
}
