//! The largest of several pieces.

use crate::{Feeds, Forward, Hyper, Id, Init, Module, Pass, Result, Tensor, Visitor};

/// Maxout: each unit is the largest of a few linear ones, so the layer before learns the activation's shape.
///
/// ```text
/// y_j = max over i of x_(j pieces + i)        [.., units * pieces] -> [.., units]
/// ```
///
/// Together with a [`Linear`](super::Linear) of `units * pieces` outputs before it, any convex function can come out:
/// ReLU and the absolute value are two pieces. It pays with several times the parameters; made for dropout. Where pieces
/// are equally large they share the gradient. Goodfellow et al., 2013, "Maxout networks".
#[derive(Clone, Debug, Hyper)]
pub struct Maxout {
    /// Pieces of a unit, 2 or more.
    #[hyper(at_least_one)]
    pub pieces: usize,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Maxout {
    /// Of so many pieces.
    pub fn new(pieces: usize) -> Self {
        Maxout { pieces, id: Id::new() }
    }
}

impl Default for Maxout {
    fn default() -> Self {
        Maxout::new(2)
    }
}

impl Module for Maxout {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
    }
    fn feeds(&self) -> Feeds {
        Feeds::Activation(Init::LecunNormal)
    }
}

impl Forward for Maxout {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "Maxout", |_| {
            let shape = x.shape()?;
            let (Some((&last, before)), pieces) = (shape.split_last(), self.pieces) else {
                return Ok(Tensor::error("maxout", &[x], "it needs a last axis of units", "give it a row"));
            };
            if pieces == 0 || last % pieces != 0 {
                let requirement =
                    format!("the last axis must be a multiple of the {pieces} pieces of a unit");
                let help = "give the layer before it units * pieces outputs";
                return Ok(Tensor::error("maxout", &[x], requirement, help));
            }
            let apart = x.reshape([before, &[last / pieces, pieces]].concat());
            Ok(apart.max(-1))
        })
    }
}
