//! A network of depthwise convolutions in the manner of MobileNet.

use super::{Architecture, conv_norm_relu, image};
use crate::layers::{BatchNorm, Conv2d, GlobalAvgPool, Linear, Relu, Sequential};
use crate::{Hyper, Result, Shape};

/// MobileNet: a convolution for each channel by itself, then 1 x 1 convolutions that mix the channels.
///
/// ```text
/// conv w, then blocks of  3 x 3 depthwise, norm, relu, 1 x 1 to f filters, norm, relu,  mean, linear
/// f = 2w, 4w*, 4w, 8w*, 8w, 16w*, 16w x 5, 32w*, 32w        * halves height and width
/// ```
///
/// An eighth of the multiplications of plain convolutions: for small machines and short times. The first version with the
/// strides for small images; with `width` 32 it has 3.2 million parameters. Howard et al., 2017, "MobileNets: efficient
/// convolutional neural networks for mobile vision applications".
#[derive(Clone, Debug, Hyper)]
pub struct Mobilenet {
    /// Filters of the first convolution.
    #[hyper(at_least_one)]
    pub width: usize,
}

impl Default for Mobilenet {
    fn default() -> Self {
        Mobilenet { width: 32 }
    }
}

/// Filters of each block in first filters, and its stride.
const BLOCKS: [(usize, usize); 13] = [
    (2, 1),
    (4, 2),
    (4, 1),
    (8, 2),
    (8, 1),
    (16, 2),
    (16, 1),
    (16, 1),
    (16, 1),
    (16, 1),
    (16, 1),
    (32, 2),
    (32, 1),
];

impl Architecture for Mobilenet {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        let [_, _, channels] = image("mobilenet", input)?;
        let mut model = Sequential::default();
        conv_norm_relu(&mut model, channels, self.width, 1);
        let mut from = self.width;
        for (factor, stride) in BLOCKS {
            let filters = self.width * factor;
            let depthwise = Conv2d::depthwise(from, 3);
            model.push(Conv2d { stride: [stride; 2], padding: [1, 1], bias: false, ..depthwise });
            model.push(BatchNorm::new(from));
            model.push(Relu::default());
            model.push(Conv2d { bias: false, ..Conv2d::new(from, filters, 1) });
            model.push(BatchNorm::new(filters));
            model.push(Relu::default());
            from = filters;
        }
        model.push(GlobalAvgPool::default());
        model.push(Linear::new(from, outputs));
        Ok(model)
    }
}
