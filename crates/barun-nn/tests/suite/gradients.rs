//! Every gradient against differences. [GRADCHK]

use std::collections::HashSet;

use barun_nn::analysis::{errors_by_step, numerical_gradient};
use barun_nn::gradcheck::{gradcheck, gradcheck_model};
use barun_nn::layers::*;
use barun_nn::losses::{CrossEntropy, Loss, Mse, Task};
use barun_nn::optimizers::Sgd;
use barun_nn::registry::{Family, catalog};
use barun_nn::{
    Batch, Buffer, Forward, Layer, Mode, Module, Pass, Result, Step, StepOptions, Tensor, activations,
    fresh_state, losses, sequential,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::common::*;

/// The bound of the requirement.
const TOLERANCE: f64 = 1e-5;

fn noise(shape: &[usize], seed: u64) -> Buffer {
    let mut stream = barun_engine::random::Stream::new(seed, "gradients");
    // Away from 0, where kinks are: a difference across one is not a derivative.
    let value = |stream: &mut barun_engine::random::Stream| {
        let size = stream.between(0.1, 2.0);
        if stream.uniform() < 0.5 { -size } else { size }
    };
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| value(&mut stream)).collect();
    f64s(&values, shape)
}

/// Checks parameters and input of a model against a random target of its output's shape.
fn check(model: &(impl Module + Forward), x: Buffer, mode: Mode, seed: u64) -> Result<()> {
    let state = fresh_state(model, seed, barun_nn::DType::F64)?;
    let output = model.forward(&Tensor::new(x.clone()), &mut Pass::by_run(model, &state, mode)?)?;
    let target = noise(output.shape()?, seed + 1000);
    let report = gradcheck_model(model, &Mse::default(), &Batch { x, y: target }, mode, seed)?;
    assert!(report.passes(TOLERANCE), "{report}");
    Ok(())
}

