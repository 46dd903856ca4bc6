//! Recurrent networks by name.

use super::{Architecture, sequence};
use crate::layers::{Linear, Lstm, Returns, Rnn, Sequential, ToSequence};
use crate::{Hyper, Layer, Result, Shape};

/// A simple recurrent network: an image row by row, or a table's row number by number.
///
/// ```text
/// sequence, then `layers` times  h_t = tanh(x_t W + h_(t-1) U + b),  the last h, linear
/// ```
///
/// Sequences are an image's rows from top to bottom, each with all its pixels, or the columns of a table in their order. It
/// forgets what is long ago, see [`Rnn`]; for use take `lstm`. Elman, 1990, "Finding structure in time".
#[derive(Clone, Debug, Hyper)]
#[hyper(name = "rnn")]
pub struct RnnModel {
    /// Units of each layer.
    #[hyper(at_least_one)]
    pub hidden: usize,
    /// Recurrent layers, one over the other.
    #[hyper(at_least_one)]
    pub layers: usize,
}

impl Default for RnnModel {
    fn default() -> Self {
        RnnModel { hidden: 128, layers: 1 }
    }
}

impl Architecture for RnnModel {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        stacked("rnn", (self.hidden, self.layers), input, outputs, |inputs, returns| {
            Box::new(Rnn { returns, ..Rnn::new(inputs, self.hidden) })
        })
    }
}

/// A recurrent network of long short-term memory: an image row by row, or a table's row number by number.
///
/// ```text
/// sequence, then `layers` times LSTM, the last h, linear
/// ```
///
/// Sequences are an image's rows from top to bottom, each with all its pixels, or the columns of a table in their order. See
/// [`Lstm`]. Hochreiter & Schmidhuber, 1997, "Long short-term memory".
#[derive(Clone, Debug, Hyper)]
#[hyper(name = "lstm")]
pub struct LstmModel {
    /// Units of each layer.
    #[hyper(at_least_one)]
    pub hidden: usize,
    /// Recurrent layers, one over the other.
    #[hyper(at_least_one)]
    pub layers: usize,
}

impl Default for LstmModel {
    fn default() -> Self {
        LstmModel { hidden: 128, layers: 1 }
    }
}

impl Architecture for LstmModel {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        stacked("lstm", (self.hidden, self.layers), input, outputs, |inputs, returns| {
            Box::new(Lstm { returns, ..Lstm::new(inputs, self.hidden) })
        })
    }
}

/// Recurrent layers over each other, of which the last gives what it remembers at the end.
fn stacked(
    model: &str,
    (hidden, layers): (usize, usize),
    input: &Shape,
    outputs: usize,
    layer: impl Fn(usize, Returns) -> Box<dyn Layer>,
) -> Result<Sequential> {
    let [_, mut inputs] = sequence(model, input)?;
    let mut network = Sequential::default().then(ToSequence::default());
    for index in 1..=layers {
        let returns = if index == layers { Returns::Last } else { Returns::Sequence };
        network.layers.push(layer(inputs, returns));
        inputs = hidden;
    }
    Ok(network.then(Linear::new(hidden, outputs)))
}
