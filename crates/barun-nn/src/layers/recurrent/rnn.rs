//! The simple recurrent layer.

use super::{Cell, Returns, unroll};
use crate::activations::{Activation, Tanh};
use crate::param::Parameter;
use crate::{Forward, Hyper, Id, Init, Module, Pass, Result, Tensor, Visitor};

/// Simple recurrent layer: each element of the sequence is mixed into what is remembered of those before.
///
/// ```text
/// h_t = tanh(x_t W + h_(t-1) U + b),  h_0 = 0        [n, length, in] -> [n, hidden] or [n, length, hidden]
/// ```
///
/// The gradient passes U once for each element, so it fades or explodes with the length: for short sequences, and to see
/// just that. PyTorch has two biases where one does; its ReLU form is `activation`. U starts orthogonal, which keeps what is
/// remembered as long as it is. Elman, 1990, "Finding structure in time". [LAYER-15]
#[derive(Clone, Debug, Hyper)]
pub struct Rnn {
    /// Features of an element.
    #[hyper(at_least_one)]
    pub inputs: usize,
    /// Units.
    #[hyper(at_least_one)]
    pub hidden: usize,
    /// After the sum.
    pub activation: Box<dyn Activation>,
    /// What it gives.
    pub returns: Returns,
    /// From the last element to the first.
    pub reverse: bool,
    /// First values of W.
    pub init: Init,
    /// First values of U.
    pub recurrent_init: Init,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Rnn {
    /// `hidden` units over elements of `inputs` features, which give what they remember at the end.
    pub fn new(inputs: usize, hidden: usize) -> Self {
        Rnn {
            inputs,
            hidden,
            activation: Box::new(Tanh::default()),
            returns: Returns::Last,
            reverse: false,
            init: Init::XavierUniform,
            recurrent_init: Init::Orthogonal(1.0),
            id: Id::new(),
        }
    }
}

impl Module for Rnn {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
        visitor.parameter(&self.id, "weight", &Parameter::weight([self.inputs, self.hidden], self.init));
        let recurrent = Parameter::weight([self.hidden, self.hidden], self.recurrent_init);
        visitor.parameter(&self.id, "recurrent_weight", &recurrent);
        visitor.parameter(&self.id, "bias", &Parameter::bias([self.hidden], Init::Zeros));
    }
}

impl Cell for Rnn {
    fn id(&self) -> &Id {
        &self.id
    }
    fn inputs(&self) -> usize {
        self.inputs
    }
    fn hidden(&self) -> usize {
        self.hidden
    }
    fn remembered(&self) -> usize {
        1
    }

    fn turn(&self, pass: &Pass) -> Result<impl Fn(&Tensor, &[Tensor]) -> Vec<Tensor>> {
        let recurrent = pass.rounded(&pass.parameter(&self.id, "recurrent_weight")?);
        Ok(move |gates: &Tensor, remembered: &[Tensor]| {
            vec![self.activation.apply(&(gates + pass.rounded(&remembered[0]).matmul(&recurrent)))]
        })
    }
}

impl Forward for Rnn {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "Rnn", |pass| unroll(self, x, (self.returns, self.reverse), pass))
    }
}
