//! The learning rate, its schedule, the optimiser.

use barun_nn::WeightAverage;
use barun_nn::optimizers::{Adadelta, Adam, AnyOptimizer, Clip, Momentum, RmsProp, Sgd};
use barun_nn::schedules::{Constant, Exponential, LinearDecay, ReduceOnPlateau, Span, Warmup};

use super::Operator;
use crate::own::{BuiltAnew, NeverZeroed, RootlessAdam, WarmupUpsideDown, ZeroedBeforeStep};

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
        ..Operator::tuning(
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
    // `zero_grad()` between `backward()` and `step()`: Jiang et al., 2025, "Training with confidence: catching silent errors in
    // deep learning training" (TrainCheck).
    Operator {
        apply: |plan, _, _| {
            plan.optimizer = ZeroedBeforeStep { lr: plan.lr() }.into();
            Ok(())
        },
        ..Operator::scored(
            "zeroed-before-the-step",
            "gradients are set to 0 before the optimiser takes its step",
            &["R14", "R13"],
        )
    },
    // The number of epochs is a mutation of Humbatova et al., 2021, "DeepCrime": here the one of a first try was left.
    Operator {
        apply: |plan, _, _| {
            plan.epochs = 1;
            Ok(())
        },
        ..Operator::scored("one-epoch", "each row is seen once", &["R27"])
    },
    // `mode="max"` for a loss: each epoch whose loss falls counts as one that is no better. A wrong parameter of the training
    // process in Humbatova et al., 2020; that nothing falls by 99 % in an epoch does the same.
    Operator {
        apply: |plan, _, _| {
            plan.schedule =
                Box::new(ReduceOnPlateau { patience: 0, threshold: 0.99, ..ReduceOnPlateau::default() });
            Ok(())
        },
        ..Operator::scored(
            "plateau-the-wrong-way-round",
            "the rate falls to a tenth after each epoch that is better",
            &["R13"],
        )
    },
    // A decay that was meant for a million steps: averages of weights in Godbole et al., 2023, "Deep learning tuning playbook".
    Operator {
        strengths: &[0.9999],
        apply: |plan, decay, _| {
            plan.options.average = Some(WeightAverage::Ema { decay });
            Ok(())
        },
        ..Operator::scored(
            "averaged-over-a-million",
            "an average of the weights that is longer than the run is kept",
            &["R13", "R14"],
        )
    },
    // Adam written by hand: optimisers that are implemented wrongly in Zhang et al., 2018, "An empirical study on TensorFlow
    // program bugs", and Humbatova et al., 2020.
    Operator {
        apply: |plan, _, _| {
            plan.optimizer = RootlessAdam { lr: plan.lr() }.into();
            Ok(())
        },
        ..Operator::scored(
            "adam-without-the-root",
            "Adam that divides by the mean square and not by its root",
            TOO_FAST,
        )
    },
    // `warmup / step` for `step / warmup`: schedules in Godbole et al., 2023, "Deep learning tuning playbook".
    Operator {
        strengths: &[1000.0],
        apply: |plan, steps, _| {
            plan.schedule = Box::new(WarmupUpsideDown { steps });
            Ok(())
        },
        ..Operator::scored(
            "warm-up-upside-down",
            "a warm-up that begins at a thousand times the rate",
            TOO_FAST,
        )
    },
    // An eps of 1e-8 is 0 in half precision: divisions by zero are numerical errors in Ben Braiek & Khomh, 2023, "Testing
    // feedforward neural networks training programs".
    Operator {
        apply: |plan, _, _| {
            plan.optimizer = Adam { lr: plan.lr(), eps: 0.0, ..Adam::default() }.into();
            Ok(())
        },
        ..Operator::scored(
            "eps-rounded-to-zero",
            "Adam without anything that keeps its division finite",
            &["R08"],
        )
    },
    // The line that builds the network stands inside the loop over epochs: the training process in Humbatova et al., 2020.
    Operator {
        apply: |plan, _, _| {
            let every = plan.steps_per_epoch() as f64;
            plan.optimizer = BuiltAnew { lr: plan.lr(), every }.into();
            Ok(())
        },
        ..Operator::scored(
            "built-anew-each-epoch",
            "each epoch begins with the first weights again",
            &["R14", "R27"],
        )
    },
];
