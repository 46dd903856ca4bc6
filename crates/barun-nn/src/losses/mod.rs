//! Losses: the difference between prediction and truth that training makes small. One file each. [LOSS-01]

use std::fmt;

use crate::hyper::{HyperValue, Value, by_name as find};
use crate::{Hyper, Result, Tensor};

/// A scalar that is smaller the better `prediction` fits `target`. All take the mean over the batch, as PyTorch does.
pub trait Loss: Hyper + fmt::Debug + Send + Sync + CloneLoss {
    /// The loss, a scalar.
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor>;
}

/// A copy behind a pointer; every loss that is `Clone` has it.
pub trait CloneLoss {
    /// The copy.
    fn clone_box(&self) -> Box<dyn Loss>;
}

impl<L: Loss + Clone + 'static> CloneLoss for L {
    fn clone_box(&self) -> Box<dyn Loss> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Loss> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}

impl Loss for Box<dyn Loss> {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        (**self).loss(prediction, target)
    }
}

macro_rules! losses {
    ($($file:ident: $type:ident),* $(,)?) => {
        $(mod $file; pub use $file::$type;)*

        /// Every loss with its default settings.
        pub fn all() -> Vec<Box<dyn Loss>> {
            vec![$(Box::new($type::default())),*]
        }
    };
}
losses! {
    cross_entropy: CrossEntropy,
    nll: Nll,
    bce_with_logits: BceWithLogits,
    bce: Bce,
    mse: Mse,
    mae: Mae,
}

/// The loss called `name`, with its default settings.
pub fn by_name(name: &str) -> Result<Box<dyn Loss>> {
    find("loss", all(), name)
}

impl HyperValue for Box<dyn Loss> {
    const EXPECTED: &'static str = "the name of a loss";
    fn to_value(&self) -> Value {
        Value::Text(self.name().to_string())
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(name) => by_name(name).ok(),
            _ => None,
        }
    }
}

/// The smallest probability whose logarithm [`Nll`] and [`Bce`] take: `-ln(1e-7) = 16.1`. [LOSS-19]
pub const PROBABILITY_EPS: f64 = 1e-7;

/// The target in the prediction's type, or the error that their shapes differ. Broadcasting `[n]` against `[n, 1]`
/// would compare everything with everything.
fn aligned(op: &str, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
    let (given, wanted) = (target.shape()?, prediction.shape()?);
    if given != wanted {
        let help = if given.elements() == wanted.elements() {
            format!("reshape the target with .reshape({wanted:?})")
        } else {
            "the last layer must have as many outputs as the target has columns".to_string()
        };
        let requirement = "prediction and target must have the same shape";
        Tensor::error(op, &[prediction, target], requirement, &help).check()?;
    }
    Ok(target.cast(prediction.dtype().computed()))
}

/// Rows of class probabilities for class targets: labels become one-hot rows, rows stay as they are.
fn class_rows(op: &str, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
    let (given, wanted) = (target.shape()?, prediction.shape()?);
    if target.dtype().is_float() {
        return aligned(op, prediction, target);
    }
    if wanted.rank() == 0 || **given != wanted[..wanted.rank() - 1] {
        let requirement = "predictions must be [.., classes] for labels [..] (one whole number per row)";
        let help = if given == wanted {
            "one-hot targets must be floats: .cast(DType::F32)"
        } else {
            "labels [n, 1] become [n] with .reshape([n])"
        };
        Tensor::error(op, &[prediction, target], requirement, help).check()?;
    }
    let classes = wanted[wanted.rank() - 1];
    Ok(target.cast(crate::DType::I64).one_hot(classes, prediction.dtype().computed()))
}

/// The mean of `-sum(target * log_probability)` over rows. A label outside the classes has no place in its one-hot
/// row; its loss is NaN, so that no step is taken on it, and not silently 0.
fn mean_row_entropy(target: &Tensor, log_probability: &Tensor, is_label: bool) -> Tensor {
    let rows = -(target * log_probability).sum(-1);
    if !is_label {
        return rows.mean(..);
    }
    let is_class = target.sum(-1).greater(&rows.like(0.0));
    is_class.where_(&rows, &rows.like(f64::NAN)).mean(..)
}
