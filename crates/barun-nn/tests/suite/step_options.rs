//! Groups, accumulation, averages: what a step can do beside the plain update. [OPT, TRAIN]

use barun_nn::hyper::{HyperValue, Value};
use barun_nn::layers::*;
use barun_nn::losses::{CrossEntropy, Mse};
use barun_nn::optimizers::*;
use barun_nn::{
    Batch, Buffer, DType, Group, InputTransform, Role, Select, State, Step, StepOptions, WeightAverage,
    averaged, sequential,
};

use crate::common::*;

fn in_f64() -> StepOptions {
    StepOptions { precision: DType::F64, ..StepOptions::default() }
}

/// `rows` rows of a line to fit.
fn line(rows: usize, seed: u64) -> Batch {
    let mut stream = barun_engine::random::Stream::new(seed, "line");
    let x: Vec<f64> = (0..3 * rows).map(|_| stream.normal()).collect();
    let y: Vec<f64> = x.chunks(3).map(|row| row[0] - 2.0 * row[1] + 0.5 * row[2] + 0.3).collect();
    Batch { x: f64s(&x, [rows, 3]), y: f64s(&y, [rows, 1]) }
}

fn part(batch: &Batch, from: usize, to: usize) -> Batch {
    let cut =
        |buffer: &Buffer, width: usize| f64s(&buffer.to_f64()[from * width..to * width], [to - from, width]);
    Batch { x: cut(&batch.x, 3), y: cut(&batch.y, 1) }
}

fn values(state: &State, path: &str) -> Vec<f64> {
    state.get(path).unwrap().to_f64()
}

#[test]
fn four_accumulated_batches_make_the_update_of_one_four_times_as_large() {
    let model = sequential![Linear::new(3, 5), Tanh::default(), Linear::new(5, 1)];
    for optimizer in [Adam::default().to_any(), Momentum::default().to_any()] {
        let clip = Some(Clip::Norm(0.5));
        let whole =
            Step::with(&model, &optimizer, &Mse::default(), StepOptions { clip, ..in_f64() }).unwrap();
        let options = StepOptions { accumulate: 4, clip, ..in_f64() };
        let parts = Step::with(&model, &optimizer, &Mse::default(), options).unwrap();
        let (mut a, mut b) = (whole.init(1).unwrap(), parts.init(1).unwrap());
        for update in 0..3 {
            let batch = line(16, update);
            whole.run(&mut a, &batch, 0.05).unwrap();
            for quarter in 0..4 {
                let before = values(&b, "0.weight");
                parts.run(&mut b, &part(&batch, 4 * quarter, 4 * quarter + 4), 0.05).unwrap();
                assert_eq!(values(&b, "0.weight") == before, quarter < 3, "only the last batch updates");
            }
            for path in ["0.weight", "0.bias", "2.weight"] {
                assert_close(&values(&b, path), &values(&a, path), 1e-12, path);
            }
        }
    }
}

#[test]
fn a_batch_that_is_not_finite_does_not_count_towards_the_update() {
    let options = StepOptions { accumulate: 2, ..in_f64() };
    let step = Step::with(Linear::new(3, 1), &Sgd::default(), &Mse::default(), options).unwrap();
    let (mut with, mut without) = (step.init(1).unwrap(), step.init(1).unwrap());
    let (first, second) = (line(4, 1), line(4, 2));
    let bad = Batch { y: f64s(&[f64::NAN; 4], [4, 1]), ..first.clone() };
    step.run(&mut with, &first, 0.1).unwrap();
    assert!(!step.run(&mut with, &bad, 0.1).unwrap().applied);
    step.run(&mut with, &second, 0.1).unwrap();
    for batch in [&first, &second] {
        step.run(&mut without, batch, 0.1).unwrap();
    }
    assert_eq!(with.bytes(), without.bytes());
    let none = StepOptions { accumulate: 0, ..in_f64() };
    let error =
        Step::with(Linear::new(3, 1), &Sgd::default(), &Mse::default(), none).err().unwrap().to_string();
    assert!(error.contains("1 or more"), "{error}");
}

