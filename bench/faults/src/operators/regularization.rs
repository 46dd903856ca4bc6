//! What is to keep the network from learning by heart, too much of it or too little.

use barun_nn::layers::GaussianNoise;
use barun_nn::losses::CrossEntropy;
use barun_nn::optimizers::AdamW;

use super::labels::keep_steps;
use super::{Operator, is_plain};
use crate::network::Stage;
use crate::own::{ClampedAdam, DropoutInUse};
use crate::plan::Plan;

/// A stage after each activation but the last.
fn after_activations(plan: &mut Plan, stage: impl Fn() -> Stage) {
    let stages = std::mem::take(&mut plan.network.stages);
    plan.network.stages = stages
        .into_iter()
        .flat_map(|own| match own {
            Stage::Activation(_) => vec![own, stage()],
            own => vec![own],
        })
        .collect();
}

pub(super) const ALL: &[Operator] = &[
    Operator {
        strengths: &[0.95],
        fits: |base| is_plain(base),
        apply: |plan, rate, _| {
            after_activations(plan, || Stage::Dropout(rate));
            Ok(())
        },
        ..Operator::tuning("dropout-huge", "dropout of 95 %", &["R19"])
    },
    Operator {
        strengths: &[30.0],
        apply: |plan, weight_decay, _| {
            plan.optimizer = AdamW { lr: plan.lr(), weight_decay, ..AdamW::default() }.into();
            Ok(())
        },
        ..Operator::tuning("decay-huge", "weights pulled to 0 faster than they learn", &["R19"])
    },
    Operator {
        strengths: &[24.0],
        fits: |base| is_plain(base) && (base.is_image() || base.source.name() == "wine"),
        apply: |plan, rows, _| {
            plan.parts.train = plan.parts.train.only(&(0..rows as usize).collect::<Vec<_>>());
            plan.batch_size = 12;
            keep_steps(plan, 400);
            Ok(())
        },
        ..Operator::tuning("few-rows", "two dozen rows, learned for long", &["R18"])
    },
    Operator {
        strengths: &[1.0],
        apply: |plan, l1, _| {
            plan.options.penalty.l1 = l1;
            Ok(())
        },
        ..Operator::scored("l1-huge", "a penalty on weights larger than the loss", &["R19"])
    },
    Operator {
        strengths: &[1.0],
        apply: |plan, l2, _| {
            plan.options.penalty.l2 = l2;
            Ok(())
        },
        ..Operator::scored("l2-huge", "a penalty on squared weights larger than the loss", &["R19"])
    },
    Operator {
        strengths: &[0.999],
        fits: |base| !base.is_numbers() && !base.is_binary,
        apply: |plan, label_smoothing, _| {
            plan.loss = Box::new(CrossEntropy { label_smoothing, ..CrossEntropy::default() });
            Ok(())
        },
        ..Operator::scored(
            "labels-smoothed-away",
            "label smoothing that leaves nothing of the labels",
            &["R19"],
        )
    },
    Operator {
        strengths: &[3.0],
        apply: |plan, noise, _| {
            plan.options.weight_noise = noise;
            Ok(())
        },
        ..Operator::tuning("weights-noisy", "noise on the weights larger than they are", &["R19"])
    },
    Operator {
        strengths: &[200.0],
        fits: |base| is_plain(base) && !base.is_image(),
        apply: |plan, columns, random| {
            plan.parts.train =
                plan.parts.train.only(&(0..plan.parts.train.len().min(60)).collect::<Vec<_>>());
            for rows in plan.parts.all_mut() {
                (0..columns as usize).for_each(|_| rows.add_column(|_| random.normal() as f32));
            }
            plan.batch_size = 15;
            keep_steps(plan, 400);
            Ok(())
        },
        ..Operator::scored("noise-columns", "few rows with hundreds of columns that mean nothing", &["R18"])
    },
    // Srivastava et al., 2014, "Dropout", keep inputs with probability 0.8; layers take the probability of leaving out.
    Operator {
        strengths: &[0.8],
        fits: |base| is_plain(base),
        apply: |plan, rate, _| {
            plan.before_all(Stage::Dropout(rate));
            Ok(())
        },
        ..Operator::tuning("inputs-dropped", "dropout of 80 % on the inputs", &["R19", "R02"])
    },
    // Noise on the training data is a mutation of Humbatova et al., 2021, "DeepCrime"; deviations are given for inputs as they
    // were before they were scaled.
    Operator {
        strengths: &[3.0],
        fits: |base| is_plain(base),
        apply: |plan, deviation, _| {
            plan.before_all(Stage::Own(Box::new(GaussianNoise::new(deviation))));
            Ok(())
        },
        ..Operator::tuning("inputs-noisy", "noise on the inputs larger than they are", &["R19"])
    },
    // Whether the last layer gets dropout too is a question of https://stackoverflow.com/q/38125657; half of what is predicted in
    // training is then 0, and what is learned is between that and the answer.
    Operator {
        strengths: &[0.5],
        fits: |base| base.is_numbers(),
        apply: |plan, rate, _| {
            plan.after_head(Stage::Dropout(rate));
            Ok(())
        },
        ..Operator::tuning("outputs-dropped", "dropout after the last layer", &["R19", "R02"])
    },
    // The clipping of critics in Arjovsky, Chintala & Bottou, 2017, "Wasserstein GAN", taken along to another network.
    Operator {
        strengths: &[0.01],
        apply: |plan, most, _| {
            plan.optimizer = ClampedAdam { lr: plan.lr(), most }.into();
            Ok(())
        },
        ..Operator::tuning("weights-clamped", "no weight may be larger than 0.01", &["R19"])
    },
    // Repetition of data is a mutation of Ma et al., 2018, "DeepMutation", and duplicates are a check of deepchecks: the count of
    // rows looks well, and there are few.
    Operator {
        strengths: &[0.04],
        apply: |plan, share, _| {
            let count = plan.parts.train.len();
            let few = ((count as f64 * share) as usize).max(8);
            plan.parts.train = plan.parts.train.only(&(0..count).map(|at| at % few).collect::<Vec<_>>());
            Ok(())
        },
        ..Operator::scored("few-rows-repeated", "a 25th of the rows, each 25 times", &["R18"])
    },
    // Dropout that is written by hand and does not ask whether it is training: wrong use of the training mode in Jiang et al.,
    // 2025, "Training with confidence: catching silent errors in deep learning training" (TrainCheck).
    Operator {
        strengths: &[0.5],
        apply: |plan, rate, _| {
            let layer = || Stage::Own(Box::new(DropoutInUse::new(rate)));
            if plan.network.has(|stage| matches!(stage, Stage::Activation(_))) {
                after_activations(plan, layer);
            } else {
                let head = plan.network.head();
                plan.network.stages.insert(head, layer());
            }
            Ok(())
        },
        ..Operator::scored("dropout-in-use", "dropout that also drops where the network is used", &["R19"])
    },
];
