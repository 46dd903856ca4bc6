//! Differential tests: the numbers PyTorch computes for the same formulas, see `../fixtures/README.md`.

use std::collections::HashMap;
use std::path::PathBuf;

use barun_nn::activations;
use barun_nn::hyper::Value;
use barun_nn::layers::*;
use barun_nn::losses::{self, CrossEntropy, Loss};
use barun_nn::optimizers::{self, Clip, Context, norm};
use barun_nn::schedules::{self, Moment, Schedule, Span, Warmup};
use barun_nn::{Buffer, DType, Forward, Hyper, Mode, Module, Tensor, WeightAverage, sequential};
use serde_json::Value as Json;

use crate::common::{Ran, assert_close, compute, in_type, run_model};

const F64_TOLERANCE: f64 = 1e-9;
const F32_TOLERANCE: f64 = 1e-5;

struct Case {
    name: String,
    config: Json,
    tensors: HashMap<String, Buffer>,
}

impl Case {
    fn tensor(&self, name: &str) -> &Buffer {
        self.tensors.get(name).unwrap_or_else(|| panic!("{} has no {name}", self.name))
    }

    fn number(&self, key: &str) -> f64 {
        self.config[key].as_f64().unwrap_or_else(|| panic!("{}: no number {key}", self.name))
    }

    fn size(&self, key: &str) -> usize {
        self.number(key) as usize
    }

    fn pair(&self, key: &str) -> [usize; 2] {
        [0, 1].map(|index| self.config[key][index].as_u64().expect("a pair") as usize)
    }

    fn text(&self, key: &str) -> &str {
        self.config[key].as_str().expect("a text")
    }

    fn flag(&self, key: &str) -> bool {
        self.config[key].as_bool().expect("a flag")
    }

