//! Watched steps: the same bits, and a record that says what was there. [DIAG-01, DIAG-03, DIAG-07, ACT-12, ACT-15]

use std::ops::ControlFlow;

use barun_nn::layers::*;
use barun_nn::losses::{CrossEntropy, Mse};
use barun_nn::models::{Architecture, Mlp, NormPlace};
use barun_nn::optimizers::{AdamW, Clip, Sgd};
use barun_nn::{
    ActivationRecord, Batch, Buffer, Column, DType, Device, DeviceOptions, Forward, Id, Init, Module,
    NonFinite, Options, Pass, Result, Step, StepOptions, Tensor, TensorTable, Visitor, Way, WeightAverage,
    break_if_not_finite, sequential,
};

use crate::common::*;

fn batch(shape: &[usize], classes: usize, seed: u64) -> Batch {
    let mut stream = barun_engine::random::Stream::new(seed, "batch");
    let x: Vec<f32> = (0..shape.iter().product()).map(|_| stream.normal() as f32).collect();
    let y: Vec<i64> = (0..shape[0]).map(|_| stream.below(classes as u64) as i64).collect();
    Batch { x: Buffer::new(&x, shape), y: Buffer::new(&y, [shape[0]]) }
}

/// Networks of every kind, with the shape of a batch and the number of classes.
fn networks() -> Vec<(&'static str, Sequential, &'static [usize], usize)> {
    let dense =
        Mlp { batch_norm: NormPlace::BeforeActivation, dropout: 0.3, hidden: vec![64, 48], ..Mlp::default() };
    let convolutional = sequential![
        Conv2d { padding: [1, 1], ..Conv2d::new(2, 8, 3) },
        BatchNorm::new(8),
        Relu::default(),
        MaxPool2d::new(2),
        Residual::new(sequential![Conv2d { padding: [1, 1], ..Conv2d::new(8, 8, 3) }, Tanh::default()]),
        Flatten::default(),
        Dropout::new(0.2),
        Linear::new(8 * 36, 5),
    ];
    let recurrent = sequential![
        Lstm { returns: Returns::Sequence, ..Lstm::new(3, 16) },
        Gru::new(16, 12),
        Sigmoid::default(),
        Linear::new(12, 3)
    ];
    let transformer = sequential![
        Linear::new(4, 16),
        PositionEmbedding::new(6, 16),
        Residual::new(sequential![LayerNorm::new(16), MultiHeadAttention::new(16, 2)]),
        SequenceMean::default(),
        HardSwish::default(),
        Linear::new(16, 4)
    ];
    vec![
        ("dense", dense.build(&[20].into(), 4).unwrap(), &[300, 20], 4),
        ("convolutional", convolutional, &[96, 12, 12, 2], 5),
        ("recurrent", recurrent, &[40, 7, 3], 3),
        ("transformer", transformer, &[50, 6, 4], 4),
    ]
}

fn on_threads(threads: usize) -> Options {
    let device = Device::new(DeviceOptions { threads: Some(threads), ..DeviceOptions::default() });
    Options { device: Some(device.unwrap()), ..Options::default() }
}

/// Everything beside the step that an update may have.
fn with_everything(precision: DType) -> StepOptions {
    StepOptions {
        precision,
        clip: Some(Clip::Norm(0.5)),
        accumulate: 2,
        average: Some(WeightAverage::Ema { decay: 0.9 }),
        weight_noise: 0.01,
        penalty: barun_nn::regularization::Penalty { l1: 1e-4, ..Default::default() },
        ..StepOptions::default()
    }
}

#[test]
fn a_watched_step_is_the_same_step_bit_for_bit() {
    for (name, model, shape, classes) in networks() {
        for (precision, plain) in [(DType::F32, true), (DType::F32, false), (DType::BF16, false)] {
            let mut ends = Vec::new();
            for threads in [1, 2, 3] {
                let options = if plain { StepOptions::default() } else { with_everything(precision) };
                let options = StepOptions { engine: on_threads(threads), precision, ..options };
                let step = Step::with(&model, &AdamW::default(), &CrossEntropy::default(), options).unwrap();
                let (mut state, mut watched) = (step.init(3).unwrap(), step.init(3).unwrap());
                let mut told = String::new();
                for seed in 0..4 {
                    let batch = batch(shape, classes, seed);
                    let ran = step.run(&mut state, &batch, 0.01).unwrap();
                    let (also, record) = step.run_watched(&mut watched, &batch, 0.01).unwrap();
                    assert!(ran.applied, "{name}");
                    assert_eq!(format!("{ran:?}"), format!("{also:?}"), "{name}, {precision}, {threads}");
                    assert_eq!(state.bytes(), watched.bytes(), "{name}, {precision}, {threads}, {seed}");
                    told = format!("{record:?}");
                    assert!(!told.contains("NaN"), "{told}");
                }
                ends.push((state.bytes().to_vec(), told));
            }
            assert!(ends.iter().all(|end| *end == ends[0]), "{name}, {precision}: threads make a difference");
        }
    }
}

