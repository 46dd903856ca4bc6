//! Mean absolute error.

use super::{Loss, aligned};
use crate::{Hyper, Result, Tensor};

/// Mean absolute error, for regression with outliers.
///
/// ```text
/// loss = mean of |p - t|;      dloss/dp = sign(p - t) / n
/// ```
///
/// It has no derivative where prediction and target are equal; 0, from `[-1, 1]`, is used there. [LOSS-02, LOSS-03]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Mae {}

impl Loss for Mae {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        Ok((prediction - aligned("mae", prediction, target)?).abs().mean(..))
    }
}
