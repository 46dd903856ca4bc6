//! LeNet-5.

use super::{Architecture, Hidden, NormPlace, after_window, image};
use crate::activations::{Activation, Tanh};
use crate::layers::{AvgPool2d, Conv2d, Flatten, Linear, Sequential};
use crate::{Hyper, Init, Result, Shape};

/// LeNet-5: two convolutions with average pooling, then 120 and 84 units.
///
/// ```text
/// conv 6, tanh, mean pool, conv 16, tanh, mean pool, flatten, linear 120, tanh, linear 84, tanh, linear
/// ```
///
/// Images smaller than the 32 x 32 of the paper are padded by 2, so that 28 x 28 become those. LeCun, Bottou, Bengio &
/// Haffner, 1998, "Gradient-based learning applied to document recognition".
#[derive(Clone, Debug, Hyper)]
pub struct Lenet {
    /// What follows each layer.
    pub activation: Box<dyn Activation>,
    /// How the first weights are drawn.
    pub init: Init,
}

impl Default for Lenet {
    fn default() -> Self {
        Lenet { activation: Box::new(Tanh::default()), init: Init::Auto }
    }
}

impl Architecture for Lenet {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        let [height, width, channels] = image("lenet", input)?;
        let padding = if height.min(width) < 32 { 2 } else { 0 };
        let layers = Hidden { activation: &*self.activation, norm: NormPlace::None, dropout: 0.0 };
        let mut model = Sequential::default();
        let (mut sizes, mut from) = ([height, width], channels);
        for (filters, padding) in [(6, padding), (16, 0)] {
            let conv = Conv2d::new(from, filters, 5);
            model.push(Conv2d { padding: [padding; 2], init: self.init, ..conv });
            layers.follow(&mut model, filters);
            model.push(AvgPool2d::new(2));
            for size in &mut sizes {
                *size = after_window("lenet", after_window("lenet", *size, 5, padding, 1)?, 2, 0, 2)?;
            }
            from = filters;
        }
        model.push(Flatten::default());
        let linear = |inputs, outputs| Linear { init: self.init, ..Linear::new(inputs, outputs) };
        let inputs = layers.extend(&mut model, sizes[0] * sizes[1] * from, &[120, 84], linear);
        Ok(model.then(linear(inputs, outputs)))
    }
}