#[test]
fn the_record_says_what_looking_at_everything_says() {
    for (name, model, shape, classes) in networks() {
        let step = Step::compile(&model, &AdamW::default(), &CrossEntropy::default()).unwrap();
        let mut state = step.init(3).unwrap();
        let batch = batch(shape, classes, 1);
        let before = state.clone();
        let seen = step.watch(&state, &batch, None).unwrap();
        let gradients = step.gradients(&state, &batch).unwrap();
        let (_, record) = step.run_watched(&mut state, &batch, 0.01).unwrap();

        let rms = |values: &[f64]| (values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64).sqrt();
        assert_eq!(record.parameters.len(), gradients.len(), "{name}");
        for (parameter, (path, gradient)) in record.parameters.iter().zip(&gradients) {
            let [old, new] = [&before, &state].map(|state| state.get(path).unwrap().to_f64());
            let change: Vec<f64> = old.iter().zip(&new).map(|(old, new)| new - old).collect();
            let gradient = gradient.to_f64();
            let absolute: Vec<f64> = gradient.iter().map(|x| x.abs()).collect();
            let expected = [rms(&old), rms(&gradient), mean(&absolute), rms(&change)];
            let told = [
                parameter.weight_rms,
                parameter.gradient_rms,
                parameter.gradient_mean_abs,
                parameter.update_rms,
            ];
            assert_eq!((&parameter.path, parameter.count), (path, old.len()), "{name}");
            for (told, expected) in told.iter().zip(expected) {
                assert!((told - expected).abs() <= 2e-5 * expected, "{name} {path}: {told}, {expected}");
            }
        }
        for call in &record.activations {
            let (_, output) = seen.iter().find(|(path, _)| *path == call.path).unwrap();
            check_call(name, call, &output.to_f64(), *output.shape().last().unwrap());
        }
        let rearranged = record.activations.iter().any(|call| call.kind == "Flatten");
        assert!(!rearranged, "{name}: what only moves numbers is left out");
    }
}

fn check_call(name: &str, call: &ActivationRecord, values: &[f64], units: usize) {
    let of_unit = |unit: usize| values.iter().skip(unit).step_by(units).fold(0.0f64, |a, b| a.max(b.abs()));
    let largest: Vec<f64> = (0..units).map(of_unit).collect();
    let told = [call.mean, call.std, call.max_abs];
    let expected = [mean(values), variance(values).sqrt(), largest.iter().fold(0.0f64, |a, b| a.max(*b))];
    assert_close(&told, &expected, 1e-5, &format!("{name} {}", call.path));
    let zeros = values.iter().filter(|x| **x == 0.0).count() as f64 / values.len() as f64;
    let is_counted =
        matches!(call.kind.as_str(), "Relu" | "HardSwish" | "Dropout" | "MaxPool2d" | "AvgPool2d");
    let zeros = if is_counted { zeros } else { 0.0 };
    assert!((call.zeros - zeros).abs() < 1e-12, "{name} {}: {} {zeros}", call.path, call.zeros);
    match call.kind.as_str() {
        "Relu" | "HardSwish" => {
            let told: Vec<f64> = call.unit_max_abs.iter().map(|x| f64::from(*x)).collect();
            assert_eq!(told, largest, "{name} {}", call.path);
        }
        _ => assert!(call.unit_max_abs.is_empty(), "{name} {}", call.path),
    }
    let flat =
        |is: &dyn Fn(f64) -> bool| values.iter().filter(|x| is(**x)).count() as f64 / values.len() as f64;
    let saturated = match call.kind.as_str() {
        "Tanh" => Some(flat(&|x| x.abs() > 0.99)),
        "Sigmoid" => Some(flat(&|x| !(0.0067..=1.0 - 0.0067).contains(&x))),
        _ => None,
    };
    assert_eq!(call.saturated.is_some(), saturated.is_some(), "{name} {}", call.path);
    let distance = call.saturated.unwrap_or(0.0) - saturated.unwrap_or(0.0);
    assert!(distance.abs() < 1e-12, "{name} {}", call.path);
}

