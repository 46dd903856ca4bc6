//! Where the members of an ensemble answer.

use crate::param::Parameter;
use crate::{Forward, Hyper, Id, Init, Module, Pass, Result, Tensor, Visitor};

/// The last layer of an ensemble in one network: an answer of each member, in use their mean.
///
/// ```text
/// z_nm = x_nm W_m + b_m                    [n, members, inputs] -> [n, members, outputs] in training
/// y_n  = log mean_m softmax(z_nm)          [n, outputs] at inference, several outputs: the mean of probabilities
/// y_n  = mean_m z_nm                       one output: the mean of numbers, or of logits
/// ```
///
/// In training each member is compared with the target by itself, so that it learns to be right, not to make up for the
/// others: the pass says so ([`Pass::members`]) and the step gives each member the target. Members come from a
/// [`MemberScale`](super::MemberScale). Gorishniy et al., 2025, "TabM". [ENS-01]
#[derive(Clone, Debug, Hyper)]
pub struct MemberHead {
    /// Members.
    pub members: usize,
    /// Input features of each.
    pub inputs: usize,
    /// Numbers or classes.
    pub outputs: usize,
    /// First values of the weights.
    pub init: Init,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl MemberHead {
    /// Weights by [`Init::Auto`], biases 0.
    pub fn new(members: usize, inputs: usize, outputs: usize) -> Self {
        MemberHead { members, inputs, outputs, init: Init::Auto, id: Id::new() }
    }
}

impl Module for MemberHead {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
        // In two axes, so that the rule of the first values finds each unit's inputs in the first.
        let shape = [self.inputs, self.members * self.outputs];
        visitor.parameter(&self.id, "weight", &Parameter::weight(shape, self.init));
        visitor.parameter(&self.id, "bias", &Parameter::bias([self.members, self.outputs], Init::Zeros));
    }
}

impl Forward for MemberHead {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "MemberHead", |pass| {
            let shape = x.shape()?;
            if shape.rank() != 3 || shape[1..] != [self.members, self.inputs] {
                let requirement =
                    format!("the input must be [rows, {} members, {} features]", self.members, self.inputs);
                let help = "put a MemberScale of as many members before the layers of the ensemble";
                return Ok(Tensor::error("member_head", &[x], requirement, help));
            }
            let weight = pass.rounded(&pass.parameter(&self.id, "weight")?);
            let weight = weight.reshape([self.inputs, self.members, self.outputs]).permute(&[1, 0, 2]);
            let by_member = pass.rounded(x).permute(&[1, 0, 2]).matmul(&weight);
            let z = by_member.permute(&[1, 0, 2]) + pass.parameter(&self.id, "bias")?;
            if pass.is_training() {
                pass.answers_by_member(self.members);
                return Ok(z);
            }
            Ok(match self.outputs {
                1 => z.mean(1),
                _ => log_mean(&z.log_softmax(-1)),
            })
        })
    }
}

/// The logarithm of the mean over axis 1 of numbers given by their logarithms, finite where those are.
fn log_mean(logarithms: &Tensor) -> Tensor {
    let largest = logarithms.max_keep(1).detach();
    (logarithms - &largest).exp().mean(1).ln() + largest.reshape(leading_and_last(logarithms))
}

fn leading_and_last(x: &Tensor) -> Vec<usize> {
    x.shape().map(|shape| vec![shape[0], shape[2]]).unwrap_or_default()
}
