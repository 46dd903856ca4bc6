//! A small transformer encoder.

use super::{Architecture, sequence};
use crate::layers::{
    ColumnTokens, Dropout, Gelu, Identity, LayerNorm, Linear, MultiHeadAttention, PositionEmbedding, Residual,
    SequenceMean, Sequential, ToSequence,
};
use crate::{Error, Hyper, Result, Shape, sequential};

/// A small transformer: the rows of an image, or the columns of a table, look at each other.
///
/// ```text
/// elements to `size` features (an image's rows by one matrix, a table's columns each by a vector of its own), plus a vector
/// for each place, then `layers` times  x + attention(norm(x)),  x + linear(gelu(linear(norm(x)))),  norm, mean, linear
/// ```
///
/// The encoder with normalisation before each part, which trains without warming up. For images it sees whole rows: with
/// little data a convolutional network is better. Vaswani et al., 2017, "Attention is all you need"; Xiong et al., 2020, "On
/// layer normalization in the transformer architecture"; for tables Gorishniy et al., 2021, "Revisiting deep learning models
/// for tabular data".
#[derive(Clone, Debug, Hyper)]
pub struct Transformer {
    /// Features of an element.
    #[hyper(at_least_one)]
    pub size: usize,
    /// Heads of each attention, which must divide the features.
    #[hyper(at_least_one)]
    pub heads: usize,
    /// Pairs of attention and linear layers.
    pub layers: usize,
    /// Units between the two linear layers, in features.
    #[hyper(at_least_one)]
    pub expansion: usize,
    /// The part that is dropped after each part of a layer.
    #[hyper(below_one)]
    pub dropout: f64,
}

impl Default for Transformer {
    fn default() -> Self {
        Transformer { size: 64, heads: 4, layers: 2, expansion: 4, dropout: 0.1 }
    }
}

impl Architecture for Transformer {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        let [length, features] = sequence("transformer", input)?;
        if self.heads == 0 || !self.size.is_multiple_of(self.heads) {
            return Err(Error::Model(format!(
                "transformer: {} heads must divide its size of {}; choose a size that is a multiple of the heads",
                self.heads, self.size
            )));
        }
        let mut model = match input.rank() {
            1 => sequential![ColumnTokens::new(length, self.size)],
            _ => sequential![
                ToSequence::default(),
                Linear::new(features, self.size),
                PositionEmbedding::new(length, self.size)
            ],
        };
        for _ in 0..self.layers {
            let attention = MultiHeadAttention { dropout: self.dropout, ..MultiHeadAttention::new(self.size, self.heads) };
            model.push(self.around(sequential![LayerNorm::new(self.size), attention]));
            let inner = self.expansion * self.size;
            model.push(self.around(sequential![
                LayerNorm::new(self.size),
                Linear::new(self.size, inner),
                Gelu::default(),
                Linear::new(inner, self.size)
            ]));
        }
        Ok(model
            .then(LayerNorm::new(self.size))
            .then(SequenceMean::default())
            .then(Linear::new(self.size, outputs)))
    }
}

impl Transformer {
    /// What `body` makes of its input, with dropout, is added to it.
    fn around(&self, mut body: Sequential) -> Residual {
        if self.dropout != 0.0 {
            body.push(Dropout::new(self.dropout));
        }
        Residual { activation: Box::new(Identity::default()), ..Residual::new(body) }
    }
}