    /// Tensors whose name begins with `prefix`, without it.
    fn below(&self, prefix: &str) -> HashMap<String, Buffer> {
        let below =
            |(name, value): (&String, &Buffer)| Some((name.strip_prefix(prefix)?.to_string(), value.clone()));
        self.tensors.iter().filter_map(below).collect()
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn cases(kind: &str) -> Vec<Case> {
    let index = std::fs::read_to_string(folder().join("index.json")).expect("the index of the fixtures");
    let index: Json = serde_json::from_str(&index).expect("an index in JSON");
    let entries = index["cases"].as_array().expect("a list of cases");
    let cases: Vec<Case> = entries
        .iter()
        .filter(|entry| entry["kind"] == kind)
        .map(|entry| {
            let bytes =
                std::fs::read(folder().join(entry["file"].as_str().unwrap())).expect("a fixture file");
            let file = safetensors::SafeTensors::deserialize(&bytes).expect("a fixture");
            let tensors = file.tensors().into_iter().map(|(name, view)| (name, read(&view))).collect();
            Case {
                name: entry["name"].as_str().unwrap().to_string(),
                config: entry["config"].clone(),
                tensors,
            }
        })
        .collect();
    assert!(!cases.is_empty(), "no fixtures of kind {kind}");
    cases
}

fn read(view: &safetensors::tensor::TensorView<'_>) -> Buffer {
    let words = view.data().chunks_exact(8).map(|bytes| <[u8; 8]>::try_from(bytes).unwrap());
    match view.dtype() {
        safetensors::Dtype::F64 => {
            Buffer::new(&words.map(f64::from_le_bytes).collect::<Vec<_>>(), view.shape())
        }
        safetensors::Dtype::I64 => {
            Buffer::new(&words.map(i64::from_le_bytes).collect::<Vec<_>>(), view.shape())
        }
        other => panic!("a fixture of type {other:?}"),
    }
}

fn both_precisions(mut check: impl FnMut(DType, f64)) {
    check(DType::F64, F64_TOLERANCE);
    check(DType::F32, F32_TOLERANCE);
}

fn values_in(values: &HashMap<String, Buffer>, dtype: DType) -> HashMap<String, Buffer> {
    values.iter().map(|(name, value)| (name.clone(), in_type(value, dtype))).collect()
}

/// Runs a model on a case's input and compares output and all gradients.
fn check_model<M: Module + Forward>(
    case: &Case,
    model: &M,
    mode: Mode,
    values: &HashMap<String, Buffer>,
    dtype: DType,
    tolerance: f64,
) -> Ran {
    let [x, upstream] = ["input", "upstream"].map(|name| in_type(case.tensor(name), dtype));
    let ran = run_model(model, mode, &values_in(values, dtype), &x, Some(&upstream)).unwrap();
    let what = |part: &str| format!("{} {part} in {dtype}", case.name);
    assert_close(&ran.output.to_f64(), &case.tensor("output").to_f64(), tolerance, &what("output"));
    assert_close(
        &ran.grad_input.to_f64(),
        &case.tensor("grad.input").to_f64(),
        tolerance,
        &what("grad.input"),
    );
    for (path, gradient) in &ran.grads {
        let name = format!("grad.{path}");
        assert_close(&gradient.to_f64(), &case.tensor(&name).to_f64(), tolerance, &what(&name));
    }
    ran
}

fn check_layer<M: Module + Forward>(kind: &str, layer: impl Fn(&Case) -> M) {
    for case in cases(kind) {
        both_precisions(|dtype, tolerance| {
            check_model(&case, &layer(&case), Mode::Train, &case.below("param."), dtype, tolerance);
        });
    }
}

#[test]
fn linear_matches_pytorch() {
    check_layer("linear", |case| Linear {
        bias: case.flag("bias"),
        ..Linear::new(case.size("in_features"), case.size("out_features"))
    });
}

#[test]
fn conv2d_matches_pytorch() {
    check_layer("conv2d", |case| Conv2d {
        stride: case.pair("stride"),
        padding: case.pair("padding"),
        dilation: case.pair("dilation"),
        groups: case.size("groups"),
        bias: case.flag("bias"),
        ..Conv2d::new(case.size("in_channels"), case.size("out_channels"), case.pair("kernel"))
    });
}

#[test]
fn max_pool2d_matches_pytorch() {
    check_layer("max_pool2d", |case| MaxPool2d {
        stride: case.pair("stride"),
        padding: case.pair("padding"),
        ..MaxPool2d::new(case.pair("window"))
    });
}

#[test]
fn avg_pool2d_matches_pytorch() {
    check_layer("avg_pool2d", |case| AvgPool2d {
        stride: case.pair("stride"),
        padding: case.pair("padding"),
        count_include_pad: case.flag("count_include_pad"),
        ..AvgPool2d::new(case.pair("window"))
    });
}

#[test]
fn global_avg_pool_matches_pytorch() {
    check_layer("global_avg_pool", |_| GlobalAvgPool::default());
}

#[test]
fn smooth_clip_matches_its_formula_in_pytorch() {
    check_layer("smooth_clip", |case| SmoothClip { bound: case.number("bound"), ..SmoothClip::default() });
}

#[test]
fn periodic_embedding_matches_its_formula_in_pytorch() {
    check_layer("periodic_embedding", |case| PeriodicEmbedding {
        frequencies: case.size("frequencies"),
        size: case.size("size"),
        ..PeriodicEmbedding::new(case.size("columns"))
    });
}

#[test]
fn members_of_an_ensemble_match_their_formula_in_pytorch() {
    for case in cases("members") {
        let [members, features, hidden, outputs] =
            ["members", "features", "hidden", "outputs"].map(|key| case.size(key));
        let mode = if case.name.ends_with("train") { Mode::Train } else { Mode::Eval };
        both_precisions(|dtype, tolerance| {
            let network = sequential![
                MemberScale::new(members, features),
                Linear::new(features, hidden),
                Tanh::default(),
                MemberHead::new(members, hidden, outputs),
            ];
            check_model(&case, &network, mode, &case.below("param."), dtype, tolerance);
        });
    }
}

#[test]
fn batch_norm_matches_pytorch() {
    for case in cases("batch_norm") {
        let layer = BatchNorm {
            eps: case.number("eps"),
            momentum: case.number("momentum"),
            ..BatchNorm::new(case.size("channels"))
        };
        both_precisions(|dtype, tolerance| {
            let is_large_mean = case.name == "batch_norm_2d_large_mean_train";
            // Inputs of 1000 and their mean are rounded to 3e-5 each in f32, of a deviation of 1.
            let tolerance = match (is_large_mean, dtype) {
                (true, DType::F64) => 1e-8,
                (true, _) => 1e-4,
                (false, _) => tolerance,
            };
            let mut values = case.below("param.");
            if case.text("mode") == "eval" {
                for name in ["running_mean", "running_var"] {
                    values.insert(name.to_string(), case.tensor(name).clone());
                }
                check_model(&case, &layer, Mode::Eval, &values, dtype, tolerance);
                return;
            }
            values.insert("running_mean".into(), Buffer::new(&vec![0.0; layer.features], [layer.features]));
            values.insert("running_var".into(), Buffer::new(&vec![1.0; layer.features], [layer.features]));
            for step in 0..case.size("steps") {
                let at_step = |(name, value): (&String, &Buffer)| (name.clone(), row(value, step));
                let of_step = Case {
                    name: format!("{} step {step}", case.name),
                    config: case.config.clone(),
                    tensors: case
                        .tensors
                        .iter()
                        .filter(|(name, _)| !name.starts_with("param."))
                        .map(at_step)
                        .collect(),
                };
                let ran = check_model(&of_step, &layer, Mode::Train, &values, dtype, tolerance);
                for (name, value) in ran.updates {
                    assert_close(&value.to_f64(), &of_step.tensor(&name).to_f64(), tolerance, &of_step.name);
                    values.insert(name, value);
                }
            }
        });
    }
}

/// The `index`-th part along the first axis.
fn row(value: &Buffer, index: usize) -> Buffer {
    let shape = &value.shape()[1..];
    let size: usize = shape.iter().product();
    Buffer::new(&value.to_f64()[index * size..(index + 1) * size], shape)
}

/// A setting of a case as the library takes it.
fn setting(json: &Json) -> Value {
    match json {
        Json::Bool(flag) => Value::Flag(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Whole(whole),
            None => Value::Number(number.as_f64().expect("a number")),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(setting).collect()),
        other => panic!("a setting {other}"),
    }
}

/// Gives `thing` the settings of a case, but for those in `apart`.
fn configure(thing: &mut impl Hyper, case: &Case, apart: &[&str]) {
    let settings = case.config["settings"].as_object().unwrap_or_else(|| panic!("{}: settings", case.name));
    for (name, value) in settings.iter().filter(|(name, _)| !apart.contains(&name.as_str())) {
        thing.set(name, &setting(value)).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    }
}

/// Every name of a family is in some fixture, but for those that PyTorch says nothing of.
fn assert_covered(kind: &str, names: &[&str], without: &[&str]) {
    let cases = cases(kind);
    for name in names.iter().filter(|name| !without.contains(name)) {
        assert!(cases.iter().any(|case| case.text("name") == *name), "no fixture for the {kind} {name}");
    }
}

#[test]
fn activations_match_pytorch() {
    let names: Vec<&str> = activations::all().iter().map(|activation| activation.name()).collect();
    assert_covered("activation", &names, &[]);
    for case in cases("activation") {
        let mut activation = activations::by_name(case.text("name")).unwrap();
        configure(&mut activation, &case, &[]);
        both_precisions(|dtype, tolerance| {
            check_model(&case, &activation, Mode::Train, &HashMap::new(), dtype, tolerance);
        });
    }
}

#[test]
fn prelu_matches_pytorch() {
    check_layer("prelu", |case| Prelu::new(case.size("channels")));
}

#[test]
fn normalisations_of_single_rows_match_pytorch() {
    check_layer("layer_norm", |case| LayerNorm {
        eps: case.number("eps"),
        ..LayerNorm::new(case.size("features"))
    });
    check_layer("rms_norm", |case| RmsNorm {
        eps: case.number("eps"),
        ..RmsNorm::new(case.size("features"))
    });
    check_layer("group_norm", |case| GroupNorm::new(case.size("groups"), case.size("channels")));
}

#[test]
fn embedding_matches_pytorch() {
    for case in cases("embedding") {
        let model = Embedding::new(case.size("count"), case.size("size"));
        both_precisions(|dtype, tolerance| {
            let [weight, upstream] =
                ["param.weight", "upstream"].map(|name| in_type(case.tensor(name), dtype));
            let outputs = compute(&[case.tensor("indices"), &weight, &upstream], |tensors| {
                let inventory = std::sync::Arc::new(barun_nn::Inventory::of(&model)?);
                let zero = Tensor::scalar(0.0, DType::I64);
                let mut pass = barun_nn::Pass::new(&inventory, Mode::Train, zero.clone(), zero, |_| {
                    Ok(tensors[1].clone())
                })?;
                let output = model.forward(&tensors[0], &mut pass)?;
                let gradient = (&output * &tensors[2]).sum(..).grad(&[&tensors[1]])?.remove(0);
                Ok(vec![output, gradient])
            })
            .unwrap();
            for (found, name) in outputs.iter().zip(["output", "grad.weight"]) {
                assert_close(&found.to_f64(), &case.tensor(name).to_f64(), tolerance, name);
            }
        });
    }
}

#[test]
fn conv1d_and_transposed_conv2d_match_pytorch() {
    check_layer("conv1d", |case| Conv1d {
        stride: case.size("stride"),
        padding: case.size("padding"),
        dilation: case.size("dilation"),
        groups: case.size("groups"),
        bias: case.flag("bias"),
        ..Conv1d::new(case.size("in_channels"), case.size("out_channels"), case.size("kernel"))
    });
    check_layer("conv_transpose2d", |case| ConvTranspose2d {
        stride: case.pair("stride"),
        padding: case.pair("padding"),
        output_padding: case.pair("output_padding"),
        dilation: case.pair("dilation"),
        groups: case.size("groups"),
        bias: case.flag("bias"),
        ..ConvTranspose2d::new(case.size("in_channels"), case.size("out_channels"), case.pair("kernel"))
    });
}

#[test]
fn recurrent_layers_match_pytorch() {
    let returns = |case: &Case| match case.text("returns") {
        "last" => Returns::Last,
        _ => Returns::Sequence,
    };
    let sizes = |case: &Case| (case.size("inputs"), case.size("hidden"));
    check_layer("rnn", |case| Rnn {
        activation: activations::by_name(case.text("activation")).unwrap(),
        returns: returns(case),
        reverse: case.flag("reverse"),
        ..Rnn::new(sizes(case).0, sizes(case).1)
    });
    check_layer("lstm", |case| Lstm {
        forget_bias: 0.0,
        returns: returns(case),
        reverse: case.flag("reverse"),
        ..Lstm::new(sizes(case).0, sizes(case).1)
    });
    check_layer("gru", |case| Gru {
        returns: returns(case),
        reverse: case.flag("reverse"),
        ..Gru::new(sizes(case).0, sizes(case).1)
    });
}

#[test]
fn attention_and_a_block_of_a_transformer_match_pytorch() {
    check_layer("multi_head_attention", |case| MultiHeadAttention {
        causal: case.flag("causal"),
        ..MultiHeadAttention::new(case.size("size"), case.size("heads"))
    });
    check_layer("transformer_block", |case| {
        let (size, inner) = (case.size("size"), case.size("inner"));
        let around = |body| Residual { activation: Box::new(Identity::default()), ..Residual::new(body) };
        sequential![
            around(sequential![LayerNorm::new(size), MultiHeadAttention::new(size, case.size("heads"))]),
            around(sequential![
                LayerNorm::new(size),
                Linear::new(size, inner),
                Gelu::default(),
                Linear::new(inner, size)
            ]),
        ]
    });
}

#[test]
fn losses_match_pytorch() {
    let names: Vec<&str> = losses::all().iter().map(|loss| loss.name()).collect();
    assert_covered("loss", &names, &[]);
    for case in cases("loss") {
        let mut loss = losses::by_name(case.text("name")).unwrap();
        configure(&mut loss, &case, &[]);
        both_precisions(|dtype, tolerance| {
            let [input, target] = ["input", "target"].map(|name| in_type(case.tensor(name), dtype));
            let outputs = compute(&[&input, &target], |tensors| {
                let value = loss.loss(&tensors[0], &tensors[1])?;
                let gradient = value.grad(&[&tensors[0]])?.remove(0);
                Ok(vec![value, gradient])
            })
            .unwrap();
            let what = |part: &str| format!("{} {part} in {dtype}", case.name);
            assert_close(&outputs[0].to_f64(), &case.tensor("output").to_f64(), tolerance, &what("output"));
            assert_close(&outputs[1].to_f64(), &case.tensor("grad.input").to_f64(), tolerance, &what("grad"));
        });
    }
}

#[test]
fn networks_match_pytorch() {
    for case in cases("network") {
        both_precisions(|dtype, tolerance| match case.name.as_str() {
            "network_mlp" => {
                let model = Numbered(vec![Linear::new(6, 8), Linear::new(8, 5), Linear::new(5, 3)]);
                check_model(&case, &model, Mode::Train, &case.below("param."), dtype, tolerance);
            }
            "network_residual_block" => check_residual_block(&case, dtype, tolerance),
            "network_cnn_cross_entropy" => check_cnn(&case, dtype, tolerance),
            other => panic!("unknown network {other}"),
        });
    }
}

/// Linear, ReLU, linear, tanh, linear, with the positions of the linear layers as their names.
struct Numbered(Vec<Linear>);

impl Module for Numbered {
    fn visit(&self, visitor: &mut barun_nn::Visitor<'_>) {
        self.0.visit(visitor);
    }
}

impl Forward for Numbered {
    fn forward(&self, x: &Tensor, pass: &mut barun_nn::Pass) -> barun_nn::Result<Tensor> {
        let first = self.0[0].forward(x, pass)?.relu();
        let second = self.0[1].forward(&first, pass)?.tanh();
        self.0[2].forward(&second, pass)
    }
}

fn check_residual_block(case: &Case, dtype: DType, tolerance: f64) {
    let conv = |inputs, kernel: usize, stride, padding| Conv2d {
        stride: [stride; 2],
        padding: [padding; 2],
        bias: false,
        ..Conv2d::new(inputs, 4, kernel)
    };
    let block = Residual {
        shortcut: Some(sequential![conv(3, 1, 2, 0), BatchNorm::new(4)]),
        ..Residual::new(sequential![
            conv(3, 3, 2, 1),
            BatchNorm::new(4),
            Relu::default(),
            conv(4, 3, 1, 1),
            BatchNorm::new(4),
        ])
    };
    let names = [
        ("conv1", "body.0"),
        ("norm1", "body.1"),
        ("conv2", "body.3"),
        ("norm2", "body.4"),
        ("shortcut_norm", "shortcut.1"),
        ("shortcut", "shortcut.0"),
    ];
    let renamed = renamed(case, &names);
    let mut values = renamed.below("param.");
    for path in ["body.1", "body.4", "shortcut.1"] {
        values.insert(format!("{path}.running_mean"), Buffer::new(&[0.0; 4], [4]));
        values.insert(format!("{path}.running_var"), Buffer::new(&[1.0; 4], [4]));
    }
    let ran = check_model(&renamed, &block, Mode::Train, &values, dtype, tolerance);
    let after = renamed.below("after.");
    assert_eq!(after.len(), ran.updates.len());
    for (path, value) in &ran.updates {
        assert_close(&value.to_f64(), &after[path].to_f64(), tolerance, path);
    }
}

fn check_cnn(case: &Case, dtype: DType, tolerance: f64) {
    let conv = Conv2d { padding: [1, 1], ..Conv2d::new(1, 3, 3) };
    let flat = case.tensor("param.head.weight").shape()[0];
    let model =
        sequential![conv, Relu::default(), MaxPool2d::new(2), Flatten::default(), Linear::new(flat, 4)];
    let renamed = renamed(case, &[("conv", "0"), ("head", "4")]);
    let values = values_in(&renamed.below("param."), dtype);
    let mut layers: Vec<(String, Buffer)> = values.into_iter().collect();
    layers.sort_by(|a, b| a.0.cmp(&b.0));
    let inventory = std::sync::Arc::new(barun_nn::Inventory::of(&model).unwrap());
    let x = in_type(case.tensor("input"), dtype);
    let mut fed: Vec<&Buffer> = layers.iter().map(|(_, value)| value).collect();
    fed.extend([&x, case.tensor("target")]);
    let outputs = compute(&fed, |inputs| {
        let zero = Tensor::scalar(0.0, DType::I64);
        let mut pass = barun_nn::Pass::new(&inventory, Mode::Train, zero.clone(), zero, |path| {
            Ok(inputs[layers.iter().position(|(name, _)| name == path).unwrap()].clone())
        })?;
        let logits = model.forward(&inputs[layers.len()], &mut pass)?;
        let loss = CrossEntropy::default().loss(&logits, &inputs[layers.len() + 1])?;
        let wrt: Vec<&Tensor> = inputs[..=layers.len()].iter().collect();
        let mut outputs = loss.grad(&wrt)?;
        outputs.extend([logits, loss]);
        Ok(outputs)
    })
    .unwrap();
    let names = layers.iter().map(|(name, _)| format!("grad.{name}"));
    let names = names.chain(["grad.input", "logits", "output"].map(String::from));
    for (name, output) in names.zip(&outputs) {
        assert_close(&output.to_f64(), &renamed.tensor(&name).to_f64(), tolerance, &name);
    }
}

/// A case with other layer paths.
fn renamed(case: &Case, names: &[(&str, &str)]) -> Case {
    let rename = |name: &String| {
        let (kind, rest) = name.split_once('.').unwrap_or((name, ""));
        match names.iter().find_map(|(from, to)| Some((to, rest.strip_prefix(from)?.strip_prefix('.')?))) {
            Some((to, rest)) => format!("{kind}.{to}.{rest}"),
            None => name.clone(),
        }
    };
    Case {
        name: case.name.clone(),
        config: case.config.clone(),
        tensors: case.tensors.iter().map(|(name, value)| (rename(name), value.clone())).collect(),
    }
}

#[test]
fn optimizers_walk_as_pytorch_does() {
    let names: Vec<&str> = optimizers::all().iter().map(|optimizer| optimizer.name()).collect();
    assert_covered("optimizer", &names, &[]);
    for case in cases("optimizer") {
        let mut optimizer = optimizers::by_name(case.text("name")).unwrap();
        configure(&mut optimizer, &case, &[]);
        both_precisions(|dtype, tolerance| {
            // Newton's and Schulz' steps of PyTorch are in bf16.
            let tolerance = if case.text("name") == "muon" { 1e-2 } else { tolerance };
            let parameters = ["w", "b"].into_iter();
            for parameter in parameters.filter(|name| case.tensors.contains_key(&format!("initial.{name}"))) {
                let mut p = in_type(case.tensor(&format!("initial.{parameter}")), dtype);
                let slots = optimizer.slots(p.shape()).into_iter();
                let mut slots: Vec<Buffer> = slots.map(|(_, shape)| Buffer::zeros(shape, dtype)).collect();
                for step in 0..case.size("steps") {
                    let g = in_type(&row(case.tensor(&format!("grad.{parameter}")), step), dtype);
                    let lr = in_type(&Buffer::new(&[optimizer.lr()], []), dtype);
                    let count = Buffer::new(&[step as f64 + 1.0], []);
                    let mut fed = vec![&p, &g, &lr, &count];
                    fed.extend(&slots);
                    let mut outputs = compute(&fed, |inputs| {
                        let context =
                            Context { lr: inputs[2].clone(), step: inputs[3].clone(), decays: true };
                        let (p, slots) =
                            optimizer.update(&inputs[0], &inputs[1], inputs[4..].to_vec(), &context);
                        Ok(std::iter::once(p).chain(slots).collect())
                    })
                    .unwrap();
                    slots = outputs.split_off(1);
                    p = outputs.remove(0);
                    let expected = row(case.tensor(&format!("param.{parameter}")), step);
                    let what = format!("{} {parameter} after step {step} in {dtype}", case.name);
                    assert_close(&p.to_f64(), &expected.to_f64(), tolerance, &what);
                }
            }
        });
    }
}

#[test]
fn gradients_are_clipped_as_pytorch_does() {
    for case in cases("clip") {
        let limit = case.number("limit");
        let clip = match case.text("name") {
            "norm" => Clip::Norm(limit),
            "value" => Clip::Value(limit),
            "adaptive" => Clip::Adaptive(limit),
            other => panic!("unknown way to clip {other}"),
        };
        both_precisions(|dtype, tolerance| {
            // PyTorch adds 1e-6 to the norm; here what is clipped has the limit exactly.
            let tolerance = if case.text("name") == "norm" { 1e-6f64.max(tolerance) } else { tolerance };
            let names = ["w", "b"];
            let of = |kind: &str| names.map(|name| in_type(case.tensor(&format!("{kind}.{name}")), dtype));
            let (parameters, before) = (of("param"), of("before"));
            let fed: Vec<&Buffer> = parameters.iter().chain(&before).collect();
            let after =
                compute(&fed, |inputs| Ok(clip.apply(&inputs[2..], &inputs[..2], &norm(&inputs[2..]))))
                    .unwrap();
            for (name, after) in names.iter().zip(after) {
                let expected = case.tensor(&format!("after.{name}")).to_f64();
                assert_close(
                    &after.to_f64(),
                    &expected,
                    tolerance,
                    &format!("{} {name} in {dtype}", case.name),
                );
            }
        });
    }
}

#[test]
fn averages_of_weights_are_those_of_pytorch() {
    for case in cases("average") {
        let average = match case.config["decay"].as_f64() {
            Some(decay) => WeightAverage::Ema { decay },
            None => WeightAverage::Mean { from: 1, every: 1 },
        };
        both_precisions(|dtype, tolerance| {
            let mut mean = Buffer::zeros([2, 3], dtype);
            for step in 0..case.size("steps") {
                let weights = in_type(&row(case.tensor("weights"), step), dtype);
                let count = Buffer::new(&[step as f64 + 1.0], []);
                mean = compute(&[&mean, &weights, &count], |inputs| {
                    Ok(vec![average.update(&inputs[0], &inputs[1], &inputs[2])])
                })
                .unwrap()
                .remove(0);
                let expected = row(case.tensor("averages"), step).to_f64();
                assert_close(&mean.to_f64(), &expected, tolerance, &format!("{} step {step}", case.name));
            }
        });
    }
}

#[test]
fn schedules_match_pytorch() {
    let names: Vec<&str> = schedules::all().iter().map(|schedule| schedule.name()).collect();
    assert_covered("schedule", &names, &["warmup"]);
    for case in cases("schedule") {
        let mut schedule = schedules::by_name(case.text("name")).unwrap();
        let is_warmed_up = case.config["settings"].get("warmup").is_some();
        configure(&mut schedule, &case, if is_warmed_up { &["warmup", "start"] } else { &[] });
        if let Some(steps) = case.config["settings"]["warmup"].as_u64() {
            let start = case.config["settings"]["start"].as_f64();
            schedule = Box::new(Warmup { over: Span::Steps(steps), start, then: schedule });
        }
        let losses = case.tensors.get("losses").map(Buffer::to_f64).unwrap_or_default();
        let (base, total) = (case.number("base_lr"), case.size("epochs") as u64);
        let rates = (0..=total).map(|epoch| {
            let losses = &losses[..losses.len().min(epoch as usize)];
            schedule.lr(base, &Moment { losses, ..Moment::epoch(epoch, total) })
        });
        assert_close(&rates.collect::<Vec<_>>(), &case.tensor("lr").to_f64(), 1e-12, &case.name);
    }
}
