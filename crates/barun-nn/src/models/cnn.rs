//! A small convolutional network.

use super::{Architecture, Hidden, NormPlace, after_window, dropout, image};
use crate::activations::{Activation, Relu};
use crate::layers::{Conv2d, Flatten, Linear, MaxPool2d, Sequential};
use crate::{Hyper, Init, Result, Shape};

/// 3 x 3 convolutions in pairs with a pooling after each, and a hidden layer: the usual small network for small images.
///
/// ```text
/// conv 32, norm, relu, conv 64, norm, relu, max pool, dropout, flatten, linear 128, norm, relu, dropout, linear
/// ```
///
/// Without batch normalisation and with a dropout of 0.25 it is the network of PyTorch's MNIST example. Pairs of 3 x 3
/// convolutions: Simonyan & Zisserman, 2014, "Very deep convolutional networks for large-scale image recognition". [CNN-12]
#[derive(Clone, Debug, Hyper)]
pub struct Cnn {
    /// The channels of each convolution; after every second one, and after the last, comes a pooling.
    #[hyper(at_least_one)]
    pub channels: Vec<usize>,
    /// The width of each hidden layer after the last pooling.
    #[hyper(at_least_one)]
    pub hidden: Vec<usize>,
    /// What follows each layer.
    pub activation: Box<dyn Activation>,
    /// How the first weights are drawn. Without batch normalisation `he_normal` starts this network too loud: the pooling
    /// keeps the largest of four values, and dropout raises what it keeps.
    pub init: Init,
    /// Batch normalisation before each activation.
    pub batch_norm: bool,
    /// The share silenced in each training step after a pooling; after a hidden layer twice that, at most 0.5.
    #[hyper(below_one)]
    pub dropout: f64,
}

impl Default for Cnn {
    fn default() -> Self {
        Cnn {
            channels: vec![32, 64],
            hidden: vec![128],
            activation: Box::new(Relu::default()),
            init: Init::LecunUniform,
            batch_norm: true,
            dropout: 0.3,
        }
    }
}

impl Architecture for Cnn {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        let [height, width, channels] = image("cnn", input)?;
        let norm = if self.batch_norm { NormPlace::BeforeActivation } else { NormPlace::None };
        let layers =
            Hidden { activation: &*self.activation, norm, dropout: (2.0 * self.dropout).min(0.5) };
        let mut model = Sequential::default();
        let (mut sizes, mut from) = ([height, width], channels);
        for pair in self.channels.chunks(2) {
            for &filters in pair {
                let conv = Conv2d::new(from, filters, 3);
                model.push(Conv2d { bias: !self.batch_norm, init: self.init, ..conv });
                layers.follow(&mut model, filters);
                from = filters;
            }
            model.push(MaxPool2d::new(2));
            dropout(&mut model, self.dropout);
            for size in &mut sizes {
                let convolved = pair.iter().try_fold(*size, |size, _| after_window("cnn", size, 3, 0, 1))?;
                *size = after_window("cnn", convolved, 2, 0, 2)?;
            }
        }
        model.push(Flatten::default());
        let linear = |inputs, outputs| Linear { init: self.init, ..Linear::new(inputs, outputs) };
        let inputs = layers.extend(&mut model, sizes[0] * sizes[1] * from, &self.hidden, linear);
        Ok(model.then(linear(inputs, outputs)))
    }
}
