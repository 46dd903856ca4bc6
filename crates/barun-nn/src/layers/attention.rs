//! Multi-head attention.

use super::dropout::drop_in_training;
use super::features_misfit;
use crate::param::Parameter;
use crate::{Forward, Hyper, Id, Init, Module, Pass, Result, Tensor, Visitor};

/// Multi-head self-attention: each element of a sequence takes from all others what it looks for.
///
/// ```text
/// [Q K V] = x W + b, each cut into `heads` pieces of d = size / heads features
/// y = softmax(Q K' / sqrt(d)) V for each head, the heads side by side again, then  y W' + b'
/// [n, length, size] -> [n, length, size],  W [size, 3 size],  W' [size, size]
/// ```
///
/// With `causal` an element takes only from itself and those before it: what is about to be predicted cannot be looked at.
/// It knows no order; add a [`PositionEmbedding`](super::PositionEmbedding). Time and memory grow with the square of the
/// length. `dropout` is of the softmax's weights. As PyTorch's MultiheadAttention with query, key and value the same.
/// Vaswani et al., 2017, "Attention is all you need".
#[derive(Clone, Debug, Hyper)]
pub struct MultiHeadAttention {
    /// Features of an element.
    #[hyper(at_least_one)]
    pub size: usize,
    /// Heads, which must divide the features.
    #[hyper(at_least_one)]
    pub heads: usize,
    /// Whether an element sees only itself and those before it.
    pub causal: bool,
    /// The part of the attention's weights that is dropped in training.
    #[hyper(below_one)]
    pub dropout: f64,
    /// First values of the weights.
    pub init: Init,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl MultiHeadAttention {
    /// Every element sees all; no dropout.
    pub fn new(size: usize, heads: usize) -> Self {
        MultiHeadAttention {
            size,
            heads,
            causal: false,
            dropout: 0.0,
            init: Init::XavierUniform,
            id: Id::new(),
        }
    }

    fn misfit(&self, x: &Tensor) -> Option<Tensor> {
        if self.heads == 0 || !self.size.is_multiple_of(self.heads) {
            let requirement = format!("{} heads must divide its {} features", self.heads, self.size);
            return Some(Tensor::error("attention", &[x], requirement, "choose heads that divide them"));
        }
        if x.check().is_ok() && x.rank() != 3 {
            let requirement = format!("sequences must be [n, length, {}]", self.size);
            return Some(Tensor::error("attention", &[x], requirement, "put a ToSequence before it"));
        }
        features_misfit("attention", x, self.size)
    }
}

impl Module for MultiHeadAttention {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        let size = self.size;
        visitor.layer(&self.id);
        visitor.parameter(&self.id, "weight", &Parameter::weight([size, 3 * size], self.init));
        visitor.parameter(&self.id, "bias", &Parameter::bias([3 * size], Init::Zeros));
        visitor.parameter(&self.id, "out_weight", &Parameter::weight([size, size], self.init));
        visitor.parameter(&self.id, "out_bias", &Parameter::bias([size], Init::Zeros));
    }
}

impl Forward for MultiHeadAttention {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "MultiHeadAttention", |pass| {
            if let Some(error) = self.misfit(x) {
                return Ok(error);
            }
            let [n, length, size] = x.shape()?[..] else { return Ok(x.clone()) };
            let features = size / self.heads;
            let weight = pass.rounded(&pass.parameter(&self.id, "weight")?);
            let all = pass.rounded(x).matmul(&weight) + pass.parameter(&self.id, "bias")?;
            // [n, heads, length, features]
            let part = |index: usize| {
                let part = all.narrow(-1, index * size, (index + 1) * size);
                pass.rounded(&part.reshape([n, length, self.heads, features]).permute(&[0, 2, 1, 3]))
            };
            let [query, key, value] = [0, 1, 2].map(part);
            let scores = query.matmul(&key.transpose()) * (1.0 / (features as f64).sqrt());
            let scores = if self.causal { without_later(&scores, length) } else { scores };
            let weights = scores.softmax(-1);
            pass.probe("weights", &weights);
            let weights = drop_in_training(&weights, self.dropout, pass)?;
            let heads = pass.rounded(&weights).matmul(&value);
            let joined = heads.permute(&[0, 2, 1, 3]).reshape([n, length, size]);
            let weight = pass.rounded(&pass.parameter(&self.id, "out_weight")?);
            Ok(pass.rounded(&joined).matmul(&weight) + pass.parameter(&self.id, "out_bias")?)
        })
    }
}

/// Scores `[.., length, length]` with minus infinity where the second place comes after the first.
fn without_later(scores: &Tensor, length: usize) -> Tensor {
    let place = |axis| Tensor::iota([length, length], axis, crate::DType::I64);
    let is_later = place(0).less(&place(1));
    is_later.where_(&scores.like(f64::NEG_INFINITY), scores)
}
