//! Networks as lists of stages, so that an operator can change one before it is built.

use barun_nn::activations;
use barun_nn::layers::{
    BatchNorm, Conv2d, Dropout, Flatten, GlobalAvgPool, Gru, LayerNorm, Linear, Lstm, MaxPool2d, Residual,
    Rnn, Sequential, ToSequence,
};
use barun_nn::{Init, Layer};

use crate::error::{Error, Result};
use crate::rows::Form;

/// A recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recurrent {
    /// Simple.
    Rnn,
    /// Gated.
    Gru,
    /// Long short-term memory.
    Lstm,
}

/// Weights of a stage before the first step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct First {
    /// Of the weights.
    pub weight: Init,
    /// Of the biases.
    pub bias: Init,
}

impl Default for First {
    fn default() -> Self {
        First { weight: Init::Auto, bias: Init::Zeros }
    }
}

/// A stage of a network.
#[derive(Clone, Debug)]
pub enum Stage {
    /// Numbers in a row.
    Flatten,
    /// Numbers one after the other.
    ToSequence,
    /// So many units; as many as there are answers where none are given.
    Linear(Option<usize>, First),
    /// So many channels, 3 x 3, of the same size.
    Conv(usize, First),
    /// Half the height and width.
    Pool,
    /// The mean of each channel.
    GlobalPool,
    /// An activation by its name.
    Activation(&'static str),
    /// Batch normalisation with this momentum.
    BatchNorm(f64),
    /// Layer normalisation.
    LayerNorm,
    /// Dropout of this share.
    Dropout(f64),
    /// A recurrent layer of so many units, with its first recurrent weights and the bias of an LSTM's forget gates.
    Recurrent(Recurrent, usize, Init, f64),
    /// What is added to its own input.
    Residual(Vec<Stage>),
    /// A layer that keeps the shape.
    Own(Box<dyn Layer>),
}

/// A network before it is built.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its stages, first to last.
    pub stages: Vec<Stage>,
}

impl Stage {
    /// A linear layer of so many units.
    pub fn linear(units: usize) -> Stage {
        Stage::Linear(Some(units), First::default())
    }

    /// The last linear layer.
    pub fn head() -> Stage {
        Stage::Linear(None, First::default())
    }

    /// A convolution of so many channels.
    pub fn conv(channels: usize) -> Stage {
        Stage::Conv(channels, First::default())
    }

    /// A recurrent layer of so many units.
    pub fn recurrent(kind: Recurrent, units: usize) -> Stage {
        Stage::Recurrent(kind, units, Init::Orthogonal(1.0), 1.0)
    }

    /// Whether it multiplies by weights.
    pub fn is_weighted(&self) -> bool {
        matches!(self, Stage::Linear(..) | Stage::Conv(..) | Stage::Recurrent(..) | Stage::Residual(..))
    }
}

impl Network {
    /// Every stage, also those inside of others, may be changed.
    pub fn each(&mut self, mut change: impl FnMut(&mut Stage)) {
        each_of(&mut self.stages, &mut change);
    }

    /// The first weights of every linear layer and convolution, the last one's last.
    pub fn firsts(&mut self) -> Vec<&mut First> {
        fn collect<'a>(stages: &'a mut [Stage], into: &mut Vec<&'a mut First>) {
            for stage in stages {
                match stage {
                    Stage::Linear(_, first) | Stage::Conv(_, first) => into.push(first),
                    Stage::Residual(inside) => collect(inside, into),
                    _ => {}
                }
            }
        }
        let mut firsts = Vec::new();
        collect(&mut self.stages, &mut firsts);
        firsts
    }

    /// Where the last linear layer stands.
    pub fn head(&self) -> usize {
        self.stages
            .iter()
            .rposition(|stage| matches!(stage, Stage::Linear(None, _)))
            .unwrap_or(self.stages.len())
    }

    /// Whether a stage, also inside of another, is such.
    pub fn has(&self, is: impl Fn(&Stage) -> bool) -> bool {
        let mut found = false;
        self.clone().each(|stage| found |= is(stage));
        found
    }

    /// The layers, for rows of this form and width, with so many answers.
    ///
    /// # Errors
    /// A stage that does not take what comes before it.
    pub fn build(&self, form: Form, width: usize, answers: usize) -> Result<Sequential> {
        let shape = match form {
            Form::Columns => vec![width],
            Form::Image(shape) => shape.to_vec(),
        };
        Ok(build(&self.stages, shape, answers)?.0)
    }
}

