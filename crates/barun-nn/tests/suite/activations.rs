//! Activations. [ACT]

use barun_nn::activations::*;
use barun_nn::analysis::zig_zag;
use barun_nn::hyper::Value;
use barun_nn::layers::{BatchNorm, Linear, Maxout, Prelu, Sequential};
use barun_nn::losses::Mse;
use barun_nn::optimizers::{Adam, Sgd};
use barun_nn::{Batch, Buffer, Forward, Hyper, Init, Layer, Mode, Pass, Step, Tensor, activity, sequential};

use crate::common::{apply, assert_close, derivative, f64s, mean, variance};

fn values(activation: &impl Activation, x: &[f64]) -> Vec<f64> {
    apply(x, |x| activation.apply(x))
}

fn slopes(activation: &impl Activation, x: &[f64]) -> Vec<f64> {
    derivative(x, |x| activation.apply(x))
}

#[test]
fn act_01_sigmoid_is_half_at_0_with_slope_a_quarter_and_stable_far_out() {
    let sigmoid = Sigmoid::default();
    assert_close(&values(&sigmoid, &[0.0, 1000.0, -1000.0]), &[0.5, 1.0, 0.0], 1e-15, "sigmoid");
    let x = [-3.0, -0.5, 0.0, 2.0];
    let expected: Vec<f64> = values(&sigmoid, &x).iter().map(|s| s * (1.0 - s)).collect();
    assert_close(&slopes(&sigmoid, &x), &expected, 1e-14, "slope");
    assert_eq!(slopes(&sigmoid, &[0.0]), [0.25]);
    assert!(slopes(&sigmoid, &[1000.0, -1000.0]).iter().all(|slope| slope.abs() < 1e-300));
}

#[test]
fn act_02_tanh_is_a_stretched_sigmoid_four_times_as_steep() {
    let x = [-2.0, -0.1, 0.0, 0.7, 3.0];
    let doubled: Vec<f64> = x.iter().map(|x| 2.0 * x).collect();
    let expected: Vec<f64> = values(&Sigmoid::default(), &doubled).iter().map(|s| 2.0 * s - 1.0).collect();
    assert_close(&values(&Tanh::default(), &x), &expected, 1e-14, "tanh");
    assert_eq!(slopes(&Tanh::default(), &[0.0]), [1.0]);
    assert!(values(&Tanh::default(), &[-50.0, 50.0]).iter().all(|y| y.abs() <= 1.0));
}

#[test]
fn act_03_relu_stops_negative_values_and_their_gradients() {
    let relu = Relu::default();
    assert_eq!(values(&relu, &[-2.0, 0.0, 3.0]), [0.0, 0.0, 3.0]);
    assert_eq!(slopes(&relu, &[-2.0, 3.0]), [0.0, 1.0]);
}

#[test]
fn act_04_the_subgradient_of_relu_at_0_is_a_choice() {
    assert_eq!(slopes(&Relu::default(), &[0.0]), [0.0]);
    for at_zero in [0.0, 0.5, 1.0] {
        let relu = Relu { at_zero, ..Relu::default() };
        assert_eq!(slopes(&relu, &[-1.0, 0.0, 1.0]), [0.0, at_zero, 1.0]);
        assert_eq!(values(&relu, &[-1.0, 0.0, 2.0]), [0.0, 0.0, 2.0]);
    }
    let wrong = Relu { at_zero: 2.0, ..Relu::default() };
    let error = wrong.apply(&Tensor::from([1.0f32])).check().unwrap_err().to_string();
    assert!(error.contains("[0, 1]"), "{error}");
}

#[test]
fn act_05_leaky_relu_keeps_a_slope_that_can_be_set() {
    assert_eq!(values(&LeakyRelu::default(), &[-1.0, 2.0]), [-0.01, 2.0]);
    assert_eq!(slopes(&LeakyRelu::default(), &[-1.0, 2.0]), [0.01, 1.0]);
    let steeper = LeakyRelu { slope: 0.1, ..LeakyRelu::default() };
    assert_eq!(values(&steeper, &[-1.0]), [-0.1]);
}