#[test]
fn act_15_dead_units_saturated_ones_and_what_no_gradient_reaches_are_seen() {
    let dead = Linear { bias_init: Init::Constant(-100.0), ..Linear::new(4, 6) };
    let wide = Linear { init: Init::Normal(50.0), ..Linear::new(6, 5) };
    let model = sequential![
        dead,
        Relu::default(),
        Linear::new(6, 6),
        Relu::default(),
        wide,
        Tanh::default(),
        Linear::new(5, 2)
    ];
    let options = StepOptions { frozen: vec!["6".into()], ..StepOptions::default() };
    let step = Step::with(&model, &Sgd::default(), &CrossEntropy::default(), options).unwrap();
    let (_, record) = step.run_watched(&mut step.init(1).unwrap(), &batch(&[64, 4], 2, 1), 0.1).unwrap();
    let call = |path: &str| record.activations.iter().find(|call| call.path == path).unwrap();
    assert_eq!((&call("1").unit_max_abs, call("1").zeros), (&vec![0.0; 6], 1.0));
    assert_eq!(call("5").kind, "Tanh");
    let parameter = |path: &str| record.parameters.iter().find(|parameter| parameter.path == path);
    let first = parameter("0.weight").unwrap();
    assert_eq!((first.gradient_rms, first.gradient_mean_abs, first.update_rms), (0.0, 0.0, 0.0));
    assert!(first.weight_rms > 0.0);
    assert!(parameter("6.weight").is_none(), "a frozen parameter is left out");
}

#[test]
fn a_step_that_is_not_taken_is_told_as_it_was() {
    let step =
        Step::compile(sequential![Linear::new(2, 2)], &Sgd::default(), &CrossEntropy::default()).unwrap();
    let mut state = step.init(1).unwrap();
    let mut bad = xor();
    bad.x.as_mut_slice::<f32>().unwrap()[3] = f32::NAN;
    let (output, record) = step.run_watched(&mut state, &bad, 0.1).unwrap();
    assert!(!output.applied);
    let weight = &record.parameters[0];
    assert!(
        weight.gradient_rms.is_nan() && weight.update_rms == 0.0 && weight.weight_rms > 0.0,
        "{weight:?}"
    );
    assert!(record.activations[0].max_abs.is_nan() && record.activations[0].mean.is_nan(), "{record:?}");
}

/// The logarithm of what comes in, as a layer of a user's own.
#[derive(Clone, Debug)]
struct Logarithm {
    id: Id,
}

impl Module for Logarithm {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
    }
}

impl Forward for Logarithm {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "Logarithm", |_| Ok(x.ln()))
    }
}

/// `sqrt(x^2)`, which is finite at 0, unlike its gradient.
#[derive(Clone, Debug)]
struct Root {
    id: Id,
}

impl Module for Root {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
    }
}

impl Forward for Root {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "Root", |_| Ok(x.square().sqrt()))
    }
}

fn located(model: Sequential, change: impl Fn(&mut barun_nn::State), batch: &Batch) -> Option<NonFinite> {
    let step = Step::compile(model, &Sgd::default(), &Mse::default()).unwrap();
    let mut state = step.init(1).unwrap();
    change(&mut state);
    let before = state.bytes().to_vec();
    let found = step.locate(&state, batch).unwrap();
    assert_eq!(state.bytes(), before, "looking changes nothing");
    assert_eq!(step.run(&mut state, batch, 0.1).unwrap().applied, found.is_none());
    found
}

fn numbers(x: &[f32]) -> Batch {
    Batch {
        x: Buffer::new(x, [x.len() / 2, 2]),
        y: Buffer::new(&vec![1.0f32; x.len() / 2], [x.len() / 2, 1]),
    }
}

