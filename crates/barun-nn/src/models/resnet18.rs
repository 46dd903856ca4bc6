//! ResNet-18 for small images.

use super::{Architecture, image};
use crate::layers::{BatchNorm, Conv2d, GlobalAvgPool, Linear, Relu, Residual, Sequential};
use crate::{Hyper, Result, Shape, sequential};

/// ResNet-18 in the form for small images: a 3 x 3 stem, four stages of two residual blocks, global average pooling.
///
/// The stages have `width`, 2, 4 and 8 times `width` filters; each but the first halves height and width. He et al.,
/// 2015, "Deep residual learning for image recognition".
#[derive(Clone, Debug, Hyper)]
pub struct Resnet18 {
    /// Filters of the first stage.
    pub width: usize,
}

impl Default for Resnet18 {
    fn default() -> Self {
        Resnet18 { width: 64 }
    }
}

impl Architecture for Resnet18 {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        let [_, _, channels] = image("resnet18", input)?;
        let mut model =
            sequential![conv3(channels, self.width, 1), BatchNorm::new(self.width), Relu::default()];
        let mut inputs = self.width;
        for (stage, factor) in [1, 2, 4, 8].into_iter().enumerate() {
            let filters = self.width * factor;
            let stride = if stage == 0 { 1 } else { 2 };
            model.push(basic_block(inputs, filters, stride));
            model.push(basic_block(filters, filters, 1));
            inputs = filters;
        }
        model.push(GlobalAvgPool::default());
        model.push(Linear::new(inputs, outputs));
        Ok(model)
    }
}

/// Without bias: the batch norm after it has one.
fn conv3(inputs: usize, filters: usize, stride: usize) -> Conv2d {
    Conv2d { stride: [stride; 2], padding: [1, 1], bias: false, ..Conv2d::new(inputs, filters, 3) }
}

fn basic_block(inputs: usize, filters: usize, stride: usize) -> Residual {
    let body = sequential![
        conv3(inputs, filters, stride),
        BatchNorm::new(filters),
        Relu::default(),
        conv3(filters, filters, 1),
        BatchNorm::new(filters),
    ];
    let projection = || {
        let conv = Conv2d { stride: [stride; 2], bias: false, ..Conv2d::new(inputs, filters, 1) };
        sequential![conv, BatchNorm::new(filters)]
    };
    let keeps_shape = stride == 1 && inputs == filters;
    Residual { shortcut: (!keeps_shape).then(projection), ..Residual::new(body) }
}