#[test]
fn act_06_elu_is_a_curve_below_0_that_meets_the_line() {
    let elu = Elu::default();
    assert_close(&values(&elu, &[-1.0, 0.0, 2.0, -1000.0]), &[-0.63212, 0.0, 2.0, -1.0], 1e-5, "elu");
    assert_close(&slopes(&elu, &[-1e-9, 1e-9, 1000.0]), &[1.0, 1.0, 1.0], 1e-8, "smooth at 0 for alpha 1");
    let steeper = Elu { alpha: 2.0, ..Elu::default() };
    assert_close(&slopes(&steeper, &[-1e-12, 0.0]), &[2.0, 2.0], 1e-9, "alpha from the left");
}

#[test]
fn act_07_selu_keeps_mean_0_and_variance_1_through_ten_layers() {
    assert_close(&values(&Selu::default(), &[-1.0]), &[-1.1113], 1e-4, "selu(-1)");
    let mut model = Sequential::default();
    for _ in 0..10 {
        model.push(Linear::new(300, 300));
        model.push(Selu::default());
    }
    let seen = outputs_of(&model, 300);
    for (path, output) in seen.iter().filter(|(path, _)| path.parse::<usize>().unwrap() % 2 == 1) {
        assert!(
            mean(output).abs() < 0.15 && (variance(output) - 1.0).abs() < 0.3,
            "{path}: {}",
            variance(output)
        );
    }
}

/// What each layer gives for 200 rows of standard normal numbers, by path.
fn outputs_of(model: &Sequential, inputs: usize) -> Vec<(String, Vec<f64>)> {
    let mut stream = barun_engine::random::Stream::new(5, "normal rows");
    let x: Vec<f32> = (0..200 * inputs).map(|_| stream.normal() as f32).collect();
    let step = Step::compile(model, &Sgd::default(), &Mse::default()).unwrap();
    let state = step.init(3).unwrap();
    let outputs = step.inventory().layers.len();
    let x = Buffer::new(&x, [200, inputs]);
    let y = Buffer::zeros(step.predict(&state, &x).unwrap().shape().clone(), barun_nn::DType::F32);
    let seen = step.watch(&state, &Batch { x, y }, None).unwrap();
    assert_eq!(seen.len(), outputs);
    seen.into_iter().map(|(path, output)| (path, output.to_f64())).collect()
}

#[test]
fn act_09_exponentials_make_probabilities_of_negative_numbers() {
    let x = [-1.0, 0.0, 1.0];
    let p = values(&Softmax::default(), &x);
    assert_close(&p, &[0.0900, 0.2447, 0.6652], 1e-3, "softmax");
    assert!(p.iter().all(|p| *p > 0.0));
    // The plain ratio divides by 0 here, and is negative elsewhere.
    let ratio = |x: &[f64]| apply(x, |x| x / x.sum(..));
    assert!(ratio(&x).iter().all(|share| !share.is_finite()));
    assert!(ratio(&[-1.0, 0.5, 1.0])[0] < 0.0);
}

#[test]
fn act_12_sigmoid_and_tanh_saturate_and_a_counter_tells() {
    // In parts of the number itself: it is small.
    let of = |found: Vec<f64>, expected: f64| found[0] / expected;
    assert_close(&[of(slopes(&Sigmoid::default(), &[10.0]), 4.54e-5)], &[1.0], 1e-3, "sigmoid'(10)");
    assert_close(&[of(slopes(&Tanh::default(), &[10.0]), 8.2e-9)], &[1.0], 1e-2, "tanh'(10)");
    let large = Linear { init: Init::Normal(10.0), ..Linear::new(20, 30) };
    let report = activity_of(sequential![large, Sigmoid::default(), Linear::new(30, 1)], 1);
    assert!(report.layers[1].saturated.unwrap() > 0.8, "{report}");
    let small = Linear { init: Init::Normal(0.01), ..Linear::new(20, 30) };
    let report = activity_of(sequential![small, Sigmoid::default(), Linear::new(30, 1)], 1);
    assert_eq!(report.layers[1].saturated, Some(0.0), "{report}");
}

