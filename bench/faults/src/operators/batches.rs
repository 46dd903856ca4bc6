//! Batches and what is normalised by them.

use super::labels::keep_steps;
use super::{Operator, is_plain};
use crate::network::Stage;
use crate::plan::Plan;
use crate::rows::Answers;

/// Batch normalisation after every hidden linear layer and convolution, where there is none.
fn normalize(plan: &mut Plan) {
    if plan.network.has(|stage| matches!(stage, Stage::BatchNorm(_))) {
        return;
    }
    let stages = std::mem::take(&mut plan.network.stages);
    plan.network.stages = stages
        .into_iter()
        .flat_map(|own| match own {
            Stage::Linear(Some(_), _) | Stage::Conv(..) => vec![own, Stage::BatchNorm(0.1)],
            own => vec![own],
        })
        .collect();
}

pub(super) const ALL: &[Operator] = &[
    Operator {
        strengths: &[2.0, 3.0],
        fits: |base| is_plain(base),
        apply: |plan, rows, _| {
            normalize(plan);
            let steps = plan.epochs * plan.steps_per_epoch();
            plan.batch_size = rows as usize;
            keep_steps(plan, steps.max(400));
            Ok(())
        },
        ..Operator::tuning("batch-norm-of-two", "batches of two or three, normalised by themselves", &["R20"])
    },
    Operator {
        fits: |base| is_plain(base),
        apply: |plan, _, _| {
            plan.batch_size = plan.parts.train.len();
            Ok(())
        },
        ..Operator::tuning("one-batch", "all rows in one batch, in as many epochs", &["R23"])
    },
    Operator {
        strengths: &[1.0],
        fits: |base| !base.has_batch_norm(),
        apply: |plan, rows, _| {
            let steps = plan.epochs * plan.steps_per_epoch();
            plan.batch_size = rows as usize;
            plan.set("lr", 10.0 * plan.lr())?;
            keep_steps(plan, steps);
            Ok(())
        },
        ..Operator::tuning("single-rows", "a step for each row, at ten times the rate", &["R23", "R13"])
    },
    Operator {
        strengths: &[1e-4],
        fits: |base| is_plain(base),
        apply: |plan, momentum, _| {
            normalize(plan);
            plan.network.each(|stage| {
                if let Stage::BatchNorm(own) = stage {
                    *own = momentum;
                }
            });
            // Statistics that differ from those it begins with.
            if plan.parts.train.form == crate::rows::Form::Columns {
                plan.before_all(Stage::linear(16));
            }
            Ok(())
        },
        ..Operator::tuning("statistics-stay", "running statistics that hardly follow", &["R20"])
    },
    // Li et al., 2019, "Understanding the disharmony between dropout and batch normalization by variance shift": the variance that
    // is kept is that of what dropout has left, and in use nothing is left out.
    Operator {
        strengths: &[0.5],
        fits: |base| is_plain(base),
        apply: |plan, rate, _| {
            normalize(plan);
            let stages = std::mem::take(&mut plan.network.stages);
            plan.network.stages = stages
                .into_iter()
                .flat_map(|own| match own {
                    Stage::BatchNorm(_) => vec![Stage::Dropout(rate), own],
                    own => vec![own],
                })
                .collect();
            Ok(())
        },
        ..Operator::tuning("dropout-before-batch-norm", "dropout right before batch normalisation", &["R20"])
    },
    // Accumulation that was meant for batches of a few rows.
    Operator {
        strengths: &[64.0],
        apply: |plan, batches, _| {
            plan.options.accumulate = batches as usize;
            Ok(())
        },
        ..Operator::tuning("accumulated-for-long", "64 batches for each step, in as many epochs", &["R23"])
    },
    // A join on a key that is not unique gives the rows of one class again and again.
    Operator {
        strengths: &[30.0],
        fits: |base| !base.is_numbers(),
        apply: |plan, times, _| {
            let steps = plan.epochs * plan.steps_per_epoch();
            let of_first: Vec<usize> = match &plan.parts.train.answers {
                Answers::Classes { labels, .. } => (0..labels.len()).filter(|&at| labels[at] == 0).collect(),
                Answers::Numbers(_) => Vec::new(),
            };
            let copies = plan.parts.train.only(&of_first);
            (1..times as usize).for_each(|_| plan.parts.train.extend(&copies));
            keep_steps(plan, steps);
            Ok(())
        },
        ..Operator::scored("one-class-repeated", "the training rows of one class thirty times", &["R24"])
    },
];
