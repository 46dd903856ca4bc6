//! The multi-layer perceptron.

use super::Architecture;
use crate::activations::{Activation, Relu};
use crate::hyper::named_cases;
use crate::layers::{BatchNorm, Dropout, Flatten, Linear, Sequential};
use crate::{Hyper, Init, Layer, Result, Shape};

/// Where batch normalisation goes. [LAYER-08, NORM-14]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NormPlace {
    /// Nowhere.
    #[default]
    None,
    /// Between the linear layer and the activation, as in the paper.
    BeforeActivation,
    /// After the activation.
    AfterActivation,
}
named_cases!(NormPlace { None = "none", BeforeActivation = "before_activation", AfterActivation = "after_activation" });

/// Fully connected layers with an activation between them.
///
/// ```text
/// flatten, then for each hidden layer  f(x W + b),  linear
/// ```
///
/// Rumelhart, Hinton & Williams, 1986, "Learning representations by back-propagating errors". [LAYER-02]
#[derive(Clone, Debug, Hyper)]
pub struct Mlp {
    /// Units of each hidden layer; none makes it linear.
    pub hidden: Vec<usize>,
    /// The activation between layers.
    pub activation: Box<dyn Activation>,
    /// Where batch normalisation goes.
    pub batch_norm: NormPlace,
    /// The part of each hidden layer's units that is dropped.
    pub dropout: f64,
    /// First values of the weights.
    pub init: Init,
    /// First values of the biases.
    pub bias_init: Init,
}

impl Default for Mlp {
    fn default() -> Self {
        Mlp {
            hidden: vec![512, 256],
            activation: Box::new(Relu::default()),
            batch_norm: NormPlace::None,
            dropout: 0.0,
            init: Init::Auto,
            bias_init: Init::Zeros,
        }
    }
}

impl Architecture for Mlp {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        let mut model = Sequential::default();
        if input.rank() > 1 {
            model.push(Flatten::default());
        }
        let linear = |inputs, outputs| Linear {
            init: self.init,
            bias_init: self.bias_init,
            ..Linear::new(inputs, outputs)
        };
        let mut inputs = input.elements();
        for &units in &self.hidden {
            model.push(linear(inputs, units));
            let activation: Box<dyn Layer> = self.activation.clone();
            match self.batch_norm {
                NormPlace::None => model.layers.push(activation),
                NormPlace::BeforeActivation => {
                    model.push(BatchNorm::new(units));
                    model.layers.push(activation);
                }
                NormPlace::AfterActivation => {
                    model.layers.push(activation);
                    model.push(BatchNorm::new(units));
                }
            }
            if self.dropout != 0.0 {
                model.push(Dropout::new(self.dropout));
            }
            inputs = units;
        }
        model.push(linear(inputs, outputs));
        Ok(model)
    }
}
