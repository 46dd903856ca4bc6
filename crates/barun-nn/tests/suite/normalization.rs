//! Batch normalisation. [NORM]

use std::collections::HashMap;

use barun_nn::gradcheck::gradcheck_model;
use barun_nn::layers::*;
use barun_nn::losses::{CrossEntropy, Mse};
use barun_nn::optimizers::Sgd;
use barun_nn::{Batch, Buffer, DType, Mode, State, Step, StepOptions, sequential, summary};

use crate::common::*;

fn run(layer: &BatchNorm, mode: Mode, values: &HashMap<String, Buffer>, x: &Buffer) -> Ran {
    run_model(layer, mode, values, x, None).unwrap()
}

fn rows(count: usize, features: usize, seed: u64) -> Buffer {
    let mut stream = barun_engine::random::Stream::new(seed, "rows");
    let values: Vec<f64> =
        (0..count * features).map(|i| 3.0 * stream.normal() + (i % features) as f64).collect();
    f64s(&values, [count, features])
}

fn column(values: &Buffer, column: usize) -> Vec<f64> {
    let width = *values.shape().last().unwrap();
    values.to_f64().into_iter().skip(column).step_by(width).collect()
}

#[test]
fn norm_01_each_feature_has_mean_0_and_variance_1() {
    let layer = BatchNorm { eps: 0.0, ..BatchNorm::new(3) };
    let y = run(&layer, Mode::Train, &first_values(&layer, 1, DType::F64), &rows(50, 3, 1)).output;
    for feature in 0..3 {
        let values = column(&y, feature);
        assert!(mean(&values).abs() < 1e-12 && (variance(&values) - 1.0).abs() < 1e-12);
    }
}

#[test]
fn norm_02_a_constant_feature_gives_finite_zeros_and_eps_can_be_set() {
    let x = f64s(&[5.0, 1.0, 5.0, 2.0, 5.0, 3.0], [3, 2]);
    for eps in [1e-5, 10e-7] {
        let layer = BatchNorm { eps, ..BatchNorm::new(2) };
        let ran = run(&layer, Mode::Train, &first_values(&layer, 1, DType::F64), &x);
        assert_eq!(column(&ran.output, 0), [0.0; 3]);
        assert!(ran.grad_input.to_f64().iter().all(|g| g.is_finite()));
    }
}

#[test]
fn norm_03_four_five_six_becomes_plus_and_minus_1_2247() {
    let layer = BatchNorm { eps: 0.0, ..BatchNorm::new(1) };
    let x = f64s(&[4.0, 5.0, 6.0], [3, 1]);
    let y = run(&layer, Mode::Train, &first_values(&layer, 1, DType::F64), &x).output;
    assert_close(&y.to_f64(), &[-1.224745, 0.0, 1.224745], 1e-6, "normalised");
}

#[test]
fn norm_04_gamma_starts_at_1_and_beta_at_0_and_both_learn() {
    let model = sequential![Linear::new(2, 8), BatchNorm::new(8), Tanh::default(), Linear::new(8, 2)];
    let step = Step::compile(&model, &Sgd::default(), &CrossEntropy::default()).unwrap();
    let mut state = step.init(1).unwrap();
    assert_eq!(state.get("1.gamma").unwrap().to_f64(), [1.0; 8]);
    assert_eq!(state.get("1.beta").unwrap().to_f64(), [0.0; 8]);
    step.run(&mut state, &xor(), 0.1).unwrap();
    assert_ne!(state.get("1.gamma").unwrap().to_f64(), [1.0; 8]);
    assert_ne!(state.get("1.beta").unwrap().to_f64(), [0.0; 8]);
}

#[test]
fn norm_05_the_gradient_goes_back_through_mean_and_variance() {
    let layer = BatchNorm::new(3);
    let x = rows(6, 3, 4);
    let target = rows(6, 3, 5);
    for mode in [Mode::Train, Mode::Eval] {
        let batch = Batch { x: x.clone(), y: target.clone() };
        let report = gradcheck_model(&layer, &Mse::default(), &batch, mode, 1).unwrap();
        assert_eq!(report.comparisons.len(), 3);
        assert!(report.passes(1e-6), "{report}");
    }
}

