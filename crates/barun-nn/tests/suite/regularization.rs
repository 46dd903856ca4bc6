//! Dropout, penalties, noise. [REG]

use barun_nn::layers::*;
use barun_nn::losses::Mse;
use barun_nn::optimizers::Sgd;
use barun_nn::regularization::Penalty;
use barun_nn::{
    Batch, Buffer, DType, Forward, Mode, Pass, State, Step, StepOptions, StepOutput, Tensor, sequential,
};

use crate::common::*;

/// What dropout makes of ones at step `step` under `seed`, and the gradient that reaches its input.
fn dropped(layer: &Dropout, mode: Mode, count: usize, seed: u64, step: i64) -> (Vec<f64>, Vec<f64>) {
    let mut state = barun_nn::fresh_state(layer, seed, DType::F64).unwrap();
    state.set("run/step", &Buffer::new(&[step], [])).unwrap();
    let mut pass = Pass::by_run(layer, &state, mode).unwrap();
    let x = Tensor::new(f64s(&vec![1.0; count], [count])).variable();
    let y = layer.forward(&x, &mut pass).unwrap();
    let gradient = y.sum(..).grad(&[&x]).unwrap().remove(0);
    (y.eval().unwrap().to_f64(), gradient.eval().unwrap().to_f64())
}

fn zero_fraction(values: &[f64]) -> f64 {
    values.iter().filter(|&&value| value == 0.0).count() as f64 / values.len() as f64
}

fn penalised(penalty: Penalty, rate: f64, steps: usize) -> (Step<Sequential>, State, Vec<StepOutput>) {
    let options = StepOptions { penalty, precision: DType::F64, ..StepOptions::default() };
    let model = sequential![Linear::new(4, 6), Tanh::default(), Linear::new(6, 1)];
    let step = Step::with(model, &Sgd::default(), &Mse::default(), options).unwrap();
    let mut state = step.init(1).unwrap();
    let outputs = (0..steps).map(|_| step.run(&mut state, &numbers(), rate).unwrap()).collect();
    (step, state, outputs)
}

/// Rows whose target depends on two of their four columns.
fn numbers() -> Batch {
    let mut stream = barun_engine::random::Stream::new(4, "numbers");
    let x: Vec<f64> = (0..160).map(|_| stream.normal()).collect();
    let y: Vec<f64> = x.chunks(4).map(|row| 0.7 * row[0] - 0.4 * row[1]).collect();
    Batch { x: f64s(&x, [40, 4]), y: f64s(&y, [40, 1]) }
}

fn weights(state: &State) -> Vec<f64> {
    ["0.weight", "2.weight"].iter().flat_map(|path| state.get(path).unwrap().to_f64()).collect()
}

#[test]
fn reg_04_loss_16_and_err_04_the_penalty_is_half_the_squared_norm_and_its_gradient_is_the_weight() {
    let (step, state, _) = penalised(Penalty { l2: 0.3, l1: 0.0 }, 0.1, 0);
    let squares: f64 = weights(&state).iter().map(|w| w * w).sum();
    let output = step.run(&mut state.clone(), &numbers(), 0.1).unwrap();
    assert_close(&[output.penalty], &[0.15 * squares], 1e-6, "penalty");
    let (plain, _, _) = penalised(Penalty::default(), 0.1, 0);
    assert_close(&[output.loss], &[plain.evaluate(&state, &numbers()).unwrap().loss], 1e-12, "data loss");
    let with = |penalty| {
        let (step, state, _) = penalised(penalty, 0.1, 0);
        let mut after = state.clone();
        step.run(&mut after, &numbers(), 1.0).unwrap();
        ["0.weight", "0.bias"].map(|path| {
            let [a, b] = [&state, &after].map(|state| state.get(path).unwrap().to_f64());
            a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>()
        })
    };
    let ([weight, bias], [weight_plain, bias_plain]) =
        (with(Penalty { l2: 0.3, l1: 0.0 }), with(Penalty::default()));
    let added: Vec<f64> = weight.iter().zip(&weight_plain).map(|(a, b)| a - b).collect();
    let expected: Vec<f64> = state.get("0.weight").unwrap().to_f64().iter().map(|w| 0.3 * w).collect();
    assert_close(&added, &expected, 1e-9, "the gradient gains lambda W");
    assert_eq!(bias, bias_plain, "biases are exempt");
}

#[test]
fn reg_05_the_norm_falls_with_the_price() {
    let norms: Vec<f64> = [0.0, 1e-4, 1e-2, 0.1]
        .iter()
        .map(|&l2| {
            weights(&penalised(Penalty { l2, l1: 0.0 }, 0.1, 300).1).iter().map(|w| w * w).sum::<f64>().sqrt()
        })
        .collect();
    assert!(norms.windows(2).all(|pair| pair[1] < pair[0]), "{norms:?}");
}

