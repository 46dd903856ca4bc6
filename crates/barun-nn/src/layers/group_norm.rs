//! Group normalisation.

use super::row_norm::{RowNorm, Shift};
use crate::{Feeds, Forward, Hyper, Id, Module, Pass, Result, Tensor, Visitor};

/// Group normalisation: give each group of channels of each image mean 0 and variance 1, then scale and shift.
///
/// ```text
/// mean, var over all places and the c / groups channels of a group, each row of the batch by itself
/// y = gamma (x - mean) / sqrt(var + eps) + beta                         [n, .., c] -> [n, .., c]
/// ```
///
/// Does not look at the batch, so it serves where batches are too small for batch normalisation. With one group it
/// normalises whole images, with a group for each channel it is instance normalisation. Gamma starts at 1 and beta at 0, one
/// of each for a channel; eps 1e-5 follows PyTorch. Wu & He, 2018, "Group normalization".
#[derive(Clone, Debug, Hyper)]
pub struct GroupNorm {
    /// Groups, which must divide the channels.
    #[hyper(at_least_one)]
    pub groups: usize,
    /// Channels, which is the size of the last axis.
    #[hyper(at_least_one)]
    pub channels: usize,
    /// Keeps the division finite where a group is constant.
    #[hyper(not_negative)]
    pub eps: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl GroupNorm {
    /// For `channels` channels in `groups` groups.
    pub fn new(groups: usize, channels: usize) -> Self {
        GroupNorm { groups, channels, eps: 1e-5, id: Id::new() }
    }

    /// The error of groups that do not divide the channels; none where they do.
    fn misfit(&self, x: &Tensor) -> Option<Tensor> {
        if self.groups > 0 && self.channels.is_multiple_of(self.groups) {
            return None;
        }
        let requirement = format!("{} groups must divide its {} channels", self.groups, self.channels);
        Some(Tensor::error("group_norm", &[x], requirement, "choose groups that divide them"))
    }
}

impl GroupNorm {
    fn frame(&self) -> RowNorm<'_> {
        RowNorm {
            kind: "GroupNorm",
            name: "group_norm",
            id: &self.id,
            features: self.channels,
            shift: Shift::Learned,
        }
    }
}

impl Module for GroupNorm {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.frame().visit(visitor);
    }
    fn feeds(&self) -> Feeds {
        Feeds::Through
    }
}

impl Forward for GroupNorm {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        self.frame().forward(x, pass, |x| {
            if let Some(error) = self.misfit(x) {
                return Ok(error);
            }
            let shape = x.shape()?.clone();
            let places = shape[1..shape.rank() - 1].iter().product();
            let grouped = x.reshape([shape[0], places, self.groups, self.channels / self.groups]);
            let centered = &grouped - grouped.mean_keep([1, 3]);
            let variance = centered.square().mean_keep([1, 3]);
            Ok((centered / (variance + self.eps).sqrt()).reshape(shape))
        })
    }
}