#[test]
fn norm_06_gamma_and_beta_can_undo_it() {
    let layer = BatchNorm::new(2);
    let x = rows(20, 2, 6);
    let mut values = first_values(&layer, 1, DType::F64);
    let [first, second] = [column(&x, 0), column(&x, 1)];
    let spread = |values: &[f64]| (variance(values) + layer.eps).sqrt();
    values.insert("gamma".into(), f64s(&[spread(&first), spread(&second)], [2]));
    values.insert("beta".into(), f64s(&[mean(&first), mean(&second)], [2]));
    let y = run(&layer, Mode::Train, &values, &x).output;
    assert_close(&y.to_f64(), &x.to_f64(), 1e-12, "undone");
}

#[test]
fn norm_07_running_statistics_reach_those_of_the_data() {
    let layer = BatchNorm { momentum: 0.05, ..BatchNorm::new(1) };
    let mut values = first_values(&layer, 1, DType::F64);
    for batch in 0..200 {
        values.extend(run(&layer, Mode::Train, &values, &rows(64, 1, batch)).updates);
    }
    let [running_mean, running_var] = ["running_mean", "running_var"].map(|name| values[name].to_f64()[0]);
    assert!(running_mean.abs() < 0.2, "{running_mean}");
    assert!((running_var / 9.0 - 1.0).abs() < 0.1, "{running_var}");
    // One step moves by the momentum, with the unbiased variance.
    let layer = BatchNorm { momentum: 0.3, ..BatchNorm::new(1) };
    let x = f64s(&[1.0, 3.0], [2, 1]);
    let updates = run(&layer, Mode::Train, &first_values(&layer, 1, DType::F64), &x).updates;
    assert_close(&updates["running_mean"].to_f64(), &[0.6], 1e-14, "mean");
    assert_close(&updates["running_var"].to_f64(), &[0.7 + 0.3 * 2.0], 1e-14, "variance");
}

#[test]
fn norm_08_four_vectors_half_of_them_trained() {
    let summary = summary(&BatchNorm::new(784), [32, 784], DType::F32).unwrap();
    assert_eq!((summary.trainable, summary.not_trainable), (1568, 1568));
    assert_eq!((summary.rows[0].trainable, summary.rows[0].not_trainable), (1568, 1568));
}

#[test]
fn norm_09_and_13_inference_does_not_depend_on_the_batch() {
    let layer = BatchNorm::new(2);
    let mut values = first_values(&layer, 1, DType::F64);
    values.extend(run(&layer, Mode::Train, &values, &rows(32, 2, 1)).updates);
    let all = rows(64, 2, 9);
    let whole = run(&layer, Mode::Eval, &values, &all).output.to_f64();
    let trained = run(&layer, Mode::Train, &values, &all).output.to_f64();
    for size in [1, 7, 64] {
        let part = f64s(&all.to_f64()[..2 * size], [size, 2]);
        let y = run(&layer, Mode::Eval, &values, &part).output.to_f64();
        assert_close(&y, &whole[..2 * size], 1e-12, "rows of the whole");
        if size == 7 {
            let in_training = run(&layer, Mode::Train, &values, &part).output.to_f64();
            assert!((in_training[0] - trained[0]).abs() > 1e-3);
        }
    }
    assert!(run(&layer, Mode::Eval, &values, &all).updates.is_empty());
}

#[test]
fn norm_10_one_row_works_at_inference_and_is_refused_in_training() {
    let layer = BatchNorm::new(2);
    let values = first_values(&layer, 1, DType::F64);
    let one = rows(1, 2, 1);
    assert!(run_model(&layer, Mode::Eval, &values, &one, None).is_ok());
    let error = run_model(&layer, Mode::Train, &values, &one, None).err().unwrap().to_string();
    assert!(error.contains("more than one value") && error.contains("larger batch"), "{error}");
    // One image has many values per channel.
    let image = f64s(&rows(9, 2, 1).to_f64(), [1, 3, 3, 2]);
    assert!(run_model(&layer, Mode::Train, &values, &image, None).is_ok());
}

