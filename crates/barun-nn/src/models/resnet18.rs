//! ResNet-18 for small images.

use super::{Architecture, image};
use crate::layers::{BatchNorm, Conv2d, GlobalAvgPool, Linear, Relu, Residual, Sequential};
use crate::{Hyper, Init, Result, Shape, sequential};

/// ResNet-18 in the form for small images: a 3 x 3 stem, four stages of two residual blocks, global average pooling.
///
/// The stages have `width`, 2, 4 and 8 times `width` filters; each but the first halves height and width. He et al.,
/// 2015, "Deep residual learning for image recognition".
#[derive(Clone, Debug, Hyper)]
pub struct Resnet18 {
    /// The channels of the first stage; each further stage has twice as many.
    #[hyper(at_least_one)]
    pub width: usize,
    /// How the first weights are drawn.
    pub init: Init,
}

impl Default for Resnet18 {
    fn default() -> Self {
        Resnet18 { width: 64, init: Init::Auto }
    }
}

impl Architecture for Resnet18 {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        let [_, _, channels] = image("resnet18", input)?;
        let mut model =
            sequential![self.conv(3, channels, self.width, 1), BatchNorm::new(self.width), Relu::default()];
        let mut inputs = self.width;
        for (stage, factor) in [1, 2, 4, 8].into_iter().enumerate() {
            let filters = self.width * factor;
            let stride = if stage == 0 { 1 } else { 2 };
            model.push(self.basic_block(inputs, filters, stride));
            model.push(self.basic_block(filters, filters, 1));
            inputs = filters;
        }
        model.push(GlobalAvgPool::default());
        model.push(Linear { init: self.init, ..Linear::new(inputs, outputs) });
        Ok(model)
    }
}

impl Resnet18 {
    /// Keeps the size, divided by `stride`. Without bias: the batch norm after it has one.
    fn conv(&self, kernel: usize, inputs: usize, filters: usize, stride: usize) -> Conv2d {
        let conv = Conv2d::new(inputs, filters, kernel);
        Conv2d { stride: [stride; 2], padding: [kernel / 2; 2], bias: false, init: self.init, ..conv }
    }

    fn basic_block(&self, inputs: usize, filters: usize, stride: usize) -> Residual {
        let body = sequential![
            self.conv(3, inputs, filters, stride),
            BatchNorm::new(filters),
            Relu::default(),
            self.conv(3, filters, filters, 1),
            BatchNorm::new(filters),
        ];
        let projection = || sequential![self.conv(1, inputs, filters, stride), BatchNorm::new(filters)];
        let keeps_shape = stride == 1 && inputs == filters;
        Residual { shortcut: (!keeps_shape).then(projection), ..Residual::new(body) }
    }
}
