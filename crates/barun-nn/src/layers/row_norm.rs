//! What normalisations have in common that treat each row by itself: what they learn, and what is around their formula.

use super::features_misfit;
use crate::param::Parameter;
use crate::{Id, Pass, Result, Tensor, Visitor};

/// A normalisation's kind, name and identity, and the size of its last axis.
pub(super) struct RowNorm<'a> {
    pub kind: &'static str,
    pub name: &'static str,
    pub id: &'a Id,
    pub features: usize,
    pub shift: Shift,
}

/// Whether a number is added after the scale.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Shift {
    /// Beta.
    Learned,
    /// None.
    None,
}

impl RowNorm<'_> {
    /// Shows gamma, which starts at 1, and beta, which starts at 0.
    pub fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(self.id);
        visitor.parameter(self.id, "gamma", &Parameter::norm([self.features], 1.0));
        if self.shift == Shift::Learned {
            visitor.parameter(self.id, "beta", &Parameter::norm([self.features], 0.0));
        }
    }

    /// `gamma normal(x) + beta`, or the error of an input whose last axis does not fit.
    pub fn forward(
        &self,
        x: &Tensor,
        pass: &mut Pass,
        normal: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        pass.layer(self.id, self.kind, |pass| {
            if let Some(error) = features_misfit(self.name, x, self.features) {
                return Ok(error);
            }
            let scaled = normal(&pass.rounded(x))? * pass.parameter(self.id, "gamma")?;
            match self.shift {
                Shift::Learned => Ok(scaled + pass.parameter(self.id, "beta")?),
                Shift::None => Ok(scaled),
            }
        })
    }
}
