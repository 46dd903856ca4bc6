//! From images to vectors.

use crate::{Feeds, Forward, Hyper, Id, Module, Pass, Result, Tensor, Visitor};

/// Joins all axes but the first: `[n, h, w, c] -> [n, h * w * c]`, as PyTorch's Flatten. [DATA-27, LAYER-09]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Flatten {
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Module for Flatten {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
    }
    fn feeds(&self) -> Feeds {
        Feeds::Through
    }
}

impl Forward for Flatten {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "Flatten", |_| Ok(x.flatten(1)))
    }
}
