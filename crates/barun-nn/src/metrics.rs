//! Metrics: what is watched beside the loss. They never influence the weights. [LOSS-13]

use std::fmt;

use crate::losses::Loss;
use crate::{DType, Result, Tensor};

/// How the values of several batches make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// The mean, each batch weighted by its rows.
    Mean,
    /// The sum.
    Sum,
}

/// A scalar about predictions and targets.
pub trait Metric: fmt::Debug + Send + Sync {
    /// Its name in histories and reports.
    fn name(&self) -> &str;

    /// Its value over a batch, a scalar.
    fn metric(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor>;

    /// How the values of several batches make one.
    fn aggregate(&self) -> Aggregate {
        Aggregate::Mean
    }
}

/// The number of rows whose largest output is at the target's class. [LOSS-17]
///
/// A tie goes to the lowest class. Targets are labels `[n]`, or rows `[n, k]` whose largest value marks the class.
/// With one output (`[n, 1]` or `[n]` logits) the class is 1 where the output is above 0; targets are 0 and 1, or shares
/// of class 1, of which more than half speaks for it.
#[derive(Clone, Debug, Default)]
pub struct Correct;

impl Metric for Correct {
    fn name(&self) -> &str {
        "correct"
    }

    fn metric(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let (shape, targets) = (prediction.shape()?, target.shape()?);
        if shape == targets && (shape.rank() == 1 || shape[shape.rank() - 1] == 1) {
            let is_one = prediction.greater(&prediction.like(0.0)).cast(DType::F32);
            let target = target.cast(DType::F32);
            let hits = is_one.equal(&target.greater(&target.like(0.5)).cast(DType::F32));
            return Ok(hits.cast(DType::F32).sum(..));
        }
        let class = prediction.argmax(-1);
        let truth = if shape == targets { target.argmax(-1) } else { target.cast(DType::I64) };
        if class.shape()? != truth.shape()? {
            let requirement = "predictions must be [.., classes] for labels [..]";
            Tensor::error("correct", &[prediction, target], requirement, "").check()?;
        }
        Ok(class.equal(&truth).cast(DType::F32).sum(..))
    }

    fn aggregate(&self) -> Aggregate {
        Aggregate::Sum
    }
}

/// Any loss as a metric.
#[derive(Clone, Debug)]
pub struct Monitor(pub Box<dyn Loss>);

impl Metric for Monitor {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn metric(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        self.0.loss(prediction, target)
    }
}
