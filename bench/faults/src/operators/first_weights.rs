//! Weights before the first step.

use barun_nn::Init;

use super::{Operator, is_plain};
use crate::bases::Architecture;
use crate::network::Stage;

/// He's and Glorot's first weights have about this deviation in layers of these sizes.
const USUAL: f64 = 0.2;

pub(super) const ALL: &[Operator] = &[
    Operator {
        fits: |base| is_plain(base),
        apply: |plan, _, _| {
            plan.network.firsts().into_iter().for_each(|first| first.weight = Init::Zeros);
            Ok(())
        },
        ..Operator::tuning("zeros", "all weights 0", &["R04"])
    },
    Operator {
        strengths: &[30.0, 300.0],
        fits: |base| is_plain(base),
        apply: |plan, factor, _| {
            let weight = Init::Normal(factor * USUAL);
            plan.network.firsts().into_iter().for_each(|first| first.weight = weight);
            Ok(())
        },
        ..Operator::tuning("first-weights-huge", "weights far too large", &["R04"])
    },
    Operator {
        strengths: &[-10.0, -100.0],
        fits: |base| is_plain(base) && !base.has_batch_norm(),
        apply: |plan, bias, _| {
            let mut firsts = plan.network.firsts();
            firsts.pop();
            firsts.into_iter().for_each(|first| first.bias = Init::Constant(bias));
            Ok(())
        },
        ..Operator::tuning("born-dead", "biases so low that hidden units give 0", &["R11", "R04"])
    },
    Operator {
        strengths: &[0.1],
        fits: |base| is_plain(base),
        apply: |plan, value, _| {
            plan.network.firsts().into_iter().for_each(|first| first.weight = Init::Constant(value));
            Ok(())
        },
        ..Operator::scored("constant", "all weights the same", &["R04"])
    },
    Operator {
        strengths: &[0.01, 0.001],
        fits: |base| is_plain(base) && !base.has_batch_norm(),
        apply: |plan, factor, _| {
            let weight = Init::Normal(factor * USUAL);
            plan.network.firsts().into_iter().for_each(|first| first.weight = weight);
            Ok(())
        },
        ..Operator::scored("first-weights-tiny", "weights far too small", &["R04"])
    },
    Operator {
        strengths: &[1e3],
        fits: |base| is_plain(base) && !base.has_batch_norm(),
        apply: |plan, factor, _| {
            if let Some(first) = plan.network.firsts().get_mut(1) {
                first.weight = Init::Normal(factor * USUAL);
            }
            Ok(())
        },
        ..Operator::scored(
            "one-layer-huge",
            "the second layer's weights a thousand times too large",
            &["R04"],
        )
    },
    Operator {
        strengths: &[100.0, 3000.0],
        apply: |plan, factor, _| {
            let head = plan.network.head();
            if let Some(Stage::Linear(_, first)) = plan.network.stages.get_mut(head) {
                first.weight = Init::Normal(factor * USUAL);
            }
            Ok(())
        },
        ..Operator::scored("head-huge", "the last layer's weights far too large", &["R03", "R04"])
    },
    // Wrong first weights are a mutation of Humbatova et al., 2021, "DeepCrime". Biases above 0 keep relu from being born dead, and
    // large ones from bending: the network is linear where its data is.
    Operator {
        strengths: &[100.0],
        fits: |base| {
            is_plain(base) && !base.has_batch_norm() && base.architecture != Architecture::LayerNormMlp
        },
        apply: |plan, bias, _| {
            let mut firsts = plan.network.firsts();
            firsts.pop();
            firsts.into_iter().for_each(|first| first.bias = Init::Constant(bias));
            Ok(())
        },
        ..Operator::scored("biases-high", "biases so high that hidden units never bend", &["R04"])
    },
    // Zhang, Dauphin & Ma, 2019, "Fixup initialization", begin with zeros in the last layer of a block, which is added to its own
    // input. Where nothing is added, all that comes before stands still.
    Operator {
        fits: |base| is_plain(base) && !base.has_batch_norm(),
        apply: |plan, _, _| {
            if let Some(first) = plan.network.firsts().get_mut(1) {
                first.weight = Init::Zeros;
            }
            Ok(())
        },
        ..Operator::scored("one-layer-zero", "the second layer begins with zeros", &["R04"])
    },
];
