//! Changes of a training that leave it well: other optimisers, rates, batches, widths, activations, schedules.
//!
//! A healthy run is a base with one of these. Whether it was well is not believed but measured: see
//! [`score`](crate::score).

use barun_nn::Init;
use barun_nn::losses::{CrossEntropy, Huber};
use barun_nn::optimizers::{AdamW, AnyOptimizer, Momentum, NAdam, Nesterov, RmsProp, Sgd};
use barun_nn::schedules::{Constant, CosineAnnealing, Exponential, LinearDecay, OneCycle, Span, Warmup};

use crate::bases::{Base, Part};
use crate::error::Result;
use crate::network::Stage;
use crate::plan::Plan;

/// A change that leaves a training well.
pub struct Change {
    /// What it is called.
    pub name: &'static str,
    /// Which part it belongs to; none where both have it.
    pub part: Option<Part>,
    /// Which trainings it can be done to.
    pub fits: fn(&Base) -> bool,
    /// Does it.
    pub apply: fn(&mut Plan) -> Result<()>,
}

/// The name of a base as it is.
pub const AS_IT_IS: &str = "as-it-is";

const fn tuning(name: &'static str, apply: fn(&mut Plan) -> Result<()>) -> Change {
    Change { name, part: Some(Part::Tuning), fits: |_| true, apply }
}

const fn scored(name: &'static str, apply: fn(&mut Plan) -> Result<()>) -> Change {
    Change { name, part: Some(Part::Scored), fits: |_| true, apply }
}

fn optimize(plan: &mut Plan, optimizer: impl Into<AnyOptimizer>) -> Result<()> {
    plan.optimizer = optimizer.into();
    Ok(())
}

/// Every change.
pub const ALL: &[Change] = &[
    Change { name: AS_IT_IS, part: None, fits: |_| true, apply: |_| Ok(()) },
    tuning("adamw", |plan| optimize(plan, AdamW { lr: plan.lr(), weight_decay: 0.01, ..AdamW::default() })),
    tuning("momentum", |plan| optimize(plan, Momentum { lr: 0.02, momentum: 0.9, ..Momentum::default() })),
    tuning("rmsprop", |plan| optimize(plan, RmsProp { lr: plan.lr() / 3.0, ..RmsProp::default() })),
    tuning("leaky-relu", |plan| {
        plan.activate("leaky_relu");
        Ok(())
    }),
    tuning("tanh", |plan| {
        plan.activate("tanh");
        Ok(())
    }),
    tuning("twice-as-fast", |plan| plan.set("lr", 2.0 * plan.lr())),
    tuning("half-as-fast", |plan| plan.set("lr", 0.5 * plan.lr())),
    tuning("cosine", |plan| {
        plan.schedule = Box::new(CosineAnnealing::over_run());
        Ok(())
    }),
    tuning("warm-up", |plan| {
        plan.schedule = Box::new(Warmup::new(Span::Share(0.1), Constant::default()));
        Ok(())
    }),
    tuning("larger-batches", |plan| {
        plan.batch_size = 64.min(plan.parts.train.len() / 4);
        plan.epochs *= 2;
        Ok(())
    }),
    Change {
        name: "longer",
        part: Some(Part::Tuning),
        fits: |base| !base.is_convolution() && !base.is_recurrent(),
        apply: |plan| {
            plan.epochs *= 3;
            Ok(())
        },
    },
    scored("nadam", |plan| optimize(plan, NAdam { lr: plan.lr() / 2.0, ..NAdam::default() })),
    scored("nesterov", |plan| optimize(plan, Nesterov { lr: 0.02, momentum: 0.9, ..Nesterov::default() })),
    scored("descent", |plan| optimize(plan, Sgd { lr: 0.1, ..Sgd::default() })),
    scored("decayed", |plan| optimize(plan, AdamW { lr: plan.lr(), weight_decay: 0.1, ..AdamW::default() })),
    scored("gelu", |plan| {
        plan.activate("gelu");
        Ok(())
    }),
    scored("silu", |plan| {
        plan.activate("silu");
        Ok(())
    }),
    scored("elu", |plan| {
        plan.activate("elu");
        Ok(())
    }),
    scored("three-times-as-fast", |plan| plan.set("lr", 3.0 * plan.lr())),
    scored("a-third-as-fast", |plan| {
        plan.epochs *= 2;
        plan.set("lr", plan.lr() / 3.0)
    }),
    scored("one-cycle", |plan| {
        plan.schedule = Box::new(OneCycle::default());
        plan.set("lr", 2.0 * plan.lr())
    }),
    scored("line-to-nothing", |plan| {
        plan.schedule = Box::new(LinearDecay { start: 1.0, end: 0.0, over: Span::RUN });
        Ok(())
    }),
    scored("exponential", |plan| {
        plan.schedule = Box::new(Exponential { gamma: 0.9, per: Span::Epochs(1.0) });
        Ok(())
    }),
    scored("smaller-batches", |plan| {
        plan.batch_size = 16;
        Ok(())
    }),
    scored("averages-of-four", |plan| {
        plan.options.accumulate = 2;
        plan.batch_size = 16;
        Ok(())
    }),
    scored("clipped", |plan| {
        plan.options.clip = Some(barun_nn::optimizers::Clip::Norm(1.0));
        Ok(())
    }),
    scored("pytorch-first-weights", |plan| {
        let uniform = Init::LecunUniformNotes;
        plan.network.firsts().into_iter().for_each(|first| first.weight = uniform);
        Ok(())
    }),
    scored("glorot", |plan| {
        plan.network.firsts().into_iter().for_each(|first| first.weight = Init::XavierUniform);
        Ok(())
    }),
    scored("lightly-penalised", |plan| {
        plan.options.penalty.l2 = 1e-4;
        Ok(())
    }),
    Change {
        name: "smoothed-labels",
        part: Some(Part::Scored),
        fits: |base| !base.is_numbers() && !base.is_binary,
        apply: |plan| {
            plan.loss = Box::new(CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() });
            Ok(())
        },
    },
    Change {
        name: "huber",
        part: Some(Part::Scored),
        fits: |base| base.is_numbers(),
        apply: |plan| {
            plan.loss = Box::new(Huber::default());
            Ok(())
        },
    },
    Change {
        name: "layer-norm",
        part: Some(Part::Scored),
        fits: |base| !base.is_convolution() && !base.is_recurrent() && !base.is_image(),
        apply: |plan| {
            plan.network.stages.insert(1, Stage::LayerNorm);
            Ok(())
        },
    },
];

/// The change called `name`.
pub fn by_name(name: &str) -> Option<&'static Change> {
    ALL.iter().find(|change| change.name == name)
}

/// The changes of a part.
pub fn of(part: Part) -> impl Iterator<Item = &'static Change> {
    ALL.iter().filter(move |change| change.part.is_none_or(|own| own == part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn changes_have_names_of_their_own() {
        let names: BTreeSet<&str> = ALL.iter().map(|change| change.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
