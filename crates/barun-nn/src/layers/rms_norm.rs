//! Normalisation by the root of the mean square.

use super::row_norm::{RowNorm, Shift};
use crate::{Feeds, Forward, Hyper, Id, Module, Pass, Result, Tensor, Visitor};

/// RMS normalisation: divide the features of each row by the root of their mean square, then scale.
///
/// ```text
/// y = gamma x / sqrt(sum(x^2) / c + eps)        over the last axis, each row by itself; [.., c] -> [.., c]
/// ```
///
/// Layer normalisation without the mean: cheaper, and as good in most transformers. Gamma starts at 1. Eps is 1e-5 (PyTorch
/// has the type's own rounding unit unless set). Zhang & Sennrich, 2019, "Root mean square layer normalization".
#[derive(Clone, Debug, Hyper)]
pub struct RmsNorm {
    /// Features, which is the size of the last axis.
    #[hyper(at_least_one)]
    pub features: usize,
    /// Keeps the division finite where all features are 0.
    #[hyper(not_negative)]
    pub eps: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl RmsNorm {
    /// For `features` features.
    pub fn new(features: usize) -> Self {
        RmsNorm { features, eps: 1e-5, id: Id::new() }
    }
}

impl RmsNorm {
    fn frame(&self) -> RowNorm<'_> {
        RowNorm {
            kind: "RmsNorm",
            name: "rms_norm",
            id: &self.id,
            features: self.features,
            shift: Shift::None,
        }
    }
}

impl Module for RmsNorm {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.frame().visit(visitor);
    }
    fn feeds(&self) -> Feeds {
        Feeds::Through
    }
}

impl Forward for RmsNorm {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        self.frame().forward(x, pass, |x| Ok(x / (x.square().mean_keep(-1) + self.eps).sqrt()))
    }
}
