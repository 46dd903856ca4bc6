//! Dropout for networks that normalise themselves.

use super::dropout::drawn;
use crate::{Feeds, Forward, Hyper, Id, Module, Pass, Result, Tensor, Visitor};

/// Alpha dropout: units are set to SELU's lower end instead of 0, then all moved back to mean 0 and variance 1.
///
/// ```text
/// low = -1.7580993;   keep = 1 - rate;   a = (keep + low^2 keep (1 - keep))^(-1/2);   b = -a low (1 - keep)
/// train: y = a (low where dropped, else x) + b;   eval: y = x        the same shape in and out
/// ```
///
/// For inputs of mean 0 and variance 1, which is what SELU keeps and plain dropout spoils. As PyTorch's. Klambauer et al.,
/// 2017, "Self-normalizing neural networks".
#[derive(Clone, Debug, Hyper)]
pub struct AlphaDropout {
    /// The part of the units that is dropped, `0 <= rate < 1`; 0.5 unless set. The paper takes 0.05 or 0.1.
    #[hyper(below_one)]
    pub rate: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl AlphaDropout {
    /// Drops `rate` of the units.
    pub fn new(rate: f64) -> Self {
        AlphaDropout { rate, id: Id::new() }
    }
}

impl Default for AlphaDropout {
    fn default() -> Self {
        AlphaDropout::new(0.5)
    }
}

/// Where SELU ends: its scale times its alpha, below 0.
const LOW: f64 = -1.050_700_987_355_480_5 * 1.673_263_242_354_377_2;

impl Module for AlphaDropout {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
    }
    fn feeds(&self) -> Feeds {
        Feeds::Through
    }
}

impl Forward for AlphaDropout {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        if pass.passes_over(&self.id) {
            return Ok(x.clone());
        }
        pass.layer(&self.id, "AlphaDropout", |pass| {
            let x = pass.rounded(x);
            let Some(is_dropped) = drawn(&x, self.rate, pass)? else { return Ok(x) };
            let keep = 1.0 - self.rate;
            let scale = (keep + LOW * LOW * keep * self.rate).powf(-0.5);
            let low = x.like(LOW);
            Ok(is_dropped.where_(&low, &x) * scale - scale * LOW * self.rate)
        })
    }
}
