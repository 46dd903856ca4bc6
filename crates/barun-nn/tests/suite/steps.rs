//! The compiled step. [TRAIN, OPT, ENS]

use std::sync::Arc;

use barun_nn::layers::*;
use barun_nn::losses::{CrossEntropy, Mse};
use barun_nn::metrics::{Correct, Monitor};
use barun_nn::optimizers::{Adam, Clip, Momentum, Sgd};
use barun_nn::{
    Batch, Buffer, DType, Evaluation, InputTransform, Mode, State, Step, StepOptions, ensemble, sequential,
};

use crate::common::*;

fn small_model() -> Sequential {
    sequential![Linear::new(2, 8), BatchNorm::new(8), Relu::default(), Dropout::new(0.2), Linear::new(8, 2)]
}

fn all_values(step: &Step<impl barun_nn::Module + barun_nn::Forward>, state: &State) -> Vec<f64> {
    step.layout().slots().iter().flat_map(|slot| state.get(&slot.name).unwrap().to_f64()).collect()
}

#[test]
fn train_01_predict_compare_go_back_update() {
    let model = sequential![Linear::new(2, 8), Tanh::default(), Linear::new(8, 2)];
    let step = Step::compile(&model, &Sgd::default(), &CrossEntropy::default()).unwrap();
    let mut state = step.init(1).unwrap();
    let losses: Vec<f64> = (0..100).map(|_| step.run(&mut state, &xor(), 0.2).unwrap().loss).collect();
    assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
}

#[test]
fn opt_04_and_init_20_the_same_seed_gives_the_same_bits() {
    let step = Step::compile(small_model(), &Adam::default(), &CrossEntropy::default()).unwrap();
    let train = |seed| {
        let mut state = step.init(seed).unwrap();
        let losses: Vec<u64> =
            (0..20).map(|_| step.run(&mut state, &xor(), 0.01).unwrap().loss.to_bits()).collect();
        (losses, state.bytes().to_vec())
    };
    assert_eq!(train(7), train(7));
    assert_ne!(train(7).0, train(8).0);
}

#[test]
fn opt_05_and_06_single_rows_and_mini_batches_and_their_mean_gradient_is_the_whole() {
    let step = Step::with(
        Linear::new(3, 1),
        &Sgd::default(),
        &Mse::default(),
        StepOptions { precision: DType::F64, ..StepOptions::default() },
    )
    .unwrap();
    let state = step.init(1).unwrap();
    let x: Vec<f64> = (0..36).map(|i| (i as f64 * 0.37).sin()).collect();
    let y: Vec<f64> = (0..12).map(|i| (i as f64 * 0.91).cos()).collect();
    let gradient = |from: usize, to: usize| {
        let batch =
            Batch { x: f64s(&x[3 * from..3 * to], [to - from, 3]), y: f64s(&y[from..to], [to - from, 1]) };
        step.gradients(&state, &batch).unwrap()[0].1.to_f64()
    };
    let whole = gradient(0, 12);
    for size in [1, 3, 4] {
        let parts: Vec<Vec<f64>> =
            (0..12 / size).map(|part| gradient(part * size, (part + 1) * size)).collect();
        let means: Vec<f64> =
            (0..3).map(|i| mean(&parts.iter().map(|part| part[i]).collect::<Vec<_>>())).collect();
        assert_close(&means, &whole, 1e-12, "mean of mini-batch gradients");
    }
}

#[test]
fn a_step_that_is_not_finite_leaves_every_bit_of_the_state() {
    let step = Step::compile(small_model(), &Adam::default(), &CrossEntropy::default()).unwrap();
    let mut state = step.init(1).unwrap();
    step.run(&mut state, &xor(), 0.01).unwrap();
    let before = state.bytes().to_vec();
    let mut bad = xor();
    bad.x.as_mut_slice::<f32>().unwrap()[3] = f32::NAN;
    let output = step.run(&mut state, &bad, 0.01).unwrap();
    assert!(!output.applied && output.loss.is_nan());
    assert_eq!(state.bytes(), before);
    let wrong_label = Batch { y: Buffer::new(&[0i64, 1, 5, 0], [4]), ..xor() };
    assert!(!step.run(&mut state, &wrong_label, 0.01).unwrap().applied);
    assert_eq!(state.bytes(), before);
    assert!(step.run(&mut state, &xor(), 0.01).unwrap().applied);
}

