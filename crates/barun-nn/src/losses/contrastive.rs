//! The contrastive loss.

use super::{Loss, Task, distances, same_label};
use crate::{Hyper, Result, Tensor};

/// Contrastive loss: rows of one class are pulled together, others are pushed a margin apart.
///
/// ```text
/// loss = mean over pairs of  d^2 / 2  of one class,  max(0, margin - d)^2 / 2  of two;      d = |x_i - x_j|
/// ```
///
/// To learn where things lie rather than what they are: faces, signatures, search. Outputs `[n, d]` are places, targets
/// `[n]` labels; all pairs of a batch count, so it needs several rows of each class. Margin 1 as in the paper. Hadsell,
/// Chopra & LeCun, 2006, "Dimensionality reduction by learning an invariant mapping".
#[derive(Clone, Debug, Hyper)]
pub struct Contrastive {
    /// From which distance on rows of two classes are left alone.
    #[hyper(positive)]
    pub margin: f64,
}

impl Default for Contrastive {
    fn default() -> Self {
        Contrastive { margin: 1.0 }
    }
}

impl Loss for Contrastive {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let is_same = same_label("contrastive", prediction, target)?;
        let distance = distances(prediction);
        let apart = (self.margin - &distance).relu();
        let pairs = is_same.where_(&distance.square(), &apart.square()) * 0.5;
        let rows = prediction.shape()?[0];
        // Each pair once, and no row with itself.
        let index = |axis| Tensor::iota([rows, rows], axis, crate::DType::I64);
        let is_pair = index(0).less(&index(1));
        let count = (rows * rows.saturating_sub(1) / 2).max(1) as f64;
        Ok(is_pair.where_(&pairs, &pairs.like(0.0)).sum(..) / count)
    }

    fn task(&self) -> Task {
        Task::Similarity
    }
}
