//! A block with a way around it.

use super::{Relu, Sequential};
use crate::{Feeds, Forward, Hyper, Layer, Module, Pass, Result, Tensor, Visitor};

/// Residual block: what the body computes is added to what came in.
///
/// ```text
/// y = activation(body(x) + shortcut(x))
/// ```
///
/// The shortcut is the identity unless set, for where the body changes the shape. He et al., 2015, "Deep residual
/// learning for image recognition".
#[derive(Clone, Debug, Hyper)]
pub struct Residual {
    /// The way with layers.
    #[hyper(skip)]
    pub body: Sequential,
    /// The way around; the identity if `None`.
    #[hyper(skip)]
    pub shortcut: Option<Sequential>,
    /// After the sum; ReLU unless set.
    #[hyper(skip)]
    pub activation: Box<dyn Layer>,
}

impl Residual {
    /// Around `body`, with the identity as shortcut and ReLU after the sum.
    pub fn new(body: Sequential) -> Self {
        Residual { body, shortcut: None, activation: Box::new(Relu::default()) }
    }
}

impl Module for Residual {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.child_before("body", &self.body, &self.activation);
        if let Some(shortcut) = &self.shortcut {
            visitor.child_before("shortcut", shortcut, &self.activation);
        }
        visitor.child("activation", &self.activation);
    }
    fn feeds(&self) -> Feeds {
        Feeds::Opaque
    }
}

impl Forward for Residual {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let body = self.body.forward(x, pass)?;
        let around = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x, pass)?,
            None => x.clone(),
        };
        if body.shape()? != around.shape()? {
            let requirement = "the body and the shortcut must give the same shape";
            let help = "set `shortcut` to a 1x1 convolution of the body's stride and channels";
            Tensor::error("residual", &[&body, &around], requirement, help).check()?;
        }
        self.activation.forward(&(body + around), pass)
    }
}
