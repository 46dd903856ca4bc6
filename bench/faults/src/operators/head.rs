//! The last layer and the loss.

use barun_nn::losses::{Bce, BceWithLogits, CrossEntropy, Nll};

use super::{Operator, is_plain};
use crate::network::Stage;
use crate::own::{Ascent, Crossed, FirstOnly, Formula, LabelsAsNumbers, Times, softmax, thresholded};

pub(super) const ALL: &[Operator] = &[
    Operator {
        fits: |base| !base.is_numbers() && !base.is_binary,
        apply: |plan, _, _| {
            plan.after_head(Stage::Activation("softmax"));
            Ok(())
        },
        ..Operator::tuning("softmax-before-cross-entropy", "softmax twice, once in the loss", &["R02"])
    },
    Operator {
        fits: |base| !base.is_numbers() && !base.is_binary,
        apply: |plan, _, _| {
            plan.after_head(Stage::Own(Box::new(Formula::new("Shares", softmax))));
            Ok(())
        },
        ..Operator::tuning("own-softmax", "a softmax written by hand before cross entropy", &["R02"])
    },
    Operator {
        apply: |plan, _, _| {
            plan.after_head(Stage::Activation("relu"));
            Ok(())
        },
        ..Operator::tuning("relu-head", "relu after the last layer", &["R02"])
    },
    Operator {
        fits: |base| !base.is_numbers() && !base.is_binary,
        apply: |plan, _, _| {
            plan.loss = Box::new(Nll::default());
            Ok(())
        },
        ..Operator::tuning("scores-to-nll", "scores where the loss takes probabilities", &["R02"])
    },
    Operator {
        fits: |base| {
            is_plain(base) && matches!(base.source.name(), "moons" | "xor" | "sine" | "digits" | "colours")
        },
        apply: |plan, _, _| {
            plan.network.stages.retain(|stage| !matches!(stage, Stage::Activation(_)));
            Ok(())
        },
        ..Operator::tuning("no-activation", "nothing bends between the layers", &["R02"])
    },
    Operator {
        fits: |base| !base.is_numbers(),
        apply: |plan, _, _| {
            plan.after_head(Stage::Activation("sigmoid"));
            Ok(())
        },
        ..Operator::scored("sigmoid-before-cross-entropy", "a sigmoid before a loss of scores", &["R02"])
    },
    Operator {
        apply: |plan, _, _| {
            plan.after_head(Stage::Activation("tanh"));
            Ok(())
        },
        ..Operator::scored("tanh-head", "tanh after the last layer", &["R02"])
    },
    Operator {
        fits: |base| base.is_binary,
        apply: |plan, _, _| {
            plan.loss = Box::new(Bce::default());
            Ok(())
        },
        ..Operator::scored("scores-to-bce", "scores where the loss takes probabilities", &["R02"])
    },
    Operator {
        fits: |base| base.is_numbers(),
        apply: |plan, _, _| {
            plan.after_head(Stage::Activation("sigmoid"));
            Ok(())
        },
        ..Operator::scored("sigmoid-for-numbers", "numbers from 0 to 1 where the target has others", &["R02"])
    },
    Operator {
        strengths: &[1.0, 10.0],
        apply: |plan, factor, _| {
            plan.optimizer = Ascent { lr: factor * plan.lr() }.into();
            Ok(())
        },
        ..Operator::tuning("ascent", "the gradient's sign the wrong way round", &["R15"])
    },
    Operator {
        strengths: &[1.0, 30.0],
        fits: |base| !base.has_batch_norm(),
        apply: |plan, factor, _| {
            let rows = plan.batch_size as f64;
            plan.loss = Box::new(Times { of: plan.loss.clone(), factor: factor * rows });
            plan.optimizer = barun_nn::optimizers::Sgd { lr: 0.1, ..Default::default() }.into();
            Ok(())
        },
        ..Operator::scored(
            "loss-summed",
            "the loss summed and not averaged, with plain descent",
            &["R03", "R13", "R21"],
        )
    },
    // Answers [batch] against predictions [batch, 1], of which PyTorch warns, since so many have done it; a mutant of Ben Braiek &
    // Khomh, 2023, "Testing feedforward neural networks training programs".
    Operator {
        fits: |base| base.is_numbers(),
        apply: |plan, _, _| {
            plan.loss = Box::new(Crossed {});
            Ok(())
        },
        ..Operator::tuning("loss-broadcast", "each prediction is compared with every row's answer", &["R05"])
    },
    // A loop that adds up loss / rows for its report, and goes backwards from that: a wrong loss in Humbatova et al., 2020,
    // "Taxonomy of real faults in deep learning systems".
    Operator {
        fits: |base| !base.has_batch_norm(),
        apply: |plan, _, _| {
            let factor = 1.0 / plan.parts.train.len() as f64;
            plan.loss = Box::new(Times { of: plan.loss.clone(), factor });
            plan.optimizer = barun_nn::optimizers::Sgd { lr: 0.1, ..Default::default() }.into();
            Ok(())
        },
        ..Operator::tuning(
            "loss-averaged-twice",
            "the mean loss divided by the number of rows once more, with plain descent",
            &["R03", "R13"],
        )
    },
    // `outputs[:, 0]`, which was right for two classes and one score, of a network with an output for each class; a wrong loss is
    // among the faults of Humbatova et al., 2020, "Taxonomy of real faults in deep learning systems".
    Operator {
        fits: |base| !base.is_numbers() && !base.is_binary,
        apply: |plan, _, _| {
            plan.loss = Box::new(FirstOnly {});
            Ok(())
        },
        ..Operator::tuning("first-output-only", "the loss looks at the first output alone", &["R02", "R14"])
    },
    // Weights for a rare class, taken along to where no class is rare.
    Operator {
        strengths: &[1e3],
        fits: |base| !base.is_numbers(),
        apply: |plan, weight, _| {
            plan.loss = match plan.outputs() {
                1 => Box::new(BceWithLogits { positive_weight: weight }),
                classes => {
                    let class_weights =
                        (0..classes).map(|class| if class == 0 { weight } else { 1.0 }).collect();
                    Box::new(CrossEntropy { class_weights, ..CrossEntropy::default() })
                }
            };
            Ok(())
        },
        ..Operator::tuning(
            "class-weights-copied",
            "one class counts a thousand times, as if it were rare",
            &["R24", "R02"],
        )
    },
    // Whether the last layer is normalised too is a question of https://ai.stackexchange.com/q/20675. The mean of one number is
    // itself: nothing of it is left, as of the softmax of one score.
    Operator {
        fits: |base| base.is_numbers() || base.is_binary,
        apply: |plan, _, _| {
            plan.after_head(Stage::LayerNorm);
            Ok(())
        },
        ..Operator::scored(
            "one-output-normalised",
            "layer normalisation after the one output",
            &["R02", "R14"],
        )
    },
    // `tf.round` and `argmax` before a loss, after which "No gradients provided for any variable": operations that cannot be
    // differentiated in Humbatova et al., 2020.
    Operator {
        apply: |plan, _, _| {
            plan.after_head(Stage::Own(Box::new(Formula::new("Thresholded", thresholded))));
            Ok(())
        },
        ..Operator::scored(
            "thresholded-before-the-loss",
            "predictions are made 0 or 1 before the loss",
            &["R14", "R02"],
        )
    },
    // A loss for numbers where classes are to be told: a change of the loss in Humbatova et al., 2021, "DeepCrime".
    Operator {
        fits: |base| !base.is_numbers() && !base.is_binary,
        apply: |plan, _, _| {
            plan.loss = Box::new(LabelsAsNumbers {});
            Ok(())
        },
        ..Operator::scored(
            "labels-as-numbers",
            "the squared difference of each output and the label's number",
            &["R02", "R05"],
        )
    },
    // `ignore_index=0`, which was right where 0 is padding: a wrong parameter of the loss in Humbatova et al., 2020.
    Operator {
        fits: |base| !base.is_numbers() && !base.is_binary,
        apply: |plan, _, _| {
            let class_weights = (0..plan.outputs()).map(|class| f64::from(class > 0)).collect();
            plan.loss = Box::new(CrossEntropy { class_weights, ..CrossEntropy::default() });
            Ok(())
        },
        ..Operator::scored(
            "first-class-ignored",
            "the loss passes over the rows of the first class",
            &["R02", "R24"],
        )
    },
];
