//! First values. [INIT]

use barun_nn::activations::{self, Activation};
use barun_nn::hyper::{HyperValue, Value};
use barun_nn::layers::*;
use barun_nn::losses::{CrossEntropy, Mse};
use barun_nn::optimizers::{Adam, Sgd};
use barun_nn::{Batch, Buffer, DType, Fans, Hyper, Init, Layer, Shape, Step, parameters, sequential};

use crate::common::{assert_close, blobs, mean, variance};

fn draw(init: Init, shape: [usize; 2]) -> Vec<f64> {
    init.values(&Shape::from(shape), 1, "w").collect()
}

fn check_std(init: Init, expected: f64) {
    let values = draw(init, [200, 300]);
    assert_close(&[variance(&values).sqrt()], &[expected], 0.02, &init.to_string());
    assert!(mean(&values).abs() < 0.03 * expected);
    assert_close(&[init.std(Fans { fan_in: 200, fan_out: 300 })], &[expected], 1e-12, "announced");
}

fn check_uniform(init: Init, bound: f64) {
    check_std(init, bound / 3f64.sqrt());
    let values = draw(init, [200, 300]);
    assert!(values.iter().all(|value| value.abs() <= bound));
    assert!(values.iter().any(|value| value.abs() > 0.99 * bound));
}

#[test]
fn init_01_and_02_normal_has_the_deviation_it_is_given() {
    check_std(Init::Normal(1.0), 1.0);
    check_std(Init::Normal(0.01), 0.01);
}

#[test]
fn init_03_lecun_normal() {
    check_std(Init::LecunNormal, (1.0 / 200f64).sqrt());
}

#[test]
fn init_04_lecun_uniform_matches_the_variance_and_the_notes_form_is_a_third_of_it() {
    check_uniform(Init::LecunUniform, (3.0 / 200f64).sqrt());
    check_uniform(Init::LecunUniformNotes, (1.0 / 200f64).sqrt());
    let fans = Fans { fan_in: 200, fan_out: 300 };
    let variance = |init: Init| init.std(fans).powi(2);
    assert_close(&[variance(Init::LecunUniform)], &[1.0 / 200.0], 1e-12, "matching");
    assert_close(&[variance(Init::LecunUniformNotes)], &[1.0 / 600.0], 1e-12, "notes");
}

#[test]
fn init_05_xavier_normal() {
    check_std(Init::XavierNormal, (2.0 / 500f64).sqrt());
}

#[test]
fn init_06_xavier_uniform() {
    check_uniform(Init::XavierUniform, (6.0 / 500f64).sqrt());
}

#[test]
fn init_07_he_normal() {
    check_std(Init::HeNormal, (2.0 / 200f64).sqrt());
}

#[test]
fn init_08_he_uniform() {
    check_uniform(Init::HeUniform, (6.0 / 200f64).sqrt());
}

#[test]
fn init_09_the_fan_of_a_kernel_counts_its_taps_and_channels() {
    assert_eq!(Fans::of(&[5, 5, 3, 8].into()), Fans { fan_in: 75, fan_out: 200 });
    // Two groups of three channels: each filter sees three.
    let grouped = Conv2d { groups: 2, ..Conv2d::new(6, 4, 3) };
    assert_eq!(Fans::of(&parameters(&grouped).unwrap()[0].shape).fan_in, 27);
}

/// The outputs of `depth` layers of `width` units for rows of standard normal numbers, layer by layer.
fn layers_of(
    init: Init,
    activation: &dyn Activation,
    [rows, width]: [usize; 2],
    depth: usize,
    seed: u64,
) -> Vec<Vec<f64>> {
    let mut model = Sequential::default();
    for _ in 0..depth {
        model.push(Linear { init, ..Linear::new(width, width) });
        model.layers.push(Layer::clone_box(activation));
    }
    let mut stream = barun_engine::random::Stream::new(seed, "rows");
    let x: Vec<f32> = (0..rows * width).map(|_| stream.normal() as f32).collect();
    let step = Step::compile(&model, &Sgd::default(), &Mse::default()).unwrap();
    let x = Buffer::new(&x, [rows, width]);
    let batch = Batch { y: Buffer::zeros([rows, width], DType::F32), x };
    let seen = step.watch(&step.init(seed).unwrap(), &batch, None).unwrap();
    let activations = seen.into_iter().filter(|(path, _)| path.parse::<usize>().unwrap() % 2 == 1);
    activations.map(|(_, output)| output.to_f64()).collect()
}

