//! Mean absolute error.

use super::{Loss, Task, aligned};
use crate::{Hyper, Result, Tensor};

/// Mean absolute error, for regression with outliers.
///
/// ```text
/// loss = mean of |p - t|;      dloss/dp = sign(p - t) / n
/// ```
///
/// Its best constant is the median: far rows pull no harder than near ones. It has no derivative where prediction and
/// target are equal; 0, from `[-1, 1]`, is used there. Laplace, 1774. [LOSS-02, LOSS-03, LOSS-05]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Mae {}

impl Loss for Mae {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        Ok((prediction - aligned("mae", prediction, target)?).abs().mean(..))
    }

    fn task(&self) -> Task {
        Task::Numbers
    }
}
