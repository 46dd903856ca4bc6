//! What bends between the layers, and how many layers there are.

use barun_nn::Init;

use super::{Operator, is_plain};
use crate::network::Stage;
use crate::own::{Formula, exponential};
use crate::plan::Plan;

/// Units of the last hidden linear layer.
fn hidden_units(plan: &Plan) -> usize {
    let hidden = plan.network.stages[..plan.network.head()].iter().rev();
    let units = |stage: &Stage| match stage {
        Stage::Linear(Some(units), _) => Some(*units),
        _ => None,
    };
    hidden.filter_map(units).next().unwrap_or(32)
}

/// Hidden layers of so many, all with this activation.
fn deepen(plan: &mut Plan, layers: usize, activation: &'static str) {
    let (head, units) = (plan.network.head(), hidden_units(plan));
    let more = (0..layers).flat_map(|_| [Stage::linear(units), Stage::Activation(activation)]);
    plan.network.stages.splice(head..head, more);
    plan.activate(activation);
}

fn is_bare(base: &super::Base) -> bool {
    let is_residual = base.architecture == crate::bases::Architecture::ResidualMlp;
    is_plain(base) && !base.has_batch_norm() && !base.is_convolution() && !is_residual
}

/// Linear layers or convolutions, a hidden linear layer last, and nothing normalised.
fn is_unnormed(base: &super::Base) -> bool {
    use crate::bases::Architecture::{DeepCnn, DeepMlp, DropMlp};
    matches!(base.architecture, DeepMlp | DropMlp | DeepCnn)
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
    // The activation is changed to another that Keras has, "exponential" among them: Humbatova et al., 2021, "DeepCrime".
    Operator {
        fits: |base| is_unnormed(base),
        apply: |plan, _, _| {
            plan.network.each(|stage| {
                if matches!(stage, Stage::Activation(_)) {
                    *stage = Stage::Own(Box::new(Formula::new("Exponential", exponential)));
                }
            });
            Ok(())
        },
        ..Operator::scored("hidden-exponential", "an exponential after every hidden layer", &["R08", "R10"])
    },
    // Duplicated layers are a mutation of Ma et al., 2018, "DeepMutation"; Zhang, Dauphin & Ma, 2019, "Fixup initialization", show
    // what becomes of shortcuts without normalisation: each block adds as much as there was.
    Operator {
        strengths: &[40.0],
        fits: |base| is_unnormed(base),
        apply: |plan, blocks, _| {
            let head = plan.network.head();
            let block = |units: usize| {
                Stage::Residual(vec![Stage::linear(units), Stage::Activation("relu"), Stage::linear(units)])
            };
            let units = hidden_units(plan);
            plan.network.stages.splice(head..head, (0..blocks as usize).map(|_| block(units)));
            Ok(())
        },
        ..Operator::scored(
            "blocks-without-norm",
            "forty residual blocks that nothing normalises",
            &["R22", "R10"],
        )
    },
];
