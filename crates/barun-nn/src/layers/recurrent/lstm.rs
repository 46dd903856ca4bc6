//! Long short-term memory.

use super::{Cell, Returns, gate, unroll};
use crate::param::Parameter;
use crate::{Forward, Hyper, Id, Init, Module, Pass, Result, Tensor, Visitor};

/// Long short-term memory: a recurrent layer with a memory that is added to, and gates that say when.
///
/// ```text
/// [i f g o] = x_t W + h_(t-1) U + b;      i, o through sigmoid, f too after adding forget_bias, g through tanh
/// c_t = f c_(t-1) + i g;   h_t = o tanh(c_t);   h_0 = c_0 = 0      [n, length, in] -> [n, hidden] or [n, length, hidden]
/// ```
///
/// Because c is added to and not multiplied by a matrix, its gradient lasts over long sequences. The usual recurrent layer.
/// Gates in PyTorch's order, with one bias where PyTorch has two. `forget_bias` 1 lets it remember at the start (PyTorch: 0).
/// Hochreiter & Schmidhuber, 1997, "Long short-term memory"; Gers et al., 2000; Jozefowicz et al., 2015.
#[derive(Clone, Debug, Hyper)]
pub struct Lstm {
    /// Features of an element.
    #[hyper(at_least_one)]
    pub inputs: usize,
    /// Units.
    #[hyper(at_least_one)]
    pub hidden: usize,
    /// What it gives.
    pub returns: Returns,
    /// From the last element to the first.
    pub reverse: bool,
    /// What is added to the forget gates before their sigmoid.
    pub forget_bias: f64,
    /// First values of W.
    pub init: Init,
    /// First values of U.
    pub recurrent_init: Init,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Lstm {
    /// `hidden` units over elements of `inputs` features, which give what they remember at the end.
    pub fn new(inputs: usize, hidden: usize) -> Self {
        Lstm {
            inputs,
            hidden,
            returns: Returns::Last,
            reverse: false,
            forget_bias: 1.0,
            init: Init::XavierUniform,
            recurrent_init: Init::Orthogonal(1.0),
            id: Id::new(),
        }
    }
}

impl Module for Lstm {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        let gates = 4 * self.hidden;
        visitor.layer(&self.id);
        visitor.parameter(&self.id, "weight", &Parameter::weight([self.inputs, gates], self.init));
        let recurrent = Parameter::weight([self.hidden, gates], self.recurrent_init);
        visitor.parameter(&self.id, "recurrent_weight", &recurrent);
        visitor.parameter(&self.id, "bias", &Parameter::bias([gates], Init::Zeros));
    }
}

impl Cell for Lstm {
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
        2
    }

    fn turn(&self, pass: &Pass) -> Result<impl Fn(&Tensor, &[Tensor]) -> Vec<Tensor>> {
        let recurrent = pass.rounded(&pass.parameter(&self.id, "recurrent_weight")?);
        Ok(move |gates: &Tensor, remembered: &[Tensor]| {
            let sums = gates + pass.rounded(&remembered[0]).matmul(&recurrent);
            let [input, forget, new, output] = [0, 1, 2, 3].map(|index| gate(&sums, index, self.hidden));
            let forget = (forget + self.forget_bias).sigmoid();
            let cell = forget * &remembered[1] + input.sigmoid() * new.tanh();
            vec![output.sigmoid() * cell.tanh(), cell]
        })
    }
}

impl Forward for Lstm {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "Lstm", |pass| unroll(self, x, (self.returns, self.reverse), pass))
    }
}