/// What the layers of a model with 20 inputs give, and a step that is taken first.
fn activity_of(model: Sequential, seed: u64) -> barun_nn::Activity {
    let step = Step::compile(model, &Sgd::default(), &Mse::default()).unwrap();
    activity(&step, &step.init(seed).unwrap(), &normal_batch()).unwrap()
}

fn normal_batch() -> Batch {
    let mut stream = barun_engine::random::Stream::new(9, "batch");
    let mut normal = |count: usize| (0..count).map(|_| stream.normal() as f32).collect::<Vec<_>>();
    Batch { x: Buffer::new(&normal(800), [40, 20]), y: Buffer::new(&normal(40), [40, 1]) }
}

#[test]
fn act_13_relu_does_not_saturate_for_positive_inputs() {
    assert_eq!(slopes(&Relu::default(), &[1.0, 1e6]), [1.0, 1.0]);
}

#[test]
fn act_14_positive_inputs_give_the_weights_of_a_neuron_gradients_of_one_sign() {
    let mut batch = normal_batch();
    let step = Step::compile(sequential![Linear::new(20, 1)], &Sgd::default(), &Mse::default()).unwrap();
    let mut state = step.init(1).unwrap();
    let one_row = |x: &[f32]| Batch { x: Buffer::new(&x[..20], [1, 20]), y: Buffer::new(&[5.0f32], [1, 1]) };
    for value in batch.x.as_mut_slice::<f32>().unwrap() {
        *value = value.abs() + 0.01;
    }
    let positive = one_row(batch.x.as_slice::<f32>().unwrap());
    for _ in 0..10 {
        let gradient = step.gradients(&state, &positive).unwrap()[0].1.to_f64();
        assert!(gradient.windows(2).all(|pair| pair[0].signum() == pair[1].signum()), "{gradient:?}");
        step.run(&mut state, &positive, 0.001).unwrap();
    }
    let centred = one_row(normal_batch().x.as_slice::<f32>().unwrap());
    let gradient = step.gradients(&state, &centred).unwrap()[0].1.to_f64();
    assert!(gradient.iter().any(|g| *g > 0.0) && gradient.iter().any(|g| *g < 0.0));
}

#[test]
fn diag_15_behind_a_sigmoid_weights_move_together_and_behind_tanh_or_normalisation_they_do_not() {
    let agreement = |activation: Box<dyn Layer>| {
        let mut model = sequential![Linear::new(20, 64)];
        model.layers.push(activation);
        model.push(Linear::new(64, 1));
        let step = Step::compile(model, &Sgd::default(), &Mse::default()).unwrap();
        let mut batch = normal_batch();
        // Far from where the network is, so that all rows pull one way.
        batch.y = Buffer::new(&vec![50.0f32; batch.x.shape()[0]], [batch.x.shape()[0], 1]);
        let found = zig_zag(&step, &step.init(1).unwrap(), &batch).unwrap();
        found.into_iter().find(|weight| weight.path == "2.weight").unwrap()
    };
    let (sigmoid, tanh) = (agreement(Box::<Sigmoid>::default()), agreement(Box::<Tanh>::default()));
    assert_eq!((sigmoid.one_sign, sigmoid.agreement), (1.0, 1.0));
    assert!(tanh.one_sign == 0.0 && tanh.agreement < 0.5, "{tanh:?}");
    assert!(agreement(Box::new(BatchNorm::new(64))).agreement < 0.5);
}

