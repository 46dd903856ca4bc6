//! Cross entropy of logits.

use super::{Loss, Outputs, Task, class_rows, mean_row_entropy, weighted};
use crate::{Hyper, Result, Tensor};

/// Cross entropy of logits with softmax inside, for classification.
///
/// ```text
/// loss = mean over rows of -sum_k w_k t_k log softmax(z)_k;      with w = 1:  dloss/dz = (softmax(z) - t) / n
/// ```
///
/// Logits `[.., k]`; targets are labels `[..]` (whole numbers) or rows of probabilities `[.., k]` (floats, one-hot or
/// soft). A label outside `0..k` makes the loss NaN, so the step is not applied. With label smoothing s, `t` becomes
/// `(1 - s) t + s / k`: the network is not asked to be sure, which helps where labels may be wrong. With class weights
/// the mean over labels is the weighted one. Definition and defaults follow PyTorch. Szegedy et al., 2015, "Rethinking
/// the inception architecture", for the smoothing. [LOSS-08, LOSS-09, DATA-18]
#[derive(Clone, Debug, Default, Hyper)]
pub struct CrossEntropy {
    /// The part of each target that is spread evenly over all classes; 0 unless set.
    #[hyper(below_one)]
    pub label_smoothing: f64,
    /// The weight of each class; all 1 if none are given.
    #[hyper(not_negative)]
    pub class_weights: Vec<f64>,
}

impl CrossEntropy {
    /// With label smoothing.
    pub fn smoothed(label_smoothing: f64) -> Self {
        CrossEntropy { label_smoothing, ..CrossEntropy::default() }
    }
}

impl Loss for CrossEntropy {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let rows = class_rows("cross_entropy", prediction, target)?;
        let is_label = !target.dtype().is_float();
        let log_probability = weighted("cross_entropy", &prediction.log_softmax(-1), &self.class_weights)?;
        // Labels are weighed by their class, rows of probabilities are one each, as in PyTorch.
        let weight = match (is_label, self.class_weights.is_empty()) {
            (true, false) => Some(weighted("cross_entropy", &rows, &self.class_weights)?.sum(..)),
            _ => None,
        };
        let mean = |sum: Tensor, count: &Tensor| match &weight {
            Some(weight) => sum * (count.shape().map_or(1.0, |shape| shape.elements() as f64)) / weight,
            None => sum,
        };
        let per_row = log_probability.mean(-1);
        let hard = mean(mean_row_entropy(&rows, &log_probability, is_label), &per_row);
        if self.label_smoothing == 0.0 {
            return Ok(hard);
        }
        let even = mean(-per_row.mean(..), &per_row);
        Ok(hard * (1.0 - self.label_smoothing) + even * self.label_smoothing)
    }

    fn task(&self) -> Task {
        Task::Classes(Outputs::Scores)
    }
}
