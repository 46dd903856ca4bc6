//! ResNet-9.

use super::{Architecture, conv_norm_relu, image};
use crate::layers::{GlobalAvgPool, Identity, Linear, MaxPool2d, Residual, Sequential};
use crate::{Hyper, Result, Shape, sequential};

/// ResNet-9: eight convolutions with two ways around, for small images in a short time.
///
/// ```text
/// conv w, conv 2w, pool, (conv 2w, conv 2w) + x, conv 4w, pool, conv 8w, pool, (conv 8w, conv 8w) + x, mean, linear
/// ```
///
/// Each conv is 3 x 3 with batch normalisation and ReLU. With `width` 64 it has 6.6 million parameters and reaches on CIFAR-10
/// what ResNet-18 does in a fraction of the time. Page, 2018, "How to train your ResNet"; there the last pooling takes the
/// maximum.
#[derive(Clone, Debug, Hyper)]
pub struct Resnet9 {
    /// Filters of the first convolution.
    #[hyper(at_least_one)]
    pub width: usize,
}

impl Default for Resnet9 {
    fn default() -> Self {
        Resnet9 { width: 64 }
    }
}

impl Architecture for Resnet9 {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        let [height, width, channels] = image("resnet9", input)?;
        let filters = self.width;
        let mut model = Sequential::default();
        conv_norm_relu(&mut model, channels, filters, 1);
        let mut side = height.min(width);
        for (from, to) in [(filters, 2 * filters), (2 * filters, 4 * filters), (4 * filters, 8 * filters)] {
            conv_norm_relu(&mut model, from, to, 1);
            // Small images have nothing left to pool in the end.
            if side >= 2 {
                model.push(MaxPool2d::new(2));
                side /= 2;
            }
            if to != 4 * filters {
                model.push(around_two(to));
            }
        }
        model.push(GlobalAvgPool::default());
        model.push(Linear::new(8 * filters, outputs));
        Ok(model)
    }
}

/// Two convolutions whose result is added to what came in.
fn around_two(filters: usize) -> Residual {
    let mut body = sequential![];
    conv_norm_relu(&mut body, filters, filters, 1);
    conv_norm_relu(&mut body, filters, filters, 1);
    Residual { activation: Box::new(Identity::default()), ..Residual::new(body) }
}