#[test]
fn reg_06_half_of_the_square_has_the_weight_as_its_derivative() {
    let slope = derivative(&[3.0], |w| w.square() * (0.1 / 2.0));
    let numeric = barun_nn::analysis::numerical_gradient(|w| 0.1 / 2.0 * w[0] * w[0], &mut [3.0], 1e-4);
    assert_close(&[slope[0], numeric[0]], &[0.3, 0.3], 1e-9, "lambda w");
}

#[test]
fn reg_07_the_norm_of_3_and_4_is_5() {
    let norm = compute(&[&f64s(&[3.0, 4.0], [2])], |x| Ok(vec![barun_nn::optimizers::norm(x)])).unwrap();
    assert_eq!(norm[0].to_f64(), [5.0]);
}

#[test]
fn reg_08_an_absolute_penalty_leaves_more_weights_near_0_than_a_squared_one() {
    let (step, state, _) = penalised(Penalty { l1: 0.2, l2: 0.0 }, 0.1, 0);
    let sizes: f64 = weights(&state).iter().map(|w| w.abs()).sum();
    assert_close(
        &[step.run(&mut state.clone(), &numbers(), 0.1).unwrap().penalty],
        &[0.2 * sizes],
        1e-9,
        "penalty",
    );
    let near_zero = |penalty| {
        let (step, state, _) = penalised(penalty, 0.02, 4000);
        let loss = step.evaluate(&state, &numbers()).unwrap().loss;
        (weights(&state).iter().filter(|w| w.abs() < 1e-2).count(), loss)
    };
    let (l1, l1_loss) = near_zero(Penalty { l1: 0.01, l2: 0.0 });
    let (l2, l2_loss) = near_zero(Penalty { l2: 0.01, l1: 0.0 });
    assert!(l1 > l2 && l1_loss < 0.1 && l2_loss < 0.1, "{l1} ({l1_loss}) against {l2} ({l2_loss})");
}

#[test]
fn reg_23_what_is_dropped_contributes_exactly_nothing() {
    let layer = Dropout::new(0.5);
    let (y, _) = dropped(&layer, Mode::Train, 64, 1, 0);
    let weights: Vec<f64> = (0..64).map(|i| (i as f64).cos()).collect();
    let with: f64 = y.iter().zip(&weights).map(|(y, w)| y * w).sum();
    let kept: f64 = y.iter().zip(&weights).filter(|(y, _)| **y != 0.0).map(|(y, w)| y * w).sum();
    assert_eq!(with, kept);
}

#[test]
fn reg_26_noise_on_weights_is_in_the_forward_pass_alone() {
    let losses = |weight_noise, lr| {
        let options = StepOptions { weight_noise, precision: DType::F64, ..StepOptions::default() };
        let step =
            Step::with(sequential![Linear::new(4, 1)], &Sgd::default(), &Mse::default(), options).unwrap();
        let mut state = step.init(1).unwrap();
        let before = state.get("0.weight").unwrap();
        let losses: Vec<f64> = (0..3).map(|_| step.run(&mut state, &numbers(), lr).unwrap().loss).collect();
        let unchanged = before.to_f64() == state.get("0.weight").unwrap().to_f64();
        (losses, unchanged, step.evaluate(&state, &numbers()).unwrap().loss)
    };
    let (plain, _, clean) = losses(0.0, 0.0);
    let (noisy, unchanged, evaluated) = losses(0.1, 0.0);
    assert!(plain.iter().all(|loss| *loss == plain[0]));
    assert!(noisy[0] != noisy[1] && noisy[1] != noisy[2] && noisy[0] != plain[0], "{noisy:?}");
    assert!(unchanged && evaluated == clean, "what is kept has no noise");
    assert_eq!(losses(0.1, 0.0).0, noisy, "the same seed, the same noise");
}

#[test]
fn reg_11_a_part_of_the_units_is_dropped_and_another_one_each_time() {
    for rate in [0.2, 0.5, 0.9] {
        let layer = Dropout::new(rate);
        let (y, _) = dropped(&layer, Mode::Train, 10_000, 1, 0);
        // Four standard deviations of a binomial.
        let bound = 4.0 * (rate * (1.0 - rate) / 10_000.0f64).sqrt();
        assert!((zero_fraction(&y) - rate).abs() < bound, "{rate}: {}", zero_fraction(&y));
        assert_eq!(dropped(&layer, Mode::Train, 10_000, 1, 0).0, y);
        assert_ne!(dropped(&layer, Mode::Train, 10_000, 1, 1).0, y);
        assert_ne!(dropped(&layer, Mode::Train, 10_000, 2, 0).0, y);
    }
}

#[test]
fn reg_11_two_dropouts_and_two_calls_of_one_have_different_masks() {
    let model = sequential![Dropout::default(), Dropout::default()];
    let state = barun_nn::fresh_state(&model, 1, DType::F64).unwrap();
    let mut pass = Pass::by_run(&model, &state, Mode::Train).unwrap();
    let ones = Tensor::ones([1000], DType::F64);
    let masks: Vec<Vec<f64>> = [0, 0, 1]
        .iter()
        .map(|&index| model.layers[index].forward(&ones, &mut pass).unwrap().eval().unwrap().to_f64())
        .collect();
    assert!(masks[0] != masks[1] && masks[0] != masks[2] && masks[1] != masks[2]);
}

