//! The divergence of Kullback and Leibler.

use super::{Loss, Outputs, Task, class_rows, mean_row_entropy};
use crate::{Hyper, Result, Tensor};

/// Kullback-Leibler divergence from the target's distribution to softmax of the logits.
///
/// ```text
/// loss = mean over rows of sum_k t_k (log t_k - log softmax(z)_k)
/// ```
///
/// To learn from the probabilities of another network (distillation). It is cross entropy less what no network can take
/// away, so it is 0 for a perfect answer, and its gradient is the same. Targets as for
/// [`CrossEntropy`](super::CrossEntropy); the mean is PyTorch's `batchmean`. Kullback & Leibler, 1951; Hinton, Vinyals & Dean,
/// 2015, "Distilling the knowledge in a neural network".
#[derive(Clone, Debug, Default, Hyper)]
pub struct Kl {}

impl Loss for Kl {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let rows = class_rows("kl", prediction, target)?;
        let entropy = mean_row_entropy(&rows, &prediction.log_softmax(-1), !target.dtype().is_float());
        // 0 log 0 is 0.
        let zero = rows.like(0.0);
        let is_some = rows.greater(&zero);
        let own = is_some.where_(&(&rows * is_some.where_(&rows, &rows.like(1.0)).ln()), &zero);
        Ok(entropy + own.sum(-1).mean(..))
    }

    fn task(&self) -> Task {
        Task::Classes(Outputs::Scores)
    }
}
