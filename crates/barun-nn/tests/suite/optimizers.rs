//! Optimisers and schedules. [OPT, SCHED]

use barun_nn::analysis::Function;
use barun_nn::layers::*;
use barun_nn::losses::Mse;
use barun_nn::optimizers::*;
use barun_nn::{Batch, Buffer, Decay, Hyper, Step, StepOptions, sequential};

use crate::common::{assert_close, compute, f64s, mean, variance};

/// The path of one number under `optimizer`: `gradient(p)` and `lr(t)` for steps t from 1.
fn walk(
    optimizer: &AnyOptimizer,
    start: f64,
    steps: usize,
    gradient: impl Fn(f64) -> f64,
    lr: impl Fn(usize) -> f64,
) -> Vec<(f64, Vec<f64>)> {
    let mut p = start;
    let mut slots = vec![0.0; optimizer.slots(&[].into()).len()];
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

/// How far step number `step` goes down from 0, with these slots.
fn step_down(optimizer: &AnyOptimizer, gradient: f64, lr: f64, step: f64, slots: &[f64]) -> f64 {
    let numbers: Vec<f64> = [0.0, gradient, lr, step].into_iter().chain(slots.iter().copied()).collect();
    let buffers: Vec<Buffer> = numbers.iter().map(|&number| f64s(&[number], [])).collect();
    let outputs = compute(&buffers.iter().collect::<Vec<_>>(), |inputs| {
        let context = Context { lr: inputs[2].clone(), step: inputs[3].clone(), decays: true };
        Ok(vec![optimizer.update(&inputs[0], &inputs[1], inputs[4..].to_vec(), &context).0])
    });
    -outputs.unwrap()[0].to_f64()[0]
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
    // What it has kept after that step would make it 3.16 times as long without correction.
    let [m, v] = walk(&Adam::default().to_any(), 0.0, 1, |_| 0.5, |_| 1e-3)[0].1[..] else {
        panic!("m and v")
    };
    assert_close(&[m / v.sqrt()], &[3.16], 1e-3, "3.16 lr");
}

#[test]
fn opt_02_the_negative_gradient_descends_and_so_does_every_direction_against_it() {
    let f = Function::of_numbers(2, |p| {
        let (x, y) = (p.narrow(0, 0, 1).sum(..), p.narrow(0, 1, 2).sum(..));
        Ok(x.square().square() + &x * &y * 3.0 + y.square() * 2.0)
    })
    .unwrap();
    let mut stream = barun_engine::random::Stream::new(1, "points");
    let mut judged = [0; 2];
    for _ in 0..200 {
        let [x, y, dx, dy] = [0; 4].map(|_| stream.normal());
        let gradient = f.gradient(&[x, y]).unwrap();
        let here = f.value(&[x, y]).unwrap();
        let falls = |dx: f64, dy: f64| f.value(&[x + 1e-6 * dx, y + 1e-6 * dy]).unwrap() < here;
        assert!(falls(-gradient[0], -gradient[1]));
        let slope = gradient[0] * dx + gradient[1] * dy;
        if slope.abs() > 1e-3 {
            assert_eq!(falls(dx, dy), slope < 0.0);
            judged[usize::from(slope < 0.0)] += 1;
        }
    }
    assert!(judged.iter().all(|count| *count > 50), "{judged:?}");
}

#[test]
fn opt_12_momentum_averages_noise_away() {
    let mut stream = barun_engine::random::Stream::new(1, "noise");
    let noise: Vec<f64> = (0..4000).map(|_| 1.0 + stream.normal()).collect();
    // Steps of the same mean: the velocity of a constant gradient is ten times as large.
    let spread = |optimizer: &AnyOptimizer, lr: f64| {
        let at = std::cell::Cell::new(0);
        let next = |_: f64| {
            at.set(at.get() + 1);
            noise[at.get() - 1]
        };
        let path = ends(&walk(optimizer, 0.0, 1500, next, |_| lr));
        let steps: Vec<f64> = path.windows(2).skip(100).map(|pair| pair[1] - pair[0]).collect();
        (mean(&steps), variance(&steps))
    };
    let (plain_mean, plain) = spread(&Sgd::default().to_any(), 0.1);
    let (heavy_mean, heavy) = spread(&Momentum::default().to_any(), 0.01);
    assert!((plain_mean - heavy_mean).abs() < 0.01 && heavy < 0.2 * plain, "{plain} {heavy}");
}

#[test]
fn opt_13_momentum_is_faster_along_a_valley_and_rolls_over_a_bump() {
    // x^2 / 100 + y^2 / 2, fifty times as steep across as along: when does it stay within 0.05 of the bottom?
    let steps_to = |optimizer: AnyOptimizer, lr: f64| {
        let paths = [0.02, 1.0].map(|slope| ends(&walk(&optimizer, 1.0, 400, |x| slope * x, |_| lr)));
        1 + (0..400).rposition(|step| paths.iter().any(|path| path[step].abs() >= 0.05)).unwrap_or(0)
    };
    let (heavy, plain) =
        (steps_to(Momentum::default().to_any(), 1.0), steps_to(Sgd::default().to_any(), 1.0));
    assert!(heavy < plain / 2 && plain < 400, "{heavy} {plain}");
    // A slope with a small bump at 1.
    let slope = |x: f64| 0.3 + 0.8 * (x - 1.0) / 0.05 * (-(x - 1.0).powi(2) / 0.005).exp();
    let end = |optimizer: AnyOptimizer| ends(&walk(&optimizer, 2.0, 400, slope, |_| 0.002))[399];
    let (stuck, over) =
        (end(Sgd::default().to_any()), end(Momentum { momentum: 0.95, ..Momentum::default() }.to_any()));
    assert!(stuck > 1.0 && over < 0.9, "{stuck} {over}");
}

#[test]
fn opt_16_and_18_adagrad_steps_fall_with_the_root_of_their_number() {
    let optimizer = AdaGrad::default().to_any();
    for g in [0.7, -0.02] {
        let path = ends(&walk(&optimizer, 0.0, 400, |_| g, |_| 0.5));
        for t in [1usize, 2, 10, 400] {
            let before = if t == 1 { 0.0 } else { path[t - 2] };
            let expected = 0.5 * g.signum() / (t as f64).sqrt();
            assert_close(&[before - path[t - 1]], &[expected], 1e-5, "lr sign(g) / sqrt(t)");
        }
        // After 10^4 steps it is lr / 100: G is then 10^4 g^2.
        let late = step_down(&optimizer, g, 0.5, 1e4, &[(1e4 - 1.0) * g * g]);
        assert_close(&[late], &[0.5 * g.signum() / 100.0], 1e-6, "lr / 100");
    }
}

#[test]
fn opt_17_and_26_a_feature_that_is_seldom_seen_keeps_larger_steps() {
    let last_step = |optimizer: AnyOptimizer, every: usize| {
        let at = std::cell::Cell::new(0usize);
        let gradient = |_: f64| {
            at.set(at.get() + 1);
            if at.get().is_multiple_of(every) { 1.0 } else { 0.0 }
        };
        let path = ends(&walk(&optimizer, 0.0, 100, gradient, |_| 0.1));
        path[98] - path[99]
    };
    for optimizer in [AdaGrad::default().to_any(), RmsProp::default().to_any()] {
        assert!(last_step(optimizer.clone(), 10) > 2.0 * last_step(optimizer, 1));
    }
    assert_close(
        &[last_step(Sgd::default().to_any(), 10)],
        &[last_step(Sgd::default().to_any(), 1)],
        1e-12,
        "sgd",
    );
}

#[test]
fn opt_19_adadelta_has_no_rate_and_begins_with_4_472e_3() {
    let adadelta = Adadelta { rho: 0.95, ..Adadelta::default() };
    assert!(adadelta.settings().iter().all(|setting| setting.name != "lr"));
    let path = walk(&adadelta.to_any(), 0.0, 500, |_| 1.0, |_| 1.0);
    assert_close(&[-path[0].0], &[4.472e-3], 1e-3, "first step");
    assert!(path.iter().all(|(_, slots)| slots[0] <= 1.0), "G is bounded");
}

#[test]
fn opt_20_an_average_is_as_large_as_what_it_averages() {
    let shape = barun_nn::Shape::from([7, 3]);
    for (optimizer, slots) in [(RmsProp::default().to_any(), 21), (Adam::default().to_any(), 42)] {
        let all = optimizer.slots(&shape);
        let sized: usize =
            all.iter().filter(|(_, shape)| shape.rank() > 0).map(|(_, shape)| shape.elements()).sum();
        assert_eq!(sized, slots);
    }
    let averaged =
        compute(&[&f64s(&[2.0], [1]), &f64s(&[5.0], [1])], |x| Ok(vec![ema(0.9, &x[0], &x[1])])).unwrap();
    assert_close(&averaged[0].to_f64(), &[0.9 * 2.0 + 0.1 * 5.0], 1e-15, "ema");
}

#[test]
fn opt_21_and_22_rmsprop_steps_settle_at_the_rate_and_stay() {
    let optimizer = RmsProp { rho: 0.9, ..RmsProp::default() }.to_any();
    let path = walk(&optimizer, 0.0, 2000, |_| 0.3, |_| 0.01);
    assert_close(&[-path[0].0], &[0.01 / (1.0 - 0.9f64).sqrt()], 1e-6, "lr / sqrt(1 - rho)");
    let (ends, g) = (ends(&path), path[1999].1[0]);
    assert_close(&[g], &[0.09], 1e-9, "G is the squared gradient");
    assert_close(&[ends[1998] - ends[1999]], &[0.01], 1e-6, "lr");
    let adagrad = self::ends(&walk(&AdaGrad::default().to_any(), 0.0, 2000, |_| 0.3, |_| 0.01));
    assert!(adagrad[1998] - adagrad[1999] < 0.03 * 0.01);
    // What it keeps has settled, so that the ten thousandth step is as long; that of AdaGrad is a hundredth.
    let late = step_down(&optimizer, 0.3, 0.01, 1e4, &path[1999].1);
    let adagrad = step_down(&AdaGrad::default().to_any(), 0.3, 0.01, 1e4, &[(1e4 - 1.0) * 0.09]);
    assert_close(&[late, adagrad], &[0.01, 0.0001], 1e-6, "after 10^4 steps");
}

#[test]
fn opt_25_and_err_24_epsilon_inside_or_outside_the_root_matters_only_for_tiny_gradients() {
    type Make = fn(Epsilon) -> AnyOptimizer;
    let makes: [Make; 3] = [
        |epsilon| AdaGrad { epsilon, eps: 1e-8, ..AdaGrad::default() }.to_any(),
        |epsilon| RmsProp { epsilon, ..RmsProp::default() }.to_any(),
        |epsilon| Adam { epsilon, ..Adam::default() }.to_any(),
    ];
    for make in makes {
        let end = |epsilon, g: f64| ends(&walk(&make(epsilon), 0.0, 20, |_| g, |_| 0.1))[19];
        assert_close(&[end(Epsilon::Inside, 1.0)], &[end(Epsilon::Outside, 1.0)], 1e-4, "g far above eps");
        assert!(end(Epsilon::Inside, 1e-5).abs() < 0.9 * end(Epsilon::Outside, 1e-5).abs());
    }
    // One step by hand, inside: lr g / sqrt(g^2 + eps).
    let step = ends(&walk(&makes[0](Epsilon::Inside), 0.0, 1, |_| 1e-4, |_| 0.1))[0];
    assert_close(&[step], &[-0.1 * 1e-4 / (1e-8f64 + 1e-8).sqrt()], 1e-12, "inside");
}

/// The path of two numbers on `x^2 / 20 + y^2` from (-7, 2), each by its own copy of the rule.
fn ravine(optimizer: AnyOptimizer, lr: f64) -> (f64, f64) {
    let end = |start: f64, slope: f64| ends(&walk(&optimizer, start, 30, |x| slope * x, |_| lr))[29];
    (end(-7.0, 0.1), end(2.0, 2.0))
}

#[test]
fn opt_28_sgd_ends_at_minus_0_3504_0_0848() {
    let (x, y) = ravine(Sgd::default().to_any(), 0.95);
    assert!((x + 0.3504).abs() < 5e-5 && (y - 0.0848).abs() < 5e-5, "({x}, {y})");
}

#[test]
fn opt_28_momentum_adagrad_and_adam_come_nearer_along_the_ravine() {
    let height = |(x, y): (f64, f64)| x * x / 20.0 + y * y;
    for (name, optimizer, lr) in [
        ("momentum", Momentum::default().to_any(), 0.1),
        ("adagrad", AdaGrad::default().to_any(), 1.5),
        ("adam", Adam::default().to_any(), 0.3),
    ] {
        let end = ravine(optimizer, lr);
        println!("{name} ends at {end:?}");
        assert!(height(end) < 0.4 * height((-7.0, 2.0)), "{name}: {end:?}");
    }
}

#[test]
fn opt_30_a_small_step_is_slow_a_good_one_arrives_and_a_large_one_grows() {
    let path = |lr: f64| ends(&walk(&Sgd::default().to_any(), -1.5, 20, |x| 2.0 * x, |_| lr));
    for lr in [0.01, 0.1, 0.5, 1.1] {
        let expected: Vec<f64> = (1..=20).map(|t| -1.5 * (1.0f64 - 2.0 * lr).powi(t)).collect();
        assert_close(&path(lr), &expected, 1e-12, "(1 - 2 lr)^t");
    }
    assert!(path(0.01)[19].abs() > 0.9 && path(0.1)[19].abs() < 0.02 && path(0.5)[0] == 0.0);
    assert!(path(1.1).windows(2).all(|pair| pair[1].abs() > pair[0].abs()));
}

#[test]
fn opt_35_and_err_15_every_method_of_the_notes_is_there_by_name() {
    for name in ["momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam"] {
        assert_eq!(by_name(name).unwrap().name(), name);
    }
}

#[test]
fn opt_36_the_loss_may_rise_on_the_way_down_and_where_it_does_the_step_goes_uphill() {
    let path = ends(&walk(&Momentum::default().to_any(), 3.0, 60, |x| 2.0 * x, |_| 0.1));
    let mut from = 3.0f64;
    let mut rises = 0;
    for &to in &path {
        if to * to > from * from {
            rises += 1;
            // Towards the end of a swing the step of the whole way may pass the minimum: measured where it ends.
            assert!((to - from) * 2.0 * to > 0.0);
        }
        from = to;
    }
    assert!(rises > 0 && path[59].powi(2) < 9.0, "{rises}");
}

#[test]
fn opt_49_all_optimizers_minimise_the_same_bowl() {
    for optimizer in all() {
        // Steps of one size need a rate that falls; the rates are large for those that begin slowly.
        let lr = match optimizer.name() {
            "adadelta" => 200.0,
            "sgd" | "momentum" | "nesterov" => 0.05,
            "adagrad" => 0.5,
            _ => 0.05,
        };
        let decayed = |step: usize| lr * (1.0 - step as f64 / 801.0);
        let path = walk(&optimizer, 1.5, 800, |x| 2.0 * x, decayed);
        let end = path[799].0;
        assert!(end * end < 1e-3, "{}: {end}", optimizer.name());
    }
}

#[test]
fn opt_50_coupled_and_decoupled_decay_are_one_for_plain_descent_and_two_for_adam() {
    let gradient = |x: f64| 2.0 * (x - 1.0);
    let coupled =
        ends(&walk(&Sgd { weight_decay: 0.1, ..Sgd::default() }.to_any(), 2.0, 20, gradient, |_| 0.1));
    let mut by_hand = 2.0;
    for expected in coupled {
        by_hand = by_hand - 0.1 * 0.1 * by_hand - 0.1 * gradient(by_hand);
        assert!((expected - by_hand).abs() < 1e-12);
    }
    let adam =
        ends(&walk(&Adam { weight_decay: 0.1, ..Adam::default() }.to_any(), 2.0, 20, gradient, |_| 0.1));
    let adamw =
        ends(&walk(&AdamW { weight_decay: 0.1, ..AdamW::default() }.to_any(), 2.0, 20, gradient, |_| 0.1));
    assert!((adam[19] - adamw[19]).abs() > 1e-2);
    let momentum = |decay_form| {
        let momentum = Momentum { weight_decay: 0.1, decay_form, ..Momentum::default() };
        ends(&walk(&momentum.to_any(), 2.0, 20, gradient, |_| 0.05))[19]
    };
    assert_ne!(momentum(DecayForm::Coupled), momentum(DecayForm::Decoupled));
}

#[test]
fn opt_51_no_direction_descends_as_fast_as_the_negative_gradient() {
    const STEP: f64 = 1e-5;
    let f = Function::of_numbers(3, |x| Ok((x.tanh() * x).sum(..) + (x * 0.5).exp().sum(..))).unwrap();
    let at = [0.6, -1.3, 2.0];
    let here = f.value(&at).unwrap();
    // What a step of this length in a direction wins.
    let fall = |direction: &[f64]| {
        let length = direction.iter().map(|d| d * d).sum::<f64>().sqrt();
        let to: Vec<f64> = at.iter().zip(direction).map(|(x, d)| x + STEP * d / length).collect();
        here - f.value(&to).unwrap()
    };
    let gradient = f.gradient(&at).unwrap();
    let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
    let steepest = fall(&gradient.iter().map(|g| -g).collect::<Vec<_>>());
    assert!((steepest / (STEP * norm) - 1.0).abs() < 1e-4, "{steepest} {norm}");
    let mut stream = barun_engine::random::Stream::new(1, "directions");
    let others: Vec<f64> = (0..1000).map(|_| fall(&[0; 3].map(|_| stream.normal()))).collect();
    let best = others.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert!(best <= steepest + STEP * STEP && best > 0.95 * steepest, "{best} {steepest}");
}

#[test]
fn opt_52_the_velocity_is_part_of_the_state() {
    let step = Step::compile(Linear::new(2, 1), &Momentum::default(), &Mse::default()).unwrap();
    let mut state = step.init(1).unwrap();
    let batch = Batch { x: Buffer::new(&[1.0f32, 2.0], [1, 2]), y: Buffer::new(&[1.0f32], [1, 1]) };
    step.run(&mut state, &batch, 0.1).unwrap();
    let velocity = state.get("optimizer/weight/velocity").unwrap().to_f64();
    assert!(velocity.iter().any(|v| *v != 0.0));
    let mut restored = state.clone();
    for state in [&mut state, &mut restored] {
        step.run(state, &batch, 0.1).unwrap();
    }
    assert_eq!(state.bytes(), restored.bytes());
}

#[test]
fn sched_07_the_effective_rate_of_adagrad_never_rises() {
    let mut stream = barun_engine::random::Stream::new(3, "gradients");
    let gradients: Vec<f64> = (0..60).map(|_| stream.normal()).collect();
    let at = std::cell::Cell::new(0);
    let next = |_: f64| {
        at.set(at.get() + 1);
        gradients[at.get() - 1]
    };
    let path = walk(&AdaGrad::default().to_any(), 0.0, 60, next, |_| 0.1);
    let rates: Vec<f64> = path.iter().map(|(_, slots)| 0.1 / slots[0].sqrt()).collect();
    assert!(rates.windows(2).all(|pair| pair[1] <= pair[0]));
}

#[test]
fn lion_moves_every_weight_by_the_rate() {
    let path = ends(&walk(&Lion::default().to_any(), 0.0, 5, |_| 1e-6, |_| 0.01));
    assert_close(&path, &[-0.01, -0.02, -0.03, -0.04, -0.05], 1e-12, "steps of one size");
}

#[test]
fn muon_gives_vectors_adamws_update_and_matrices_orthogonal_steps() {
    let muon = Muon { weight_decay: 0.0, ..Muon::default() }.to_any();
    let adamw = AdamW { weight_decay: 0.0, ..AdamW::default() }.to_any();
    let path = |optimizer: &AnyOptimizer| ends(&walk(optimizer, 1.0, 10, |x| 2.0 * x, |_| 0.01));
    assert_eq!(path(&muon), path(&adamw));
    // Columns at right angles with lengths 6, 4 and 2, which are the singular values: what each becomes is known.
    let (columns, lengths) =
        ([[1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0]], [6.0, 4.0, 2.0]);
    let g: Vec<f64> = (0..12).map(|at| columns[at % 3][at / 3] / 2.0 * lengths[at % 3]).collect();
    let fed = [f64s(&[0.0; 12], [4, 3]), f64s(&g, [4, 3]), f64s(&[1.0], []), f64s(&[1.0], [])];
    let slots = muon.slots(&[4, 3].into());
    assert_eq!((slots[0].1.elements(), slots[1].1.rank()), (12, 0), "one average of the matrix' size");
    let step = compute(&fed.iter().collect::<Vec<_>>(), |inputs| {
        let context = Context { lr: inputs[2].clone(), step: inputs[3].clone(), decays: false };
        let slots =
            slots.iter().map(|(_, shape)| barun_nn::Tensor::zeros(shape.clone(), barun_nn::DType::F64));
        Ok(vec![muon.update(&inputs[0], &inputs[1], slots.collect(), &context).0])
    })
    .unwrap()[0]
        .to_f64();
    // The quintic acts on each singular value by itself: five times from its part of the norm. All come out near 1.
    let quintic = |s: f64| 3.4445 * s - 4.775 * s.powi(3) + 2.0315 * s.powi(5);
    let norm = lengths.iter().map(|s| s * s).sum::<f64>().sqrt();
    let values = lengths.map(|s| (0..5).fold(s / norm, |s, _| quintic(s)));
    assert!(values.iter().all(|s| (0.68..1.2).contains(s)), "{values:?}");
    // The step is -0.2 sqrt(4) times the same columns with these lengths.
    let expected: Vec<f64> =
        (0..12).map(|at| -0.4 * columns[at % 3][at / 3] / 2.0 * values[at % 3]).collect();
    assert_close(&step, &expected, 1e-12, "the orthogonal step");
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
