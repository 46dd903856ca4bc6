//! Layers and how models are put together. [LAYER]

use std::sync::Arc;

use barun_nn::activations::Activation;
use barun_nn::gradcheck::gradcheck_model;
use barun_nn::layers::*;
use barun_nn::losses::{CrossEntropy, Loss, Mse};
use barun_nn::optimizers::{Adam, Sgd};
use barun_nn::{
    Batch, Buffer, DType, Forward, Hyper, Init, Inventory, Mode, Module, Param, Pass, Result, Step, Tensor,
    fresh_state, parameters, sequential, summary,
};

use crate::common::*;

#[test]
fn layer_01_a_linear_layer_multiplies_adds_and_has_the_known_gradients() {
    let layer = Linear::new(3, 2);
    let x = f64s(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3]);
    let upstream = f64s(&[1.0, -1.0, 0.5, 2.0], [2, 2]);
    let mut values = first_values(&layer, 1, DType::F64);
    values.insert("weight".into(), f64s(&[1.0, 0.0, 0.0, 1.0, 2.0, -1.0], [3, 2]));
    values.insert("bias".into(), f64s(&[0.5, -0.5], [2]));
    let ran = run_model(&layer, Mode::Train, &values, &x, Some(&upstream)).unwrap();
    assert_eq!(ran.output.to_f64(), [7.5, -1.5, 16.5, -1.5]);
    assert_eq!(ran.grads["weight"].to_f64(), [3.0, 7.0, 4.5, 8.0, 6.0, 9.0]);
    assert_eq!(ran.grads["bias"].to_f64(), [1.5, 1.0]);
    assert_eq!(ran.grad_input.to_f64(), [1.0, -1.0, 3.0, 0.5, 2.0, -1.0]);
    let batch = Batch { x, y: upstream };
    let report = gradcheck_model(&layer, &Mse::default(), &batch, Mode::Train, 3).unwrap();
    assert!(report.passes(1e-7), "{report}");
}

#[test]
fn layer_02_any_number_of_layers() {
    for depth in 1..=20 {
        let mut model = sequential![Linear::new(7, 5), Tanh::default()];
        for _ in 1..depth {
            model.push(Linear::new(5, 5));
            model.push(Tanh::default());
        }
        model.push(Linear::new(5, 3));
        let count: usize = parameters(&model).unwrap().iter().map(|entry| entry.count()).sum();
        assert_eq!(count, 40 + (depth - 1) * 30 + 18);
        let y = run_model(
            &model,
            Mode::Eval,
            &first_values(&model, 1, DType::F64),
            &f64s(&[0.1; 14], [2, 7]),
            None,
        );
        assert_eq!(**y.unwrap().output.shape(), [2, 3]);
    }
}

#[test]
fn layer_03_the_summary_shows_input_hidden_and_output_with_their_parameters() {
    let model = sequential![Linear::new(784, 50), Sigmoid::default(), Linear::new(50, 10)];
    let summary = summary(&model, [1, 784], DType::F32).unwrap();
    assert_eq!(summary.trainable, 39_760);
    let text = summary.to_string();
    let expected = "\
layer  kind     output    parameters  not trained
input           [1, 784]
0      Linear   [1, 50]        39250            0
1      Sigmoid  [1, 50]            0            0
2      Linear   [1, 10]          510            0
total                          39760            0
";
    assert_eq!(text, expected);
}

/// Accuracy of what a model has learned about four corners.
fn corners_learned(model: &Sequential, labels: [i64; 4]) -> usize {
    let step = Step::compile(model, &Adam::default(), &CrossEntropy::default()).unwrap();
    let mut state = step.init(4).unwrap();
    let batch = Batch { y: Buffer::new(&labels, [4]), ..xor() };
    for _ in 0..400 {
        step.run(&mut state, &batch, 0.05).unwrap();
    }
    let logits = step.predict(&state, &batch.x).unwrap().to_f64();
    let right = |(row, label): (&[f64], &i64)| (row[1] > row[0]) == (*label == 1);
    logits.chunks(2).zip(&labels).filter(|&(row, label)| right((row, label))).count()
}

#[test]
fn layer_04_and_05_a_line_learns_and_or_nand_but_only_a_hidden_layer_xor() {
    let line = sequential![Linear::new(2, 2)];
    for labels in [[0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 0]] {
        assert_eq!(corners_learned(&line, labels), 4, "{labels:?}");
    }
    assert!(corners_learned(&line, [0, 1, 1, 0]) <= 3);
    let hidden = sequential![Linear::new(2, 8), Tanh::default(), Linear::new(8, 2)];
    assert_eq!(corners_learned(&hidden, [0, 1, 1, 0]), 4);
}