#[test]
fn reg_12_the_rate_is_one_half_unless_set_and_the_mask_has_the_shape_of_the_input() {
    assert_eq!(Dropout::default().rate, 0.5);
    let layer = Dropout::default();
    let state = barun_nn::fresh_state(&layer, 1, DType::F32).unwrap();
    let mut pass = Pass::by_run(&layer, &state, Mode::Train).unwrap();
    let y = layer.forward(&Tensor::ones([4, 5, 6], DType::F32), &mut pass).unwrap();
    assert_eq!(**y.shape().unwrap(), [4, 5, 6]);
    let (name, mask) = pass.watched().pop().unwrap();
    assert!(name.ends_with("dropped"), "{name}");
    assert_eq!(**mask.shape().unwrap(), [4, 5, 6]);
}

#[test]
fn reg_13_the_gradient_passes_where_the_unit_does() {
    for scaling in [DropoutScaling::InTraining, DropoutScaling::AtInference] {
        let layer = Dropout { scaling, ..Dropout::new(0.3) };
        let (y, gradient) = dropped(&layer, Mode::Train, 1000, 5, 0);
        assert_eq!(y, gradient);
    }
}

#[test]
fn reg_14_scaling_at_inference_multiplies_by_what_is_kept() {
    let layer = Dropout { scaling: DropoutScaling::AtInference, ..Dropout::new(0.5) };
    assert_eq!(dropped(&layer, Mode::Eval, 4, 1, 0).0, [0.5; 4]);
    let (y, _) = dropped(&layer, Mode::Train, 1000, 1, 0);
    assert!(y.iter().all(|&value| value == 0.0 || value == 1.0));
    // What training gives on average is what inference gives, within three deviations of a mean of so many.
    let many = mean(&dropped(&layer, Mode::Train, 10_000, 1, 0).0);
    assert!((many - 0.5).abs() < 3.0 * (0.25f64 / 10_000.0).sqrt(), "{many}");
}

#[test]
fn reg_15_scaling_in_training_leaves_inference_alone() {
    let layer = Dropout::new(0.2);
    assert_eq!(dropped(&layer, Mode::Eval, 4, 1, 0).0, [1.0; 4]);
    let (y, _) = dropped(&layer, Mode::Train, 1000, 1, 0);
    assert!(y.iter().all(|&value| value == 0.0 || (value - 1.25).abs() < 1e-15));
}

#[test]
fn reg_16_and_17_both_scalings_keep_the_expectation_with_the_factor_1_minus_rate() {
    let rate = 0.2;
    let mean_in_training = |scaling| {
        let layer = Dropout { scaling, ..Dropout::new(rate) };
        mean(&dropped(&layer, Mode::Train, 100_000, 3, 0).0)
    };
    assert_close(&[mean_in_training(DropoutScaling::InTraining)], &[1.0], 0.01, "inverted");
    let raw = mean_in_training(DropoutScaling::AtInference);
    let layer = Dropout { scaling: DropoutScaling::AtInference, ..Dropout::new(rate) };
    let at_inference = dropped(&layer, Mode::Eval, 1, 1, 0).0[0];
    assert_close(&[raw], &[at_inference], 0.01, "0.8, what is kept");
    assert!((raw - rate).abs() > 0.5, "0.2, what the notes say, is not it");
}

#[test]
fn a_rate_outside_0_to_1_is_an_error_that_says_so() {
    for rate in [-0.1, 1.0, f64::NAN] {
        let model = sequential![Dropout::new(rate)];
        let state = barun_nn::fresh_state(&model, 1, DType::F32).unwrap();
        let mut pass = Pass::by_run(&model, &state, Mode::Train).unwrap();
        let error = model.forward(&Tensor::ones([2], DType::F32), &mut pass).unwrap_err().to_string();
        assert!(error.starts_with("0: dropout") && error.contains("below 1"), "{error}");
    }
}

#[test]
fn layer_11_the_mode_switches_dropout_for_the_whole_model() {
    let model = sequential![Linear::new(3, 20), Dropout::default(), Linear::new(20, 1)];
    let step = Step::compile(&model, &Sgd::default(), &Mse::default()).unwrap();
    let state = step.init(1).unwrap();
    let batch = Batch {
        x: Buffer::new(&[0.1f32, 0.2, 0.3, 1.0, -1.0, 0.5], [2, 3]),
        y: Buffer::new(&[0.0f32, 1.0], [2, 1]),
    };
    let predict = || step.predict(&state, &batch.x).unwrap().to_f64();
    assert_eq!(predict(), predict());
    let in_training = |state: &barun_nn::State| {
        let watched = step.watch(state, &batch, Some(&["2"])).unwrap();
        watched[0].1.to_f64()
    };
    let mut later = state.clone();
    step.run(&mut later, &batch, 0.0).unwrap();
    assert_ne!(in_training(&state), predict());
    assert_ne!(in_training(&state), in_training(&later));
}
