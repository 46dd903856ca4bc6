//! Everything that is known by name is tried: it is described by formula and source, builds, runs forward and backward with
//! the right gradient, trains, and is the same after it was saved and loaded. A new name is tried without a line here.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use barun_engine::random::Stream;
use barun_nn::gradcheck::{gradcheck, gradcheck_directions};
use barun_nn::hyper::Value;
use barun_nn::layers::{self, Linear, Sequential, Tanh};
use barun_nn::losses::{self, Loss, Mse, Task};
use barun_nn::optimizers::{self, Sgd, ToAny};
use barun_nn::registry::{Family, Item, catalog};
use barun_nn::schedules::{self, Moment};
use barun_nn::{
    Batch, Buffer, DType, Device, DeviceOptions, Hyper, Init, Layer, Mode, Options, Pass, Shape, State, Step,
    StepOptions, Tensor, activations, fresh_state, models, sequential,
};
use barun_train::checkpoint::{Checkpoint, tensors_of, write_into};

/// Directions along which each gradient is compared with a difference.
const DIRECTIONS: usize = 8;
const BOTH: &[Mode] = &[Mode::Train, Mode::Eval];
/// Relative to the gradient's norm.
const TOLERANCE: f64 = 1e-5;

fn numbers(shape: &[usize], seed: u64) -> Vec<f64> {
    let mut stream = Stream::new(seed, "registry");
    (0..shape.iter().product()).map(|_| stream.normal()).collect()
}

fn of_type(values: &[f64], shape: &[usize], dtype: DType) -> Buffer {
    match dtype {
        DType::F32 => Buffer::new(&values.iter().map(|x| *x as f32).collect::<Vec<_>>(), shape),
        _ => Buffer::new(values, shape),
    }
}

/// What a network is tried on.
struct Trial {
    /// With the batch.
    input: Vec<usize>,
    /// For one that looks things up: their number.
    things: Option<usize>,
}

impl Trial {
    fn of(row: &[usize], things: Option<usize>) -> Trial {
        Trial { input: [&[3], row].concat(), things }
    }

    fn input(&self, dtype: DType) -> Buffer {
        match self.things {
            Some(things) => {
                let count: usize = self.input.iter().product();
                let numbers: Vec<i64> = (0..count).map(|at| (at * 7 % things) as i64).collect();
                Buffer::new(&numbers, &self.input[..])
            }
            None => of_type(&numbers(&self.input, 1), &self.input, dtype),
        }
    }

    /// The shape of what the network gives.
    fn output(&self, network: &dyn Layer, mode: Mode) -> Shape {
        let state = fresh_state(network, 1, DType::F64).unwrap();
        let mut pass = Pass::by_run(network, &state, mode).unwrap();
        let output = network.forward(&Tensor::new(self.input(DType::F64)), &mut pass).unwrap();
        output.shape().unwrap().clone()
    }

    fn run(&self, name: &str, network: Box<dyn Layer>, modes: &[Mode]) {
        for &mode in modes {
            let shape = self.output(&*network, mode);
            let target = of_type(&numbers(&shape, 2), &shape, DType::F64);
            let batch = Batch { x: self.input(DType::F64), y: target };
            let found =
                gradcheck_directions(&*network, &Mse::default(), &batch, mode, 1, DIRECTIONS).unwrap();
            for check in found {
                assert!(check.relative_error() < TOLERANCE, "{name}, {mode:?}: {check:?}");
            }
        }
        let shape = self.output(&*network, Mode::Eval);
        let batch = Batch { x: self.input(DType::F32), y: of_type(&numbers(&shape, 2), &shape, DType::F32) };
        let step = Step::with(network, &Sgd::default(), &Mse::default(), two_threads()).unwrap();
        let mut state = step.init(1).unwrap();
        assert!(step.run(&mut state, &batch, 1e-3).unwrap().applied, "{name}");
        let loaded = saved_and_loaded(&state);
        let answers = [&state, &loaded].map(|state| step.predict(state, &batch.x).unwrap().to_f64());
        assert!(answers[0].iter().all(|answer| answer.is_finite()), "{name}");
        assert_eq!(answers[0], answers[1], "{name}");
    }
}

/// What people train on at least, whatever machine this is.
fn two_threads() -> StepOptions {
    static DEVICE: LazyLock<Device> = LazyLock::new(|| {
        Device::new(DeviceOptions { threads: Some(2), ..DeviceOptions::default() }).unwrap()
    });
    let engine = Options { device: Some(DEVICE.clone()), ..Options::default() };
    StepOptions { engine, ..StepOptions::default() }
}

fn saved_and_loaded(state: &State) -> State {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    Checkpoint { tensors: tensors_of(state), metadata: BTreeMap::new() }.write(&path).unwrap();
    let mut loaded = State::zeros(state.layout());
    write_into(&mut loaded, &Checkpoint::read(Path::new(&path)).unwrap(), &path).unwrap();
    loaded
}

fn items(family: Family) -> Vec<Item> {
    catalog().into_iter().filter(|item| item.family == family).collect()
}

