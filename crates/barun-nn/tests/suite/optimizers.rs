//! Optimisers and schedules. [OPT, SCHED]

use barun_nn::layers::*;
use barun_nn::losses::Mse;
use barun_nn::optimizers::*;
use barun_nn::schedules::{Constant, CosineAnnealing, Schedule, Warmup};
use barun_nn::{Batch, Buffer, Decay, Hyper, Step, StepOptions, sequential};

use crate::common::{assert_close, compute, f64s};

/// The path of one number under `optimizer`: `gradient(p)` and `lr(t)` for steps t from 1.
fn walk(
    optimizer: &AnyOptimizer,
    start: f64,
    steps: usize,
    gradient: impl Fn(f64) -> f64,
    lr: impl Fn(usize) -> f64,
) -> Vec<(f64, Vec<f64>)> {
    let mut p = start;
    let mut slots = vec![0.0; optimizer.slot_names().len()];
    let mut path = Vec::new();
    for step in 1..=steps {
        let numbers: Vec<f64> =
            [p, gradient(p), lr(step), step as f64].into_iter().chain(slots.iter().copied()).collect();
        let buffers: Vec<Buffer> = numbers.iter().map(|&number| f64s(&[number], [])).collect();
        let outputs = compute(&buffers.iter().collect::<Vec<_>>(), |inputs| {
            let context = Context { lr: inputs[2].clone(), step: inputs[3].clone(), decays: true };
            let (p, slots) = optimizer.update(&inputs[0], &inputs[1], inputs[4..].to_vec(), &context);
            Ok(std::iter::once(p).chain(slots).collect())
        })
        .unwrap();
        let values: Vec<f64> = outputs.iter().map(|output| output.to_f64()[0]).collect();
        p = values[0];
        slots = values[1..].to_vec();
        path.push((p, slots.clone()));
    }
    path
}

fn ends(path: &[(f64, Vec<f64>)]) -> Vec<f64> {
    path.iter().map(|(p, _)| *p).collect()
}

#[test]
fn opt_01_gradient_descent_steps_against_the_gradient() {
    let path = walk(&Sgd::default().to_any(), 3.0, 20, |x| 2.0 * x, |_| 0.1);
    assert_close(&[path[0].0], &[2.4], 1e-14, "3 - 0.1 * 6");
    assert!(ends(&path).windows(2).all(|pair| pair[1].powi(2) < pair[0].powi(2)));
}

#[test]
fn opt_10_the_velocity_of_a_constant_gradient_goes_to_10_steps() {
    let step_form = Momentum { form: MomentumForm::Step, ..Momentum::default() };
    let path = walk(&step_form.to_any(), 0.0, 200, |_| 1.0, |_| 0.1);
    assert_close(&path[199].1, &[10.0 * 0.1], 1e-6, "lr g / (1 - momentum)");
}

#[test]
fn opt_11_both_forms_walk_alike_until_the_rate_changes() {
    let gradient_form = Momentum::default().to_any();
    let step_form = Momentum { form: MomentumForm::Step, ..Momentum::default() }.to_any();
    let path = |optimizer: &AnyOptimizer, lr: fn(usize) -> f64| ends(&walk(optimizer, 2.0, 15, |x| x, lr));
    assert_close(&path(&gradient_form, |_| 0.1), &path(&step_form, |_| 0.1), 1e-13, "constant rate");
    let falling = |step: usize| 0.1 / step as f64;
    let [a, b] = [&gradient_form, &step_form].map(|optimizer| path(optimizer, falling));
    assert!((a[14] - b[14]).abs() > 1e-2);
}

#[test]
fn opt_14_nesterov_looks_ahead() {
    // The textbook on f = x^2 by hand: a <- beta a + f'(w - lr beta a), w <- w - lr a.
    let (lr, beta) = (0.1, 0.9);
    let (mut w, mut a) = (1.0f64, 0.0f64);
    let mut ahead = Vec::new();
    for _ in 0..3 {
        a = beta * a + 2.0 * (w - lr * beta * a);
        w -= lr * a;
        ahead.push(w - lr * beta * a);
    }
    let path = walk(&Nesterov::default().to_any(), 1.0, 3, |x| 2.0 * x, |_| lr);
    assert_close(&ends(&path), &ahead, 1e-14, "where the textbook looks ahead to");
    let lowest = |optimizer: AnyOptimizer| {
        ends(&walk(&optimizer, 1.0, 60, |x| 2.0 * x, |_| 0.05)).into_iter().fold(f64::INFINITY, f64::min)
    };
    assert!(lowest(Nesterov::default().to_any()) > lowest(Momentum::default().to_any()), "less overshoot");
}

