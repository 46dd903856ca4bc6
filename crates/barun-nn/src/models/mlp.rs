//! The multi-layer perceptron.

use super::{Architecture, Hidden};
use crate::activations::{Activation, Relu};
use crate::hyper::named_cases;
use crate::layers::{Flatten, Linear, Sequential};
use crate::{Hyper, Init, Result, Shape};

/// Where batch normalisation goes. Recipes may write `true` for before the activation, and `false`. [LAYER-08, NORM-14]
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
named_cases!(NormPlace {
    None = "none", BeforeActivation = "before_activation", AfterActivation = "after_activation";
    false = None, true = BeforeActivation
});

/// Fully connected layers with an activation between them.
///
/// ```text
/// flatten, then for each hidden layer  f(x W + b),  linear
/// ```
///
/// A batch normalisation before the activation has the bias of the layer before it. Rumelhart, Hinton & Williams, 1986,
/// "Learning representations by back-propagating errors". [LAYER-02]
#[derive(Clone, Debug, Hyper)]
pub struct Mlp {
    /// The width of each hidden layer; none makes it linear.
    #[hyper(at_least_one)]
    pub hidden: Vec<usize>,
    /// What follows each hidden layer.
    pub activation: Box<dyn Activation>,
    /// Where batch normalisation goes; true is before each activation.
    pub batch_norm: NormPlace,
    /// The share of each hidden layer's units that is silenced in each training step.
    #[hyper(below_one)]
    pub dropout: f64,
    /// How the first weights are drawn.
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
        let hidden = Hidden { activation: &*self.activation, norm: self.batch_norm, dropout: self.dropout };
        let inputs = hidden.extend(&mut model, input.elements(), &self.hidden, linear);
        Ok(model.then(linear(inputs, outputs)))
    }
}