fn outer_share(values: &[f64]) -> f64 {
    values.iter().filter(|value| !(0.05..=0.95).contains(*value)).count() as f64 / values.len() as f64
}

#[test]
fn init_10_sigmoids_with_standard_normal_weights_pile_up_at_0_and_1() {
    let layers = layers_of(Init::Normal(1.0), &Sigmoid::default(), [1000, 100], 5, 1);
    assert!((outer_share(&layers[0]) - 0.768).abs() < 0.02, "{}", outer_share(&layers[0]));
    assert!(layers.iter().all(|layer| outer_share(layer) > 0.6));
}

#[test]
fn init_11_with_xavier_they_spread_evenly() {
    let layers = layers_of(Init::XavierNormal, &Sigmoid::default(), [1000, 100], 5, 1);
    assert!(layers.iter().all(|layer| outer_share(layer) < 0.05 && variance(layer).sqrt() > 0.05));
}

#[test]
fn init_12_sums_spread_with_the_root_of_the_inputs_unless_the_weights_shrink() {
    for inputs in [10usize, 100, 1000] {
        let spread = |std: f64| {
            let weights: Vec<f64> = Init::Normal(std).values(&Shape::from([inputs, 4000]), 3, "w").collect();
            let sums: Vec<f64> =
                (0..4000).map(|unit| weights.iter().skip(unit).step_by(4000).sum()).collect();
            variance(&sums).sqrt()
        };
        assert_close(&[spread(1.0)], &[(inputs as f64).sqrt()], 0.05, "N(0, 1)");
        assert_close(&[spread(1.0 / (inputs as f64).sqrt())], &[1.0], 0.05, "N(0, 1 / n)");
    }
}

#[test]
fn init_13_and_err_05_the_table_of_rules_has_deviations_and_what_is_drawn_has_them_too() {
    let fans = Fans { fan_in: 200, fan_out: 300 };
    println!("{:<24} {:>9} {:>9}", "rule", "std", "sampled");
    for &init in Init::ALL {
        let sampled = variance(&draw(init, [200, 300])).sqrt();
        println!("{:<24} {:>9.5} {sampled:>9.5}", init.to_string(), init.std(fans));
        assert!((sampled - init.std(fans)).abs() <= 0.02 * init.std(fans) + 1e-12, "{init}");
    }
}

#[test]
fn init_14_too_small_weights_make_all_units_look_alike() {
    let layers = layers_of(Init::Normal(0.01), &Sigmoid::default(), [1000, 100], 5, 1);
    let last = variance(&layers[4]).sqrt();
    assert!(last < 0.02, "{last}");
}

#[test]
fn init_15_relu_halves_the_signal_under_xavier_and_keeps_it_under_he() {
    let second_moments = |init: Init, depth: usize| {
        let runs: Vec<Vec<f64>> = (0..20)
            .map(|seed| {
                let layers = layers_of(init, &Relu::default(), [100, 512], depth, seed);
                layers.iter().map(|layer| mean(&layer.iter().map(|y| y * y).collect::<Vec<_>>())).collect()
            })
            .collect();
        (0..depth).map(|at| mean(&runs.iter().map(|run| run[at]).collect::<Vec<_>>())).collect::<Vec<f64>>()
    };
    let (xavier, he) = (second_moments(Init::XavierNormal, 5), second_moments(Init::HeNormal, 10));
    assert!((xavier[4] * 32.0 - 1.0).abs() < 0.25, "{xavier:?}");
    assert!(he.iter().all(|moment| (moment / he[0] - 1.0).abs() < 0.2), "{he:?}");
}