#[test]
fn layer_06_without_a_bias_a_line_goes_through_the_origin() {
    let batch = Batch {
        x: Buffer::new(&[-1.0f32, 0.0, 1.0, 2.0], [4, 1]),
        y: Buffer::new(&[2.0f32, 3.0, 4.0, 5.0], [4, 1]),
    };
    let fitted = |bias| {
        let model = Linear { bias, ..Linear::new(1, 1) };
        let step = Step::compile(model, &Sgd::default(), &Mse::default()).unwrap();
        let mut state = step.init(1).unwrap();
        for _ in 0..500 {
            step.run(&mut state, &batch, 0.1).unwrap();
        }
        (
            step.evaluate(&state, &batch).unwrap().loss,
            step.predict(&state, &Buffer::new(&[0.0f32], [1, 1])).unwrap(),
        )
    };
    assert!(fitted(true).0 < 1e-8);
    let (loss, at_origin) = fitted(false);
    assert!(loss > 1.0);
    assert_eq!(at_origin.to_f64(), [0.0]);
}

#[test]
fn layer_07_dropout_can_stand_anywhere() {
    let model = sequential![
        Dropout::new(0.1),
        Linear::new(2, 8),
        Dropout::default(),
        Relu::default(),
        Dropout::new(0.2),
        Linear::new(8, 2),
        Dropout::new(0.0),
    ];
    let step = Step::compile(&model, &Sgd::default(), &CrossEntropy::default()).unwrap();
    assert!(step.run(&mut step.init(1).unwrap(), &xor(), 0.1).unwrap().applied);
}

#[test]
fn layer_09_flatten_joins_all_but_the_batch() {
    let summary = summary(&Flatten::default(), [2, 3, 4, 5], DType::F32).unwrap();
    assert_eq!(*summary.rows[0].output, [2, 60]);
}

#[test]
fn layer_10_the_last_layer_has_any_number_of_outputs_and_starts_near_even_odds() {
    for classes in [2, 10, 47] {
        let model = sequential![Linear::new(20, 64), Relu::default(), Linear::new(64, classes)];
        let step = Step::compile(&model, &Sgd::default(), &CrossEntropy::default()).unwrap();
        let mut batch = blobs(470, 20, classes, 1);
        // Noise: nothing to be right about by luck.
        batch.x = blobs(470, 20, 470, 2).x;
        let mean_loss = mean(
            &(0..10)
                .map(|seed| step.evaluate(&step.init(seed).unwrap(), &batch).unwrap().loss)
                .collect::<Vec<_>>(),
        );
        let even = (classes as f64).ln();
        assert!(mean_loss > 0.95 * even && mean_loss < even + 0.7, "{classes}: {mean_loss} against {even}");
    }
}

#[test]
fn layer_12_parameters_are_learned_and_hyper_parameters_are_set() {
    let model = sequential![Linear::new(3, 4), BatchNorm::new(4), Dropout::new(0.3)];
    let learned: Vec<String> = parameters(&model).unwrap().into_iter().map(|entry| entry.path).collect();
    assert_eq!(learned, ["0.weight", "0.bias", "1.gamma", "1.beta"]);
    let set: Vec<&str> = Dropout::new(0.3).settings().iter().map(|setting| setting.name).collect();
    assert_eq!(set, ["rate", "scaling"]);
    let set: Vec<&str> = Adam::default().settings().iter().map(|setting| setting.name).collect();
    assert_eq!(set, ["lr", "beta1", "beta2", "eps", "epsilon", "weight_decay"]);
}

#[test]
fn layer_16_what_is_saved_and_loaded_predicts_the_same_with_its_running_statistics() {
    let model = sequential![Linear::new(2, 8), BatchNorm::new(8), Relu::default(), Linear::new(8, 2)];
    let step = Step::compile(&model, &Adam::default(), &CrossEntropy::default()).unwrap();
    let mut state = step.init(1).unwrap();
    for _ in 0..10 {
        step.run(&mut state, &xor(), 0.01).unwrap();
    }
    assert_ne!(state.get("1.running_mean").unwrap().to_f64(), [0.0; 8]);
    let slots = step.layout().slots();
    let saved: Vec<(String, Buffer)> =
        slots.iter().map(|slot| (slot.name.clone(), state.get(&slot.name).unwrap())).collect();
    let mut loaded = step.init(99).unwrap();
    for (name, value) in &saved {
        loaded.set(name, value).unwrap();
    }
    let predict = |state: &barun_nn::State| step.predict(state, &xor().x).unwrap().to_f64();
    assert_eq!(predict(&state), predict(&loaded));
    // Training goes on from there too.
    for state in [&mut state, &mut loaded] {
        step.run(state, &xor(), 0.01).unwrap();
    }
    assert_eq!(state.bytes(), loaded.bytes());
}