#[test]
fn act_14_a_neuron_with_centred_inputs_learns_in_fewer_steps() {
    // A target that needs one weight to rise and the other to fall; each at the rate that suits it best.
    let steps = |shift: f64| {
        let mut stream = barun_engine::random::Stream::new(1, "inputs");
        let x: Vec<f64> = (0..200).map(|_| stream.uniform() - shift).collect();
        let y: Vec<f64> = x.chunks(2).map(|row| row[0] - row[1]).collect();
        let batch = Batch { x: f64s(&x, [100, 2]), y: f64s(&y, [100, 1]) };
        let neuron = Linear { bias: false, init: Init::Zeros, ..Linear::new(2, 1) };
        let step = Step::compile(neuron, &Sgd::default(), &Mse::default()).unwrap();
        let to_a_hundredth = |lr: f64| {
            let mut state = step.init(1).unwrap();
            let first = step.evaluate(&state, &batch).unwrap().loss;
            (1..400).find(|_| step.run(&mut state, &batch, lr).unwrap().loss < 1e-4 * first)
        };
        [0.25, 0.5, 1.0, 1.5, 2.0, 4.0, 6.0].into_iter().filter_map(to_a_hundredth).min().unwrap()
    };
    let (positive, centred) = (steps(0.0), steps(0.5));
    println!("steps to a ten thousandth of the loss: {positive} with positive inputs, {centred} centred");
    assert!(centred < positive / 2, "{centred} {positive}");
}

fn with_dead_layer(activation: Box<dyn Layer>) -> Sequential {
    let dead = Linear { bias_init: Init::Constant(-100.0), ..Linear::new(15, 10) };
    let mut model = sequential![Linear::new(20, 15), Tanh::default(), dead];
    model.layers.push(activation);
    model.push(Linear::new(10, 1));
    model
}

fn gradient_norms(model: &Sequential) -> Vec<(String, f64)> {
    let step = Step::compile(model, &Sgd::default(), &Mse::default()).unwrap();
    let gradients = step.gradients(&step.init(1).unwrap(), &normal_batch()).unwrap();
    let norm = |values: Vec<f64>| values.iter().map(|value| value * value).sum::<f64>().sqrt();
    gradients.into_iter().map(|(path, gradient)| (path, norm(gradient.to_f64()))).collect()
}

#[test]
fn act_15_and_16_dead_relus_are_counted_and_nothing_behind_them_learns() {
    let model = with_dead_layer(Box::new(Relu::default()));
    let report = activity_of(model.clone(), 1);
    assert_eq!(report.layers[3].dead, Some(1.0), "{report}");
    let norms = gradient_norms(&model);
    for (path, norm) in norms.iter().filter(|(path, _)| !path.starts_with('4')) {
        assert_eq!(*norm, 0.0, "{path}");
    }
    assert!(norms.iter().any(|(path, norm)| path == "4.bias" && *norm > 0.0));
}

#[test]
fn act_17_a_leaky_relu_lets_the_dead_learn_again() {
    let model = with_dead_layer(Box::new(LeakyRelu::default()));
    assert!(gradient_norms(&model).iter().all(|(_, norm)| *norm > 0.0));
    // Something to learn: the first column.
    let batch = normal_batch();
    let y: Vec<f64> = batch.x.to_f64().chunks(20).map(|row| row[0]).collect();
    let batch = Batch { y: Buffer::new(&y, [40, 1]), ..batch };
    let step = Step::compile(&model, &Adam::default(), &Mse::default()).unwrap();
    let mut state = step.init(1).unwrap();
    let losses: Vec<f64> = (0..600).map(|_| step.run(&mut state, &batch, 0.05).unwrap().loss).collect();
    assert!(losses[599] < 0.5 * losses[0], "{} {}", losses[0], losses[599]);
}

#[test]
fn act_18_and_err_09_a_small_positive_bias_keeps_more_relus_active_but_not_surely_all() {
    let inactive = |bias: f64| {
        let first = Linear { bias_init: Init::Constant(bias), ..Linear::new(20, 400) };
        let model = sequential![first, Relu::default(), Linear::new(400, 1)];
        let step = Step::compile(model, &Sgd::default(), &Mse::default()).unwrap();
        let seen = step.watch(&step.init(1).unwrap(), &normal_batch(), Some(&["1"])).unwrap();
        let values = seen[0].1.to_f64();
        values.iter().filter(|value| **value == 0.0).count() as f64 / values.len() as f64
    };
    let (none, small, larger) = (inactive(0.0), inactive(0.01), inactive(0.1));
    assert!(none > small && small > larger && larger > 0.0, "{none} {small} {larger}");
}

