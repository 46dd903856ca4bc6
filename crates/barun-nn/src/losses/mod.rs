//! Losses: the difference between prediction and truth that training makes small. One file each. [LOSS-01]

use std::fmt;

use crate::family::{clone_behind_pointer, family};
use crate::{Hyper, Result, Tensor};

/// What the numbers are that a network gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// Scores of any size (logits); the loss has its softmax or sigmoid inside.
    Scores,
    /// Probabilities, so the network ends with a softmax or sigmoid of its own.
    Probabilities,
}

/// What a loss teaches, by which a trainer knows the targets it goes with and the outputs a network needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Which of several classes: an output for each.
    Classes(Outputs),
    /// Which of two classes: one output.
    TwoClasses(Outputs),
    /// A number.
    Numbers,
    /// Where rows lie: rows of one class near each other, others apart.
    Similarity,
}

/// A scalar that is smaller the better `prediction` fits `target`. All take the mean over the batch, as PyTorch does.
pub trait Loss: Hyper + fmt::Debug + Send + Sync + CloneLoss {
    /// The loss, a scalar.
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor>;

    /// What it teaches.
    fn task(&self) -> Task;
}

clone_behind_pointer!(Loss, CloneLoss);

impl Loss for Box<dyn Loss> {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        (**self).loss(prediction, target)
    }
    fn task(&self) -> Task {
        (**self).task()
    }
}

family! {
    a loss, Box<dyn Loss>, Box::new;
    cross_entropy: CrossEntropy,
    focal: Focal,
    hinge: Hinge,
    kl: Kl,
    nll: Nll,
    bce_with_logits: BceWithLogits,
    bce: Bce,
    mse: Mse,
    rmse: Rmse,
    mae: Mae,
    huber: Huber,
    contrastive: Contrastive,
    triplet: Triplet,
}
pub use nll::NllOf;

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

/// `values [.., classes]`, each class times its weight; as they are where no weights are given.
fn weighted(op: &str, values: &Tensor, weights: &[f64]) -> Result<Tensor> {
    if weights.is_empty() {
        return Ok(values.clone());
    }
    let shape = values.shape()?;
    if shape.last() != Some(&weights.len()) {
        let requirement = format!("there are {} class weights", weights.len());
        Tensor::error(op, &[values], requirement, "give one for each class").check()?;
    }
    let shape = crate::Shape::from([weights.len()]);
    let weights = crate::state::buffer(weights.iter().copied(), &shape, values.dtype());
    Ok(values * Tensor::new(weights))
}

/// Added to each difference of two places, as PyTorch does: so a distance of 0 has a derivative.
const DISTANCE_EPS: f64 = 1e-6;

/// The distances of all pairs of rows: `[n, d] -> [n, n]`.
fn distances(places: &Tensor) -> Tensor {
    let apart = places.unsqueeze(1) - places.unsqueeze(0) + DISTANCE_EPS;
    apart.square().sum(-1).sqrt()
}

/// Whether two rows have one label: `[n] -> bool [n, n]`, for places `[n, d]`.
fn same_label(op: &str, places: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let (given, wanted) = (labels.shape()?, places.shape()?);
    if wanted.rank() != 2 || **given != wanted[..1] || labels.dtype().is_float() {
        let requirement = "places must be [n, d] and their labels [n], whole numbers";
        let help = "labels [n, 1] become [n] with .reshape([n]); floats with .cast(DType::I64)";
        Tensor::error(op, &[places, labels], requirement, help).check()?;
    }
    let rows = wanted[0];
    let labels = labels.cast(crate::DType::I64);
    let [down, across] = [1, 0].map(|axis| labels.unsqueeze(axis).broadcast_to([rows, rows]));
    Ok(down.equal(&across))
}
