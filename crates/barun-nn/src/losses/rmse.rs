//! Root mean squared error.

use super::{Loss, Task, aligned};
use crate::{Hyper, Result, Tensor};

/// Root mean squared error: the squared error back in the unit of the data.
///
/// ```text
/// loss = sqrt(mean of (p - t)^2);      dloss/dp = (p - t) / (n loss),  0 where the loss is 0
/// ```
///
/// Mostly to be read: it has the same minimum as the squared error, but steps that do not get smaller towards it, and of
/// several batches it is not the mean. Of a target of 0 the root has no derivative; 0 is used. Gauss, 1809. [LOSS-07]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Rmse {}

impl Loss for Rmse {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let mse = (prediction - aligned("rmse", prediction, target)?).square().mean(..);
        let zero = mse.like(0.0);
        let is_positive = mse.greater(&zero);
        // The root is taken of 1 where it has no derivative, so that no infinity meets the 0 chosen instead.
        let root = is_positive.where_(&mse, &mse.like(1.0)).sqrt();
        Ok(is_positive.where_(&root, &zero))
    }

    fn task(&self) -> Task {
        Task::Numbers
    }
}