/// Two inputs side by side, a branch each, a way around both.
#[derive(Module)]
struct Branching {
    left: Linear,
    right: Sequential,
    merge: Linear,
    gain: Param,
    #[module(skip)]
    width: usize,
}

impl Forward for Branching {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let left = self.left.forward(&x.narrow(1, 0, self.width), pass)?.tanh();
        let right = self.right.forward(&x.narrow(1, self.width, 2 * self.width), pass)?;
        let joined = Tensor::concat(&[&left, &right], 1);
        let around = x.sum_keep(1) * self.gain.tensor(pass)?;
        Ok(self.merge.forward(&joined, pass)? + around)
    }
}

fn branching() -> Branching {
    Branching {
        left: Linear::new(2, 3),
        right: sequential![Linear::new(2, 3), Relu::default()],
        merge: Linear::new(6, 2),
        gain: Param::new([], Init::Constant(0.1)),
        width: 2,
    }
}

#[test]
fn layer_18_a_structure_of_ones_own_builds_checks_and_trains() {
    let model = branching();
    let paths: Vec<String> = parameters(&model).unwrap().into_iter().map(|entry| entry.path).collect();
    let expected =
        ["left.weight", "left.bias", "right.0.weight", "right.0.bias", "merge.weight", "merge.bias", "gain"];
    assert_eq!(paths, expected);
    let batch = blobs(16, 4, 2, 1);
    let report = gradcheck_model(&model, &CrossEntropy::default(), &batch, Mode::Train, 1).unwrap();
    assert!(report.passes(1e-6), "{report}");
    let step = Step::compile(&model, &Adam::default(), &CrossEntropy::default()).unwrap();
    let mut state = step.init(1).unwrap();
    let losses: Vec<f64> = (0..60).map(|_| step.run(&mut state, &batch, 0.05).unwrap().loss).collect();
    assert!(losses[59] < 0.5 * losses[0], "{losses:?}");
}

/// As many hidden steps as the input asks for: the graph differs from call to call.
#[derive(Module)]
struct Dynamic {
    hidden: Linear,
    head: Linear,
}

impl Dynamic {
    fn run(&self, x: &Tensor, pass: &mut Pass) -> Result<(Tensor, usize)> {
        let turns = 1 + (x.sum(..).eval()?.to_f64()[0].abs() as usize) % 3;
        let mut h = x.clone();
        for _ in 0..turns {
            h = self.hidden.forward(&h, pass)?.tanh();
        }
        Ok((self.head.forward(&h, pass)?, turns))
    }
}

#[test]
fn tensor_08_a_model_with_a_loop_that_depends_on_data_trains_by_run() {
    let model = Dynamic { hidden: Linear::new(2, 2), head: Linear::new(2, 1) };
    let mut state = fresh_state(&model, 3, DType::F64).unwrap();
    let mut losses = Vec::new();
    let mut turns_seen = std::collections::HashSet::new();
    for round in 0..60 {
        let x = Tensor::new(f64s(&[round as f64 % 3.0, 0.5], [1, 2]));
        let mut pass = Pass::by_run(&model, &state, Mode::Train).unwrap();
        let (y, turns) = model.run(&x, &mut pass).unwrap();
        turns_seen.insert(turns);
        let loss = Mse::default().loss(&y, &Tensor::new(f64s(&[1.0], [1, 1]))).unwrap();
        let (paths, weights): (Vec<String>, Vec<Tensor>) =
            pass.parameters().map(|(entry, value)| (entry.path.clone(), value.clone())).unzip();
        let gradients = loss.grad(&weights.iter().collect::<Vec<_>>()).unwrap();
        losses.push(loss.item::<f64>().unwrap());
        for ((path, weight), gradient) in paths.iter().zip(&weights).zip(&gradients) {
            state.set(path, &(weight - gradient * 0.1).eval().unwrap()).unwrap();
        }
        pass.commit(&mut state).unwrap();
    }
    assert_eq!(turns_seen.len(), 3);
    assert!(losses[59] < 0.01 && losses[59] < losses[0], "{losses:?}");
    assert_eq!(state.get("run/step").unwrap().to_f64(), [60.0]);
}

