//! The learning rate, its schedule, the optimiser.

use barun_nn::optimizers::{Adadelta, AnyOptimizer, Clip, Momentum, RmsProp, Sgd};
use barun_nn::schedules::{Constant, Exponential, LinearDecay, Span, Warmup};

use super::Operator;
use crate::own::NeverZeroed;

const TOO_FAST: &[&str] = &["R13", "R21"];

pub(super) const ALL: &[Operator] = &[
    Operator {
        strengths: &[100.0, 1000.0, 1e5],
        apply: |plan, factor, _| plan.set("lr", factor * plan.lr()),
        ..Operator::tuning("rate-huge", "Adam's learning rate far too large", TOO_FAST)
    },
    Operator {
        strengths: &[3.0, 30.0],
        fits: |base| !base.has_batch_norm(),
        apply: |plan, lr, _| {
            plan.optimizer = Sgd { lr, ..Sgd::default() }.into();
            Ok(())
        },
        ..Operator::tuning("descent-too-fast", "plain descent with a rate far too large", TOO_FAST)
    },
    Operator {
        strengths: &[1e-3, 1e-7],
        apply: |plan, factor, _| plan.set("lr", factor * plan.lr()),
        ..Operator::tuning("rate-tiny", "Adam's learning rate far too small", &["R13"])
    },
    Operator {
        strengths: &[1e-5],
        apply: |plan, limit, _| {
            plan.optimizer = Sgd { lr: 0.05, ..Sgd::default() }.into();
            plan.options.clip = Some(Clip::Norm(limit));
            Ok(())
        },
        ..Operator::tuning(
            "clipped-to-nothing",
            "gradients limited to nearly 0, with plain descent",
            &["R13"],
        )
    },
    Operator {
        strengths: &[0.999],
        apply: |plan, momentum, _| {
            plan.optimizer = Momentum { lr: 0.05, momentum, ..Momentum::default() }.into();
            Ok(())
        },
        ..Operator::scored("momentum-near-one", "momentum .999", TOO_FAST)
    },
    Operator {
        strengths: &[1.0, 100.0],
        apply: |plan, eps, _| {
            plan.set("lr", 1e-4)?;
            plan.set("eps", eps)
        },
        ..Operator::tuning("adam-eps", "Adam's eps so large that steps are nothing", &["R13"])
    },
    Operator {
        strengths: &[0.5],
        apply: |plan, gamma, _| {
            plan.schedule = Box::new(Exponential { gamma, per: Span::Steps(3) });
            Ok(())
        },
        ..Operator::tuning("rate-dies", "the learning rate halves every three steps", &["R13"])
    },
    Operator {
        strengths: &[3000.0],
        apply: |plan, end, _| {
            plan.schedule = Box::new(LinearDecay { start: 1.0, end, over: Span::RUN });
            Ok(())
        },
        ..Operator::scored("rate-rises", "a schedule that goes up and not down", TOO_FAST)
    },
    Operator {
        strengths: &[1.0],
        apply: |plan, lr, _| {
            plan.optimizer = AnyOptimizer::from(RmsProp { lr, ..RmsProp::default() });
            Ok(())
        },
        ..Operator::scored("rmsprop-too-fast", "RMSProp with the rate of plain descent", TOO_FAST)
    },
    Operator {
        strengths: &[1e-6],
        apply: |plan, lr, _| {
            plan.optimizer = Sgd { lr, ..Sgd::default() }.into();
            Ok(())
        },
        ..Operator::tuning("descent-too-slow", "plain descent with a rate far too small", &["R13"])
    },
    // The 10 000 steps of Devlin et al., 2018, "BERT", kept where the run has some hundred.
    Operator {
        strengths: &[10_000.0],
        apply: |plan, steps, _| {
            plan.schedule = Box::new(Warmup::new(Span::Steps(steps as u64), Constant::default()));
            Ok(())
        },
        ..Operator::tuning("warm-up-past-the-end", "a warm-up of many times the run's steps", &["R13"])
    },
    // The third of "the most common neural net mistakes" of Karpathy, 2018; PyTorch adds to the gradients that are there.
    Operator {
        strengths: &[0.1],
        apply: |plan, lr, _| {
            plan.optimizer = NeverZeroed { lr }.into();
            Ok(())
        },
        ..Operator::scored(
            "gradients-never-zeroed",
            "plain descent along the sum of all gradients so far",
            &["R14"],
        )
    },
    // Adam(lr, (0.999, 0.9)): PyTorch takes the pair by its order, TensorFlow by names.
    Operator {
        apply: |plan, _, _| {
            plan.set("beta1", 0.999)?;
            plan.set("beta2", 0.9)
        },
        ..Operator::scored("betas-swapped", "Adam's two betas the wrong way round", &["R13", "R21", "R17"])
    },
    // Keras's Adadelta has this rate unless it is set, and the paper's is 1: https://keras.io/api/optimizers/adadelta.
    Operator {
        strengths: &[1e-3],
        apply: |plan, rate, _| {
            plan.optimizer = Adadelta::default().into();
            plan.schedule = Box::new(LinearDecay { start: rate, end: rate, over: Span::RUN });
            Ok(())
        },
        ..Operator::scored("adadelta-with-adams-rate", "Adadelta's steps, each times 0.001", &["R13"])
    },
    // scheduler.step() inside the loop over batches, of a schedule as long as the run in epochs:
    // https://runebook.dev/en/docs/pytorch/generated/torch.optim.lr_scheduler.lrscheduler.
    Operator {
        apply: |plan, _, _| {
            let over = Span::Steps(plan.epochs as u64);
            plan.schedule = Box::new(LinearDecay { start: 1.0, end: 0.0, over });
            Ok(())
        },
        ..Operator::scored(
            "schedule-counts-steps",
            "a learning rate that is 0 after as many steps as there are epochs",
            &["R13", "R14"],
        )
    },
];