#[test]
fn norm_12_exact_statistics_are_those_of_the_whole_set_layer_by_layer() {
    let model = sequential![
        BatchNorm::new(3),
        Linear::new(3, 5),
        BatchNorm::new(5),
        Relu::default(),
        Linear::new(5, 2)
    ];
    let options = StepOptions { precision: DType::F64, ..StepOptions::default() };
    let step = Step::with(&model, &Sgd::default(), &CrossEntropy::default(), options).unwrap();
    // A mean a thousand times the deviation, and a last batch that is smaller.
    let all: Vec<f64> = rows(100, 3, 5).to_f64().iter().map(|x| 1000.0 + x).collect();
    let in_batches = |size: usize| {
        let cut = |part: &[f64]| Ok(f64s(part, [part.len() / 3, 3]));
        all.chunks(3 * size).map(cut).collect::<Vec<barun_nn::Result<Buffer>>>()
    };
    let mut state = step.init(1).unwrap();
    let batch = |x: &[f64]| Batch {
        x: f64s(x, [x.len() / 3, 3]),
        y: Buffer::new(&vec![0i64; x.len() / 3], [x.len() / 3]),
    };
    for part in all.chunks(30) {
        step.run(&mut state, &batch(part), 0.01).unwrap();
    }
    let get = |state: &State, name: &str| state.get(name).unwrap().to_f64();
    let running = get(&state, "0.running_mean");
    step.finalize(&mut state, || in_batches(32)).unwrap();
    let moments = |values: &[f64], features: usize| -> (Vec<f64>, Vec<f64>) {
        let column = |feature| values.iter().skip(feature).step_by(features).copied().collect::<Vec<f64>>();
        (0..features).map(|feature| (mean(&column(feature)), variance(&column(feature)))).unzip()
    };
    let (exact_mean, exact_var) = moments(&all, 3);
    assert_close(&get(&state, "0.running_mean"), &exact_mean, 1e-12, "mean");
    assert_close(&get(&state, "0.running_var"), &exact_var, 1e-9, "variance");
    assert!((running[0] - exact_mean[0]).abs() > 1.0, "the running mean was on its way: {running:?}");
    // What the second one gets, with the first one as it is at inference.
    let first = get(&state, "1.weight");
    let (gamma, beta, bias) = (get(&state, "0.gamma"), get(&state, "0.beta"), get(&state, "1.bias"));
    let inner: Vec<f64> = all
        .chunks(3)
        .flat_map(|row| {
            let normal: Vec<f64> = (0..3)
                .map(|at| (row[at] - exact_mean[at]) / (exact_var[at] + 1e-5).sqrt() * gamma[at] + beta[at])
                .collect();
            (0..5)
                .map(|unit| bias[unit] + (0..3).map(|at| normal[at] * first[5 * at + unit]).sum::<f64>())
                .collect::<Vec<_>>()
        })
        .collect();
    let (inner_mean, inner_var) = moments(&inner, 5);
    assert_close(&get(&state, "2.running_mean"), &inner_mean, 1e-9, "mean of the second");
    assert_close(&get(&state, "2.running_var"), &inner_var, 1e-9, "variance of the second");
    let mut again = state.clone();
    step.finalize(&mut again, || in_batches(7)).unwrap();
    assert_close(&get(&again, "2.running_var"), &get(&state, "2.running_var"), 1e-12, "other batches");
    let error = step.finalize(&mut again, Vec::new).unwrap_err().to_string();
    assert!(error.contains("no batches"), "{error}");
}

#[test]
fn norm_11_batch_statistics_of_sorted_batches_mislead_where_kept_ones_do_not() {
    // Rows of two classes on both sides of 0: a batch of one class, normalised by itself, lies around 0 again.
    let model = sequential![BatchNorm::new(2), Linear::new(2, 2)];
    let step = Step::compile(&model, &Sgd::default(), &CrossEntropy::default()).unwrap();
    let mut state = step.init(1).unwrap();
    let mixed = blobs(64, 2, 2, 1);
    for _ in 0..200 {
        step.run(&mut state, &mixed, 0.1).unwrap();
    }
    let of_class = |class: usize| {
        let rows: Vec<f32> =
            mixed.x.to_f64().chunks(2).skip(class).step_by(2).flatten().map(|x| *x as f32).collect();
        Buffer::new(&rows, [32, 2])
    };
    let correct = |outputs: Vec<f64>, class: usize| {
        outputs.chunks(2).filter(|row| (row[1] > row[0]) == (class == 1)).count()
    };
    let (mut kept, mut by_batch) = (0, 0);
    for class in [0, 1] {
        let x = of_class(class);
        kept += correct(step.predict(&state, &x).unwrap().to_f64(), class);
        let batch = Batch { x, y: Buffer::new(&[class as i64; 32], [32]) };
        let watched = step.watch(&state, &batch, Some(&["1"])).unwrap();
        by_batch += correct(watched[0].1.to_f64(), class);
    }
    println!(
        "of 64 rows in sorted batches: {kept} right by kept statistics, {by_batch} by those of the batch"
    );
    assert!(kept >= 58 && by_batch <= 44, "{kept} {by_batch}");
}

