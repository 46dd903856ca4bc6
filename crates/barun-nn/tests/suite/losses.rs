//! Losses. [LOSS]

use barun_nn::losses::{
    Bce, BceWithLogits, Contrastive, CrossEntropy, Focal, Hinge, Huber, Loss, Mae, Mse, Nll, Rmse, Task,
    Triplet,
};
use barun_nn::metrics::{Correct, Metric};
use barun_nn::{Buffer, Hyper, Tensor};

use crate::common::{assert_close, compute, derivative, f64s};

/// The loss and its gradient for the prediction.
fn value_and_gradient(loss: &impl Loss, prediction: &Buffer, target: &Buffer) -> (f64, Vec<f64>) {
    let outputs = compute(&[prediction, target], |inputs| {
        let value = loss.loss(&inputs[0], &inputs[1])?;
        let gradient = value.grad(&[&inputs[0]])?.remove(0);
        Ok(vec![value, gradient])
    })
    .unwrap();
    (outputs[0].to_f64()[0], outputs[1].to_f64())
}

fn labels(values: &[i64]) -> Buffer {
    Buffer::new(values, [values.len()])
}

#[test]
fn loss_02_mae_is_the_mean_of_absolute_residuals() {
    let (value, gradient) =
        value_and_gradient(&Mae::default(), &f64s(&[1.0, 1.0, 1.0, -10.0], [4]), &f64s(&[0.0; 4], [4]));
    assert_eq!(value, 3.25);
    assert_eq!(gradient, [0.25, 0.25, 0.25, -0.25]);
    let (_, at_zero) = value_and_gradient(&Mae::default(), &f64s(&[0.0], [1]), &f64s(&[0.0], [1]));
    assert_eq!(at_zero, [0.0]);
}

#[test]
fn loss_04_mse_is_the_mean_of_squared_residuals() {
    let (value, gradient) =
        value_and_gradient(&Mse::default(), &f64s(&[1.0, 1.0, 1.0, 10.0], [4]), &f64s(&[0.0; 4], [4]));
    assert_eq!(value, 25.75);
    assert_eq!(gradient, [0.5, 0.5, 0.5, 5.0]);
}

/// The constant that fits `targets` best, by gradient descent of a smaller and smaller rate.
fn best_constant(loss: &impl Loss, targets: &[f64]) -> f64 {
    let target = f64s(targets, [targets.len()]);
    let mut constant = 10.0;
    for step in 0..2000 {
        let prediction = f64s(&vec![constant; targets.len()], [targets.len()]);
        let (_, gradient) = value_and_gradient(loss, &prediction, &target);
        constant -= 20.0 / (1.0 + 0.05 * step as f64) * gradient.iter().sum::<f64>() * 0.02;
    }
    constant
}

#[test]
fn loss_05_and_err_16_squares_follow_outliers_and_count_less_only_below_1() {
    let targets = [1.0, 2.0, 3.0, 100.0];
    let mean = best_constant(&Mse::default(), &targets);
    let median = best_constant(&Mae::default(), &targets);
    assert!((mean - 26.5).abs() < 0.01, "{mean}");
    assert!((1.99..=3.01).contains(&median), "{median}");
    let at = |residual: f64| {
        let (p, t) = (f64s(&[residual], [1]), f64s(&[0.0], [1]));
        (value_and_gradient(&Mse::default(), &p, &t).0, value_and_gradient(&Mae::default(), &p, &t).0)
    };
    let ((large_square, large), (small_square, small)) = (at(3.0), at(0.5));
    assert!(large_square > large && small_square < small);
}

#[test]
fn loss_07_rmse_is_in_the_unit_of_the_data_and_safe_at_0() {
    let residuals = [1.0, 1.0, 1.0, 10.0];
    let of = |scale: f64| {
        let scaled: Vec<f64> = residuals.iter().map(|r| r * scale).collect();
        let (p, t) = (f64s(&scaled, [4]), f64s(&[0.0; 4], [4]));
        (value_and_gradient(&Rmse::default(), &p, &t).0, value_and_gradient(&Mse::default(), &p, &t).0)
    };
    assert_close(&[of(1.0).0], &[5.0744], 1e-5, "rmse");
    assert_close(&[of(3.0).0, of(3.0).1], &[3.0 * of(1.0).0, 9.0 * of(1.0).1], 1e-12, "scaled data");
    let zero = f64s(&[2.0, 3.0], [2]);
    assert_eq!(value_and_gradient(&Rmse::default(), &zero, &zero), (0.0, vec![0.0, 0.0]));
}