#[test]
fn opt_23_adam_averages_gradients_and_their_squares() {
    let path = walk(&Adam::default().to_any(), 0.0, 1, |_| 0.5, |_| 1e-3);
    assert_close(&path[0].1, &[0.1 * 0.5, 0.001 * 0.25], 1e-14, "m and v");
}

#[test]
fn opt_24_bias_correction_makes_the_first_step_the_learning_rate() {
    for gradient in [0.5, -3.0, 1e-3] {
        let path = walk(&Adam::default().to_any(), 0.0, 10, |_| gradient, |_| 1e-3);
        let first = -1e-3 * gradient.signum();
        // A constant gradient: every corrected average is the gradient, every step the same.
        let expected: Vec<f64> = (1..=10).map(|step| first * step as f64).collect();
        assert_close(&ends(&path), &expected, 1e-4, "lr sign(g) a step");
    }
    // Without correction m / sqrt(v) would be 0.1 / sqrt(0.001).
    assert_close(&[0.1 / 0.001f64.sqrt()], &[3.16], 1e-3, "3.16 lr");
}

#[test]
fn adamw_decays_apart_from_the_gradient() {
    let path = walk(&AdamW { weight_decay: 0.1, ..AdamW::default() }.to_any(), 2.0, 1, |_| 0.0, |_| 0.01);
    assert_close(&ends(&path), &[2.0 * (1.0 - 0.01 * 0.1)], 1e-14, "shrunk");
}

#[test]
fn reg_10_biases_and_normalisations_do_not_decay_unless_asked() {
    let model = sequential![Linear::new(2, 3), BatchNorm::new(3), Linear::new(3, 1)];
    let moved = |decay| {
        let options = StepOptions { decay, ..StepOptions::default() };
        let optimizer = AdamW { weight_decay: 0.5, ..AdamW::default() };
        let step = Step::with(&model, &optimizer, &Mse::default(), options).unwrap();
        let mut state = step.init(1).unwrap();
        let names = ["0.weight", "0.bias", "1.gamma"];
        state.set("0.bias", &Buffer::new(&[1.0f32; 3], [3])).unwrap();
        // Frozen by a gradient of 0: outputs do not depend on the first layer.
        state.set("2.weight", &Buffer::new(&[0.0f32; 3], [3, 1])).unwrap();
        let before = names.map(|name| state.get(name).unwrap().to_f64());
        let batch = Batch {
            x: Buffer::new(&[1.0f32, 2.0, 3.0, 5.0], [2, 2]),
            y: Buffer::new(&[0.0f32, 0.0], [2, 1]),
        };
        step.run(&mut state, &batch, 0.1).unwrap();
        let after = names.map(|name| state.get(name).unwrap().to_f64());
        [0, 1, 2].map(|index| before[index] != after[index])
    };
    assert_eq!(moved(Decay::Weights), [true, false, false]);
    assert_eq!(moved(Decay::All), [true, true, true]);
}

#[test]
fn sched_03_cosine_starts_at_the_rate_halves_and_ends_at_the_least() {
    let cosine = CosineAnnealing { min_lr: 0.01, ..CosineAnnealing::over_run() };
    let rates: Vec<f64> = [0, 50, 100, 150].iter().map(|&step| cosine.lr(0.1, step, 100)).collect();
    assert_close(&rates, &[0.1, 0.055, 0.01, 0.01], 1e-12, "start, middle, end, after");
}

#[test]
fn sched_04_constant_stays_and_warm_up_rises_to_what_follows() {
    assert_eq!(Constant::default().lr(0.1, 77, 100), 0.1);
    let warmup = Warmup::new(4, CosineAnnealing::over_run());
    let rates: Vec<f64> = (0..5).map(|step| warmup.lr(0.1, step, 24)).collect();
    assert_close(&rates, &[0.025, 0.05, 0.075, 0.1, 0.1], 1e-12, "rise");
    assert_eq!(warmup.lr(0.1, 24, 24), 0.0);
}

#[test]
fn optimizers_and_their_settings_are_known_by_name() {
    let mut adam = by_name("adam").unwrap();
    adam.set("beta1", &barun_nn::hyper::Value::Number(0.8)).unwrap();
    assert!(
        adam.settings().iter().any(|setting| setting.name == "beta1" && setting.value.to_string() == "0.8")
    );
    let error = adam.set("beta_1", &barun_nn::hyper::Value::Number(0.8)).unwrap_err().to_string();
    assert!(error.contains("beta1"), "{error}");
    let error = adam.set("lr", &barun_nn::hyper::Value::Text("big".into())).unwrap_err().to_string();
    assert_eq!(error, "adam: `lr` cannot be big; expected a number");
}
