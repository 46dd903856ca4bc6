//! Binary cross entropy of probabilities.

use super::{Loss, PROBABILITY_EPS, aligned};
use crate::{Hyper, Result, Tensor};

/// Binary cross entropy of probabilities that a sigmoid layer already gave.
///
/// ```text
/// loss = mean of -(t log p + (1 - t) log(1 - p)),      p kept within [eps, 1 - eps]
/// ```
///
/// [`BceWithLogits`](super::BceWithLogits) has no such edges; prefer it. [LOSS-11, LOSS-19]
#[derive(Clone, Debug, Hyper)]
pub struct Bce {
    /// The smallest probability whose logarithm is taken; 1e-7 unless set.
    pub eps: f64,
}

impl Default for Bce {
    fn default() -> Self {
        Bce { eps: PROBABILITY_EPS }
    }
}

impl Loss for Bce {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let target = aligned("bce", prediction, target)?;
        let log = |p: Tensor| p.maximum(&p.like(self.eps)).ln();
        let (yes, no) = (log(prediction.clone()), log(1.0 - prediction));
        Ok(-(&target * yes + (1.0 - &target) * no).mean(..))
    }
}
