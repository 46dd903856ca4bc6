//! The hinge loss.

use super::{Loss, Outputs, Task, class_rows};
use crate::{Hyper, Result, Tensor};

/// Hinge loss of several classes: the true class must lead by a margin, and by no more.
///
/// ```text
/// loss = mean over rows of  sum over k != y of max(0, margin - z_y + z_k)^power / K
/// ```
///
/// A support vector machine on top of a network: rows that are right by the margin are left alone, probabilities are not
/// learned. At the kink the derivative is 0. Margin 1 and power 1 as PyTorch's MultiMarginLoss; 2 is the squared hinge.
/// Logits `[.., K]`, targets as for [`CrossEntropy`](super::CrossEntropy). Crammer & Singer, 2001; Tang, 2013, "Deep
/// learning using linear support vector machines".
#[derive(Clone, Debug, Hyper)]
pub struct Hinge {
    /// By how much the true class must lead.
    #[hyper(positive)]
    pub margin: f64,
    /// The power of what is missing to it.
    #[hyper(at_least_one)]
    pub power: f64,
}

impl Default for Hinge {
    fn default() -> Self {
        Hinge { margin: 1.0, power: 1.0 }
    }
}

impl Loss for Hinge {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let rows = class_rows("hinge", prediction, target)?;
        let truth = (&rows * prediction).sum_keep(-1);
        let missing = (prediction - truth + self.margin).relu().powf(self.power);
        let others = ((1.0 - &rows) * missing).mean(-1);
        // A label outside the classes has no row of its own; see `mean_row_entropy`.
        let is_class = rows.sum(-1).greater(&others.like(0.0));
        Ok(is_class.where_(&others, &others.like(f64::NAN)).mean(..))
    }

    fn task(&self) -> Task {
        Task::Classes(Outputs::Scores)
    }
}
