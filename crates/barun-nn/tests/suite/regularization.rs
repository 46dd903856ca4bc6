//! Dropout. [REG]

use barun_nn::layers::*;
use barun_nn::losses::Mse;
use barun_nn::optimizers::Sgd;
use barun_nn::{Batch, Buffer, DType, Forward, Mode, Pass, Step, Tensor, sequential};

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