#[test]
fn huber_is_the_square_inside_delta_and_a_line_outside() {
    let (value, gradient) =
        value_and_gradient(&Huber { delta: 2.0 }, &f64s(&[1.0, -5.0], [2]), &f64s(&[0.0; 2], [2]));
    assert_eq!((value, gradient), ((0.5 + 2.0 * 4.0) / 2.0, vec![0.5, -1.0]));
}

#[test]
fn focal_without_focus_is_cross_entropy_and_with_it_looks_away_from_what_is_right() {
    let z = f64s(&[0.2, -1.0, 0.7, 3.0, 0.0, -2.0], [2, 3]);
    let y = labels(&[2, 0]);
    let entropy = value_and_gradient(&CrossEntropy::default(), &z, &y);
    let unfocused = value_and_gradient(&Focal { gamma: 0.0, ..Focal::default() }, &z, &y);
    assert_close(&unfocused.1, &entropy.1, 1e-13, "gamma 0");
    let focused = value_and_gradient(&Focal::default(), &z, &y);
    // The second row is nearly sure: its share of the gradient falls most.
    let share = |gradient: &[f64]| gradient[3].abs() / gradient[2].abs();
    assert!(share(&focused.1) < 0.2 * share(&entropy.1));
}

#[test]
fn hinge_leaves_rows_alone_that_lead_by_the_margin() {
    let (value, gradient) =
        value_and_gradient(&Hinge::default(), &f64s(&[3.0, 1.0, 0.0], [1, 3]), &labels(&[0]));
    assert_eq!((value, gradient), (0.0, vec![0.0; 3]));
}

#[test]
fn triplets_pull_a_class_together_until_it_leads_by_the_margin() {
    let y = labels(&[0, 0, 1, 1]);
    let mut places = vec![0.0, 0.1, 0.4, 0.0, 0.2, 0.3, 0.5, 0.5];
    for loss in [&Triplet::default() as &dyn Loss, &Contrastive::default()] {
        let first = value_and_gradient(&loss.clone_box(), &f64s(&places, [4, 2]), &y).0;
        for _ in 0..300 {
            let (_, gradient) = value_and_gradient(&loss.clone_box(), &f64s(&places, [4, 2]), &y);
            places.iter_mut().zip(gradient).for_each(|(p, g)| *p -= 0.1 * g);
        }
        let last = value_and_gradient(&loss.clone_box(), &f64s(&places, [4, 2]), &y).0;
        assert!(last < 0.2 * first, "{loss:?}: {first} to {last}");
    }
    // Without a pair or a triplet there is nothing to learn, and no division by 0.
    let alone = value_and_gradient(&Triplet::default(), &f64s(&[1.0, 2.0], [1, 2]), &labels(&[0]));
    assert_eq!(alone, (0.0, vec![0.0, 0.0]));
    let error = Triplet::default().loss(&Tensor::from([[1.0f32, 2.0]]), &Tensor::from([1.0f32])).unwrap_err();
    assert!(error.to_string().contains("whole numbers"), "{error}");
}

#[test]
fn class_weights_must_be_as_many_as_classes() {
    let loss = CrossEntropy { class_weights: vec![1.0, 2.0], ..CrossEntropy::default() };
    let error =
        loss.loss(&Tensor::from([[1.0f32, 2.0, 3.0]]), &Tensor::from([0i64])).unwrap_err().to_string();
    assert!(error.contains("2 class weights") && error.contains("one for each class"), "{error}");
}

#[test]
fn data_18_smoothed_targets_are_0_91_and_0_01_and_the_loss_is_cross_entropy_with_them() {
    let z: Vec<f64> = (0..10).map(|k| (k as f64 * 0.7).sin()).collect();
    let smoothed: Vec<f64> = (0..10).map(|k| if k == 3 { 0.91 } else { 0.01 }).collect();
    let z = f64s(&z, [1, 10]);
    let by_setting = value_and_gradient(&CrossEntropy::smoothed(0.1), &z, &labels(&[3]));
    let by_target = value_and_gradient(&CrossEntropy::default(), &z, &f64s(&smoothed, [1, 10]));
    assert_close(&[by_setting.0], &[by_target.0], 1e-13, "loss");
    assert_close(&by_setting.1, &by_target.1, 1e-13, "gradient");
}

