//! The fully connected layer.

use crate::param::Parameter;
use crate::{Forward, Hyper, Id, Init, Module, Pass, Result, Tensor, Visitor};

/// Fully connected layer: every output is a weighted sum of all inputs, plus a bias.
///
/// ```text
/// y = x W + b        [.., in] -> [.., out],  W [in, out],  b [out]
/// ```
///
/// Also known as affine or dense. Rosenblatt, 1958, "The perceptron". [LAYER-01, LAYER-06, TENSOR-01]
///
/// ```
/// use barun_nn::layers::Linear;
/// let through_the_origin = Linear { bias: false, ..Linear::new(3, 2) };
/// assert_eq!(barun_nn::parameters(&through_the_origin)?.len(), 1);
/// # Ok::<(), barun_nn::Error>(())
/// ```
#[derive(Clone, Debug, Hyper)]
pub struct Linear {
    /// Input features.
    pub inputs: usize,
    /// Output features.
    pub outputs: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// First values of the weights.
    pub init: Init,
    /// First values of the bias: 0, or a small positive number so that ReLU units are active at the start.
    pub bias_init: Init,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Linear {
    /// With bias, weights by [`Init::Auto`].
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Linear { inputs, outputs, bias: true, init: Init::Auto, bias_init: Init::Zeros, id: Id::new() }
    }
}

impl Module for Linear {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
        visitor.parameter(&self.id, "weight", &Parameter::weight([self.inputs, self.outputs], self.init));
        if self.bias {
            visitor.parameter(&self.id, "bias", &Parameter::bias([self.outputs], self.bias_init));
        }
    }
}

impl Forward for Linear {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "Linear", |pass| {
            if x.check().is_ok() && x.shape()?.last() != Some(&self.inputs) {
                let requirement =
                    format!("the last axis of the input must be the layer's {} input features", self.inputs);
                let help =
                    if x.rank() > 2 { "put a Flatten before it" } else { "set the layer's inputs to fit" };
                return Ok(Tensor::error("linear", &[x], requirement, help));
            }
            let y = pass.rounded(x).matmul(&pass.rounded(&pass.parameter(&self.id, "weight")?));
            Ok(if self.bias { y + pass.parameter(&self.id, "bias")? } else { y })
        })
    }
}