#[test]
fn act_19_relu_is_not_centred_at_0_and_elu_and_tanh_are_nearer() {
    let mut stream = barun_engine::random::Stream::new(2, "standard normal");
    let x: Vec<f64> = (0..400_000).map(|_| stream.normal()).collect();
    let mean_of = |activation: &dyn Fn(&Tensor) -> Tensor| mean(&apply(&x, activation));
    let relu = mean_of(&|x| Relu::default().apply(x));
    let elu = mean_of(&|x| Elu::default().apply(x));
    let tanh = mean_of(&|x| Tanh::default().apply(x));
    assert!(
        (relu - 0.3989).abs() < 0.004 && (elu - 0.1605).abs() < 0.005 && tanh.abs() < 0.004,
        "{relu} {elu} {tanh}"
    );
}

#[test]
fn act_20_relu_is_two_lines_and_yet_not_linear() {
    let relu = |x: f64| values(&Relu::default(), &[x])[0];
    assert_ne!(relu(2.0 - 3.0), relu(2.0) + relu(-3.0));
    for (a, x) in [(0.0, 2.0), (3.5, -1.0), (0.25, 8.0)] {
        assert_eq!(relu(a * x), a * relu(x));
    }
}

#[test]
fn act_22_what_comes_before_and_after_an_activation_can_be_watched() {
    let model = sequential![Linear::new(20, 4), Relu::default(), Linear::new(4, 1)];
    let step = Step::compile(model, &Sgd::default(), &Mse::default()).unwrap();
    let seen = step.watch(&step.init(1).unwrap(), &normal_batch(), Some(&["0", "1"])).unwrap();
    let (before, after) = (seen[0].1.to_f64(), seen[1].1.to_f64());
    assert!(before.iter().any(|value| *value < 0.0));
    assert_eq!(before.iter().map(|value| value.max(0.0)).collect::<Vec<_>>(), after);
}

#[test]
fn act_23_weights_make_a_sigmoid_steep_and_biases_move_it() {
    for (w, b) in [(2.0, 1.0), (0.5, -3.0), (-4.0, 2.0)] {
        let middle = -b / w;
        let y = apply(&[middle], |x| (x * w + b).sigmoid());
        let slope = derivative(&[middle], |x| (x * w + b).sigmoid());
        assert_close(&[y[0], slope[0]], &[0.5, w / 4.0], 1e-12, "middle and slope");
    }
}

#[test]
fn act_04_every_kink_has_a_documented_choice() {
    let kinks: [(&str, &str, f64, [f64; 2]); 7] = [
        ("relu", "at_zero", 0.0, [0.0, 1.0]),
        ("leaky_relu", "at_zero", 0.0, [0.01, 1.0]),
        ("elu", "at_zero", 0.0, [1.0, 1.0]),
        ("selu", "at_zero", 0.0, [1.7580993408473766, 1.0507009873554805]),
        ("hard_tanh", "at_kink", 1.0, [0.0, 1.0]),
        ("hard_sigmoid", "at_kink", 3.0, [0.0, 1.0 / 6.0]),
        ("hard_swish", "at_kink", 3.0, [1.0, 1.5]),
    ];
    for (name, setting, place, [lower, upper]) in kinks {
        for (share, expected) in [(0.0, lower), (0.5, (lower + upper) / 2.0), (1.0, upper)] {
            let mut activation = by_name(name).unwrap();
            activation.set(setting, &Value::Number(share)).unwrap();
            let slope = derivative(&[place], |x| activation.apply(x));
            assert_close(&slope, &[expected], 1e-12, &format!("{name} {setting} = {share}"));
        }
        let error = by_name(name).unwrap().set(setting, &Value::Number(1.5)).unwrap_err().to_string();
        assert!(error.contains("from 0 to 1"), "{error}");
    }
}

