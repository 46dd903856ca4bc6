//! Binary cross entropy of logits.

use super::{Loss, aligned};
use crate::{Hyper, Result, Tensor};

/// Binary cross entropy of logits with the sigmoid inside.
///
/// ```text
/// loss = mean of log(1 + exp(z)) - t z;      dloss/dz = (sigmoid(z) - t) / n
/// ```
///
/// Logits and targets in `[0, 1]` of one shape. Finite for any logit. [LOSS-11, LOSS-12, TENSOR-18]
#[derive(Clone, Debug, Default, Hyper)]
pub struct BceWithLogits {}

impl Loss for BceWithLogits {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let target = aligned("bce_with_logits", prediction, target)?;
        // log(exp(0) + exp(z)) about the larger of both; as it is a constant there, the gradient at 0 is exact too.
        let larger = prediction.relu().detach();
        let log_sum = ((-&larger).exp() + (prediction - &larger).exp()).ln() + larger;
        Ok((log_sum - target * prediction).mean(..))
    }
}
