//! A small convolutional network.

use super::{Architecture, after_window, image};
use crate::layers::{Conv2d, Dropout, Flatten, Linear, MaxPool2d, Relu, Sequential};
use crate::{Hyper, Result, Shape, sequential};

/// Two 3 x 3 convolutions, one pooling, two linear layers, with dropout: the usual first network for digits.
///
/// ```text
/// conv 32, relu, conv 64, relu, max pool, dropout 1/4, flatten, linear 128, relu, dropout 1/2, linear
/// ```
///
/// The network of PyTorch's MNIST example. [CNN-12]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Cnn {}

impl Architecture for Cnn {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        let [height, width, channels] = image("cnn", input)?;
        let size = |size| -> Result<usize> {
            let first = after_window("cnn", size, 3, 0, 1)?;
            after_window("cnn", after_window("cnn", first, 3, 0, 1)?, 2, 0, 2)
        };
        Ok(sequential![
            Conv2d::new(channels, 32, 3),
            Relu::default(),
            Conv2d::new(32, 64, 3),
            Relu::default(),
            MaxPool2d::new(2),
            Dropout::new(0.25),
            Flatten::default(),
            Linear::new(size(height)? * size(width)? * 64, 128),
            Relu::default(),
            Dropout::new(0.5),
            Linear::new(128, outputs),
        ])
    }
}