#[test]
fn norm_14_and_layer_08_before_and_after_the_activation_both_train() {
    let before = sequential![Linear::new(2, 8), BatchNorm::new(8), Relu::default(), Linear::new(8, 2)];
    let after = sequential![Linear::new(2, 8), Relu::default(), BatchNorm::new(8), Linear::new(8, 2)];
    for model in [before, after] {
        let batch = blobs(12, 2, 2, 1);
        let report = gradcheck_model(&model, &CrossEntropy::default(), &batch, Mode::Train, 1).unwrap();
        assert!(report.passes(1e-5), "{report}");
        let step = Step::compile(&model, &Sgd::default(), &CrossEntropy::default()).unwrap();
        let mut state = step.init(2).unwrap();
        let losses: Vec<f64> = (0..50).map(|_| step.run(&mut state, &xor(), 0.3).unwrap().loss).collect();
        assert!(losses[49] < 0.5 * losses[0], "{losses:?}");
    }
}

/// Ten sigmoid layers with normal weights of this deviation, with and without batch normalisation before each activation.
fn deep(std: f64, normed: bool) -> Sequential {
    let mut model = Sequential::default();
    for _ in 0..10 {
        model.push(Linear { init: barun_nn::Init::Normal(std), ..Linear::new(30, 30) });
        if normed {
            model.push(BatchNorm::new(30));
        }
        model.push(Sigmoid::default());
    }
    model.then(Linear::new(30, 2))
}

#[test]
fn norm_19_gradients_of_first_and_last_layer_are_nearer_with_batch_norm() {
    let batch = blobs(128, 30, 2, 1);
    let orders = [false, true].map(|normed| {
        let step = Step::compile(deep(0.01, normed), &Sgd::default(), &CrossEntropy::default()).unwrap();
        let gradients = step.gradients(&step.init(1).unwrap(), &batch).unwrap();
        let weights = gradients.iter().filter(|(path, _)| path.ends_with("weight"));
        let norms: Vec<f64> =
            weights.map(|(_, g)| g.to_f64().iter().map(|g| g * g).sum::<f64>().sqrt()).collect();
        (norms[9] / norms[0]).log10().abs()
    });
    println!("orders of magnitude between them: {:.1} without, {:.1} with", orders[0], orders[1]);
    assert!(orders[0] > 6.0 && orders[1] < 2.0, "{orders:?}");
}

#[test]
fn norm_19_gradients_that_explode_without_batch_norm_stay_small_with_it() {
    // Ten layers of ReLU with standard normal weights: each multiplies what passes by about the root of 15.
    let batch = blobs(128, 30, 2, 1);
    let largest = [false, true].map(|normed| {
        let mut model = Sequential::default();
        for _ in 0..10 {
            model.push(Linear { init: barun_nn::Init::Normal(1.0), ..Linear::new(30, 30) });
            if normed {
                model.push(BatchNorm::new(30));
            }
            model.push(Relu::default());
        }
        let step = Step::compile(model.then(Linear::new(30, 2)), &Sgd::default(), &CrossEntropy::default());
        let step = step.unwrap();
        let gradients = step.gradients(&step.init(1).unwrap(), &batch).unwrap();
        let norms = gradients.iter().map(|(_, g)| g.to_f64().iter().map(|g| g * g).sum::<f64>().sqrt());
        norms.fold(0.0, f64::max)
    });
    println!("the largest norm of a gradient: {:.1e} without, {:.1e} with", largest[0], largest[1]);
    assert!(largest[0] > 1e3 && largest[1] < 10.0, "{largest:?}");
}

