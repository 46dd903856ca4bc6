//! What bends between the layers, and how many layers there are.

use barun_nn::Init;

use super::{Operator, is_plain};
use crate::network::Stage;
use crate::plan::Plan;

/// Hidden layers of so many, all with this activation.
fn deepen(plan: &mut Plan, layers: usize, activation: &'static str) {
    let head = plan.network.head();
    let units = plan.network.stages[..head]
        .iter()
        .rev()
        .find_map(|stage| match stage {
            Stage::Linear(Some(units), _) => Some(*units),
            _ => None,
        })
        .unwrap_or(32);
    let more = (0..layers).flat_map(|_| [Stage::linear(units), Stage::Activation(activation)]);
    plan.network.stages.splice(head..head, more);
    plan.activate(activation);
}

fn is_bare(base: &super::Base) -> bool {
    let is_residual = base.architecture == crate::bases::Architecture::ResidualMlp;
    is_plain(base) && !base.has_batch_norm() && !base.is_convolution() && !is_residual
}

pub(super) const ALL: &[Operator] = &[
    Operator {
        strengths: &[9.0],
        fits: |base| is_bare(base),
        apply: |plan, layers, _| {
            deepen(plan, layers as usize, "sigmoid");
            Ok(())
        },
        ..Operator::tuning("deep-sigmoid", "ten layers of sigmoids", &["R09", "R22"])
    },
    Operator {
        strengths: &[3.0],
        fits: |base| is_bare(base),
        apply: |plan, deviation, _| {
            plan.activate("tanh");
            let mut firsts = plan.network.firsts();
            firsts.pop();
            firsts.into_iter().for_each(|first| first.weight = Init::Normal(deviation));
            Ok(())
        },
        ..Operator::tuning("saturated-tanh", "tanh with weights so large that it is flat", &["R12", "R04"])
    },
    Operator {
        strengths: &[12.0],
        fits: |base| is_bare(base) && base.architecture != crate::bases::Architecture::LayerNormMlp,
        apply: |plan, layers, _| {
            deepen(plan, layers as usize, "softsign");
            let firsts = plan.network.firsts();
            firsts.into_iter().for_each(|first| first.weight = Init::Normal(0.05));
            Ok(())
        },
        ..Operator::scored(
            "deep-fading",
            "many layers whose weights make each smaller than the last",
            &["R04", "R09", "R22"],
        )
    },
    Operator {
        strengths: &[20.0],
        fits: |base| is_bare(base),
        apply: |plan, deviation, _| {
            plan.activate("sigmoid");
            let mut firsts = plan.network.firsts();
            firsts.pop();
            firsts.into_iter().for_each(|first| first.weight = Init::Normal(deviation));
            Ok(())
        },
        ..Operator::scored(
            "saturated-sigmoid",
            "sigmoids with weights so large that they are flat",
            &["R12", "R04"],
        )
    },
    // "The same activation everywhere" is what people give as their reason: https://stackoverflow.com/q/37588632.
    Operator {
        fits: |base| is_plain(base),
        apply: |plan, _, _| {
            plan.activate("softmax");
            Ok(())
        },
        ..Operator::tuning("hidden-softmax", "a softmax after every hidden layer", &["R09", "R12"])
    },
    // He et al., 2015, "Deep residual learning for image recognition": plain networks of many layers are worse than those of few.
    Operator {
        strengths: &[80.0],
        fits: |base| is_bare(base) && base.architecture != crate::bases::Architecture::LayerNormMlp,
        apply: |plan, layers, _| {
            deepen(plan, layers as usize, "relu");
            Ok(())
        },
        ..Operator::scored(
            "eighty-layers",
            "eighty layers more, with nothing around or between them",
            &["R22", "R09"],
        )
    },
];