#[test]
fn init_17_and_diag_05_good_rules_keep_gradients_of_first_and_last_layer_alike() {
    // The common logarithm of first over last, for each of forty draws of the weights.
    let ratios = |init: Init, activation: &dyn Activation| {
        let mut model = Sequential::default();
        for _ in 0..6 {
            model.push(Linear { init, ..Linear::new(60, 60) });
            model.layers.push(Layer::clone_box(activation));
        }
        model.push(Linear { init, ..Linear::new(60, 1) });
        let step = Step::compile(&model, &Sgd::default(), &Mse::default()).unwrap();
        let ratio = |seed: u64| {
            // Of a single row, whose error divides out: what is left is the way back alone.
            let mut stream = barun_engine::random::Stream::new(seed, "row");
            let x: Vec<f32> = (0..60).map(|_| stream.normal() as f32).collect();
            let batch = Batch { x: Buffer::new(&x, [1, 60]), y: Buffer::new(&[10.0f32], [1, 1]) };
            let gradients = step.gradients(&step.init(seed).unwrap(), &batch).unwrap();
            let norm = |path: &str| {
                let values = gradients.iter().find(|(name, _)| name == path).unwrap().1.to_f64();
                values.iter().map(|value| value * value).sum::<f64>().sqrt()
            };
            // Of biases: what arrives at a layer. That of weights is multiplied by what came in, which undoes it for ReLU.
            (norm("0.bias") / norm("10.bias")).log10()
        };
        (1..=40).map(ratio).collect::<Vec<f64>>()
    };
    // On the way back each of the five layers between multiplies the expected square by 60 std^2 and by the mean of the
    // activation's squared derivative: 1/2 for ReLU; for tanh 1 where all is small, and under Xavier 0.45, 0.60, 0.68, 0.73,
    // 0.77 for inputs of variance 1, 0.39, 0.26, 0.20, 0.16. A draw differs from that by about 0.2, the mean of forty by 0.03; a
    // square's logarithm is a little below its mean's.
    let (tanh, relu) = (Tanh::default(), Relu::default());
    for (init, activation, expected) in [
        (Init::XavierNormal, &tanh as &dyn Activation, -0.49),
        (Init::HeNormal, &relu, 0.0),
        (Init::Normal(0.01), &tanh, -5.55),
        (Init::Normal(0.01), &relu, -6.31),
        (Init::Normal(1.0), &relu, 3.69),
    ] {
        let found = ratios(init, activation);
        let (mean, deviation) = (mean(&found), variance(&found).sqrt());
        println!("{init}, {}: {mean:.2} +- {deviation:.2}, expected {expected}", Hyper::name(activation));
        assert!((mean - expected).abs() < 0.2, "{init}: {mean} +- {deviation}, expected {expected}");
    }
}

#[test]
fn init_19_units_that_start_equal_stay_equal() {
    let zero = |inputs, outputs| Linear { init: Init::Constant(0.0), ..Linear::new(inputs, outputs) };
    let model = sequential![zero(2, 8), Sigmoid::default(), zero(8, 3)];
    let step = Step::compile(model, &Adam::default(), &CrossEntropy::default()).unwrap();
    let mut state = step.init(1).unwrap();
    for _ in 0..20 {
        step.run(&mut state, &blobs(16, 2, 3, 1), 0.05).unwrap();
    }
    let weights = state.get("0.weight").unwrap().to_f64();
    assert!(weights.chunks(8).all(|row| row.iter().all(|w| *w == row[0])), "{weights:?}");
    assert!(weights.iter().any(|w| *w != 0.0), "they do move, all alike");
}

#[test]
fn init_22_biases_start_where_the_user_says() {
    let model = Linear { bias_init: Init::Constant(0.1), ..Linear::new(3, 2) };
    let state = barun_nn::fresh_state(&model, 3, DType::F64).unwrap();
    assert_eq!(state.get("bias").unwrap().to_f64(), [0.1; 2]);
}

#[test]
fn init_24_a_table_shows_what_a_rule_does_to_every_layer() {
    let wide = Linear { init: Init::Normal(1.0), ..Linear::new(30, 40) };
    let model = sequential![wide, Tanh::default(), Linear::new(40, 10), Relu::default(), Linear::new(10, 1)];
    let step = Step::compile(model, &Sgd::default(), &Mse::default()).unwrap();
    let batch = blobs(50, 30, 2, 4);
    let batch = Batch { y: Buffer::zeros([50, 1], DType::F32), ..batch };
    let report = barun_nn::activity(&step, &step.init(1).unwrap(), &batch).unwrap();
    let text = report.to_string();
    assert_eq!(report.layers.len(), 5);
    assert!(report.layers[1].saturated > Some(0.5) && report.layers[3].dead < Some(0.5), "{text}");
    assert!(text.starts_with("layer  kind") && text.contains("Tanh") && text.contains('%'), "{text}");
}

#[test]
fn truncated_normal_numbers_lie_within_two_deviations() {
    let values = draw(Init::TruncatedNormal(0.5), [200, 300]);
    assert!(values.iter().all(|value| value.abs() <= 1.0) && values.iter().any(|value| value.abs() > 0.99));
    assert_close(&[variance(&values).sqrt()], &[0.5 * 0.8796], 0.02, "what is left of the deviation");
}

