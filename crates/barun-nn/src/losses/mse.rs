//! Mean squared error.

use super::{Loss, Task, aligned};
use crate::{Hyper, Result, Tensor};

/// Mean squared error, for regression: differentiable everywhere, sensitive to outliers.
///
/// ```text
/// loss = mean of (p - t)^2;      dloss/dp = 2 (p - t) / n
/// ```
///
/// Its best constant is the mean. A residual above 1 counts for more than in the absolute error, one below for less.
/// Prediction and target have one shape; the mean is over all elements, as in PyTorch. Gauss, 1809. [LOSS-04, LOSS-05]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Mse {}

impl Loss for Mse {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        Ok((prediction - aligned("mse", prediction, target)?).square().mean(..))
    }

    fn task(&self) -> Task {
        Task::Numbers
    }
}