fn each_of(stages: &mut [Stage], change: &mut impl FnMut(&mut Stage)) {
    for stage in stages {
        change(stage);
        if let Stage::Residual(inside) = stage {
            each_of(inside, change);
        }
    }
}

/// The layers of stages and the shape of what they give.
fn build(stages: &[Stage], mut shape: Vec<usize>, answers: usize) -> Result<(Sequential, Vec<usize>)> {
    let mut model = Sequential::default();
    for stage in stages {
        let (layer, next) = layer(stage, &shape, answers)?;
        model.layers.push(layer);
        shape = next;
    }
    Ok((model, shape))
}

fn layer(stage: &Stage, shape: &[usize], answers: usize) -> Result<(Box<dyn Layer>, Vec<usize>)> {
    let last = shape.last().copied().unwrap_or(1);
    let misfit = || Error::Data(format!("{stage:?} does not take rows of shape {shape:?}"));
    let same = |layer: Box<dyn Layer>| Ok((layer, shape.to_vec()));
    match stage {
        Stage::Flatten => Ok((Box::new(Flatten::default()), vec![shape.iter().product()])),
        Stage::ToSequence => Ok((Box::new(ToSequence::default()), sequence(shape).ok_or_else(misfit)?)),
        Stage::Linear(units, first) => {
            let units = units.unwrap_or(answers);
            let linear = Linear { init: first.weight, bias_init: first.bias, ..Linear::new(last, units) };
            Ok((Box::new(linear), vec![units]))
        }
        Stage::Conv(channels, first) => {
            let [height, width, from] = shape[..] else { return Err(misfit()) };
            let conv = Conv2d {
                padding: [1, 1],
                init: first.weight,
                bias_init: first.bias,
                ..Conv2d::new(from, *channels, 3)
            };
            Ok((Box::new(conv), vec![height, width, *channels]))
        }
        Stage::Pool => {
            let [height, width, channels] = shape[..] else { return Err(misfit()) };
            Ok((Box::new(MaxPool2d::new(2)), vec![height / 2, width / 2, channels]))
        }
        Stage::GlobalPool => Ok((Box::new(GlobalAvgPool::default()), vec![last])),
        Stage::Activation(name) => {
            let activation = activations::by_name(name).map_err(barun_train::Error::from)?;
            same(Layer::clone_box(&*activation))
        }
        Stage::BatchNorm(momentum) => {
            same(Box::new(BatchNorm { momentum: *momentum, ..BatchNorm::new(last) }))
        }
        Stage::LayerNorm => same(Box::new(LayerNorm::new(last))),
        Stage::Dropout(rate) => same(Box::new(Dropout::new(*rate))),
        Stage::Recurrent(kind, hidden, first, forget_bias) => {
            Ok((recurrent(*kind, (last, *hidden), *first, *forget_bias), vec![*hidden]))
        }
        Stage::Residual(inside) => same(Box::new(Residual::new(build(inside, shape.to_vec(), answers)?.0))),
        Stage::Own(layer) => same(layer.clone()),
    }
}

fn sequence(shape: &[usize]) -> Option<Vec<usize>> {
    match shape[..] {
        [columns] => Some(vec![columns, 1]),
        [rows, columns, channels] => Some(vec![rows, columns * channels]),
        _ => None,
    }
}

fn recurrent(
    kind: Recurrent,
    (inputs, hidden): (usize, usize),
    first: Init,
    forget_bias: f64,
) -> Box<dyn Layer> {
    match kind {
        Recurrent::Rnn => Box::new(Rnn { recurrent_init: first, ..Rnn::new(inputs, hidden) }),
        Recurrent::Gru => Box::new(Gru { recurrent_init: first, ..Gru::new(inputs, hidden) }),
        Recurrent::Lstm => Box::new(Lstm { recurrent_init: first, forget_bias, ..Lstm::new(inputs, hidden) }),
    }
}