#[test]
fn diag_14_an_injected_nan_is_located_wherever_it_is() {
    let fine = numbers(&[1.0, 2.0, 3.0, 4.0]);
    let model = || sequential![Linear::new(2, 3), Tanh::default(), Linear::new(3, 1)];
    assert_eq!(located(model(), |_| {}, &fine), None);

    let bad_input = numbers(&[1.0, 2.0, 3.0, f32::INFINITY]);
    let found = located(model(), |_| {}, &bad_input).unwrap();
    assert_eq!(found, NonFinite::Batch { name: "inputs", row: 1, value: f64::INFINITY });

    let mut bad_target = fine.clone();
    bad_target.y.as_mut_slice::<f32>().unwrap()[0] = f32::NAN;
    assert!(
        located(model(), |_| {}, &bad_target)
            .unwrap()
            .to_string()
            .contains("targets of the batch hold NaN in row 0")
    );

    let poison = |state: &mut barun_nn::State| {
        state.set("2.weight", &Buffer::new(&[0.5f32, f32::NAN, 1.0], [3, 1])).unwrap();
    };
    let found = located(model(), poison, &fine).unwrap();
    assert_eq!((found.path(), found.to_string().contains("was NaN at element 1")), (Some("2.weight"), true));

    let logarithm =
        sequential![Linear::new(2, 3), Relu::default(), Logarithm { id: Id::new() }, Linear::new(3, 1)];
    let negative = |state: &mut barun_nn::State| {
        state.set("0.weight", &Buffer::new(&[1.0f32, -1.0, 1.0, 1.0, -1.0, 1.0], [2, 3])).unwrap();
    };
    let found = located(logarithm, negative, &fine).unwrap();
    let NonFinite::Operation(operation) = &found else { panic!("{found}") };
    assert_eq!(
        (operation.op.as_str(), operation.value, operation.in_gradient),
        ("ln", f64::NEG_INFINITY, false)
    );
    assert!(found.path() == Some("2") && operation.location.contains("watching.rs:"), "{found}");

    let root = sequential![Linear::new(2, 3), Root { id: Id::new() }, Linear::new(3, 1)];
    let nothing = |state: &mut barun_nn::State| {
        state.set("0.weight", &Buffer::new(&[0.0f32; 6], [2, 3])).unwrap();
    };
    let found = located(root, nothing, &fine).unwrap();
    let NonFinite::Operation(operation) = &found else { panic!("{found}") };
    assert!(operation.in_gradient && operation.op == "div", "{found}");
    assert!(found.path() == Some("1") && operation.location.contains("watching.rs:"), "{found}");

    let huge = |state: &mut barun_nn::State| {
        state.set("2.weight", &Buffer::new(&[1e19f32, 1e19, 1e19], [3, 1])).unwrap();
    };
    let identity = sequential![Linear::new(2, 3), Identity::default(), Linear::new(3, 1)];
    let found = located(identity, huge, &numbers(&[0.01, 0.0])).unwrap();
    assert!(!matches!(found, NonFinite::Batch { .. } | NonFinite::Parameter { .. }), "{found}");
}

#[test]
fn a_mask_of_infinities_is_not_blamed_for_a_nan_behind_it() {
    let attention = MultiHeadAttention { causal: true, ..MultiHeadAttention::new(4, 2) };
    let model =
        sequential![attention, SequenceMean::default(), Logarithm { id: Id::new() }, Linear::new(4, 2)];
    let step = Step::compile(model, &Sgd::default(), &CrossEntropy::default()).unwrap();
    let found = step.locate(&step.init(1).unwrap(), &batch(&[3, 5, 4], 2, 1)).unwrap().unwrap();
    assert_eq!(found.path(), Some("2"), "{found}");
}

#[test]
fn what_a_recurrent_layer_makes_is_located_there() {
    let model =
        sequential![Rnn { activation: Box::new(Identity::default()), ..Rnn::new(1, 2) }, Linear::new(2, 1)];
    let grow = |state: &mut barun_nn::State| {
        let name = state.layout().slots().iter().find(|slot| *slot.shape == [2, 2]).unwrap().name.clone();
        state.set(&name, &Buffer::new(&[1e30f32, 0.0, 0.0, 1e30], [2, 2])).unwrap();
    };
    let batch = Batch { x: Buffer::new(&[1.0f32; 6], [1, 6, 1]), y: Buffer::new(&[1.0f32], [1, 1]) };
    let found = located(model, grow, &batch).unwrap();
    assert_eq!(found.path(), Some("0"), "{found}");
}

