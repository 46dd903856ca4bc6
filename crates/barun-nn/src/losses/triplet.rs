//! The triplet loss.

use super::{Loss, Task, distances, same_label};
use crate::{Hyper, Result, Tensor};

/// Triplet loss: a row must lie nearer to one of its own class than to one of another, by a margin.
///
/// ```text
/// loss = mean over triplets (a, p, n) of max(0, |x_a - x_p| - |x_a - x_n| + margin)
/// ```
///
/// What the contrastive loss does, without saying how near is near. Outputs `[n, d]` are places, targets `[n]` labels; a
/// triplet is any row, another of its class, and one of another class: n^3 of them are looked at, so batches stay small.
/// Margin 1 and distances as PyTorch's TripletMarginLoss, where the derivative at the kink is 0. Schroff, Kalenichenko &
/// Philbin, 2015, "FaceNet"; Hermans, Beyer & Leibe, 2017, for all triplets of a batch.
#[derive(Clone, Debug, Hyper)]
pub struct Triplet {
    /// By how much nearer.
    #[hyper(positive)]
    pub margin: f64,
}

impl Default for Triplet {
    fn default() -> Self {
        Triplet { margin: 1.0 }
    }
}

impl Loss for Triplet {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let is_same = same_label("triplet", prediction, target)?;
        let distance = distances(prediction);
        let rows = prediction.shape()?[0];
        let index = |axis| Tensor::iota([rows, rows], axis, crate::DType::I64);
        let is_other_row = index(0).equal(&index(1)).not();
        let is_positive = is_same.and(&is_other_row).unsqueeze(2).broadcast_to([rows, rows, rows]);
        let is_negative = is_same.not().unsqueeze(1).broadcast_to([rows, rows, rows]);
        let is_triplet = is_positive.and(&is_negative);
        let missing = (distance.unsqueeze(2) - distance.unsqueeze(1) + self.margin).relu();
        let count = is_triplet.cast(missing.dtype()).sum(..);
        let count = count.maximum(&count.like(1.0));
        Ok(is_triplet.where_(&missing, &missing.like(0.0)).sum(..) / count)
    }

    fn task(&self) -> Task {
        Task::Similarity
    }
}
