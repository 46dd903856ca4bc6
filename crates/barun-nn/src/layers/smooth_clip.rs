//! Bounding large inputs smoothly.

use crate::{Feeds, Forward, Hyper, Id, Module, Pass, Result, Tensor, Visitor};

/// Bound large values smoothly: what is near 0 stays as it is, an outlier keeps its sign and loses its size.
///
/// ```text
/// y = x / sqrt(1 + (x / bound)^2)        |y| < bound,  dy/dx = 1 at 0
/// ```
///
/// The same shape in and out. For the columns of a table brought to one scale, of which one may hold an outlier a
/// hundred deviations away that would drown the others. Holzmueller et al., 2024, "Better by default: strong pre-tuned
/// MLPs and boosted trees on tabular data", with their bound of 3.
#[derive(Clone, Debug, Hyper)]
pub struct SmoothClip {
    /// What no value reaches; 3 unless set.
    pub bound: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Default for SmoothClip {
    fn default() -> Self {
        SmoothClip { bound: 3.0, id: Id::new() }
    }
}

impl Module for SmoothClip {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
    }
    fn feeds(&self) -> Feeds {
        Feeds::Through
    }
}

impl Forward for SmoothClip {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "SmoothClip", |_| Ok(x / ((x * (1.0 / self.bound)).square() + 1.0).sqrt()))
    }
}