#[test]
fn loss_15_to_maximise_is_to_minimise_the_negative() {
    // Both walks on (x - 3)^2, one down, one up its negative.
    let (mut down, mut up) = (0.0f64, 0.0f64);
    for _ in 0..100 {
        down -= 0.1 * derivative(&[down], |x| (x - 3.0).square())[0];
        up += 0.1 * derivative(&[up], |x| -(x - 3.0).square())[0];
        assert_eq!(down, up);
    }
    assert!((up - 3.0).abs() < 1e-6);
}

#[test]
fn loss_08_cross_entropy_of_even_odds_is_the_logarithm_of_the_classes() {
    let (even, _) =
        value_and_gradient(&CrossEntropy::default(), &f64s(&[0.0; 20], [2, 10]), &labels(&[3, 9]));
    assert_close(&[even], &[std::f64::consts::LN_10], 1e-14, "even odds");
    let sure = f64s(&[100.0, 0.0, 0.0], [1, 3]);
    assert!(value_and_gradient(&CrossEntropy::default(), &sure, &labels(&[0])).0 < 1e-12);
    // Labels, one-hot rows and -log p of the true class agree.
    let z = f64s(&[0.2, -1.0, 0.7], [1, 3]);
    let by_label = value_and_gradient(&CrossEntropy::default(), &z, &labels(&[2])).0;
    let by_row = value_and_gradient(&CrossEntropy::default(), &z, &f64s(&[0.0, 0.0, 1.0], [1, 3])).0;
    let sum: f64 = z.to_f64().iter().map(|z| z.exp()).sum();
    assert_close(&[by_label, by_row], &[-(0.7f64.exp() / sum).ln(); 2], 1e-14, "one row");
}

#[test]
fn loss_09_the_gradient_of_cross_entropy_is_p_minus_y_over_n() {
    let z = [0.2, -1.0, 0.7, 1.0, 2.0, -0.5];
    let (_, gradient) = value_and_gradient(&CrossEntropy::default(), &f64s(&z, [2, 3]), &labels(&[2, 0]));
    let expected: Vec<f64> = z
        .chunks(3)
        .zip([2, 0])
        .flat_map(|(row, label)| {
            let sum: f64 = row.iter().map(|z| z.exp()).sum();
            let p = |(class, z): (usize, &f64)| (z.exp() / sum - f64::from(u8::from(class == label))) / 2.0;
            row.iter().enumerate().map(p).collect::<Vec<_>>()
        })
        .collect();
    assert_close(&gradient, &expected, 1e-13, "gradient");
}

#[test]
fn loss_11_bce_of_even_odds_is_ln_2_and_equals_cross_entropy_of_two_classes() {
    let (value, _) = value_and_gradient(&Bce::default(), &f64s(&[0.5, 0.5], [2]), &f64s(&[0.0, 1.0], [2]));
    assert_close(&[value], &[std::f64::consts::LN_2], 1e-14, "even odds");
    let z = [0.7, -1.3];
    let (binary, _) = value_and_gradient(&BceWithLogits::default(), &f64s(&z, [2]), &f64s(&[1.0, 0.0], [2]));
    let rows = f64s(&[0.0, z[0], 0.0, z[1]], [2, 2]);
    let (two_classes, _) = value_and_gradient(&CrossEntropy::default(), &rows, &labels(&[1, 0]));
    let p: Vec<f64> = z.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect();
    let (of_probabilities, _) = value_and_gradient(&Bce::default(), &f64s(&p, [2]), &f64s(&[1.0, 0.0], [2]));
    assert_close(&[binary, of_probabilities], &[two_classes; 2], 1e-13, "two classes");
}

