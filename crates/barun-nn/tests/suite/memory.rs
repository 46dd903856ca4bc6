//! What a training step takes, byte by byte. [DEV-09..DEV-12]

use std::sync::Arc;

use barun_nn::layers::*;
use barun_nn::losses::CrossEntropy;
use barun_nn::models::{Architecture, Cnn, Mlp, NormPlace};
use barun_nn::optimizers::{Adam, Momentum, Sgd, ToAny};
use barun_nn::{DType, Device, DeviceOptions, MemoryPlan, Mode, Options, Program, Shape, Step, StepOptions};

use crate::common::*;

fn step(model: Sequential, optimizer: &impl ToAny, threads: usize) -> Step<Sequential> {
    let device = Device::new(DeviceOptions { threads: Some(threads), isa: None }).unwrap();
    let engine = Options { device: Some(device), ..Options::default() };
    let options = StepOptions { engine, ..StepOptions::default() };
    Step::with(model, optimizer, &CrossEntropy::default(), options).unwrap()
}

fn program(step: &Step<Sequential>, mode: Mode, rows: usize, input: &[usize]) -> Arc<Program> {
    let x = Shape::from([&[rows], input].concat());
    step.program(mode, (&x, DType::F32), (&[rows].into(), DType::I64)).unwrap()
}

fn plan(step: &Step<Sequential>, mode: Mode, rows: usize, input: &[usize]) -> MemoryPlan {
    program(step, mode, rows, input).memory()
}

fn plain_mlp() -> Sequential {
    Mlp { hidden: vec![128, 64], ..Mlp::default() }.build(&[256].into(), 10).unwrap()
}

fn mlp() -> Sequential {
    let mlp = Mlp { hidden: vec![128, 64], batch_norm: NormPlace::BeforeActivation, ..Mlp::default() };
    mlp.build(&[256].into(), 10).unwrap()
}

fn cnn() -> Sequential {
    let cnn = Cnn { batch_norm: false, ..Cnn::default() };
    cnn.build(&[28, 28, 1].into(), 10).unwrap()
}

/// DEV-11
#[test]
fn the_parts_of_the_state_sum_to_it() {
    for (multiple, step) in [
        (2, step(mlp(), &Adam::default(), 1)),
        (1, step(mlp(), &Momentum::default(), 1)),
        (0, step(mlp(), &Sgd::default(), 1)),
    ] {
        let state = step.state_memory();
        assert_eq!(state.parameters, 4 * step.inventory().trainable());
        assert_eq!(state.optimizer, multiple * state.parameters);
        // Running mean and variance of the two normalisations; seed and step.
        assert_eq!((state.statistics, state.counters), (4 * 2 * (128 + 64), 16));
        assert_eq!(state.total(), step.init(1).unwrap().bytes().len());
    }
}

/// DEV-10: with Adam parameters, gradients and two moments, four times the parameters. The predicate of the update asks for
/// all gradients before the first is used.
#[test]
fn the_update_needs_all_gradients_at_once() {
    for (model, input) in [(plain_mlp(), &[256][..]), (cnn(), &[28, 28, 1])] {
        let step = step(model, &Adam::default(), 2);
        for rows in [8, 32] {
            let most = plan(&step, Mode::Train, rows, input).most;
            assert_eq!(most.gradients, step.state_memory().parameters, "{input:?}, {rows} rows");
        }
    }
}

/// DEV-11: what was planned is what a run has allocated; programs of other shapes and purposes share it.
#[test]
fn what_is_planned_is_what_is_allocated() {
    for threads in [1, 3] {
        let step = step(mlp(), &Adam::default(), threads);
        let mut state = step.init(1).unwrap();
        let batch = blobs(48, 256, 10, 1);
        let arenas = &step.options().engine.arenas;
        assert_eq!(arenas.bytes(), 0);
        step.run(&mut state, &batch, 0.1).unwrap();
        let plan = plan(&step, Mode::Train, 48, &[256]);
        assert_eq!(plan.threads, threads);
        assert_eq!(plan.state_bytes, state.bytes().len());
        assert_eq!(plan.feed_bytes, batch.x.bytes().len() + batch.y.bytes().len() + 8);
        assert_eq!(plan.arena_bytes + plan.scratch_bytes * threads, arenas.bytes());
        assert_eq!(plan.total() - plan.state_bytes - plan.feed_bytes - plan.constant_bytes, arenas.bytes());
        step.evaluate(&state, &batch).unwrap();
        step.run(&mut state, &blobs(16, 256, 10, 1), 0.1).unwrap();
        let all = [(Mode::Train, 48), (Mode::Eval, 48), (Mode::Train, 16)];
        let all = all.map(|(mode, rows)| self::plan(&step, mode, rows, &[256]));
        let largest = |part: fn(&MemoryPlan) -> usize| all.iter().map(part).max().unwrap();
        let needed = largest(|plan| plan.arena_bytes) + largest(|plan| plan.scratch_bytes) * threads;
        assert_eq!(needed, arenas.bytes());
    }
}

#[test]
fn the_parts_at_the_peak_fill_the_arena_but_for_gaps() {
    for (model, input) in [(mlp(), &[256][..]), (cnn(), &[28, 28, 1])] {
        let step = step(model, &Adam::default(), 2);
        for rows in [2, 8, 64] {
            let MemoryPlan { arena_bytes, peak, most, .. } = plan(&step, Mode::Train, rows, input);
            assert!(peak.total() <= arena_bytes, "{input:?}, {rows} rows");
            assert!(arena_bytes - peak.total() <= arena_bytes / 5 + 4096, "{input:?}, {rows} rows: {peak:?}");
            assert!(peak.gradients <= most.gradients && peak.saved <= most.saved);
            assert!(peak.passing <= most.passing && peak.workspace <= most.workspace);
        }
    }
}

/// DEV-10: the term that the textbook formula leaves out. Each hidden layer keeps at least its activation.
#[test]
fn what_the_backward_pass_needs_grows_with_the_batch() {
    let step = step(plain_mlp(), &Adam::default(), 1);
    let saved = |rows| plan(&step, Mode::Train, rows, &[256]).most.saved;
    let activations = |rows| 4 * rows * (128 + 64);
    for rows in [16, 32, 64] {
        assert!((activations(rows)..2 * activations(rows)).contains(&saved(rows)), "{}", saved(rows));
        assert!(saved(2 * rows) > saved(rows) * 19 / 10);
    }
}

#[test]
fn an_evaluation_saves_nothing_and_takes_less() {
    let step = step(cnn(), &Adam::default(), 1);
    let [train, evaluate] = [Mode::Train, Mode::Eval].map(|mode| plan(&step, mode, 32, &[28, 28, 1]));
    assert_eq!((evaluate.most.gradients, evaluate.most.saved), (0, 0));
    assert!(evaluate.most.passing > 0 && evaluate.arena_bytes < train.arena_bytes);
}