#[test]
fn looking_changes_nothing() {
    let step = Step::compile(small_model(), &Momentum::default(), &CrossEntropy::default()).unwrap();
    let train = |looks: bool| {
        let mut state = step.init(1).unwrap();
        for _ in 0..5 {
            if looks {
                let seen = step.watch(&state, &xor(), None).unwrap();
                assert!(seen.iter().any(|(name, _)| name == "3.dropped"));
                assert!(seen.iter().any(|(name, value)| name == "2" && **value.shape() == [4, 8]));
                step.gradients(&state, &xor()).unwrap();
                step.evaluate(&state, &xor()).unwrap();
                step.predict(&state, &xor().x).unwrap();
            }
            step.run(&mut state, &xor(), 0.1).unwrap();
        }
        all_values(&step, &state)
    };
    assert_eq!(train(false), train(true));
    let state = step.init(1).unwrap();
    let error = step.watch(&state, &xor(), Some(&["norm"])).unwrap_err().to_string();
    assert!(error.contains("no layer or probe `norm`"), "{error}");
}

#[test]
fn the_last_smaller_batch_and_evaluation_work_on_the_same_state() {
    let options = StepOptions { metrics: vec![Arc::new(Correct)], ..StepOptions::default() };
    let step = Step::with(small_model(), &Adam::default(), &CrossEntropy::default(), options).unwrap();
    let mut state = step.init(1).unwrap();
    let sizes = [32, 32, 9];
    for epoch in 0..30 {
        for (index, &rows) in sizes.iter().enumerate() {
            step.run(&mut state, &blobs(rows, 2, 2, epoch * 3 + index as u64), 0.02).unwrap();
        }
    }
    let parts: Vec<Evaluation> =
        [40, 3].iter().map(|&rows| step.evaluate(&state, &blobs(rows, 2, 2, 999)).unwrap()).collect();
    let whole = Evaluation::join(&parts, step.options()).unwrap();
    assert_eq!(whole.rows, 43);
    assert_eq!(whole.metrics[0].0, "correct");
    assert!(whole.metrics[0].1 > 32.0, "{whole:?}");
    let loss = (40.0 * parts[0].loss + 3.0 * parts[1].loss) / 43.0;
    assert_close(&[whole.loss], &[loss], 1e-12, "weighted mean");
}

#[test]
fn loss_13_what_is_monitored_does_not_influence_the_weights() {
    let trained = |metrics: Vec<Arc<dyn barun_nn::metrics::Metric>>| {
        let options = StepOptions { metrics, ..StepOptions::default() };
        let model = sequential![Linear::new(2, 4), Tanh::default(), Linear::new(4, 1)];
        let step = Step::with(model, &Adam::default(), &barun_nn::losses::BceWithLogits::default(), options)
            .unwrap();
        let mut state = step.init(1).unwrap();
        let batch = Batch { y: Buffer::new(&[0.0f32, 1.0, 1.0, 0.0], [4, 1]), ..xor() };
        let mut last = Default::default();
        for _ in 0..10 {
            last = step.run(&mut state, &batch, 0.01).unwrap();
        }
        (state.bytes().to_vec(), last.metrics)
    };
    let (without, _) = trained(Vec::new());
    let (with, metrics) = trained(vec![Arc::new(Monitor(Box::new(Mse::default())))]);
    assert_eq!(without, with);
    assert_eq!(metrics[0].0, "mse");
}

