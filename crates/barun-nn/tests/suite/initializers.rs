//! First values. [INIT]

use barun_nn::activations::{self, Activation};
use barun_nn::hyper::{HyperValue, Value};
use barun_nn::layers::*;
use barun_nn::{DType, Fans, Init, Shape, parameters, sequential};

use crate::common::{assert_close, mean, variance};

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
    for init in Init::ALL {
        assert_eq!(Init::from_value(&init.to_value()), Some(init), "{init}");
    }
    let text = |text: &str| Init::from_value(&Value::Text(text.into()));
    assert_eq!(text("normal(0.05)"), Some(Init::Normal(0.05)));
    assert_eq!(text("he_normal(3)"), None);
    assert_eq!(text("nonsense"), None);
}
