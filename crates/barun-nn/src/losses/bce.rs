//! Binary cross entropy of probabilities.

use super::{Loss, Outputs, PROBABILITY_EPS, Task, aligned};
use crate::{Hyper, Result, Tensor};

/// Binary cross entropy of probabilities that a sigmoid layer already gave.
///
/// ```text
/// loss = mean of -(w t log p + (1 - t) log(1 - p)),      p kept within [eps, 1 - eps]
/// ```
///
/// [`BceWithLogits`](super::BceWithLogits) has no such edges; prefer it. As PyTorch's BCELoss. [LOSS-11, LOSS-19]
#[derive(Clone, Debug, Hyper)]
pub struct Bce {
    /// The smallest probability whose logarithm is taken; 1e-7 unless set.
    #[hyper(positive)]
    pub eps: f64,
    /// The weight w of rows of class 1; 1 unless set.
    #[hyper(not_negative)]
    pub positive_weight: f64,
}

impl Default for Bce {
    fn default() -> Self {
        Bce { eps: PROBABILITY_EPS, positive_weight: 1.0 }
    }
}

impl Loss for Bce {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let target = aligned("bce", prediction, target)?;
        let log = |p: Tensor| p.maximum(&p.like(self.eps)).ln();
        let (yes, no) = (log(prediction.clone()), log(1.0 - prediction));
        Ok(-(&target * self.positive_weight * yes + (1.0 - &target) * no).mean(..))
    }

    fn task(&self) -> Task {
        Task::TwoClasses(Outputs::Probabilities)
    }
}
