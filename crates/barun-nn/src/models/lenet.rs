//! LeNet-5.

use super::{Architecture, after_window, image};
use crate::layers::{AvgPool2d, Conv2d, Flatten, Linear, Sequential, Tanh};
use crate::{Hyper, Result, Shape, sequential};

/// LeNet-5: two convolutions with average pooling, three linear layers, tanh.
///
/// ```text
/// conv 6, tanh, mean pool, conv 16, tanh, mean pool, flatten, linear 120, tanh, linear 84, tanh, linear
/// ```
///
/// For 28 x 28 images the first convolution pads by 2, so that its maps are 28 x 28. LeCun, Bottou, Bengio & Haffner,
/// 1998, "Gradient-based learning applied to document recognition".
#[derive(Clone, Debug, Default, Hyper)]
pub struct Lenet {}

impl Architecture for Lenet {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        let [height, width, channels] = image("lenet", input)?;
        let size = |size| -> Result<usize> {
            let pooled = after_window("lenet", size, 2, 0, 2)?;
            after_window("lenet", after_window("lenet", pooled, 5, 0, 1)?, 2, 0, 2)
        };
        Ok(sequential![
            Conv2d { padding: [2, 2], ..Conv2d::new(channels, 6, 5) },
            Tanh::default(),
            AvgPool2d::new(2),
            Conv2d::new(6, 16, 5),
            Tanh::default(),
            AvgPool2d::new(2),
            Flatten::default(),
            Linear::new(size(height)? * size(width)? * 16, 120),
            Tanh::default(),
            Linear::new(120, 84),
            Tanh::default(),
            Linear::new(84, outputs),
        ])
    }
}