#[test]
fn a_step_of_an_unknown_model_shares_the_programs_and_takes_the_same_steps() {
    let step =
        Step::compile(sequential![Linear::new(2, 2)], &Sgd::default(), &CrossEntropy::default()).unwrap();
    let erased = step.erased();
    let (mut state, mut also) = (step.init(1).unwrap(), erased.init(1).unwrap());
    step.run(&mut state, &xor(), 0.1).unwrap();
    erased.run(&mut also, &xor(), 0.1).unwrap();
    assert_eq!(state.bytes(), also.bytes());
    let program = |mode| {
        let (x, y) = (xor().x, xor().y);
        let [one, other] = [
            step.program(mode, (x.shape(), x.dtype()), (y.shape(), y.dtype())).unwrap(),
            erased.program(mode, (x.shape(), x.dtype()), (y.shape(), y.dtype())).unwrap(),
        ];
        std::sync::Arc::ptr_eq(&one, &other)
    };
    assert!(program(barun_nn::Mode::Train) && program(barun_nn::Mode::Eval));
}

#[test]
fn diag_08_a_hook_sees_every_value_both_ways_and_can_break() {
    let model = sequential![Linear::new(4, 6), Tanh::default(), Linear::new(6, 2)];
    let step = Step::compile(&model, &Sgd::default(), &CrossEntropy::default()).unwrap();
    let mut state = step.init(1).unwrap();
    let batch = batch(&[5, 4], 2, 1);
    let mut seen = Vec::new();
    step.visit(&state, &batch, |passing| {
        seen.push((passing.way, passing.name.to_string(), passing.value.shape().to_vec()));
        ControlFlow::<()>::Continue(())
    })
    .unwrap();
    let expected: [(Way, &str, &[usize]); 10] = [
        (Way::Forward, "0", &[5, 6]),
        (Way::Forward, "1", &[5, 6]),
        (Way::Forward, "2", &[5, 2]),
        (Way::Backward, "2", &[5, 2]),
        (Way::Backward, "1", &[5, 6]),
        (Way::Backward, "0", &[5, 6]),
        (Way::Backward, "0.weight", &[4, 6]),
        (Way::Backward, "0.bias", &[6]),
        (Way::Backward, "2.weight", &[6, 2]),
        (Way::Backward, "2.bias", &[2]),
    ];
    assert_eq!(seen, expected.map(|(way, name, shape)| (way, name.to_string(), shape.to_vec())));

    // The gradient of a bias is that of what its layer gave, summed over the rows.
    let value = |wanted: &str| {
        let found = step.visit(&state, &batch, |passing| match (passing.way, passing.name == wanted) {
            (Way::Backward, true) => ControlFlow::Break(passing.value.to_f64()),
            _ => ControlFlow::Continue(()),
        });
        found.unwrap().unwrap()
    };
    let sums: Vec<f64> = (0..6).map(|unit| value("0").iter().skip(unit).step_by(6).sum()).collect();
    assert_close(&sums, &value("0.bias"), 1e-5, "gradient of the first bias");

    assert_eq!(step.visit(&state, &batch, break_if_not_finite).unwrap(), None);
    let mut weights = state.get("2.weight").unwrap();
    weights.as_mut_slice::<f32>().unwrap()[0] = f32::NAN;
    state.set("2.weight", &weights).unwrap();
    let broken = step.visit(&state, &batch, break_if_not_finite).unwrap();
    assert_eq!(broken, Some((Way::Forward, "2".to_string())));
}

#[test]
fn diag_09_the_state_and_what_is_watched_can_be_seen_as_tables() {
    let model = sequential![Linear::new(2, 8), BatchNorm::new(8), Linear::new(8, 2)];
    let step = Step::compile(&model, &AdamW::default(), &CrossEntropy::default()).unwrap();
    let state = step.init(1).unwrap();
    let table = TensorTable::of_state(&state);
    assert_eq!(table.rows.len(), state.layout().slots().len());
    assert_eq!((table.rows[0].name.as_str(), table.rows[0].dtype), ("0.weight", DType::F32));
    let variance = table.rows.iter().find(|row| row.name == "1.running_var").unwrap();
    assert_eq!((variance.min, variance.max, variance.std), (1.0, 1.0, 0.0));
    let seen = step.watch(&state, &xor(), None).unwrap();
    let seen =
        TensorTable::of(seen.iter().map(|(name, value)| (name.as_str(), value))).sorted_by(Column::Size);
    assert_eq!(seen.rows[0].shape.elements(), 32);
    assert!(seen.to_string().starts_with("name"));
}
