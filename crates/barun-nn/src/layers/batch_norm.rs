//! Batch normalisation.

use crate::param::Parameter;
use crate::{DType, Feeds, Forward, Hyper, Id, Module, Pass, Result, Tensor, Visitor};

/// Batch normalisation: give each feature mean 0 and variance 1 over the batch, then scale and shift.
///
/// ```text
/// mean = sum(x) / m,  var = sum((x - mean)^2) / m                       over all axes but the last
/// y = gamma (x - mean) / sqrt(var + eps) + beta
/// running <- (1 - momentum) running + momentum batch                    used instead at inference
/// ```
///
/// The last axis holds the features: `[n, c]`, or the channels of images `[n, h, w, c]` with statistics over n, h and
/// w. Gamma starts at 1 and beta at 0 and both are learned; the running mean starts at 0 and the running variance,
/// which keeps the unbiased estimate `m / (m - 1) var`, at 1. Defaults follow PyTorch (eps 1e-5, momentum 0.1); the
/// notes' eps is 1e-6. The variance is computed in two passes, so a large mean does not cancel it. {4, 5, 6} becomes
/// {-1.2247, 0, 1.2247}; the notes print {-0.01, 0, 0.01}, which is a slip. [`Step::finalize`](crate::Step::finalize) puts
/// the exact statistics of the training part in place of the running ones. It may stand before or after the activation.
/// [NORM-01 .. NORM-10, NORM-12, NORM-14, NORM-21]
///
/// Ioffe & Szegedy, 2015, "Batch normalization: accelerating deep network training by reducing internal covariate
/// shift".
#[derive(Clone, Debug, Hyper)]
pub struct BatchNorm {
    /// Features, which is the size of the last axis.
    pub features: usize,
    /// Keeps the division finite where a feature is constant. [NORM-02]
    pub eps: f64,
    /// The part of the running statistics that each batch replaces.
    pub momentum: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

/// The number of values of each feature in a batch, as it is watched.
pub(crate) const BATCH_COUNT: &str = "batch_count";
/// Their mean.
pub(crate) const BATCH_MEAN: &str = "batch_mean";
/// Their variance, divided by the number.
pub(crate) const BATCH_VAR: &str = "batch_var";

impl BatchNorm {
    /// For `features` features or channels.
    pub fn new(features: usize) -> Self {
        BatchNorm { features, eps: 1e-5, momentum: 0.1, id: Id::new() }
    }

    fn misfit(&self, x: &Tensor, values: usize, is_training: bool) -> Option<Tensor> {
        let shape = x.shape().ok()?;
        if shape.rank() < 2 || shape.last() != Some(&self.features) {
            let requirement = format!(
                "the last axis must be the layer's {} features, after at least one batch axis",
                self.features
            );
            return Some(Tensor::error("batch_norm", &[x], requirement, "set the layer's features to fit"));
        }
        if is_training && values == 1 {
            let requirement = "in training it needs more than one value per feature: one has no spread";
            let help = "use a larger batch, join the last one to the one before, or run in eval mode";
            return Some(Tensor::error("batch_norm", &[x], requirement, help));
        }
        None
    }
}

impl Module for BatchNorm {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
        visitor.parameter(&self.id, "gamma", &Parameter::norm([self.features], 1.0));
        visitor.parameter(&self.id, "beta", &Parameter::norm([self.features], 0.0));
        visitor.stat(&self.id, "running_mean", [self.features], 0.0);
        visitor.stat(&self.id, "running_var", [self.features], 1.0);
    }
    fn feeds(&self) -> Feeds {
        Feeds::Through
    }
}

impl Forward for BatchNorm {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "BatchNorm", |pass| {
            let shape = x.shape()?;
            let count = shape.iter().rev().skip(1).product::<usize>();
            if let Some(error) = self.misfit(x, count, pass.is_training()) {
                return Ok(error);
            }
            let x = &pass.rounded(x);
            let gamma = pass.parameter(&self.id, "gamma")?;
            let beta = pass.parameter(&self.id, "beta")?;
            let running_mean = pass.stat(&self.id, "running_mean")?;
            let running_var = pass.stat(&self.id, "running_var")?;
            let batch_axes: Vec<i64> = (0..shape.rank() as i64 - 1).collect();
            let mean = x.mean(&*batch_axes);
            let var = (x - &mean).square().mean(&*batch_axes);
            // For whoever watches; at inference nobody else computes them.
            pass.probe(BATCH_COUNT, &Tensor::scalar(count as f64, DType::F64));
            pass.probe(BATCH_MEAN, &mean);
            pass.probe(BATCH_VAR, &var);
            let (mean, var) = if pass.is_training() {
                let unbiased = &var * (count as f64 / (count as f64 - 1.0));
                pass.update_stat(&self.id, "running_mean", self.mix(&running_mean, &mean))?;
                pass.update_stat(&self.id, "running_var", self.mix(&running_var, &unbiased))?;
                (mean, var)
            } else {
                (running_mean, running_var)
            };
            Ok((x - mean) * (gamma / (var + self.eps).sqrt()) + beta)
        })
    }
}

impl BatchNorm {
    fn mix(&self, running: &Tensor, batch: &Tensor) -> Tensor {
        running * (1.0 - self.momentum) + batch.detach() * self.momentum
    }
}
