//! The leaky ReLU that learns its slope.

use crate::activations::leaky_relu;
use crate::param::Parameter;
use crate::{Feeds, Forward, Hyper, Id, Init, Module, Pass, Result, Tensor, Visitor};

/// Parametric ReLU: a leaky ReLU whose slope is learned, one for all or one for each channel.
///
/// ```text
/// y = x  if x > 0,  else  a x        [.., channels] -> [.., channels],  a [channels] or [1]
/// ```
///
/// A few more parameters for a better fit; He et al. found it best in deep layers. One slope for all, 0.25 at first, as
/// in PyTorch; weight decay leaves it alone, since it would pull it towards ReLU. He et al., 2015, "Delving deep into
/// rectifiers".
#[derive(Clone, Debug, Hyper)]
pub struct Prelu {
    /// The number of slopes: the size of the last axis, or 1 for all together.
    #[hyper(at_least_one)]
    pub channels: usize,
    /// The first value of the slopes.
    pub slope: f64,
    /// Where between its slopes the derivative at 0 lies: 0 is `a`, from the left, 1 is 1, from the right. [ACT-04]
    #[hyper(share)]
    pub at_zero: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Prelu {
    /// With so many slopes: 1, or as many as the last axis has channels.
    pub fn new(channels: usize) -> Self {
        Prelu { channels, slope: 0.25, at_zero: 0.0, id: Id::new() }
    }
}

impl Default for Prelu {
    fn default() -> Self {
        Prelu::new(1)
    }
}

impl Module for Prelu {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
        visitor.parameter(&self.id, "slope", &Parameter::norm([self.channels], self.slope));
    }
    fn feeds(&self) -> Feeds {
        Feeds::Activation(Init::HeNormal)
    }
}

impl Forward for Prelu {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "Prelu", |pass| {
            if self.channels != 1 && x.check().is_ok() && x.shape()?.last() != Some(&self.channels) {
                let requirement =
                    format!("the last axis of the input must be the layer's {} channels", self.channels);
                return Ok(Tensor::error("prelu", &[x], requirement, "set its channels to fit, or to 1"));
            }
            let x = pass.rounded(x);
            let below = &x * pass.parameter(&self.id, "slope")?;
            Ok(leaky_relu(&x, &below, self.at_zero))
        })
    }
}