#[test]
fn maxout_takes_the_largest_piece_and_says_what_does_not_divide() {
    let maxout = Maxout::new(3);
    let state = barun_nn::fresh_state(&maxout, 1, barun_nn::DType::F64).unwrap();
    let forward = |x: &Tensor| {
        let mut pass = Pass::by_run(&maxout, &state, Mode::Eval).unwrap();
        maxout.forward(x, &mut pass)
    };
    let y = forward(&Tensor::new(f64s(&[1.0, 5.0, 2.0, -3.0, -1.0, -2.0], [1, 6]))).unwrap();
    assert_eq!(y.to_vec::<f64>().unwrap(), [5.0, -1.0]);
    let error = forward(&Tensor::new(f64s(&[1.0; 4], [1, 4]))).unwrap_err().to_string();
    assert!(error.contains("multiple of the 3 pieces"), "{error}");
}

#[test]
fn prelu_learns_its_slope_and_decay_leaves_it_alone() {
    let model = sequential![Linear::new(20, 6), Prelu::new(6), Linear::new(6, 1)];
    let slope =
        barun_nn::parameters(&model).unwrap().into_iter().find(|entry| entry.path == "1.slope").unwrap();
    assert_eq!((slope.count(), slope.role), (6, barun_nn::Role::Norm));
    let step = Step::compile(model, &Sgd::default(), &Mse::default()).unwrap();
    let mut state = step.init(1).unwrap();
    assert_eq!(state.get("1.slope").unwrap().to_f64(), [0.25; 6]);
    step.run(&mut state, &normal_batch(), 0.1).unwrap();
    assert!(state.get("1.slope").unwrap().to_f64().iter().all(|slope| *slope != 0.25));
}

#[test]
fn act_08_softmax_sums_to_1_and_ignores_a_constant() {
    let softmax = Softmax::default();
    let p = values(&softmax, &[-1.0, 0.0, 1.0]);
    assert_close(&p, &[0.0900306, 0.2447285, 0.6652410], 1e-7, "softmax");
    assert_close(&[p.iter().sum()], &[1.0], 1e-15, "sum");
    assert_close(&values(&softmax, &[999.0, 1000.0, 1001.0]), &p, 1e-12, "shifted");
    assert_eq!(values(&softmax, &[1000.0, 1000.0]), [0.5, 0.5]);
}

#[test]
fn act_08_the_jacobian_of_softmax_is_diagonal_minus_outer_product() {
    let x = [0.3, -1.2, 2.0];
    let p = values(&Softmax::default(), &x);
    for row in 0..3 {
        let gradient = derivative(&x, |x| x.softmax(-1).narrow(0, row, row + 1));
        let expected: Vec<f64> =
            (0..3).map(|column| p[row] * (f64::from(u8::from(row == column)) - p[column])).collect();
        assert_close(&gradient, &expected, 1e-13, "row of the Jacobian");
    }
}

#[test]
fn act_24_sigmoid_is_softmax_against_0() {
    for z in [-3.0, 0.0, 1.5] {
        let p = values(&Softmax::default(), &[z, 0.0])[0];
        assert_close(&values(&Sigmoid::default(), &[z]), &[p], 1e-14, "sigmoid");
    }
}

#[test]
fn act_25_identity_changes_nothing() {
    let x = [-2.0, 0.0, 5.0];
    assert_eq!(values(&Identity::default(), &x), x);
    assert_eq!(slopes(&Identity::default(), &x), [1.0; 3]);
}

#[test]
fn activations_are_found_by_name() {
    for activation in all() {
        assert_eq!(by_name(activation.name()).unwrap().name(), activation.name());
    }
    let error = by_name("rellu").unwrap_err().to_string();
    assert!(error.contains("did you mean `relu`?"), "{error}");
}
