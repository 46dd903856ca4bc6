//! Where the members of an ensemble begin to differ.

use crate::param::{Parameter, Role};
use crate::{Feeds, Forward, Hyper, Id, Init, Module, Pass, Result, Tensor, Visitor};

/// Make of each row one for each member of an ensemble, by scales of its own.
///
/// ```text
/// y_nmi = scale_mi x_ni        [n, features] -> [n, members, features]
/// ```
///
/// The layers that follow work on the last axis and share their weights among the members, until a
/// [`MemberHead`](super::MemberHead) lets each decide for itself. So an ensemble costs the weights of one network, and
/// its members, each a little off, keep each other from learning by heart. Scales begin standard normal: each member
/// sees the columns in other proportions.
///
/// Wen et al., 2020, "BatchEnsemble: an alternative approach to efficient ensemble and lifelong learning"; scales at the
/// input alone as Gorishniy et al., 2025, "TabM: advancing tabular deep learning with parameter-efficient ensembling"
/// (their TabM-mini).
#[derive(Clone, Debug, Hyper)]
pub struct MemberScale {
    /// Members.
    pub members: usize,
    /// Features of a row.
    pub features: usize,
    /// First values of the scales.
    pub init: Init,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl MemberScale {
    /// So many members, scales standard normal.
    pub fn new(members: usize, features: usize) -> Self {
        MemberScale { members, features, init: Init::Normal(1.0), id: Id::new() }
    }
}

impl Module for MemberScale {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
        // Decay would take away what makes the members differ.
        let scale =
            Parameter { shape: [self.members, self.features].into(), init: self.init, role: Role::Norm };
        visitor.parameter(&self.id, "scale", &scale);
    }
    fn feeds(&self) -> Feeds {
        Feeds::Through
    }
}

impl Forward for MemberScale {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "MemberScale", |pass| {
            let shape = x.shape()?;
            if shape.rank() != 2 || shape[1] != self.features {
                let requirement = format!("the input must be rows of the layer's {} features", self.features);
                return Ok(Tensor::error(
                    "member_scale",
                    &[x],
                    requirement,
                    "set the layer's features to fit",
                ));
            }
            Ok(x.unsqueeze(1) * pass.parameter(&self.id, "scale")?)
        })
    }
}
