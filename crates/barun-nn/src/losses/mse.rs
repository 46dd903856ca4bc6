//! Mean squared error.

use super::{Loss, aligned};
use crate::{Hyper, Result, Tensor};

/// Mean squared error, for regression: differentiable everywhere, sensitive to outliers.
///
/// ```text
/// loss = mean of (p - t)^2;      dloss/dp = 2 (p - t) / n
/// ```
///
/// Prediction and target have one shape; the mean is over all elements, as in PyTorch. [LOSS-04]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Mse {}

impl Loss for Mse {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        Ok((prediction - aligned("mse", prediction, target)?).square().mean(..))
    }
}
