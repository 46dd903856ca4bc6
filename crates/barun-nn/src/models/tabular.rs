//! The network for tables.

use super::{Architecture, Hidden, NormPlace};
use crate::activations::{Activation, Relu};
use crate::layers::{Linear, MemberHead, MemberScale, PeriodicEmbedding, Sequential, SmoothClip};
use crate::{Error, Hyper, Init, Result, Shape};

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
    /// The width of each hidden layer; none makes it a sum of curves, one for each column.
    #[hyper(at_least_one)]
    pub hidden: Vec<usize>,
    /// How many members share the layers; the answer is their mean.
    #[hyper(at_least_one)]
    pub members: usize,
    /// Values that stand for each column: itself, and mixtures of cosines of it; 1 leaves columns as they are.
    #[hyper(at_least_one)]
    pub embedding: usize,
    /// What follows each hidden layer.
    pub activation: Box<dyn Activation>,
    /// How the first weights are drawn.
    pub init: Init,
    /// The share of hidden units that is silenced in each training step.
    #[hyper(below_one)]
    pub dropout: f64,
}

impl Default for Tabular {
    fn default() -> Self {
        Tabular {
            hidden: vec![256, 256],
            members: 8,
            embedding: 4,
            activation: Box::new(Relu::default()),
            init: Init::Auto,
            dropout: 0.1,
        }
    }
}

impl Architecture for Tabular {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        let &[columns] = &input[..] else {
            return Err(Error::Model(format!(
                "tabular works on rows of columns [columns]; the data has samples of shape {input}: for images there are cnn and mlp"
            )));
        };
        let mut model = Sequential::default();
        model.push(SmoothClip::default());
        if self.embedding > 1 {
            model.push(PeriodicEmbedding { size: self.embedding, ..PeriodicEmbedding::new(columns) });
        }
        let inputs = columns * self.embedding.max(1);
        model.push(MemberScale::new(self.members, inputs));
        let linear = |inputs, outputs| Linear { init: self.init, ..Linear::new(inputs, outputs) };
        let hidden =
            Hidden { activation: &*self.activation, norm: NormPlace::None, dropout: self.dropout };
        let inputs = hidden.extend(&mut model, inputs, &self.hidden, linear);
        model.push(MemberHead { init: self.init, ..MemberHead::new(self.members, inputs, outputs) });
        Ok(model)
    }
}