#[test]
fn layer_17_frozen_parameters_stay_and_have_no_optimiser_state() {
    let options = StepOptions { frozen: vec!["0".into()], ..StepOptions::default() };
    let model = sequential![Linear::new(2, 4), Relu::default(), Linear::new(4, 2)];
    let step = Step::with(model, &Adam::default(), &CrossEntropy::default(), options).unwrap();
    let mut state = step.init(1).unwrap();
    let values = |state: &State, name: &str| state.get(name).unwrap().to_f64();
    let before = state.clone();
    step.run(&mut state, &xor(), 0.1).unwrap();
    assert_eq!(values(&state, "0.weight"), values(&before, "0.weight"));
    assert_ne!(values(&state, "2.weight"), values(&before, "2.weight"));
    assert!(step.layout().position("optimizer/0.weight/mean").is_none());
    assert!(step.layout().position("optimizer/2.weight/mean").is_some());
    let options = StepOptions { frozen: vec!["trunk".into()], ..StepOptions::default() };
    let error = Step::with(small_model(), &Sgd::default(), &Mse::default(), options).err().unwrap();
    assert!(error.to_string().contains("`trunk`"));
}

#[test]
fn clipping_scales_all_gradients_to_the_norm() {
    let moved = |clip: Option<f64>| {
        let clip = clip.map(Clip::Norm);
        let options = StepOptions { clip, precision: DType::F64, ..StepOptions::default() };
        let step = Step::with(Linear::new(2, 1), &Sgd::default(), &Mse::default(), options).unwrap();
        let mut state = step.init(1).unwrap();
        let before = state.clone();
        let batch = Batch { x: f64s(&[3.0, 4.0], [1, 2]), y: f64s(&[100.0], [1, 1]) };
        let norm = step.run(&mut state, &batch, 1.0).unwrap().gradient_norm;
        let squares = ["weight", "bias"].iter().flat_map(|name| {
            let [a, b] = [&before, &state].map(|state| state.get(name).unwrap().to_f64());
            a.into_iter().zip(b).map(|(a, b)| (a - b).powi(2)).collect::<Vec<_>>()
        });
        (norm, squares.sum::<f64>().sqrt())
    };
    let (norm, unclipped) = moved(None);
    assert_close(&[unclipped], &[norm], 1e-9, "the whole gradient");
    assert_close(&[moved(Some(0.5)).1], &[0.5], 1e-9, "clipped");
    assert_eq!(moved(Some(1e9)).1, unclipped);
}

#[test]
fn bytes_become_numbers_inside_the_step() {
    let pixels: Vec<u8> = (0..16).map(|i| i * 16).collect();
    let floats: Vec<f32> = pixels.iter().map(|&pixel| f32::from(pixel) * (1.0 / 255.0)).collect();
    let options = |input| StepOptions { input, ..StepOptions::default() };
    let predict = |x: Buffer, input| {
        let model = Linear::new(4, 2);
        let step = Step::with(model, &Sgd::default(), &Mse::default(), options(input)).unwrap();
        step.predict(&step.init(1).unwrap(), &x).unwrap().to_f64()
    };
    let of_bytes = predict(Buffer::new(&pixels, [4, 4]), Some(InputTransform::unit_range()));
    let of_floats = predict(Buffer::new(&floats, [4, 4]), None);
    assert_close(&of_bytes, &of_floats, 1e-6, "the same");
    let standard = InputTransform::standardize(&[1.0, 2.0, 3.0, 4.0], &[2.0; 4]);
    let x = Buffer::new(&[1.0f32, 2.0, 3.0, 4.0], [1, 4]);
    let zeros = predict(Buffer::new(&[0.0f32; 4], [1, 4]), None);
    assert_close(&predict(x, Some(standard)), &zeros, 1e-6, "standardised per column");
}

#[test]
fn f32_and_f64_walk_together() {
    let train = |precision| {
        let options = StepOptions { precision, ..StepOptions::default() };
        let model = sequential![Linear::new(2, 8), Tanh::default(), Linear::new(8, 2)];
        let step = Step::with(model, &Adam::default(), &CrossEntropy::default(), options).unwrap();
        let mut state = step.init(3).unwrap();
        (0..20).map(|_| step.run(&mut state, &xor(), 0.01).unwrap().loss).collect::<Vec<_>>()
    };
    assert_close(&train(DType::F32), &train(DType::F64), 1e-5, "losses");
}