#[test]
fn opt_49_a_group_has_an_optimizer_a_rate_and_state_of_its_own() {
    let model = sequential![Linear::new(3, 4), Tanh::default(), Linear::new(4, 1)];
    let groups = vec![
        Group {
            parameters: vec![Select::Role(Role::Bias)],
            optimizer: Sgd { lr: 2e-3, ..Sgd::default() }.into(),
        },
        Group { parameters: vec![Select::Path("2".into())], optimizer: Momentum::default().into() },
    ];
    let options = StepOptions { groups, ..in_f64() };
    let step = Step::with(&model, &Adam::default(), &Mse::default(), options).unwrap();
    let names: Vec<&str> = step.layout().slots().iter().map(|slot| slot.name.as_str()).collect();
    assert!(names.contains(&"optimizer/0.weight/mean") && names.contains(&"optimizer/2.weight/velocity"));
    assert!(!names.iter().any(|name| name.contains("bias/")), "plain descent remembers nothing: {names:?}");
    let mut state = step.init(1).unwrap();
    let before = state.clone();
    let gradients = step.gradients(&state, &line(8, 1)).unwrap();
    // The bias' rate is twice that of the step's optimiser, whatever a schedule makes of that.
    step.run(&mut state, &line(8, 1), 0.01).unwrap();
    let gradient = &gradients.iter().find(|(path, _)| path == "0.bias").unwrap().1.to_f64();
    let expected: Vec<f64> =
        values(&before, "0.bias").iter().zip(gradient).map(|(p, g)| p - 0.02 * g).collect();
    assert_close(&values(&state, "0.bias"), &expected, 1e-12, "sgd at twice the rate");
    let wrong =
        vec![Group { parameters: vec![Select::Path("trunk".into())], optimizer: Sgd::default().into() }];
    let options = StepOptions { groups: wrong, ..in_f64() };
    let error = Step::with(&model, &Adam::default(), &Mse::default(), options).err().unwrap().to_string();
    assert!(error.contains("trunk") && error.contains("0.weight"), "{error}");
}

#[test]
fn averages_are_kept_beside_the_weights_and_replace_them_when_asked() {
    let model = sequential![Linear::new(3, 4), BatchNorm::new(4), Tanh::default(), Linear::new(4, 1)];
    let plain = Step::with(&model, &Sgd::default(), &Mse::default(), in_f64()).unwrap();
    let average = Some(WeightAverage::Ema { decay: 0.8 });
    let step =
        Step::with(&model, &Sgd::default(), &Mse::default(), StepOptions { average, ..in_f64() }).unwrap();
    let (mut a, mut b) = (plain.init(1).unwrap(), step.init(1).unwrap());
    assert_eq!(values(&averaged(&b).unwrap(), "0.weight"), values(&b, "0.weight"), "before the first step");
    let mut expected: Option<Vec<f64>> = None;
    let mut expected_stat: Option<Vec<f64>> = None;
    for at in 0..10 {
        plain.run(&mut a, &line(8, at), 0.1).unwrap();
        step.run(&mut b, &line(8, at), 0.1).unwrap();
        for (path, expected) in [("0.weight", &mut expected), ("1.running_mean", &mut expected_stat)] {
            let now = values(&b, path);
            *expected = Some(match expected.take() {
                Some(old) => old.iter().zip(&now).map(|(old, new)| 0.8 * old + 0.2 * new).collect(),
                None => now,
            });
        }
    }
    assert_eq!(values(&a, "0.weight"), values(&b, "0.weight"), "the weights do not feel it");
    let averaged = averaged(&b).unwrap();
    assert_close(&values(&averaged, "0.weight"), &expected.unwrap(), 1e-12, "average");
    assert_close(&values(&averaged, "1.running_mean"), &expected_stat.unwrap(), 1e-12, "statistics too");
    assert!(step.evaluate(&averaged, &line(8, 99)).is_ok());
}

#[test]
fn the_mean_of_weights_starts_where_it_is_told_to_and_takes_every_so_manieth() {
    let average = Some(WeightAverage::Mean { from: 4, every: 3 });
    let step =
        Step::with(Linear::new(3, 1), &Sgd::default(), &Mse::default(), StepOptions { average, ..in_f64() })
            .unwrap();
    let mut state = step.init(1).unwrap();
    let mut walk = Vec::new();
    for at in 0..11 {
        step.run(&mut state, &line(8, at), 0.1).unwrap();
        walk.push(values(&state, "weight"));
        if at == 1 {
            assert_eq!(
                values(&averaged(&state).unwrap(), "weight"),
                walk[1],
                "the weights themselves at first"
            );
        }
    }
    // Updates 4, 7 and 10.
    let expected: Vec<f64> = (0..3).map(|i| (walk[3][i] + walk[6][i] + walk[9][i]) / 3.0).collect();
    assert_close(&values(&averaged(&state).unwrap(), "weight"), &expected, 1e-12, "mean of three");
}