#[test]
fn by_run_and_compiled_agree() {
    let model = sequential![Linear::new(2, 4), BatchNorm::new(4), Dropout::default(), Relu::default()];
    let step = Step::compile(&model, &Sgd::default(), &Mse::default()).unwrap();
    let state = step.init(5).unwrap();
    let batch = Batch { x: xor().x, y: Buffer::new(&[0.0f32; 16], [4, 4]) };
    let captured = step.watch(&state, &batch, Some(&["3"])).unwrap().remove(0).1.to_f64();
    let mut pass = Pass::by_run(&model, &state, Mode::Train).unwrap();
    let by_run = model.forward(&Tensor::new(batch.x.clone()), &mut pass).unwrap().eval().unwrap().to_f64();
    assert_close(&by_run, &captured, 1e-6, "output");
}

#[test]
fn a_clone_is_a_layer_of_its_own_and_a_shared_layer_is_one() {
    let layer = Linear::new(3, 3);
    let copies = sequential![layer.clone(), layer.clone()];
    assert_eq!(parameters(&copies).unwrap().len(), 4);
    let shared = Arc::new(layer);
    let tied = vec![Arc::clone(&shared), shared];
    let paths: Vec<String> = parameters(&tied).unwrap().into_iter().map(|entry| entry.path).collect();
    assert_eq!(paths, ["0.weight", "0.bias"]);
}

#[test]
fn an_error_names_the_layer_the_shapes_and_the_place() {
    let model = branching();
    let error = summary(&model, [1, 3], DType::F32).unwrap_err().to_string();
    assert!(error.contains("narrow"), "{error}");
    let model = sequential![Linear::new(4, 3), Relu::default(), Linear::new(5, 2)];
    let error = summary(&model, [8, 4], DType::F32).unwrap_err().to_string();
    assert!(error.starts_with("2: linear of f32[8, 3]") && error.contains("5 input features"), "{error}");
}

#[test]
fn a_layer_that_was_not_visited_is_an_error_and_not_a_panic() {
    #[derive(Module)]
    struct Forgotten {
        kept: Linear,
        #[module(skip)]
        forgotten: Linear,
    }
    impl Forward for Forgotten {
        fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
            self.forgotten.forward(&self.kept.forward(x, pass)?, pass)
        }
    }
    let model = Forgotten { kept: Linear::new(2, 2), forgotten: Linear::new(2, 2) };
    let error = summary(&model, [1, 2], DType::F32).unwrap_err().to_string();
    assert!(error.contains("#[module(skip)]"), "{error}");
}

#[test]
fn derived_modules_can_be_generic_tuples_and_hold_lists_and_options() {
    #[derive(Module)]
    struct Deep<L: Module> {
        stages: Vec<L>,
        extra: Option<Linear>,
        head: Box<dyn barun_nn::Layer>,
        #[module(skip)]
        note: &'static str,
    }
    #[derive(Module)]
    struct Pair(Linear, Linear);
    let model = Deep {
        stages: vec![Pair(Linear::new(1, 1), Linear::new(1, 1))],
        extra: None,
        head: Box::new(Linear::new(1, 1)),
        note: "",
    };
    let paths: Vec<String> =
        Inventory::of(&model).unwrap().layers.iter().map(|path| path.to_string()).collect();
    assert_eq!(paths, ["stages.0.0", "stages.0.1", "head"]);
    let _ = (&model.extra, &model.head, &model.stages, model.note);
}

#[test]
fn two_tensors_of_one_name_are_refused() {
    struct Clash(Param, Param);
    impl Module for Clash {
        fn visit(&self, visitor: &mut barun_nn::Visitor<'_>) {
            visitor.child("same", &self.0);
            visitor.child("same", &self.1);
        }
    }
    let clash = Clash(Param::bias([2]), Param::bias([2]));
    assert!(Inventory::of(&clash).unwrap_err().to_string().contains("`same`"));
}

#[test]
fn an_activation_of_any_kind_is_a_layer() {
    let boxed: Box<dyn Activation> = barun_nn::activations::by_name("tanh").unwrap();
    let model = sequential![boxed];
    assert_eq!(
        run_model(&model, Mode::Eval, &Default::default(), &f64s(&[0.0], [1]), None).unwrap().output.to_f64(),
        [0.0]
    );
}