#[test]
fn ens_01_an_ensemble_is_the_mean_of_softmax_outputs() {
    let step = Step::compile(small_model(), &Sgd::default(), &CrossEntropy::default()).unwrap();
    let states: Vec<State> = (0..3).map(|seed| step.init(seed).unwrap()).collect();
    let mean_output = ensemble::average(&step, &states, &xor().x).unwrap();
    assert_eq!(**mean_output.shape(), [4, 2]);
    for row in mean_output.to_f64().chunks(2) {
        assert_close(&[row.iter().sum()], &[1.0], 1e-6, "a row's sum");
    }
    let members: Vec<Vec<f64>> = states
        .iter()
        .map(|state| {
            let logits = step.predict(state, &xor().x).unwrap().to_f64();
            logits.chunks(2).map(|row| 1.0 / (1.0 + (row[1] - row[0]).exp())).collect()
        })
        .collect();
    let first: Vec<f64> = mean_output.to_f64().into_iter().step_by(2).collect();
    let expected: Vec<f64> =
        (0..4).map(|row| mean(&[members[0][row], members[1][row], members[2][row]])).collect();
    assert_close(&first, &expected, 1e-6, "mean");
    assert!(ensemble::average(&step, &[], &xor().x).is_err());
}

#[test]
fn mistakes_come_out_as_errors_before_anything_runs() {
    let step = Step::compile(small_model(), &Sgd::default(), &CrossEntropy::default()).unwrap();
    let wide = Batch { x: Buffer::new(&[0.0f32; 12], [4, 3]), ..xor() };
    let error = step.run(&mut step.init(1).unwrap(), &wide, 0.1).unwrap_err().to_string();
    assert!(error.starts_with("0: linear of f32[4, 3]") && error.contains("2 input features"), "{error}");
    let x = (&[8, 2].into(), DType::F32);
    let error = step.program(Mode::Train, x, (&[8, 2, 2].into(), DType::I64)).unwrap_err().to_string();
    assert!(error.contains("cross_entropy"), "{error}");
    step.program(Mode::Train, x, (&[8].into(), DType::I64)).unwrap();
}

#[test]
fn a_fleet_gets_the_same_bits_as_each_state_alone() {
    let step = Step::compile(small_model(), &Adam::default(), &CrossEntropy::default()).unwrap();
    let states: Vec<State> = (0..5).map(|seed| step.init(seed).unwrap()).collect();
    let batches: Vec<Batch> = (0..5).map(|seed| blobs(16, 2, 2, seed)).collect();
    let lrs: Vec<f64> = (1..=5).map(|index| 0.01 * f64::from(index)).collect();
    let mut fleet = barun_nn::Fleet { states: states.clone() };
    let mut losses = Vec::new();
    for _ in 0..3 {
        losses = step.run_fleet(&mut fleet, &batches, &lrs).unwrap();
    }
    let evaluated = step.evaluate_fleet(&mut fleet, &batches[0]).unwrap();
    for (index, mut state) in states.into_iter().enumerate() {
        let mut loss = 0.0;
        for _ in 0..3 {
            loss = step.run(&mut state, &batches[index], lrs[index]).unwrap().loss;
        }
        assert_eq!(loss, losses[index].loss);
        assert_eq!(state.bytes(), fleet.states[index].bytes());
        assert_eq!(step.evaluate(&state, &batches[0]).unwrap().loss, evaluated[index].loss);
    }
    assert!(step.run_fleet(&mut fleet, &batches[1..], &lrs).unwrap_err().to_string().contains("5 states"));
}

