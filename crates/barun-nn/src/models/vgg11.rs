//! VGG-11 for small images.

use super::{Architecture, conv_norm_relu, image};
use crate::layers::{Conv2d, GlobalAvgPool, Linear, MaxPool2d, Relu, Sequential};
use crate::{Hyper, Result, Shape};

/// VGG-11: eight plain 3 x 3 convolutions with pooling between, no ways around.
///
/// ```text
/// conv w, pool, conv 2w, pool, conv 4w, conv 4w, pool, conv 8w, conv 8w, pool, conv 8w, conv 8w, pool, mean, linear
/// ```
///
/// With `width` 64 those are 9.2 million parameters: for small images one linear layer follows instead of the paper's three.
/// Poolings for which nothing is left are left out. Without batch normalisation, as in the paper, it is hard to train; a good
/// network to watch gradients in. Simonyan & Zisserman, 2014, "Very deep convolutional networks for large-scale image
/// recognition".
#[derive(Clone, Debug, Hyper)]
pub struct Vgg11 {
    /// Filters of the first convolution.
    #[hyper(at_least_one)]
    pub width: usize,
    /// Whether batch normalisation stands before each activation.
    pub batch_norm: bool,
}

impl Default for Vgg11 {
    fn default() -> Self {
        Vgg11 { width: 64, batch_norm: true }
    }
}

impl Architecture for Vgg11 {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        let [height, width, channels] = image("vgg11", input)?;
        let (mut from, mut side) = (channels, height.min(width));
        let mut model = Sequential::default();
        for stage in [&[1][..], &[2], &[4, 4], &[8, 8], &[8, 8]] {
            for factor in stage {
                let filters = self.width * factor;
                match self.batch_norm {
                    true => conv_norm_relu(&mut model, from, filters, 1),
                    false => {
                        model.push(Conv2d { padding: [1, 1], ..Conv2d::new(from, filters, 3) });
                        model.push(Relu::default());
                    }
                }
                from = filters;
            }
            if side >= 2 {
                model.push(MaxPool2d::new(2));
                side /= 2;
            }
        }
        model.push(GlobalAvgPool::default());
        model.push(Linear::new(from, outputs));
        Ok(model)
    }
}
