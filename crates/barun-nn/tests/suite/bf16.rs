//! Steps in bf16: f32 weights, sums and losses; rounded operands and activations.

use barun_nn::layers::*;
use barun_nn::losses::CrossEntropy;
use barun_nn::models::{Architecture, Mlp, NormPlace, Resnet18};
use barun_nn::optimizers::Adam;
use barun_nn::{
    Batch, Buffer, DType, Device, DeviceOptions, Mode, Options, Pass, Step, StepOptions, Tensor, sequential,
};

use crate::common::*;

fn step_in(precision: DType, model: &Sequential, threads: Option<usize>) -> Step<&Sequential> {
    let device = Device::new(DeviceOptions { threads, ..DeviceOptions::default() }).unwrap();
    let engine = Options { device: Some(device), ..Options::default() };
    let options = StepOptions { precision, engine, ..StepOptions::default() };
    Step::with(model, &Adam::default(), &CrossEntropy::default(), options).unwrap()
}

/// Random rows whose class is the place of the largest of their first values: something to learn, so that the rows'
/// gradients agree, and that of the batch is more than the noise of its rounding.
fn batch(shape: &[usize], classes: usize) -> Batch {
    let mut stream = barun_engine::random::Stream::new(5, "batch");
    let x: Vec<f32> = (0..shape.iter().product()).map(|_| stream.normal() as f32).collect();
    let class = |row: &[f32]| (0..classes).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap() as i64;
    let y: Vec<i64> = x.chunks_exact(x.len() / shape[0]).map(class).collect();
    Batch { x: Buffer::new(&x, shape), y: Buffer::new(&y, [shape[0]]) }
}

fn networks() -> Vec<(&'static str, Sequential, Batch)> {
    let norm = Mlp { batch_norm: NormPlace::BeforeActivation, hidden: vec![64, 32], ..Mlp::default() };
    let convolutional = sequential![
        Conv2d { padding: [1, 1], ..Conv2d::new(2, 8, 3) },
        Relu::default(),
        MaxPool2d::new(2),
        Conv2d { stride: [2, 2], ..Conv2d::new(8, 12, 3) },
        BatchNorm::new(12),
        LeakyRelu::default(),
        Residual::new(sequential![Conv2d { padding: [1, 1], ..Conv2d::new(12, 12, 3) }, Tanh::default()]),
        AvgPool2d::new(2),
        Flatten::default(),
        Dropout::new(0.2),
        Linear::new(12, 5),
    ];
    vec![
        ("mlp", norm.build(&[20].into(), 4).unwrap(), batch(&[512, 20], 4)),
        ("convolutional", convolutional, batch(&[128, 12, 12, 2], 5)),
        (
            "resnet",
            Resnet18 { width: 4, ..Resnet18::default() }.build(&[8, 8, 3].into(), 4).unwrap(),
            batch(&[128, 8, 8, 3], 4),
        ),
    ]
}

#[test]
fn gradients_in_bf16_point_where_those_in_f32_do() {
    for (name, model, batch) in networks() {
        let gradients = |precision| -> Vec<f64> {
            let step = step_in(precision, &model, None);
            let found = step.gradients(&step.init(1).unwrap(), &batch).unwrap();
            assert!(found.iter().all(|(_, gradient)| gradient.dtype() == DType::F32), "{name}");
            found.iter().flat_map(|(_, gradient)| gradient.to_f64()).collect()
        };
        let (exact, rounded) = (gradients(DType::F32), gradients(DType::BF16));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = dot(&exact, &rounded) / (dot(&exact, &exact) * dot(&rounded, &rounded)).sqrt();
        // Seventeen rounded layers turn many a ReLU around; PyTorch's autocast gives 0.95 to 0.96 on this network.
        let least = if name == "resnet" { 0.94 } else { 0.999 };
        assert!(cosine > least, "{name}: {cosine}");
        assert_ne!(exact, rounded, "{name} was rounded nowhere");
    }
}

#[test]
fn a_linear_layer_multiplies_rounded_numbers_and_sums_in_f32() {
    let model = Linear::new(33, 5);
    let state = barun_nn::fresh_state(&model, 3, DType::BF16).unwrap();
    let x = Tensor::new(batch(&[7, 33], 2).x);
    let mut pass = Pass::by_run(&model, &state, Mode::Train).unwrap().in_precision(DType::BF16);
    let y = barun_nn::Forward::forward(&model, &x, &mut pass).unwrap();
    assert_eq!(y.dtype(), DType::F32);
    let weights = Tensor::new(state.get("weight").unwrap());
    assert_eq!(weights.dtype(), DType::F32, "the weights themselves are not rounded");
    let exact = |tensor: &Tensor| tensor.cast(DType::BF16).cast(DType::F64);
    let expected =
        exact(&x).matmul(&exact(&weights)) + Tensor::new(state.get("bias").unwrap()).cast(DType::F64);
    assert_close(&y.eval().unwrap().to_f64(), &expected.eval().unwrap().to_f64(), 1e-5, "a linear layer");
}

#[test]
fn state_predictions_and_losses_are_f32_and_other_precisions_round_nothing() {
    let (_, model, batch) = networks().remove(1);
    let step = step_in(DType::BF16, &model, None);
    assert!(step.layout().slots().iter().all(|slot| slot.dtype != DType::BF16));
    assert_eq!(
        step.layout(),
        step_in(DType::F32, &model, None).layout(),
        "either goes on with the other's state"
    );
    let state = step.init(1).unwrap();
    assert_eq!(step.predict(&state, &batch.x).unwrap().dtype(), DType::F32);
    let x = Tensor::new(batch.x.clone());
    for (precision, expected) in
        [(DType::F32, DType::F32), (DType::F64, DType::F32), (DType::BF16, DType::BF16)]
    {
        let pass = Pass::by_run(&model, &state, Mode::Eval).unwrap().in_precision(precision);
        assert_eq!(pass.rounded(&x).dtype(), expected);
        assert_eq!(pass.rounded(&Tensor::from(1i64)).dtype(), DType::I64);
    }
    let ends_rounded = sequential![Linear::new(20, 4), Relu::default()];
    let step = step_in(DType::BF16, &ends_rounded, None);
    let x = networks().remove(0).2.x;
    assert_eq!(step.predict(&step.init(1).unwrap(), &x).unwrap().dtype(), DType::F32);
}

#[test]
fn steps_in_bf16_lower_the_loss_with_the_same_bits_on_any_number_of_threads() {
    for (name, model, batch) in networks() {
        let run = |threads| {
            let step = step_in(DType::BF16, &model, Some(threads));
            let mut state = step.init(1).unwrap();
            let losses: Vec<f64> =
                (0..20).map(|_| step.run(&mut state, &batch, 3e-3).unwrap().loss).collect();
            (losses, state.bytes().to_vec())
        };
        let (losses, state) = run(1);
        assert!(losses[19] < 0.9 * losses[0], "{name}: {losses:?}");
        for threads in 2..=4 {
            assert!(run(threads) == (losses.clone(), state.clone()), "{name} with {threads} threads");
        }
    }
}