#[test]
fn tensor_19_the_same_bits_for_one_two_and_four_threads_and_with_probes() {
    let batch = blobs(300, 40, 5, 3);
    let train = |threads: usize, watching: bool| {
        let device = barun_engine::DeviceOptions { threads: Some(threads), isa: None };
        let device = barun_engine::Device::new(device).unwrap();
        let engine = barun_nn::Options { device: Some(device), ..Default::default() };
        let options = StepOptions { engine, ..StepOptions::default() };
        let model = sequential![
            Linear::new(40, 200),
            BatchNorm::new(200),
            Relu::default(),
            Dropout::new(0.3),
            Linear::new(200, 5)
        ];
        let step = Step::with(model, &Adam::default(), &CrossEntropy::default(), options).unwrap();
        let mut state = step.init(1).unwrap();
        for _ in 0..6 {
            if watching {
                step.watch(&state, &batch, None).unwrap();
            }
            step.run(&mut state, &batch, 1e-2).unwrap();
        }
        state.bytes().to_vec()
    };
    let alone = train(1, false);
    for (threads, watching) in [(2, false), (4, false), (1, true), (2, true)] {
        assert!(alone == train(threads, watching), "{threads} threads, probes {watching}");
    }
}

#[test]
fn train_11_each_step_reports_the_size_of_its_gradient_and_the_update_follows_it() {
    let step = Step::compile(Linear::new(2, 2), &Sgd::default(), &CrossEntropy::default()).unwrap();
    let mut state = step.init(1).unwrap();
    let before = all_values(&step, &state);
    let gradients = step.gradients(&state, &xor()).unwrap();
    let norm =
        gradients.iter().flat_map(|(_, gradient)| gradient.to_f64()).map(|g| g * g).sum::<f64>().sqrt();
    let output = step.run(&mut state, &xor(), 0.5).unwrap();
    assert!(output.applied && (output.gradient_norm - norm).abs() < 1e-6 * norm);
    let moved: f64 = gradients
        .iter()
        .map(|(name, gradient)| {
            let now = state.get(name).unwrap().to_f64();
            let index = step.layout().position(name).unwrap();
            let offset: usize = step.layout().slots()[..index].iter().map(|slot| slot.shape.elements()).sum();
            let then = &before[offset..offset + now.len()];
            let pairs = now.iter().zip(then).zip(gradient.to_f64());
            pairs.map(|((now, then), g)| (now - then + 0.5 * g).abs()).sum::<f64>()
        })
        .sum();
    assert!(moved < 1e-6, "{moved}");
}