#[test]
fn loss_12_the_gradient_of_bce_with_logits_is_p_minus_y_over_n_also_at_0() {
    let z = [0.0, 3.0, -2.0];
    let y = [0.0, 1.0, 0.3];
    let (_, gradient) = value_and_gradient(&BceWithLogits::default(), &f64s(&z, [3]), &f64s(&y, [3]));
    let expected: Vec<f64> = z.iter().zip(y).map(|(z, y)| (1.0 / (1.0 + (-z).exp()) - y) / 3.0).collect();
    assert_close(&gradient, &expected, 1e-14, "gradient");
    let far = f64s(&[100.0, -100.0, 1000.0], [3]);
    let (value, gradient) = value_and_gradient(&BceWithLogits::default(), &far, &f64s(&[0.0, 1.0, 1.0], [3]));
    assert_close(&[value], &[200.0 / 3.0], 1e-12, "far out");
    assert!(gradient.iter().all(|g| g.is_finite()));
}

#[test]
fn loss_17_accuracy_counts_the_largest_output_and_a_tie_goes_to_the_lowest_class() {
    let correct = |prediction: &Buffer, target: &Buffer| {
        compute(&[prediction, target], |inputs| Ok(vec![Correct.metric(&inputs[0], &inputs[1])?])).unwrap()[0]
            .to_f64()[0]
    };
    let z = f64s(&[1.0, 2.0, 0.0, 5.0, 5.0, 1.0, 0.0, 0.0, 1.0], [3, 3]);
    assert_eq!(correct(&z, &labels(&[1, 0, 2])), 3.0);
    assert_eq!(correct(&z, &labels(&[1, 1, 0])), 1.0);
    let one_hot = f64s(&[0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0], [3, 3]);
    assert_eq!(correct(&z, &one_hot), 2.0);
    // One output: above 0 is class 1.
    assert_eq!(correct(&f64s(&[0.3, -2.0, 1.0], [3, 1]), &f64s(&[1.0, 0.0, 0.0], [3, 1])), 2.0);
}

#[test]
fn loss_19_a_probability_of_0_gives_a_large_finite_loss() {
    let p = f64s(&[0.0, 1.0], [1, 2]);
    let (value, _) = value_and_gradient(&Nll::default(), &p, &labels(&[0]));
    assert_close(&[value], &[-1e-7f64.ln()], 1e-12, "nll");
    let (value, _) = value_and_gradient(&Bce::default(), &f64s(&[0.0, 1.0], [2]), &f64s(&[1.0, 0.0], [2]));
    assert_close(&[value], &[-1e-7f64.ln()], 1e-12, "bce");
}

#[test]
fn a_label_outside_the_classes_is_not_silently_right() {
    for label in [-1, 3] {
        let (value, _) =
            value_and_gradient(&CrossEntropy::default(), &f64s(&[0.0; 3], [1, 3]), &labels(&[label]));
        assert!(value.is_nan());
    }
}

#[test]
fn shapes_that_would_broadcast_are_refused_with_a_way_out() {
    let prediction = Tensor::from([[1.0f32], [2.0]]);
    let target = Tensor::from([1.0f32, 2.0]);
    let message = |error: barun_nn::Result<Tensor>| error.unwrap_err().to_string();
    let mse = message(Mse::default().loss(&prediction, &target));
    assert!(mse.contains("f32[2, 1]") && mse.contains("f32[2]") && mse.contains(".reshape([2, 1])"), "{mse}");
    let labels = Tensor::from([[0i64], [1]]);
    let logits = Tensor::from([[1.0f32, 2.0], [0.0, 1.0]]);
    let entropy = message(CrossEntropy::default().loss(&logits, &labels));
    assert!(entropy.contains("[.., classes]") && entropy.contains(".reshape([n])"), "{entropy}");
}

#[test]
fn loss_01_every_loss_falls_when_its_gradient_is_followed() {
    for loss in barun_nn::losses::all() {
        let mut p = f64s(&[0.4, 0.6, 0.7, 0.3], [2, 2]);
        let target = match loss.task() {
            Task::Similarity => labels(&[0, 1]),
            _ => f64s(&[1.0, 0.0, 0.0, 1.0], [2, 2]),
        };
        if loss.name() == "triplet" {
            continue; // Of two rows there is no triplet; see its own test.
        }
        let (first, _) = value_and_gradient(&loss, &p, &target);
        for _ in 0..5 {
            let (_, gradient) = value_and_gradient(&loss, &p, &target);
            let moved: Vec<f64> = p.to_f64().iter().zip(gradient).map(|(p, g)| p - 0.05 * g).collect();
            p = f64s(&moved, [2, 2]);
        }
        assert!(value_and_gradient(&loss, &p, &target).0 < first, "{loss:?}");
    }
}
