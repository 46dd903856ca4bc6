//! Between sequences, images and rows: what stands before and after recurrent layers and attention.

use super::features_misfit;
use crate::param::Parameter;
use crate::{Feeds, Forward, Hyper, Id, Init, Module, Pass, Result, Tensor, Visitor};

/// An image as the sequence of its rows, a row of numbers as a sequence of single numbers.
///
/// ```text
/// [n, h, w, c] -> [n, h, w c];      [n, columns] -> [n, columns, 1];      a sequence [n, length, features] stays
/// ```
///
/// The simplest way from data of any shape to a layer for sequences. The columns of a table have no order by nature; here it
/// is that of the file. Le, Jaitly & Hinton, 2015, "A simple way to initialize recurrent networks of rectified linear units",
/// read images as sequences, there pixel by pixel.
#[derive(Clone, Debug, Default, Hyper)]
pub struct ToSequence {
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Module for ToSequence {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
    }
    fn feeds(&self) -> Feeds {
        Feeds::Through
    }
}

impl Forward for ToSequence {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "ToSequence", |_| {
            Ok(match x.shape()?[..] {
                [_, _] => x.unsqueeze(-1),
                [_, _, _] => x.clone(),
                [_, _, _, _] => x.flatten(2),
                _ => Tensor::error(
                    "to_sequence",
                    &[x],
                    "it takes rows, sequences or images",
                    "flatten it first",
                ),
            })
        })
    }
}

/// The mean over the elements of each sequence: `[n, length, features] -> [n, features]`.
///
/// ```text
/// y[n, c] = sum over t of x[n, t, c] / length
/// ```
///
/// What is left of the order must be in the features by then. Lin, Chen & Yan, 2013, "Network in network", do it for
/// images.
#[derive(Clone, Debug, Default, Hyper)]
pub struct SequenceMean {
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Module for SequenceMean {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
    }
    fn feeds(&self) -> Feeds {
        Feeds::Through
    }
}

impl Forward for SequenceMean {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "SequenceMean", |_| {
            if x.check().is_ok() && x.rank() != 3 {
                let requirement = "sequences must be [n, length, features]";
                return Ok(Tensor::error("sequence_mean", &[x], requirement, "put a ToSequence before it"));
            }
            Ok(x.mean(1))
        })
    }
}

/// Position embedding: a learned vector for each place of a sequence is added, so that attention can tell them apart.
///
/// ```text
/// y[n, t] = x[n, t] + P[t]        [n, length, size] -> [n, length, size],  P [length, size]
/// ```
///
/// First values are small, normal cut off at two deviations of 0.02. Gehring et al., 2017, "Convolutional sequence to
/// sequence learning"; Dosovitskiy et al., 2020, "An image is worth 16x16 words".
#[derive(Clone, Debug, Hyper)]
pub struct PositionEmbedding {
    /// Elements of a sequence.
    #[hyper(at_least_one)]
    pub length: usize,
    /// Features of an element.
    #[hyper(at_least_one)]
    pub size: usize,
    /// First values of the vectors.
    pub init: Init,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl PositionEmbedding {
    /// For sequences of `length` elements of `size` features.
    pub fn new(length: usize, size: usize) -> Self {
        PositionEmbedding { length, size, init: Init::TruncatedNormal(0.02), id: Id::new() }
    }
}

impl Module for PositionEmbedding {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
        // Added, not multiplied: a bias, which decay leaves alone.
        visitor.parameter(&self.id, "weight", &Parameter::bias([self.length, self.size], self.init));
    }
    fn feeds(&self) -> Feeds {
        Feeds::Through
    }
}

impl Forward for PositionEmbedding {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "PositionEmbedding", |pass| {
            if x.check().is_ok() && x.shape()?.get(1..) != Some(&[self.length, self.size]) {
                let requirement = format!("sequences must be [n, {}, {}]", self.length, self.size);
                let help = "set its length and size to fit";
                return Ok(Tensor::error("position_embedding", &[x], requirement, help));
            }
            Ok(x + pass.parameter(&self.id, "weight")?)
        })
    }
}

/// Columns as a sequence: each column of a table has its own vector, multiplied by the number in it.
///
/// ```text
/// y[n, j] = x[n, j] W[j] + b[j]        [n, columns] -> [n, columns, size],  W and b [columns, size]
/// ```
///
/// What a transformer for tables begins with: attention then mixes the columns. Gorishniy et al., 2021, "Revisiting deep
/// learning models for tabular data", there the feature tokenizer; first values uniform within `1 / sqrt(size)`, as there.
#[derive(Clone, Debug, Hyper)]
pub struct ColumnTokens {
    /// Columns.
    #[hyper(at_least_one)]
    pub columns: usize,
    /// Numbers of a column's vector.
    #[hyper(at_least_one)]
    pub size: usize,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl ColumnTokens {
    /// Vectors of `size` numbers for `columns` columns.
    pub fn new(columns: usize, size: usize) -> Self {
        ColumnTokens { columns, size, id: Id::new() }
    }
}

impl Module for ColumnTokens {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        let shape = [self.columns, self.size];
        let init = Init::Uniform(1.0 / (self.size.max(1) as f64).sqrt());
        visitor.layer(&self.id);
        visitor.parameter(&self.id, "weight", &Parameter::weight(shape, init));
        visitor.parameter(&self.id, "bias", &Parameter::bias(shape, init));
    }
}

impl Forward for ColumnTokens {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "ColumnTokens", |pass| {
            if x.check().is_ok() && x.rank() != 2 {
                let requirement = format!("rows must be [n, {}]", self.columns);
                return Ok(Tensor::error("column_tokens", &[x], requirement, "it is for tables"));
            }
            if let Some(error) = features_misfit("column_tokens", x, self.columns) {
                return Ok(error);
            }
            let weight = pass.parameter(&self.id, "weight")?;
            Ok(x.unsqueeze(-1) * weight + pass.parameter(&self.id, "bias")?)
        })
    }
}
