//! Layer normalisation.

use super::row_norm::{RowNorm, Shift};
use crate::{Feeds, Forward, Hyper, Id, Module, Pass, Result, Tensor, Visitor};

/// Layer normalisation: give the features of each row mean 0 and variance 1, then scale and shift.
///
/// ```text
/// mean = sum(x) / c,  var = sum((x - mean)^2) / c                       over the last axis, each row by itself
/// y = gamma (x - mean) / sqrt(var + eps) + beta                         [.., c] -> [.., c]
/// ```
///
/// No row looks at another, so it does the same in training and at inference and in batches of one: for sequences and
/// transformers, where batch normalisation does not fit. Gamma starts at 1 and beta at 0. Eps 1e-5 follows PyTorch. Ba,
/// Kiros & Hinton, 2016, "Layer normalization".
#[derive(Clone, Debug, Hyper)]
pub struct LayerNorm {
    /// Features, which is the size of the last axis.
    #[hyper(at_least_one)]
    pub features: usize,
    /// Keeps the division finite where all features are equal.
    #[hyper(not_negative)]
    pub eps: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl LayerNorm {
    /// For `features` features.
    pub fn new(features: usize) -> Self {
        LayerNorm { features, eps: 1e-5, id: Id::new() }
    }
}

impl LayerNorm {
    fn frame(&self) -> RowNorm<'_> {
        RowNorm {
            kind: "LayerNorm",
            name: "layer_norm",
            id: &self.id,
            features: self.features,
            shift: Shift::Learned,
        }
    }
}

impl Module for LayerNorm {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.frame().visit(visitor);
    }
    fn feeds(&self) -> Feeds {
        Feeds::Through
    }
}

impl Forward for LayerNorm {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        self.frame().forward(x, pass, |x| {
            let centered = x - x.mean_keep(-1);
            let variance = centered.square().mean_keep(-1);
            Ok(centered / (variance + self.eps).sqrt())
        })
    }
}