/// For each layer of the registry a layer and an input, of random sizes.
fn example(name: &str, [n, a, b, c]: [usize; 4], seed: u64) -> (Box<dyn Layer>, Buffer) {
    let rows = || noise(&[n, a], seed);
    let images = || noise(&[n, a + 2, b + 2, c], seed);
    let conv = || Conv2d {
        stride: [1 + seed as usize % 2, 1],
        padding: [seed as usize % 2, 1],
        dilation: [1, 1 + seed as usize % 2],
        ..Conv2d::new(c, b, [2, 2])
    };
    match name {
        "linear" => (Box::new(Linear::new(a, b)), rows()),
        "conv2d" => (Box::new(conv()), images()),
        "max_pool2d" => (Box::new(MaxPool2d { stride: [1, 2], ..MaxPool2d::new(2) }), images()),
        "avg_pool2d" => (Box::new(AvgPool2d { padding: [1, 0], ..AvgPool2d::new(2) }), images()),
        "global_avg_pool" => (Box::new(GlobalAvgPool::default()), images()),
        "flatten" => (Box::new(Flatten::default()), images()),
        "batch_norm" => (Box::new(BatchNorm::new(a)), noise(&[n + 2, a], seed)),
        "prelu" => (Box::new(Prelu::new(if seed.is_multiple_of(2) { a } else { 1 })), rows()),
        "maxout" => (Box::new(Maxout::new(b)), noise(&[n, a * b], seed)),
        "layer_norm" => (Box::new(LayerNorm::new(a + 1)), noise(&[n, b, a + 1], seed)),
        "rms_norm" => (Box::new(RmsNorm::new(a)), noise(&[n, b, a], seed)),
        "group_norm" => (Box::new(GroupNorm::new(b, 2 * b)), noise(&[n, a, c, 2 * b], seed)),
        "conv1d" => {
            let conv = Conv1d {
                padding: seed as usize % 2,
                dilation: 1 + seed as usize % 2,
                ..Conv1d::new(c, b, 2)
            };
            (Box::new(conv), noise(&[n, a + 2, c], seed))
        }
        "conv_transpose2d" => {
            let stride = 1 + seed as usize % 2;
            let conv = ConvTranspose2d {
                stride: [stride, 2],
                padding: [0, 1],
                output_padding: [stride - 1, 1],
                ..ConvTranspose2d::new(c, b, [2, 3])
            };
            (Box::new(conv), noise(&[n, a, b, c], seed))
        }
        "rnn" => (Box::new(Rnn { reverse: a == 2, ..Rnn::new(c, b) }), noise(&[n, a, c], seed)),
        "lstm" => (Box::new(Lstm { returns: Returns::Sequence, ..Lstm::new(c, b) }), noise(&[n, a, c], seed)),
        "gru" => (Box::new(Gru { returns: Returns::Sequence, ..Gru::new(c, b) }), noise(&[n, a, c], seed)),
        "multi_head_attention" => {
            let attention =
                MultiHeadAttention { causal: a == 2, dropout: 0.3, ..MultiHeadAttention::new(2 * b, b) };
            (Box::new(attention), noise(&[n, a, 2 * b], seed))
        }
        "to_sequence" => (Box::new(ToSequence::default()), images()),
        "sequence_mean" => (Box::new(SequenceMean::default()), noise(&[n, a, b], seed)),
        "position_embedding" => (Box::new(PositionEmbedding::new(a, b)), noise(&[n, a, b], seed)),
        "column_tokens" => (Box::new(ColumnTokens::new(a, b)), rows()),
        "embedding" => {
            let numbers: Vec<i64> = (0..n * a).map(|at| (at as i64 * 7 + seed as i64) % 4).collect();
            (Box::new(Embedding::new(4, b)), Buffer::new(&numbers, [n, a]))
        }
        "alpha_dropout" => (Box::new(AlphaDropout::new(0.4)), rows()),
        "gaussian_noise" => (Box::new(GaussianNoise::new(0.4)), rows()),
        "dropout" => (Box::new(Dropout::new(0.4)), rows()),
        "sequential" => {
            (Box::new(sequential![Linear::new(a, b), Tanh::default(), Linear::new(b, c)]), rows())
        }
        "smooth_clip" => (Box::new(SmoothClip::default()), rows()),
        "periodic_embedding" => {
            let size = 1 + seed as usize % 4;
            (Box::new(PeriodicEmbedding { size, frequencies: b, ..PeriodicEmbedding::new(a) }), rows())
        }
        "member_scale" => (Box::new(MemberScale::new(b, a)), rows()),
        "member_head" => (Box::new(MemberHead::new(b, a, c)), noise(&[n, b, a], seed)),
        "residual" => {
            let body = sequential![Linear::new(a, b), BatchNorm::new(b)];
            let shortcut = Some(sequential![Linear::new(a, b)]);
            (Box::new(Residual { shortcut, ..Residual::new(body) }), noise(&[n + 2, a], seed))
        }
        other => panic!("no example of the layer `{other}`: add one, so that its gradient is checked"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        failure_persistence: None,
        // Always the same shapes and numbers: a difference across a kink of ReLU would be a failure by chance.
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn gradchk_05_every_layer_of_the_registry(sizes in prop::array::uniform4(1usize..4), seed in 0u64..1000) {
        for item in catalog().into_iter().filter(|item| item.family == Family::Layer) {
            let (layer, x) = example(item.name, sizes, seed);
            for mode in [Mode::Train, Mode::Eval] {
                check(&layer, x.clone(), mode, seed).unwrap();
            }
        }
    }

    #[test]
    fn gradchk_05_every_activation_of_the_registry(rows in 1usize..4, columns in 1usize..5, seed in 0u64..1000) {
        for activation in activations::all() {
            let report = gradcheck(|x| Ok(activation.apply(&x[0])), &[noise(&[rows, columns], seed)]).unwrap();
            prop_assert!(report.passes(TOLERANCE), "{activation:?}\n{report}");
        }
    }

    #[test]
    fn gradchk_05_every_loss_of_the_registry(rows in 1usize..4, columns in 2usize..5, seed in 0u64..1000) {
        for loss in losses::all() {
            // Probabilities suit every loss, as predictions and as targets.
            let rows_of = |seed| {
                // Not so small that the third derivative of the logarithm dwarfs the first.
                let values: Vec<f64> = noise(&[rows, columns], seed).to_f64().iter().map(|x| x / 2.0).collect();
                let probabilities = values.chunks(columns).flat_map(|row| {
                    let sum: f64 = row.iter().map(|x| x.exp()).sum();
                    row.iter().map(|x| x.exp() / sum).collect::<Vec<_>>()
                });
                f64s(&probabilities.collect::<Vec<_>>(), [rows, columns])
            };
            let (prediction, target) = (rows_of(seed), rows_of(seed + 1));
            // A residual of almost 0 is a kink of the absolute error.
            let near = prediction.to_f64().iter().zip(target.to_f64()).any(|(p, t)| (p - t).abs() < 1e-3);
            prop_assume!(!near);
            let labels: Vec<i64> = (0..rows as i64).map(|row| row % 2).collect();
            let target = match loss.task() {
                Task::Similarity => Tensor::new(Buffer::new(&labels, [rows])),
                _ => Tensor::new(target),
            };
            let report = gradcheck(|p| loss.loss(&p[0], &target), &[prediction]).unwrap();
            prop_assert!(report.passes(TOLERANCE), "{loss:?}\n{report}");
        }
    }
}

/// The squared norm of the gradient of `f`: its own gradient needs derivatives of second order.
fn gradient_norm(f: &Tensor, x: &Tensor) -> Result<Tensor> {
    Ok(f.grad(&[x])?[0].square().sum(..))
}

#[test]
fn gradients_of_gradients_are_right_too() {
    let x = noise(&[4, 3], 5);
    for activation in activations::all() {
        let second = |x: &[Tensor]| gradient_norm(&activation.apply(&x[0]).square().sum(..), &x[0]);
        let report = gradcheck(second, std::slice::from_ref(&x)).unwrap();
        assert!(report.passes(TOLERANCE), "{activation:?}\n{report}");
    }
    let target = Tensor::new(f64s(&[0.2, 0.3, 0.5, 1.0, 0.0, 0.0, 0.1, 0.8, 0.1, 0.4, 0.4, 0.2], [4, 3]));
    for name in ["cross_entropy", "focal", "kl", "bce_with_logits", "mse", "huber"] {
        let loss = losses::by_name(name).unwrap();
        let second = |x: &[Tensor]| gradient_norm(&losses::Loss::loss(&loss, &x[0], &target)?, &x[0]);
        let report = gradcheck(second, std::slice::from_ref(&x)).unwrap();
        assert!(report.passes(TOLERANCE), "{name}\n{report}");
    }
    let norm = BatchNorm::new(3);
    let inventory = std::sync::Arc::new(barun_nn::Inventory::of(&norm).unwrap());
    let second = |x: &[Tensor]| {
        let zero = Tensor::scalar(0.0, barun_nn::DType::I64);
        let value = |path: &str| {
            let value = if path.contains("gamma") || path.contains("var") { 1.0 } else { 0.0 };
            Ok(Tensor::full([3], value, barun_nn::DType::F64))
        };
        let mut pass = Pass::new(&inventory, Mode::Train, zero.clone(), zero, value)?;
        gradient_norm(&norm.forward(&x[0], &mut pass)?.tanh().square().sum(..), &x[0])
    };
    let report = gradcheck(second, std::slice::from_ref(&x)).unwrap();
    assert!(report.passes(TOLERANCE), "batch norm\n{report}");
}

#[test]
fn gradchk_05_the_list_of_what_is_checked() {
    let families: HashSet<Family> = catalog().iter().map(|item| item.family).collect();
    assert_eq!(families.len(), 7);
    for item in catalog() {
        println!("{}: {}: {}", item.family.name(), item.name, item.about);
        assert!(!item.about.is_empty(), "{} has no description", item.name);
        for setting in &item.settings {
            assert!(!setting.about.is_empty(), "{}.{} has no description", item.name, setting.name);
        }
    }
}

#[test]
fn gradchk_01_and_02_differences_on_arrays_of_any_shape_restore_what_they_touch() {
    let kept = [1.0, -2.0, 3.0, 0.5, 0.25, -1.0];
    let mut x = kept;
    // A 2 x 3 matrix in row-major order: the sum of row products.
    let gradient = numerical_gradient(|x| x[0] * x[1] * x[2] + x[3] * x[4] * x[5], &mut x, 1e-4);
    assert_close(&gradient, &[-6.0, 3.0, -2.0, -0.25, -0.5, 0.125], 1e-8, "gradient");
    assert_eq!(x, kept);
    let mut x = [3.0, 4.0];
    let gradient = numerical_gradient(|x| x[0] * x[0] + x[1] * x[1], &mut x, 1e-4);
    assert_close(&gradient, &[6.0, 8.0], 1e-9, "x0^2 + x1^2 at (3, 4)");
    assert_eq!(x, [3.0, 4.0]);
}

#[test]
fn gradchk_08_the_report_names_each_parameter_and_a_wrong_backward_is_caught() {
    let model = sequential![Linear::new(3, 4), Tanh::default(), Linear::new(4, 2)];
    let batch = Batch { x: noise(&[5, 3], 1), y: Buffer::new(&[0i64, 1, 1, 0, 1], [5]) };
    let report = gradcheck_model(&model, &CrossEntropy::default(), &batch, Mode::Train, 1).unwrap();
    let names: Vec<&str> = report.comparisons.iter().map(|comparison| comparison.name.as_str()).collect();
    assert_eq!(names, ["0.weight", "0.bias", "2.weight", "2.bias", "x"]);
    assert!(report.passes(TOLERANCE) && report.to_string().contains("2.weight"), "{report}");

    /// Tanh that forgets the factor 2 of a doubled input on the way back.
    #[derive(Module)]
    struct Wrong {
        linear: Linear,
    }
    impl Forward for Wrong {
        fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
            let h = self.linear.forward(x, pass)?;
            Ok((&h + h.detach()).tanh())
        }
    }
    let wrong = Wrong { linear: Linear::new(3, 2) };
    let report = gradcheck_model(&wrong, &CrossEntropy::default(), &batch, Mode::Train, 1).unwrap();
    assert!(!report.passes(0.1), "{report}");
    // The parameters before the mistake are named, with the place and both numbers.
    let wrong: Vec<&str> = report.wrong(0.1).iter().map(|comparison| comparison.name.as_str()).collect();
    assert_eq!(wrong, ["linear.weight", "linear.bias", "x"]);
    let (_, analytic, numeric) = report.comparisons[0].worst().unwrap();
    assert!((numeric - 2.0 * analytic).abs() < 1e-5, "{report}");
    assert!(report.to_string().contains("by back-propagation"), "{report}");
}

#[test]
fn act_04_and_loss_03_at_a_kink_any_subgradient_is_right_and_the_place_is_listed() {
    let at_zero = f64s(&[-1.0, 0.0, 2.0], [3]);
    for choice in [0.0, 0.5, 1.0] {
        let relu = Relu { at_zero: choice, ..Relu::default() };
        let report = gradcheck(
            |x| Ok(barun_nn::activations::Activation::apply(&relu, &x[0])),
            std::slice::from_ref(&at_zero),
        );
        let report = report.unwrap();
        assert!(report.passes(TOLERANCE), "{report}");
        // The difference itself is one half there: that choice needs no excuse.
        let listed: &[usize] = if choice == 0.5 { &[] } else { &[1] };
        assert_eq!(report.comparisons[0].kinks, listed);
    }
    let target = Tensor::new(at_zero.clone());
    let mae = |p: &[Tensor]| losses::Loss::loss(&losses::Mae::default(), &p[0], &target);
    let report = gradcheck(mae, &[f64s(&[1.0, 1.0, 2.0], [3])]).unwrap();
    assert!(report.passes(TOLERANCE), "{report}");
    // A value outside of the slopes on both sides is wrong even at a kink.
    let outside = |x: &[Tensor]| Ok(x[0].relu() + (&x[0] - x[0].detach()) * 3.0);
    assert!(!gradcheck(outside, &[f64s(&[0.0], [1])]).unwrap().passes(0.1));
}

#[test]
fn a_network_of_everything_is_checked_as_a_whole() {
    let model = sequential![
        Conv2d { padding: [1, 1], ..Conv2d::new(2, 3, 3) },
        BatchNorm::new(3),
        LeakyRelu::default(),
        AvgPool2d::new(2),
        Residual::new(sequential![Conv2d { padding: [1, 1], ..Conv2d::new(3, 3, 3) }, BatchNorm::new(3)]),
        MaxPool2d::new(2),
        Flatten::default(),
        Dropout::new(0.3),
        Linear::new(3, 4),
    ];
    let batch = Batch { x: noise(&[3, 4, 4, 2], 3), y: Buffer::new(&[0i64, 3, 1], [3]) };
    let report = gradcheck_model(&model, &CrossEntropy::default(), &batch, Mode::Train, 2).unwrap();
    assert!(report.passes(1e-5), "{report}");
}

#[test]
fn gradchk_03_the_error_of_a_central_difference_is_smallest_in_the_middle() {
    // f = x^3 at 2: the derivative is 12. Large steps bend, tiny ones drown in rounding: 1e-4 is a good place.
    let steps = [1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12];
    let errors = errors_by_step(|x| x[0] * x[0] * x[0], &mut [2.0], &[12.0], &steps);
    for found in &errors {
        println!("h {:.0e}  central {:.1e}  forward {:.1e}", found.h, found.central, found.forward);
    }
    let central: Vec<f64> = errors.iter().map(|found| found.central).collect();
    assert!((central[1] - 1e-4).abs() < 1e-6 && (central[3] - 1e-8).abs() < 1e-9, "{central:?}");
    assert!((5e-4..2e-3).contains(&central[7]) && central[5] > central[3], "{central:?}");
    // A U: down to the middle, up after it.
    assert!(central[..4].is_sorted_by(|a, b| a > b), "{central:?}");
    assert_eq!(barun_nn::analysis::STEP, 1e-4);
    // In f32 no digit is left at that distance, so a check in f32 is refused.
    let error = gradcheck(|x| Ok(x[0].square()), &[Buffer::new(&[2.0f32], [1])]).unwrap_err().to_string();
    assert!(error.contains("f64"), "{error}");
}

#[test]
fn gradchk_06_and_err_12_a_network_trains_by_differences_alone_in_the_direction_of_back_propagation() {
    let options = StepOptions { precision: barun_nn::DType::F64, ..StepOptions::default() };
    let model = sequential![Linear::new(2, 3), Tanh::default(), Linear::new(3, 2)];
    let step = Step::with(model, &Sgd::default(), &CrossEntropy::default(), options).unwrap();
    let mut state = step.init(1).unwrap();
    let first = step.evaluate(&state, &xor()).unwrap().loss;
    for _ in 0..15 {
        let analytic = step.gradients(&state, &xor()).unwrap();
        let mut next = state.clone();
        for (path, gradient) in &analytic {
            let value = state.get(path).unwrap();
            let loss = |values: &[f64]| {
                let mut moved = state.clone();
                moved.set(path, &f64s(values, value.shape().clone())).unwrap();
                step.evaluate(&moved, &xor()).unwrap().loss
            };
            let mut values = value.to_f64();
            let numeric = numerical_gradient(loss, &mut values, 1e-4);
            assert_close(&numeric, &gradient.to_f64(), 1e-5, path);
            let stepped: Vec<f64> = values.iter().zip(&numeric).map(|(p, g)| p - 0.5 * g).collect();
            next.set(path, &f64s(&stepped, value.shape().clone())).unwrap();
        }
        state = next;
    }
    assert!(step.evaluate(&state, &xor()).unwrap().loss < 0.99 * first);
}

#[test]
fn gradchk_04_halving_the_step_quarters_a_central_and_halves_a_forward_error() {
    let errors = errors_by_step(|x| x[0].exp(), &mut [1.0], &[1f64.exp()], &[1e-2, 5e-3]);
    let (central, forward) = (errors[0].central / errors[1].central, errors[0].forward / errors[1].forward);
    assert!((central - 4.0).abs() < 0.01 && (forward - 2.0).abs() < 0.02, "{central} {forward}");
}
