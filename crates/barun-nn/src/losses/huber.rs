//! The Huber loss.

use super::{Loss, Task, aligned};
use crate::{Hyper, Result, Tensor};

/// Huber loss: squared for small residuals, absolute for large ones.
///
/// ```text
/// loss = mean of  r^2 / 2  where |r| <= delta,  delta (|r| - delta / 2)  elsewhere;      r = p - t
/// ```
///
/// For regression with a few outliers: smooth at its minimum like the squared error, and no residual pulls harder than
/// delta. Delta is 1 as in PyTorch, in units of the target. Huber, 1964, "Robust estimation of a location parameter".
#[derive(Clone, Debug, Hyper)]
pub struct Huber {
    /// The residual from which on the loss is a straight line.
    #[hyper(positive)]
    pub delta: f64,
}

impl Default for Huber {
    fn default() -> Self {
        Huber { delta: 1.0 }
    }
}

impl Loss for Huber {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let size = (prediction - aligned("huber", prediction, target)?).abs();
        let near = size.minimum(&size.like(self.delta));
        Ok((&near * (&size - &near * 0.5)).mean(..))
    }

    fn task(&self) -> Task {
        Task::Numbers
    }
}
