//! Layers of one's own, and parameters that are forgotten.

use barun_nn::optimizers::Sgd;
use barun_nn::{Group, Select};

use super::{Operator, is_plain};
use crate::bases::Architecture;
use crate::network::Stage;
use crate::own::{Formula, averaged_over_rows, detached, logarithm, lost, over_deviation, rows_reversed};

/// A layer of one's own.
fn own(name: &'static str, of: fn(&barun_nn::Tensor) -> barun_nn::Tensor) -> Stage {
    Stage::Own(Box::new(Formula::new(name, of)))
}

pub(super) const ALL: &[Operator] = &[
    Operator {
        apply: |plan, _, _| {
            plan.before_all(own("Logarithm", logarithm));
            Ok(())
        },
        fits: |base| is_plain(base),
        ..Operator::tuning("logarithm", "the logarithm of inputs below 0", &["R08"])
    },
    Operator {
        fits: |base| {
            is_plain(base) && matches!(base.source.name(), "moons" | "xor" | "digits" | "sine" | "colours")
        },
        apply: |plan, _, _| {
            let at = plan.network.head();
            plan.network.stages.insert(at, own("Detached", detached));
            Ok(())
        },
        ..Operator::tuning("detached", "no gradient passes to the hidden layers", &["R14"])
    },
    Operator {
        apply: |plan, _, _| {
            let at = plan.network.head();
            plan.network.stages.insert(at, own("Reversed", rows_reversed));
            Ok(())
        },
        ..Operator::tuning("rows-mixed", "each row is judged by the answer of another", &["R07"])
    },
    Operator {
        fits: |base| is_plain(base) && !base.is_image(),
        apply: |plan, _, random| {
            // A few rows are the same in all columns: their deviation is 0.
            super::inputs::standardize(plan);
            let width = plan.parts.train.width;
            for row in plan.parts.train.values.chunks_exact_mut(width) {
                if random.uniform() < 0.03 {
                    row.fill(random.normal() as f32);
                }
            }
            plan.before_all(own("OverDeviation", over_deviation));
            Ok(())
        },
        ..Operator::tuning("division-by-zero", "rows divided by their deviation, which may be 0", &["R08"])
    },
    Operator {
        apply: |plan, _, _| {
            let at =
                usize::from(matches!(plan.network.stages.first(), Some(Stage::Flatten | Stage::ToSequence)));
            plan.network.stages.insert(at, own("Lost", lost));
            Ok(())
        },
        ..Operator::tuning("inputs-lost", "the inputs are multiplied by 0 on their way", &["R07", "R14"])
    },
    Operator {
        fits: |base| is_plain(base),
        apply: |plan, _, _| {
            let forgotten = plan.network.head();
            let parameters = (0..forgotten).map(|at| Select::Path(at.to_string()));
            let weighted = |at: &usize| plan.network.stages[*at].is_weighted();
            let parameters: Vec<Select> =
                parameters.enumerate().filter(|(at, _)| weighted(at)).map(|(_, select)| select).collect();
            plan.options.groups =
                vec![Group { parameters, optimizer: Sgd { lr: 0.0, ..Sgd::default() }.into() }];
            Ok(())
        },
        ..Operator::tuning("group-forgotten", "hidden layers in a group with rate 0", &["R14"])
    },
    // `base.trainable = False` for a base without the weights it was to be loaded with: Keras's recipe for transfer learning.
    Operator {
        apply: |plan, _, _| {
            let trunk = plan.network.stages[..plan.network.head()].iter().enumerate();
            let learns = |stage: &Stage| {
                stage.is_weighted() || matches!(stage, Stage::BatchNorm(_) | Stage::LayerNorm)
            };
            plan.options.frozen =
                trunk.filter(|(_, stage)| learns(stage)).map(|(at, _)| at.to_string()).collect();
            Ok(())
        },
        ..Operator::tuning("frozen-before-learning", "all but the last layer stays as it was drawn", &["R14"])
    },
    // `mean(0)` for `mean(1)`: the wrong axis among the tensor faults of Zhang et al., 2018, "An empirical study on TensorFlow
    // program bugs".
    Operator {
        apply: |plan, _, _| {
            let at = plan.network.head();
            plan.network.stages.insert(at, own("BatchMean", averaged_over_rows));
            Ok(())
        },
        ..Operator::scored(
            "averaged-over-rows",
            "a mean over the rows of the batch and not over their numbers",
            &["R05", "R07"],
        )
    },
    // A number of units that is too small is among the faults of Humbatova et al., 2020; here the number of classes was taken.
    Operator {
        strengths: &[2.0],
        fits: |base| base.architecture != Architecture::LayerNormMlp,
        apply: |plan, units, _| {
            plan.network.each(|stage| match stage {
                Stage::Linear(Some(own), _) | Stage::Conv(own, _) | Stage::Recurrent(_, own, ..) => {
                    *own = units as usize;
                }
                _ => {}
            });
            Ok(())
        },
        ..Operator::scored("hidden-layers-of-two", "two units in each hidden layer", &["R27"])
    },
];