#[test]
fn orthogonal_weights_keep_every_direction_as_long_as_it_is() {
    for shape in [[6usize, 4], [4, 6], [5, 5]] {
        let [rows, columns] = shape;
        let w: Vec<f64> = Init::Orthogonal(2.0).values(&Shape::from(shape), 7, "w").collect();
        let short = rows.min(columns);
        for i in 0..short {
            for j in 0..short {
                let product: f64 = match rows >= columns {
                    true => (0..rows).map(|row| w[row * columns + i] * w[row * columns + j]).sum(),
                    false => {
                        (0..columns).map(|column| w[i * columns + column] * w[j * columns + column]).sum()
                    }
                };
                let expected = if i == j { 4.0 } else { 0.0 };
                assert!((product - expected).abs() < 1e-12, "{shape:?} {i} {j}: {product}");
            }
        }
    }
    // A kernel is the matrix [kh kw in, out].
    let kernel: Vec<f64> = Init::Orthogonal(1.0).values(&Shape::from([3, 3, 2, 4]), 7, "k").collect();
    let norm: f64 = kernel.iter().step_by(4).map(|value| value * value).sum();
    assert!((norm - 1.0).abs() < 1e-12);
}

#[test]
fn init_20_first_values_depend_on_seed_and_path_alone() {
    let state = |model: &Sequential, seed| barun_nn::fresh_state(model, seed, DType::F32).unwrap();
    let small = sequential![Linear::new(4, 3)];
    let weights = |model: &Sequential, seed| state(model, seed).get("0.weight").unwrap().to_f64();
    assert_eq!(weights(&small, 1), weights(&small.clone(), 1));
    assert_ne!(weights(&small, 1), weights(&small, 2));
    // A layer more changes nothing for the others.
    let explicit = |inputs, outputs| Linear { init: Init::HeNormal, ..Linear::new(inputs, outputs) };
    let small = sequential![explicit(4, 3)];
    let longer = sequential![explicit(4, 3), explicit(3, 2)];
    assert_eq!(weights(&small, 1), weights(&longer, 1));
    let second = state(&longer, 1).get("1.weight").unwrap().to_f64();
    assert_ne!(second[..3], weights(&longer, 1)[..3]);
}

#[test]
fn init_23_auto_picks_what_suits_the_activation() {
    let rule = |activation: Box<dyn Activation>| {
        let mut model = sequential![Linear::new(4, 4), BatchNorm::new(4)];
        model.layers.push(activation);
        model.push(Dropout::default());
        model.push(Linear::new(4, 2));
        let parameters = parameters(&model).unwrap();
        assert_eq!(parameters.last().unwrap().path, "4.bias");
        // The output layer has nothing behind it.
        assert_eq!(parameters[parameters.len() - 2].init, Init::LecunNormal);
        parameters[0].init
    };
    for (name, expected) in [
        ("sigmoid", Init::XavierNormal),
        ("tanh", Init::XavierNormal),
        ("relu", Init::HeNormal),
        ("leaky_relu", Init::HeNormal),
        ("selu", Init::LecunNormal),
        ("identity", Init::LecunNormal),
    ] {
        assert_eq!(rule(activations::by_name(name).unwrap()), expected, "{name}");
    }
    // What the user sets stays.
    let set = sequential![Linear { init: Init::Normal(0.01), ..Linear::new(4, 4) }, Relu::default()];
    assert_eq!(parameters(&set).unwrap()[0].init, Init::Normal(0.01));
}

#[test]
fn biases_start_at_0_or_where_the_user_says() {
    let model =
        sequential![Linear::new(3, 2), Linear { bias_init: Init::Constant(0.1), ..Linear::new(2, 2) }];
    let state = barun_nn::fresh_state(&model, 3, DType::F64).unwrap();
    assert_eq!(state.get("0.bias").unwrap().to_f64(), [0.0; 2]);
    assert_eq!(state.get("1.bias").unwrap().to_f64(), [0.1; 2]);
}

#[test]
fn rules_are_written_as_recipes_write_them() {
    for &init in Init::ALL {
        assert_eq!(Init::from_value(&init.to_value()), Some(init), "{init}");
    }
    let text = |text: &str| Init::from_value(&Value::Text(text.into()));
    assert_eq!(text("normal(0.05)"), Some(Init::Normal(0.05)));
    assert_eq!(text("he_normal(3)"), None);
    assert_eq!(text("nonsense"), None);
}