#[test]
fn averaged_and_accumulated_steps_leave_training_on_xor_as_good() {
    let options = StepOptions { accumulate: 2, average: Some(WeightAverage::Ema { decay: 0.9 }), ..in_f64() };
    let model = sequential![Linear::new(2, 8), Tanh::default(), Linear::new(8, 2)];
    let step = Step::with(model, &Adam::default(), &CrossEntropy::default(), options).unwrap();
    let mut state = step.init(1).unwrap();
    for _ in 0..400 {
        step.run(&mut state, &xor(), 0.02).unwrap();
    }
    assert!(step.evaluate(&averaged(&state).unwrap(), &xor()).unwrap().loss < 0.05);
}

#[test]
fn what_is_passed_over_is_as_if_it_were_not_there() {
    let layers = |with: bool| -> Sequential {
        let mut model = sequential![Linear::new(2, 8), Tanh::default(), Dropout::new(0.5), Linear::new(8, 2)];
        if with {
            model.layers.push(Box::new(Softmax::default()));
        } else {
            // A layer that does nothing, so that the paths are the same.
            model.layers[2] = Box::new(Identity::default());
        }
        model
    };
    let options = StepOptions { without: vec!["2".into(), "4".into()], ..in_f64() };
    let passed = Step::with(layers(true), &Adam::default(), &CrossEntropy::default(), options).unwrap();
    let plain = Step::with(layers(false), &Adam::default(), &CrossEntropy::default(), in_f64()).unwrap();
    let mut states = [passed.init(1).unwrap(), plain.init(1).unwrap()];
    for _ in 0..5 {
        let [own, other] = &mut states;
        let losses =
            [passed.run(own, &xor(), 0.1).unwrap().loss, plain.run(other, &xor(), 0.1).unwrap().loss];
        assert_eq!(losses[0], losses[1]);
    }
    let predicted = [passed.predict(&states[0], &xor().x), plain.predict(&states[1], &xor().x)];
    let [own, other] = predicted.map(|said| said.unwrap().to_f64());
    assert_eq!(own, other);
    let unknown = StepOptions { without: vec!["9".into()], ..in_f64() };
    let error = Step::with(layers(true), &Adam::default(), &CrossEntropy::default(), unknown).err().unwrap();
    assert!(error.to_string().ends_with("known: 0, 1, 2, 3, 4"), "{error}");
}

#[test]
fn a_layer_that_is_neither_activation_nor_dropout_is_not_passed_over_but_refused() {
    let model = sequential![Linear::new(2, 8), Tanh::default(), Linear::new(8, 2)];
    let options = StepOptions { without: vec!["2".into()], ..in_f64() };
    let step = Step::with(model, &Adam::default(), &CrossEntropy::default(), options).unwrap();
    let error = step.run(&mut step.init(1).unwrap(), &xor(), 0.1).unwrap_err().to_string();
    assert!(error.contains("`2` is a Linear: only activations and dropout can be passed over"), "{error}");
}

#[test]
fn a_scaling_after_another_is_one_scaling() {
    let first = InputTransform { scale: vec![2.0], shift: vec![1.0] };
    let next = InputTransform { scale: vec![10.0, 0.5], shift: vec![0.0, -1.0] };
    let both = InputTransform { scale: vec![20.0, 1.0], shift: vec![10.0, -0.5] };
    assert_eq!(first.then(&next), both);
    assert_eq!([0, 1, 2].map(|at| both.at(at)), [(20.0, 10.0), (1.0, -0.5), (20.0, 10.0)]);
}

#[test]
fn clipping_and_averages_are_written_as_recipes_write_them() {
    for clip in [Clip::Norm(1.0), Clip::Value(0.5), Clip::Adaptive(0.01)] {
        assert_eq!(Clip::from_value(&clip.to_value()), Some(clip));
    }
    let averages = [
        WeightAverage::Ema { decay: 0.999 },
        WeightAverage::Mean { from: 100, every: 1 },
        WeightAverage::Mean { from: 100, every: 50 },
    ];
    for average in averages {
        assert_eq!(WeightAverage::from_value(&average.to_value()), Some(average));
    }
    for wrong in ["norm", "norm(0)", "norm(-1)", "cut(3)", "ema(1.5)", "mean(0)", "mean(1, 2, 3)"] {
        let value = Value::Text(wrong.into());
        assert!(Clip::from_value(&value).is_none() && WeightAverage::from_value(&value).is_none(), "{wrong}");
    }
}
