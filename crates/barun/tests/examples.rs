//! What the examples promise: their length, that twins agree, and what they say where there is no data.

#[allow(dead_code)]
#[path = "../../../examples/define_and_run.rs"]
mod define_and_run;
#[allow(dead_code)]
#[path = "../../../examples/define_by_run.rs"]
mod define_by_run;
#[allow(dead_code)]
#[path = "../../../examples/mnist_from_scratch.rs"]
mod mnist_from_scratch;

use barun::prelude::*;
use mnist_from_scratch::Matrix;

const FROM_SCRATCH: &str = include_str!("../../../examples/mnist_from_scratch.rs");
const MLP: &str = include_str!("../../../examples/mnist_mlp.rs");
const CNN: &str = include_str!("../../../examples/mnist_cnn.rs");

/// Lines that are neither empty nor only a comment.
fn code_lines(source: &str) -> usize {
    source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[test]
fn train_02_the_example_from_scratch_has_at_most_100_lines_of_code() {
    let lines = code_lines(FROM_SCRATCH);
    assert!(lines <= 100, "{lines} lines");
}

#[test]
fn gradchk_07_its_backward_function_has_at_most_15_statements() {
    let start = FROM_SCRATCH.find("pub fn backward").unwrap();
    let body = &FROM_SCRATCH[start..][..FROM_SCRATCH[start..].find("\n}").unwrap()];
    // Every statement ends a line with a semicolon; the last is the value.
    let statements = 1 + body.lines().filter(|line| line.trim_end().ends_with(';')).count();
    assert!((5..=15).contains(&statements), "{statements} statements:\n{body}");
}

#[test]
fn train_04_the_convolutional_network_adds_at_most_50_lines() {
    let (mlp, cnn) = (code_lines(MLP), code_lines(CNN));
    println!("mnist_mlp.rs {mlp} lines, mnist_cnn.rs {cnn} lines");
    assert!(mlp < cnn && cnn - mlp <= 50, "{mlp} and {cnn} lines");
}

#[test]
fn train_05_the_pipeline_has_six_visible_stages() {
    for source in [MLP, CNN] {
        for stage in ["1. Data", "2. Dataset", "3. Loader", "4. Model", "5. Train", "6. Infer"] {
            assert_eq!(source.matches(&format!("// {stage}:")).count(), 1, "{stage}");
        }
    }
}

#[test]
fn tensor_12_both_ways_of_working_give_the_same_falling_losses() {
    let by_run = define_by_run::losses(7, 50).unwrap();
    let and_run = define_and_run::losses(7, 50).unwrap();
    assert_eq!(by_run, and_run);
    assert!(by_run[49] < by_run[0] / 100.0, "{by_run:?}");
    assert_ne!(by_run, define_by_run::losses(8, 50).unwrap());
}

#[test]
fn tensor_12_a_graph_defined_by_run_depends_on_the_data() {
    let nodes = [0.01, 1.0, 100.0].map(|scale| define_by_run::as_deep_as_needed(scale).unwrap().1);
    assert!(nodes[0] < nodes[1] && nodes[1] < nodes[2], "{nodes:?}");
}

/// A small two-layer network by the library.
#[derive(Module)]
struct Network {
    first: Linear,
    second: Linear,
}

impl Forward for Network {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        self.second.forward(&self.first.forward(x, pass)?.relu(), pass)
    }
}

#[test]
fn train_18_gradients_by_hand_equal_the_librarys() {
    // The number of rows that the example divides by.
    let (rows, inputs, hidden, classes) = (100, 6, 5, 10);
    let network = Network { first: Linear::new(inputs, hidden), second: Linear::new(hidden, classes) };
    let step = Step::compile(&network, &Sgd::default(), &CrossEntropy::default()).unwrap();
    let state = step.init(3).unwrap();
    let x = Generator::new(1).normal([rows, inputs], DType::F32).eval().unwrap();
    let labels: Vec<i64> = (0..rows as i64).map(|row| row * 7 % classes as i64).collect();
    let batch = Batch { x: (*x).clone(), y: Buffer::new(&labels, [rows]) };
    let gradients = step.gradients(&state, &batch).unwrap();

    let matrix = |buffer: &Buffer, columns| -> Matrix {
        buffer.as_slice::<f32>().unwrap().chunks(columns).map(<[f32]>::to_vec).collect()
    };
    let parameter = |path: &str, columns| matrix(&state.get(path).unwrap(), columns);
    let by_hand = mnist_from_scratch::backward(
        &[
            parameter("first.weight", hidden),
            parameter("first.bias", hidden),
            parameter("second.weight", classes),
            parameter("second.bias", classes),
        ],
        &matrix(&batch.x, inputs),
        &labels
            .iter()
            .map(|&label| (0..classes as i64).map(|class| f32::from(u8::from(class == label))).collect())
            .collect(),
    );
    assert_eq!(gradients.len(), 4);
    for ((path, gradient), by_hand) in gradients.iter().zip(&by_hand) {
        let gradient = gradient.as_slice::<f32>().unwrap();
        assert_eq!(gradient.len(), by_hand.concat().len(), "{path}");
        assert!(gradient.iter().any(|slope| slope.abs() > 1e-3), "{path}: {gradient:?}");
        for (ours, theirs) in gradient.iter().zip(by_hand.concat()) {
            assert!((ours - theirs).abs() <= 1e-6 + 1e-5 * theirs.abs(), "{path}: {ours} and {theirs}");
        }
    }
}

#[test]
fn without_its_data_an_example_says_where_to_put_it() {
    let options =
        OpenOptions { data_dir: Some("no/such/folder".into()), offline: true, ..OpenOptions::default() };
    let error = barun::Error::from(Dataset::open_with("mnist", &options).unwrap_err());
    // What `main` prints.
    let message = format!("{error:?}");
    assert!(
        message.contains("no/such/folder/mnist") || message.contains("no/such/folder\\mnist"),
        "{message}"
    );
    assert!(message.contains("put train-images-idx3-ubyte"), "{message}");
}
