//! Networks by name.

use barun_nn::gradcheck::gradcheck_model;
use barun_nn::hyper::Value;
use barun_nn::losses::CrossEntropy;
use barun_nn::models::{self, Architecture, Cnn, Lenet, Mlp, NormPlace, NotesCnn, Resnet18};
use barun_nn::optimizers::Sgd;
use barun_nn::{Batch, Buffer, DType, Hyper, Inventory, Mode, Shape, Step, summary};

use crate::common::f64s;

fn count(model: &impl Architecture, input: &[usize]) -> (usize, usize) {
    let model = model.build(&Shape::from(input), 10).unwrap();
    let batch: Vec<usize> = std::iter::once(2).chain(input.iter().copied()).collect();
    let summary = summary(&model, batch, DType::F32).unwrap();
    assert_eq!(*summary.rows.last().unwrap().output, [2, 10]);
    let inventory = Inventory::of(&model).unwrap();
    assert_eq!(summary.trainable, inventory.trainable());
    (summary.trainable, summary.not_trainable)
}

#[test]
fn the_usual_networks_have_their_numbers_of_parameters() {
    let mlp = Mlp { hidden: vec![50], ..Mlp::default() };
    assert_eq!(count(&mlp, &[784]), (39_760, 0));
    assert_eq!(count(&mlp, &[28, 28, 1]), (39_760, 0));
    let normed = Mlp { batch_norm: NormPlace::BeforeActivation, dropout: 0.3, ..Mlp::default() };
    let plain = 784 * 512 + 512 + 512 * 256 + 256 + 2570;
    assert_eq!(count(&normed, &[784]), (plain + 2 * 768, 2 * 768));
    assert_eq!(count(&Lenet::default(), &[28, 28, 1]), (61_706, 0));
    assert_eq!(count(&Cnn::default(), &[28, 28, 1]), (1_199_882, 0));
    assert_eq!(count(&Resnet18::default(), &[32, 32, 3]), (11_173_962, 9_600));
}

#[test]
fn cnn_22_the_network_of_the_notes_has_433_890_parameters_and_trains() {
    assert_eq!(count(&NotesCnn::default(), &[28, 28, 1]), (433_890, 0));
    let small = NotesCnn { filters: 4, hidden: 16, ..NotesCnn::default() };
    let step = Step::compile(
        small.build(&[12, 12, 1].into(), 2).unwrap(),
        &Sgd::default(),
        &CrossEntropy::default(),
    )
    .unwrap();
    // Bright above, or bright below.
    let pixels: Vec<f32> = (0..8 * 144)
        .map(|i| f32::from(u8::from((i % 144 < 72) == (i / 144 % 2 == 0))) + (i % 7) as f32 * 0.05)
        .collect();
    let labels: Vec<i64> = (0..8).map(|i| i % 2).collect();
    let batch = Batch { x: Buffer::new(&pixels, [8, 12, 12, 1]), y: Buffer::new(&labels, [8]) };
    let mut state = step.init(1).unwrap();
    let losses: Vec<f64> = (0..30).map(|_| step.run(&mut state, &batch, 0.05).unwrap().loss).collect();
    assert!(losses[29] < 0.2 * losses[0], "{losses:?}");
}

#[test]
fn a_small_residual_network_has_the_right_gradients() {
    let model = Resnet18 { width: 2 }.build(&[8, 8, 1].into(), 3).unwrap();
    let mut stream = barun_engine::random::Stream::new(1, "images");
    let pixels: Vec<f64> = (0..4 * 64).map(|_| stream.normal()).collect();
    let batch = Batch { x: f64s(&pixels, [4, 8, 8, 1]), y: Buffer::new(&[0i64, 1, 2, 0], [4]) };
    let report = gradcheck_model(&model, &CrossEntropy::default(), &batch, Mode::Eval, 1).unwrap();
    assert!(report.passes(1e-4), "{report}");
}

#[test]
fn models_are_built_from_settings_by_name() {
    let mut mlp = models::by_name("mlp").unwrap();
    mlp.set("hidden", &Value::List(vec![Value::Whole(8), Value::Whole(4)])).unwrap();
    mlp.set("activation", &Value::Text("tanh".into())).unwrap();
    mlp.set("batch_norm", &Value::Text("after_activation".into())).unwrap();
    let model = mlp.build(&[3].into(), 2).unwrap();
    let kinds: Vec<&str> =
        summary(&model, [2, 3], DType::F32).unwrap().rows.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, ["Linear", "Tanh", "BatchNorm", "Linear", "Tanh", "BatchNorm", "Linear"]);
    let error = Lenet::default().build(&[10].into(), 2).unwrap_err().to_string();
    assert!(error.contains("[height, width, channels]"), "{error}");
    let error = Cnn::default().build(&[3, 3, 1].into(), 2).unwrap_err().to_string();
    assert!(error.contains("larger images"), "{error}");
}

#[test]
fn the_network_for_tables_takes_rows_and_has_its_numbers_of_parameters() {
    let tabular = models::by_name("tabular").unwrap();
    let embedding = 10 * (2 * 16 + 3 * 16 + 3);
    let hidden = 40 * 256 + 256 + 256 * 256 + 256;
    let expected = embedding + 8 * 40 + hidden + 8 * (256 * 3 + 3);
    let model = tabular.build(&[10].into(), 3).unwrap();
    let inventory = barun_nn::Inventory::of(&model).unwrap();
    assert_eq!(inventory.trainable(), expected);
    let refusal = tabular.build(&[28, 28, 1].into(), 3).unwrap_err().to_string();
    assert!(refusal.contains("rows of columns"), "{refusal}");
}
