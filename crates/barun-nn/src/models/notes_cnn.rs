//! The simple convolutional network of the notes.

use super::{Architecture, after_window, image};
use crate::layers::{Conv2d, Flatten, Linear, MaxPool2d, Relu, Sequential};
use crate::{Hyper, Init, Result, Shape, sequential};

/// Conv, ReLU, pool, affine, ReLU, affine, as the notes cite it: 433,890 parameters on 28 x 28 digits.
///
/// ```text
/// conv 5 x 5, relu, max pool, flatten, linear, relu, linear
/// ```
///
/// Saito, 2016, "Deep learning from scratch", chapter 7. [CNN-22]
#[derive(Clone, Debug, Hyper)]
pub struct NotesCnn {
    /// Filters of 5 x 5, without padding.
    pub filters: usize,
    /// Units of the hidden layer.
    pub hidden: usize,
    /// First values of the weights; the cited code has normal(0.01).
    pub init: Init,
}

impl Default for NotesCnn {
    fn default() -> Self {
        NotesCnn { filters: 30, hidden: 100, init: Init::Auto }
    }
}

impl Architecture for NotesCnn {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        let [height, width, channels] = image("notes_cnn", input)?;
        let size = |size| -> Result<usize> {
            after_window("notes_cnn", after_window("notes_cnn", size, 5, 0, 1)?, 2, 0, 2)
        };
        let linear = |inputs, outputs| Linear { init: self.init, ..Linear::new(inputs, outputs) };
        Ok(sequential![
            Conv2d { init: self.init, ..Conv2d::new(channels, self.filters, 5) },
            Relu::default(),
            MaxPool2d::new(2),
            Flatten::default(),
            linear(size(height)? * size(width)? * self.filters, self.hidden),
            Relu::default(),
            linear(self.hidden, outputs),
        ])
    }
}
