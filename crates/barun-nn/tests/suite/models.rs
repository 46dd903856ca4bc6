//! Networks by name.

use barun_nn::gradcheck::gradcheck_model;
use barun_nn::hyper::Value;
use barun_nn::losses::{CrossEntropy, Mse};
use barun_nn::models::{
    self, Architecture, Autoencoder, Cnn, Lenet, LstmModel, Mlp, Mobilenet, NormPlace, NotesCnn, Resnet9,
    Resnet18, RnnModel, Transformer, Vgg11,
};
use barun_nn::optimizers::{Adam, Sgd};
use barun_nn::{
    Batch, Buffer, DType, Hyper, InputTransform, Inventory, Learns, Mode, Shape, Step, StepOptions, summary,
};

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
    // A normalisation has two numbers for each unit, and the bias before it goes.
    assert_eq!(count(&normed, &[784]), (plain + 768, 2 * 768));
    assert_eq!(count(&Lenet::default(), &[28, 28, 1]), (61_706, 0));
    let plain = Cnn { batch_norm: false, ..Cnn::default() };
    assert_eq!(count(&plain, &[28, 28, 1]), (1_199_882, 0));
    assert_eq!(count(&Cnn::default(), &[28, 28, 1]).0, 1_199_882 + 32 + 64 + 128);
    let deep = Cnn { channels: vec![32, 32, 64, 64], ..Cnn::default() };
    assert_eq!(count(&deep, &[28, 28, 1]).0, 197_802);
    assert_eq!(count(&Resnet18::default(), &[32, 32, 3]), (11_173_962, 9_600));
    assert_eq!(count(&Resnet9::default(), &[32, 32, 3]), (6_573_130, 2 * 2240));
    // 9,231,114 as it is usually counted, with 2752 biases beside the normalisations.
    assert_eq!(count(&Vgg11::default(), &[32, 32, 3]).0, 9_231_114 - 2752);
    let plain = Vgg11 { batch_norm: false, ..Vgg11::default() };
    assert_eq!(count(&plain, &[32, 32, 3]), (9_231_114 - 2 * 2752, 0));
    assert_eq!(count(&Mobilenet::default(), &[32, 32, 3]).0, 3_217_226);
    assert_eq!(count(&RnnModel::default(), &[28, 28, 1]).0, 28 * 128 + 128 * 128 + 128 + 1290);
    assert_eq!(count(&LstmModel::default(), &[28, 28, 1]).0, 4 * (28 * 128 + 128 * 128 + 128) + 1290);
    let stacked = LstmModel { hidden: 8, layers: 3 };
    assert_eq!(count(&stacked, &[5]).0, 4 * (8 + 64 + 8) + 2 * 4 * (64 + 64 + 8) + 90);
    // Attention 4 d^2 + 4 d, two linear layers 8 d^2 + 5 d, two normalisations 4 d.
    let block = 12 * 64 * 64 + 13 * 64;
    assert_eq!(
        count(&Transformer::default(), &[28, 28, 1]).0,
        28 * 64 + 64 + 28 * 64 + 2 * block + 2 * 64 + 650
    );
    assert_eq!(count(&Transformer::default(), &[9]).0, 2 * 9 * 64 + 2 * block + 2 * 64 + 650);
    let through = |a: usize, b: usize| a * b + b;
    let autoencoder = through(784, 128) + through(128, 16) + through(16, 128) + through(128, 10);
    assert_eq!(count(&Autoencoder::default(), &[28, 28, 1]).0, autoencoder);
}

#[test]
fn small_images_lose_the_poolings_for_which_nothing_is_left() {
    for model in [models::by_name("vgg11").unwrap(), models::by_name("resnet9").unwrap()] {
        for side in [1, 3, 8] {
            let built = model.build(&[side, side, 1].into(), 4).unwrap();
            let summary = summary(&built, [1, side, side, 1], DType::F32).unwrap();
            assert_eq!(*summary.rows.last().unwrap().output, [1, 4]);
        }
    }
    let error = models::by_name("mobilenet").unwrap().build(&[7].into(), 2).unwrap_err().to_string();
    assert!(error.contains("mobilenet works on images"), "{error}");
    let mut transformer = Transformer { heads: 5, ..Transformer::default() };
    let error = transformer.build(&[7].into(), 2).unwrap_err().to_string();
    assert!(error.contains("5 heads must divide its size of 64"), "{error}");
    transformer.heads = 8;
    assert!(transformer.build(&[7].into(), 2).is_ok());
}

#[test]
fn an_autoencoder_learns_to_give_its_input_again() {
    // Rows on a plane in six dimensions: a code of two numbers is enough.
    let mut stream = barun_engine::random::Stream::new(1, "plane");
    let row = |_| {
        let (a, b) = (stream.normal(), stream.normal());
        [a, b, a + b, a - b, 0.5 * a, 2.0 * b].map(|value| value as f32)
    };
    let x: Vec<f32> = (0..64).flat_map(row).collect();
    let batch = Batch { x: Buffer::new(&x, [64, 6]), y: Buffer::new(&x, [64, 6]) };
    let loss_of = |code: usize| {
        let linear = Autoencoder { hidden: vec![], code };
        let step =
            Step::compile(linear.build(&[6].into(), 6).unwrap(), &Adam::default(), &Mse::default()).unwrap();
        let mut state = step.init(1).unwrap();
        for _ in 0..600 {
            step.run(&mut state, &batch, 0.01).unwrap();
        }
        step.evaluate(&state, &batch).unwrap().loss
    };
    let (two, one) = (loss_of(2), loss_of(1));
    assert!(two < 1e-4 && one > 0.1, "{two} {one}");
}

#[test]
fn a_step_may_learn_the_input_itself_whatever_the_targets_are() {
    let bytes: Vec<u8> = (0..8 * 12).map(|at| (at * 37 % 256) as u8).collect();
    let rows: Vec<f32> = bytes.iter().map(|byte| f32::from(*byte) / 255.0 - 0.5).collect();
    let input = Some(InputTransform { scale: vec![1.0 / 255.0], shift: vec![-0.5] });
    let run = |learns, y: Buffer| {
        let model = Autoencoder { hidden: vec![6], code: 3 }.build(&[3, 4, 1].into(), 12).unwrap();
        let options = StepOptions { input: input.clone(), learns, ..StepOptions::default() };
        let step = Step::with(model, &Adam::default(), &Mse::default(), options).unwrap();
        let mut state = step.init(1).unwrap();
        let batch = Batch { x: Buffer::new(&bytes, [8, 3, 4, 1]), y };
        for _ in 0..5 {
            assert!(step.run(&mut state, &batch, 0.01).unwrap().applied);
        }
        (step.evaluate(&state, &batch).unwrap().loss, state.bytes().to_vec())
    };
    // The same as with the scaled input as its target, flattened.
    let of_input = run(Learns::Input, Buffer::new(&[7i64; 8], [8]));
    let of_target = run(Learns::Target, Buffer::new(&rows, [8, 12]));
    assert!((of_input.0 - of_target.0).abs() < 1e-6, "{} {}", of_input.0, of_target.0);
    assert_eq!(of_input, run(Learns::Input, Buffer::new(&[0i64; 8], [8])));
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
    let model = Resnet18 { width: 2, ..Resnet18::default() }.build(&[8, 8, 1].into(), 3).unwrap();
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
