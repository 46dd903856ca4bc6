//! The network for tables.

use super::Architecture;
use crate::activations::{Activation, Relu};
use crate::layers::{Dropout, Linear, MemberHead, MemberScale, PeriodicEmbedding, Sequential, SmoothClip};
use crate::{Error, Hyper, Layer, Result, Shape};

/// A network for tables: outliers bounded, numbers as periodic features, hidden layers that several members share.
///
/// ```text
/// SmoothClip -> PeriodicEmbedding -> MemberScale -> (Linear, activation, Dropout) ... -> MemberHead
/// ```
///
/// Each part is there for a reason that plain layers fail a table for: one outlier drowns a column, a column bends
/// sharply, and of a few thousand rows one network learns the noise too, in which several disagree. Holzmueller et al.,
/// 2024, "Better by default"; Gorishniy et al., 2025, "TabM".
#[derive(Clone, Debug, Hyper)]
pub struct Tabular {
    /// Units of each hidden layer; none makes it additive: a sum of curves, one for each column.
    pub hidden: Vec<usize>,
    /// Members of the ensemble.
    pub members: usize,
    /// Values that stand for each column: itself, and mixtures of cosines; 1 leaves the columns alone.
    pub embedding: usize,
    /// The activation between layers.
    pub activation: Box<dyn Activation>,
    /// The part of each hidden layer's units that is dropped.
    pub dropout: f64,
}

impl Default for Tabular {
    fn default() -> Self {
        Tabular {
            hidden: vec![256, 256],
            members: 8,
            embedding: 4,
            activation: Box::new(Relu::default()),
            dropout: 0.1,
        }
    }
}

impl Architecture for Tabular {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        let &[columns] = &input[..] else {
            return Err(Error::Model(format!(
                "tabular works on rows of columns [columns]; the data has samples of shape {input}"
            )));
        };
        let mut model = Sequential::default();
        model.push(SmoothClip::default());
        if self.embedding > 1 {
            model.push(PeriodicEmbedding { size: self.embedding, ..PeriodicEmbedding::new(columns) });
        }
        let mut inputs = columns * self.embedding.max(1);
        model.push(MemberScale::new(self.members, inputs));
        for &units in &self.hidden {
            model.push(Linear::new(inputs, units));
            let activation: Box<dyn Layer> = self.activation.clone();
            model.layers.push(activation);
            if self.dropout != 0.0 {
                model.push(Dropout::new(self.dropout));
            }
            inputs = units;
        }
        model.push(MemberHead::new(self.members, inputs, outputs));
        Ok(model)
    }
}