#[test]
fn train_16_linear_regression_reaches_the_closed_form() {
    // y = 3 x - 2 + something no line explains; the least squares line in closed form.
    let x: Vec<f64> = (0..50).map(|i| i as f64 / 25.0 - 1.0).collect();
    let y: Vec<f64> = x.iter().map(|x| 3.0 * x - 2.0 + (17.0 * x).sin()).collect();
    let (mean_x, mean_y) = (mean(&x), mean(&y));
    let covariance: f64 = x.iter().zip(&y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let slope = covariance / x.iter().map(|x| (x - mean_x).powi(2)).sum::<f64>();
    let offset = mean_y - slope * mean_x;
    let options = StepOptions { precision: DType::F64, ..StepOptions::default() };
    let step = Step::with(Linear::new(1, 1), &Sgd::default(), &Mse::default(), options).unwrap();
    let mut state = step.init(1).unwrap();
    let batch = Batch { x: f64s(&x, [50, 1]), y: f64s(&y, [50, 1]) };
    (0..500).for_each(|_| drop(step.run(&mut state, &batch, 0.3).unwrap()));
    assert!((state.get("weight").unwrap().to_f64()[0] - slope).abs() < 1e-3);
    assert!((state.get("bias").unwrap().to_f64()[0] - offset).abs() < 1e-3);
}

#[test]
fn cnn_21_the_head_takes_any_number_of_labels() {
    use barun_nn::models::{Architecture, Cnn};
    for classes in [2, 10, 47] {
        let model = Cnn::default().build(&[28, 28, 1].into(), classes).unwrap();
        let step = Step::compile(model, &Adam::default(), &CrossEntropy::default()).unwrap();
        let state = step.init(1).unwrap();
        let x = Buffer::zeros([2, 28, 28, 1], DType::F32);
        assert_eq!(step.predict(&state, &x).unwrap().shape()[..], [2, classes]);
    }
}

/// Two members that answer 2 and 4 to a row of 1.
fn two_members() -> (Sequential, [(&'static str, Buffer); 3]) {
    let model = sequential![MemberScale::new(2, 1), MemberHead::new(2, 1, 1)];
    let values = [
        ("0.scale", f64s(&[2.0, 1.0], [2, 1])),
        ("1.weight", f64s(&[1.0, 4.0], [1, 2])),
        ("1.bias", f64s(&[0.0, 0.0], [2, 1])),
    ];
    (model, values)
}

#[test]
fn ens_01_each_member_is_compared_with_the_target_and_the_answer_is_their_mean() {
    let (model, values) = two_members();
    let options = StepOptions {
        precision: DType::F64,
        metrics: vec![Arc::new(Monitor(Box::new(Mse::default())))],
        ..StepOptions::default()
    };
    let step = Step::with(&model, &Sgd::default(), &Mse::default(), options).unwrap();
    let mut state = step.init(1).unwrap();
    for (path, value) in &values {
        state.set(path, value).unwrap();
    }
    let batch = Batch { x: f64s(&[1.0], [1, 1]), y: f64s(&[3.0], [1, 1]) };
    assert_eq!(step.predict(&state, &batch.x).unwrap().to_f64(), [3.0]);
    assert_eq!(step.evaluate(&state, &batch).unwrap().loss, 0.0);
    let trained = step.run(&mut state, &batch, 0.01).unwrap();
    assert_eq!((trained.loss, trained.metrics[0].1), (1.0, 1.0));
    let answers = step.predict(&state, &batch.x).unwrap().to_f64()[0];
    assert!((answers - 3.0).abs() < 0.5 && answers != 3.0, "each moved towards 3 by itself: {answers}");
}

#[test]
fn ens_01_what_is_counted_in_training_is_the_mean_of_the_members() {
    let model =
        sequential![MemberScale::new(4, 2), Linear::new(2, 8), Tanh::default(), MemberHead::new(4, 8, 2)];
    let options = StepOptions { metrics: vec![Arc::new(Correct)], ..StepOptions::default() };
    let step = Step::with(&model, &Adam::default(), &CrossEntropy::default(), options).unwrap();
    let mut state = step.init(3).unwrap();
    let steps: Vec<_> = (0..300).map(|_| step.run(&mut state, &xor(), 0.02).unwrap()).collect();
    assert!(steps.iter().all(|step| (0.0..=4.0).contains(&step.metrics[0].1)));
    assert_eq!(steps[299].metrics[0].1, 4.0, "all members are right about all four rows");
    let evaluation = step.evaluate(&state, &xor()).unwrap();
    assert_eq!(evaluation.metrics[0].1, 4.0);
    let shares = Buffer::clone(&step.predict(&state, &xor().x).unwrap());
    for row in shares.to_f64().chunks(2) {
        assert!((row[0].exp() + row[1].exp() - 1.0).abs() < 1e-5, "what is given are logarithms of shares");
    }
}

#[test]
fn members_that_are_sure_of_the_wrong_class_leave_the_loss_finite() {
    let model = sequential![MemberHead::new(2, 1, 2)];
    let step = Step::compile(&model, &Sgd::default(), &CrossEntropy::default()).unwrap();
    let mut state = step.init(1).unwrap();
    let weight = Buffer::new(&[1000.0f32, -1000.0, 1000.0, -1000.0], [1, 4]);
    state.set("0.weight", &weight).unwrap();
    let batch = Batch { x: Buffer::new(&[1.0f32, 1.0], [1, 2, 1]), y: Buffer::new(&[1i64], [1]) };
    assert_eq!(step.evaluate(&state, &batch).unwrap().loss, 2000.0);
}
