//! Activations. [ACT]

use barun_nn::activations::*;
use barun_nn::{Hyper, Tensor};

use crate::common::{apply, assert_close, derivative};

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
