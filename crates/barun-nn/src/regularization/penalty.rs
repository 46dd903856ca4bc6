//! Penalties on large weights.

use crate::Tensor;

/// What large weights cost: `l1 sum |w| + l2 / 2 sum w^2`, added to the loss that is minimised. [REG-04, REG-08, LOSS-16]
///
/// The gradient of the second part is `l2 w` [REG-06], so with plain gradient descent it is the same as a weight decay of
/// `l2`; adaptive optimisers divide it by the gradient's size, decoupled decay they do not [OPT-50]. The first part pulls
/// every weight by the same amount, also small ones, so many end near 0; at 0 it pulls neither way. Biases and
/// normalisations are exempt [REG-10], as [`Decay`](crate::Decay) says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Penalty {
    /// The price of each unit of `|w|`.
    pub l1: f64,
    /// The price of each unit of `w^2 / 2`.
    pub l2: f64,
}

impl Penalty {
    /// Whether nothing costs anything.
    pub fn is_none(self) -> bool {
        self == Penalty::default()
    }

    /// What `weights` cost together, a scalar; none where there are no weights.
    pub fn of<'a>(self, weights: impl IntoIterator<Item = &'a Tensor>) -> Option<Tensor> {
        let cost = |weight: &Tensor| {
            let absolute = (self.l1 != 0.0).then(|| weight.abs().sum(..) * self.l1);
            let squared = (self.l2 != 0.0).then(|| weight.square().sum(..) * (self.l2 / 2.0));
            absolute.into_iter().chain(squared).reduce(|a, b| a + b)
        };
        weights.into_iter().filter_map(cost).reduce(|a, b| a + b)
    }
}