#[test]
fn every_name_is_described_by_a_formula_and_where_it_is_from() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lacking = Vec::new();
    for item in catalog() {
        *counts.entry(item.family.name()).or_default() += 1;
        let year = |word: &str| {
            let digits: String = word.chars().filter(char::is_ascii_digit).collect();
            digits.len() == 4 && (1700..2030).contains(&digits.parse::<usize>().unwrap_or(0))
        };
        // In a block of its own, or in a line, as a rule of one symbol is.
        if !item.doc.contains("```") && item.doc.matches('`').count() < 2 {
            lacking.push(format!("{} {}: a formula", item.family.name(), item.name));
        }
        // What has no paper is compared with what everybody knows.
        if !item.doc.split_whitespace().any(year) && !item.doc.contains("PyTorch") {
            lacking.push(format!("{} {}: a source", item.family.name(), item.name));
        }
    }
    for (family, count) in &counts {
        println!("{family}: {count}");
    }
    println!("{} names in all", counts.values().sum::<usize>());
    assert!(lacking.is_empty(), "{lacking:#?}");
}

#[test]
fn every_layer_and_activation_runs_both_ways_and_is_saved() {
    for example in layers::examples() {
        let name = example.layer.name();
        Trial::of(&example.input, example.things).run(name, example.layer.clone_box(), BOTH);
    }
    for activation in activations::all() {
        Trial::of(&[5], None).run(activation.name(), Layer::clone_box(&*activation), BOTH);
    }
}

#[test]
fn every_network_runs_both_ways_and_is_saved() {
    for mut model in models::all() {
        // The residual networks narrow, which changes nothing of how they are built, and takes seconds instead of minutes.
        // Those that have no such size stay as they are.
        let _ = model.set("width", &Value::Whole(16));
        let image: &[usize] = &[16, 16, 1];
        // Those for tables refuse images.
        let (input, network) = match model.build(&image.into(), 4) {
            Ok(network) => (image, network),
            Err(_) => (&[6][..], model.build(&[6].into(), 4).unwrap()),
        };
        // In eval mode the first running statistics let signals fade in deep networks, until every ReLU is near its kink and
        // a difference says nothing; of each layer that mode is tried above.
        Trial::of(input, None).run(model.name(), Box::new(network), &[Mode::Train]);
    }
}

#[test]
fn every_loss_has_the_right_gradient() {
    for loss in losses::all() {
        let rows = |seed: u64| {
            let logits = numbers(&[4, 3], seed);
            let probabilities = logits.chunks(3).flat_map(|row| {
                let sum: f64 = row.iter().map(|x| x.exp()).sum();
                row.iter().map(|x| x.exp() / sum).collect::<Vec<_>>()
            });
            Buffer::new(&probabilities.collect::<Vec<_>>(), [4, 3])
        };
        let target = match loss.task() {
            Task::Similarity => Buffer::new(&[0i64, 1, 0, 1], [4]),
            _ => rows(2),
        };
        let report = gradcheck(|p| loss.loss(&p[0], &Tensor::new(target)), &[rows(1)]).unwrap();
        assert!(report.passes(TOLERANCE), "{}\n{report}", barun_nn::Hyper::name(&loss));
    }
}

#[test]
fn every_optimizer_goes_on_after_loading_with_the_same_bits() {
    let model: Sequential = sequential![Linear::new(4, 6), Tanh::default(), Linear::new(6, 2)];
    let shape = [8, 4];
    let batch = Batch {
        x: of_type(&numbers(&shape, 3), &shape, DType::F32),
        y: of_type(&numbers(&[8, 2], 4), &[8, 2], DType::F32),
    };
    for optimizer in optimizers::all() {
        let step = Step::compile(&model, &optimizer.to_any(), &Mse::default()).unwrap();
        let mut state = step.init(1).unwrap();
        let first = step.evaluate(&state, &batch).unwrap().loss;
        for _ in 0..5 {
            step.run(&mut state, &batch, optimizer.lr()).unwrap();
        }
        let mut loaded = saved_and_loaded(&state);
        for state in [&mut state, &mut loaded] {
            step.run(state, &batch, optimizer.lr()).unwrap();
        }
        assert!(state.bytes() == loaded.bytes(), "{}", Hyper::name(&optimizer));
        let loss = step.evaluate(&state, &batch).unwrap().loss;
        assert!(loss < first, "{}: {loss} after {first}", Hyper::name(&optimizer));
    }
}

#[test]
fn every_schedule_gives_a_rate_at_every_step_and_the_same_again() {
    let losses = [1.0, 0.9, 0.95, 0.95];
    for schedule in schedules::all() {
        for step in 0..=40 {
            let moment =
                Moment { step, total: 40, steps_per_epoch: 10, losses: &losses[..(step / 10) as usize] };
            let rate = schedule.lr(0.1, &moment);
            assert!((0.0..=0.1 + 1e-12).contains(&rate), "{} at {step}: {rate}", schedule.name());
            assert_eq!(rate, schedule.lr(0.1, &moment));
        }
    }
}

#[test]
fn every_initializer_draws_finite_weights_of_its_deviation() {
    assert_eq!(items(Family::Initializer).len(), Init::ALL.len());
    for &init in Init::ALL {
        let layer = Linear { init, ..Linear::new(200, 100) };
        let weights = fresh_state(&layer, 1, DType::F64).unwrap().get("weight").unwrap().to_f64();
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let deviation =
            (weights.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / weights.len() as f64).sqrt();
        let resolved = if init == Init::Auto { Init::LecunNormal } else { init };
        let expected = resolved.std(barun_nn::Fans { fan_in: 200, fan_out: 100 });
        // Of 20,000 draws the deviation is known to half a percent.
        assert!((deviation - expected).abs() <= 0.02 * expected + 1e-12, "{init}: {deviation}, {expected}");
    }
}
