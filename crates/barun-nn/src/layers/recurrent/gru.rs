//! The gated recurrent unit.

use super::{Cell, Returns, gate, unroll};
use crate::param::Parameter;
use crate::{Forward, Hyper, Id, Init, Module, Pass, Result, Tensor, Visitor};

/// Gated recurrent unit: a recurrent layer whose gates say how much of the old is kept and how much of it is looked at.
///
/// ```text
/// [r z n] = x_t W + b,   [r' z' n'] = h_(t-1) U,   r = sigmoid(r + r'),  z = sigmoid(z + z'),  n = tanh(n + r (n' + b'))
/// h_t = (1 - z) n + z h_(t-1),   h_0 = 0                [n, length, in] -> [n, hidden] or [n, length, hidden]
/// ```
///
/// As good as LSTM on many tasks with a quarter less to learn. Gates in PyTorch's order and form, with one bias where
/// PyTorch has two that are added. Cho et al., 2014, "Learning phrase representations using RNN encoder-decoder".
#[derive(Clone, Debug, Hyper)]
pub struct Gru {
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
    /// First values of W.
    pub init: Init,
    /// First values of U.
    pub recurrent_init: Init,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Gru {
    /// `hidden` units over elements of `inputs` features, which give what they remember at the end.
    pub fn new(inputs: usize, hidden: usize) -> Self {
        Gru {
            inputs,
            hidden,
            returns: Returns::Last,
            reverse: false,
            init: Init::XavierUniform,
            recurrent_init: Init::Orthogonal(1.0),
            id: Id::new(),
        }
    }
}

impl Module for Gru {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        let gates = 3 * self.hidden;
        visitor.layer(&self.id);
        visitor.parameter(&self.id, "weight", &Parameter::weight([self.inputs, gates], self.init));
        let recurrent = Parameter::weight([self.hidden, gates], self.recurrent_init);
        visitor.parameter(&self.id, "recurrent_weight", &recurrent);
        visitor.parameter(&self.id, "bias", &Parameter::bias([gates], Init::Zeros));
        visitor.parameter(&self.id, "new_bias", &Parameter::bias([self.hidden], Init::Zeros));
    }
}

impl Cell for Gru {
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
        let new_bias = pass.parameter(&self.id, "new_bias")?;
        Ok(move |gates: &Tensor, remembered: &[Tensor]| {
            let old = &remembered[0];
            let own = pass.rounded(old).matmul(&recurrent);
            let [reset, keep, new] = [0, 1, 2].map(|index| gate(gates, index, self.hidden));
            let [own_reset, own_keep, own_new] = [0, 1, 2].map(|index| gate(&own, index, self.hidden));
            let reset = (reset + own_reset).sigmoid();
            let keep = (keep + own_keep).sigmoid();
            let new = (new + reset * (own_new + &new_bias)).tanh();
            vec![&new + keep * (old - &new)]
        })
    }
}

impl Forward for Gru {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "Gru", |pass| unroll(self, x, (self.returns, self.reverse), pass))
    }
}