#[test]
fn norm_20_activations_stay_alike_through_the_layers_with_batch_norm() {
    let batch = blobs(128, 30, 2, 1);
    let of = |normed| {
        let step = Step::compile(deep(1.0, normed), &Sgd::default(), &CrossEntropy::default()).unwrap();
        let seen = barun_nn::activity(&step, &step.init(1).unwrap(), &batch).unwrap();
        println!("{seen}");
        seen.layers.into_iter().filter(|layer| layer.kind == "Sigmoid").collect::<Vec<_>>()
    };
    for layer in of(true) {
        assert!((layer.mean - 0.5).abs() < 0.02 && (0.15..0.25).contains(&layer.std), "{layer:?}");
        assert!(layer.saturated < Some(0.05), "{layer:?}");
    }
    assert!(of(false).iter().all(|layer| layer.saturated > Some(0.2)));
}

#[test]
fn norm_22_the_summary_shows_the_normalisation_between_layer_and_activation() {
    let kinds = |normed| -> Vec<&str> {
        let rows = summary(&deep(1.0, normed), [4, 30], DType::F32).unwrap().rows;
        rows[..3].iter().map(|row| row.kind).collect()
    };
    assert_eq!(kinds(false), ["Linear", "Sigmoid", "Linear"]);
    assert_eq!(kinds(true), ["Linear", "BatchNorm", "Sigmoid"]);
    // Gamma and beta are trained, mean and variance kept, for each unit.
    let summary = summary(&deep(1.0, true), [4, 30], DType::F32).unwrap();
    assert_eq!((summary.rows[1].trainable, summary.rows[1].not_trainable), (60, 60));
}

#[test]
fn norm_25_who_forgets_to_switch_to_inference_gets_other_predictions() {
    use barun_nn::{Forward, Pass, Tensor, fresh_state};
    let model = BatchNorm::new(3);
    let state = fresh_state(&model, 1, DType::F64).unwrap();
    let x = rows(8, 3, 1);
    let predicted = |mode| {
        let mut pass = Pass::by_run(&model, &state, mode).unwrap();
        model.forward(&Tensor::new(x.clone()), &mut pass).unwrap().to_vec::<f64>().unwrap()
    };
    assert_ne!(predicted(Mode::Train), predicted(Mode::Eval));
    // A step's `predict` is in eval mode always.
    let step = Step::with(
        BatchNorm::new(3),
        &Sgd::default(),
        &Mse::default(),
        StepOptions { precision: DType::F64, ..StepOptions::default() },
    );
    let step = step.unwrap();
    let answers = step.predict(&step.init(1).unwrap(), &x).unwrap().to_f64();
    assert_close(&answers, &predicted(Mode::Eval), 1e-12, "predictions");
}

#[test]
fn norm_21_channels_of_images_have_mean_0_over_batch_height_and_width() {
    let layer = BatchNorm::new(3);
    let images = f64s(&rows(2 * 4 * 4, 3, 3).to_f64(), [2, 4, 4, 3]);
    let y = run(&layer, Mode::Train, &first_values(&layer, 1, DType::F64), &images).output;
    for channel in 0..3 {
        assert!(mean(&column(&y, channel)).abs() < 1e-12);
    }
}

#[test]
fn a_layer_used_twice_sees_its_own_first_update() {
    use barun_nn::{Forward, Module, Pass, Result, Tensor};
    #[derive(Module)]
    struct Twice {
        norm: BatchNorm,
    }
    impl Forward for Twice {
        fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
            let first = self.norm.forward(x, pass)?;
            self.norm.forward(&(first + 4.0), pass)
        }
    }
    let model = Twice { norm: BatchNorm { momentum: 0.5, ..BatchNorm::new(1) } };
    let x = f64s(&[1.0, 3.0], [2, 1]);
    let ran = run_model(&model, Mode::Train, &first_values(&model, 1, DType::F64), &x, None).unwrap();
    // 0 -> 1 by the first batch of mean 2, -> 2.5 by the second of mean 4.
    assert_close(&ran.updates["norm.running_mean"].to_f64(), &[2.5], 1e-12, "mean");
}
