//! Sequences: recurrent layers, attention, and what stands around them; noise. [LAYER-15, DATA-16]

use barun_nn::gradcheck::gradcheck;
use barun_nn::layers::*;
use barun_nn::losses::CrossEntropy;
use barun_nn::optimizers::Adam;
use barun_nn::{
    Batch, Buffer, DType, Forward, Init, Inventory, Layer, Mode, Module, Pass, State, Step, StepOptions,
    Tensor, fresh_state, sequential,
};

use crate::common::*;

fn noise(shape: &[usize], seed: u64) -> Buffer {
    let mut stream = barun_engine::random::Stream::new(seed, "sequences");
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| stream.normal()).collect();
    f64s(&values, shape)
}

fn given<M: Module + Forward>(model: &M, x: &Buffer) -> Buffer {
    run_model(model, Mode::Eval, &first_values(model, 1, DType::F64), x, None).unwrap().output
}

#[test]
fn layer_15_and_diag_05_the_gradient_of_a_recurrent_chain_grows_or_fades_with_its_length() {
    // h_t = rho h_(t-1) + x_t: the gradient of the last h for the first x is rho^(length - 1), by any length.
    for rho in [0.5, 1.0, 2.0] {
        for length in [2usize, 8, 32] {
            let chain = Rnn { activation: Box::new(Identity::default()), ..Rnn::new(3, 3) };
            let mut values = first_values(&chain, 1, DType::F64);
            let diagonal =
                |value: f64| (0..9).map(|at| if at % 4 == 0 { value } else { 0.0 }).collect::<Vec<_>>();
            values.insert("weight".into(), f64s(&diagonal(1.0), [3, 3]));
            values.insert("recurrent_weight".into(), f64s(&diagonal(rho), [3, 3]));
            let ran = run_model(&chain, Mode::Train, &values, &noise(&[1, length, 3], 1), None).unwrap();
            let expected: Vec<f64> =
                (0..length).flat_map(|t| [rho.powi((length - 1 - t) as i32); 3]).collect();
            let found = ran.grad_input.to_f64();
            println!("rho {rho}, length {length}: the first gets {}", found[0]);
            assert_close(&found, &expected, 1e-12, "gradients by age");
        }
    }
    // A tanh unit that is not linear forgets even with rho 1; LSTM's memory is added to, so its gradient lasts.
    let norm_of_first = |layer: &dyn Layer| {
        let values = first_values(&layer, 1, DType::F64);
        let ran = run_model(&layer, Mode::Train, &values, &noise(&[4, 40, 3], 1), None).unwrap();
        let first = ran.grad_input.to_f64();
        first.chunks(120).map(|row| row[..3].iter().map(|g| g * g).sum::<f64>()).sum::<f64>().sqrt()
    };
    let (rnn, lstm) = (Rnn::new(3, 16), Lstm { forget_bias: 4.0, ..Lstm::new(3, 16) });
    let (rnn, lstm) = (norm_of_first(&rnn), norm_of_first(&lstm));
    println!("over 40 elements: rnn {rnn:.2e}, lstm {lstm:.2e}");
    assert!(lstm > 3.0 * rnn, "{lstm} {rnn}");
}

fn unrolled_is_stepped<L: Cell + Module + Forward>(layer: &L) {
    let state = fresh_state(layer, 3, DType::F64).unwrap();
    let mut pass = Pass::by_run(layer, &state, Mode::Eval).unwrap();
    let x = noise(&[2, 4, layer.inputs()], 3);
    let whole = layer.forward(&Tensor::new(x.clone()), &mut pass).unwrap().to_vec::<f64>().unwrap();
    let zero = Tensor::zeros([2, layer.hidden()], DType::F64);
    let mut remembered = vec![zero; layer.remembered()];
    let x = Tensor::new(x);
    for t in 0..4 {
        let element = x.narrow(1, t, t + 1).reshape([2, layer.inputs()]);
        remembered = layer.step(&element, &remembered, &pass).unwrap();
    }
    assert_close(&remembered[0].to_vec::<f64>().unwrap(), &whole, 1e-14, "by hand and by itself");
}

#[test]
fn a_cell_stepped_by_hand_is_the_layer() {
    unrolled_is_stepped(&Rnn::new(3, 5));
    unrolled_is_stepped(&Lstm::new(3, 5));
    unrolled_is_stepped(&Gru::new(3, 5));
}

#[test]
fn a_long_sequence_has_as_many_kernels_as_a_short_one() {
    let kernels = |length: usize| {
        let model = sequential![Lstm::new(4, 8), Linear::new(8, 2)];
        let step = Step::compile(model, &Adam::default(), &CrossEntropy::default()).unwrap();
        let program =
            step.program(Mode::Train, (&[2, length, 4].into(), DType::F32), (&[2].into(), DType::I64));
        program.unwrap().kernels().len()
    };
    assert_eq!(kernels(3), kernels(300));
}

#[test]
fn with_a_causal_mask_nothing_is_seen_that_comes_later() {
    let causal = MultiHeadAttention { causal: true, ..MultiHeadAttention::new(8, 2) };
    let everything = MultiHeadAttention::new(8, 2);
    let x = noise(&[1, 5, 8], 4);
    let mut other = x.to_f64();
    other[3 * 8..].iter_mut().for_each(|value| *value += 1.0);
    let other = f64s(&other, [1, 5, 8]);
    let (before, after) = (given(&causal, &x).to_f64(), given(&causal, &other).to_f64());
    assert_eq!(before[..24], after[..24], "the first three do not see the last two");
    assert!(before[24..].iter().zip(&after[24..]).all(|(a, b)| a != b));
    assert_ne!(given(&everything, &x).to_f64()[..24], given(&everything, &other).to_f64()[..24]);
    // The first element sees itself alone.
    let mut pass = Pass::by_run(&causal, &fresh_state(&causal, 1, DType::F64).unwrap(), Mode::Eval).unwrap();
    causal.forward(&Tensor::new(x), &mut pass).unwrap();
    let weights = pass.watched().into_iter().find(|(name, _)| name == "weights").unwrap().1;
    assert_eq!(weights.to_vec::<f64>().unwrap()[..5], [1.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn embedding_looks_up_and_trains_what_it_looked_up() {
    let model = Embedding::new(4, 2);
    let state = fresh_state(&model, 1, DType::F64).unwrap();
    let mut pass = Pass::by_run(&model, &state, Mode::Train).unwrap();
    let numbers = Tensor::new(Buffer::new(&[2i64, 2, 0, -5, 99], [5]));
    let y = model.forward(&numbers, &mut pass).unwrap();
    let weight = pass.parameters().next().unwrap().1.clone();
    let gradient = y.sum(..).grad(&[&weight]).unwrap().remove(0).to_vec::<f64>().unwrap();
    // A number out of range stands for the nearest one.
    assert_eq!(gradient, [2.0, 2.0, 0.0, 0.0, 2.0, 2.0, 1.0, 1.0]);
    let (y, w) = (y.to_vec::<f64>().unwrap(), weight.to_vec::<f64>().unwrap());
    assert_eq!(y, [&w[4..6], &w[4..6], &w[..2], &w[..2], &w[6..]].concat());
    let error = model.forward(&Tensor::new(f64s(&[1.0], [1])), &mut pass).unwrap_err().to_string();
    assert!(error.contains("it looks up whole numbers"), "{error}");
}

#[test]
fn a_sequence_of_the_wrong_shape_is_refused_with_what_fits() {
    let refusal = |layer: &dyn Layer, shape: &[usize]| {
        let values = first_values(&layer, 1, DType::F64);
        run_model(&layer, Mode::Eval, &values, &noise(shape, 1), None).err().unwrap().to_string()
    };
    for (layer, shape, part) in [
        (
            &Lstm::new(3, 4) as &dyn Layer,
            &[2, 5, 4][..],
            "sequences must be [n, length, 3], of length 1 or more",
        ),
        (&Gru::new(3, 4), &[2, 3], "put a ToSequence before it|a ToSequence before it makes a sequence"),
        (&Rnn::new(3, 4), &[2, 0, 3], "of length 1 or more"),
        (&MultiHeadAttention::new(6, 4), &[2, 3, 6], "4 heads must divide its 6 features"),
        (
            &MultiHeadAttention::new(6, 2),
            &[2, 3, 5],
            "the last axis of the input must be the layer's 6 features",
        ),
        (&GroupNorm::new(4, 6), &[2, 3, 6], "4 groups must divide its 6 channels"),
        (&PositionEmbedding::new(4, 6), &[2, 3, 6], "sequences must be [n, 4, 6]"),
        (&ColumnTokens::new(4, 6), &[2, 5], "the last axis of the input must be the layer's 4 features"),
        (&Conv1d::new(3, 4, 2), &[2, 3], "sequences must be [n, length, channels]"),
        (
            &ConvTranspose2d { output_padding: [1, 0], ..ConvTranspose2d::new(3, 4, 2) },
            &[1, 2, 2, 3],
            "must be less than its stride",
        ),
        (
            &ConvTranspose2d { padding: [3, 3], ..ConvTranspose2d::new(3, 4, 2) },
            &[1, 2, 2, 3],
            "must leave something of the image",
        ),
        (&SequenceMean::default(), &[2, 3], "sequences must be [n, length, features]"),
    ] {
        let error = refusal(layer, shape);
        assert!(part.split('|').any(|part| error.contains(part)), "{error}\n does not say: {part}");
    }
}

/// Rows of two kinds that differ only in the order of their elements.
fn orders(rows: usize) -> Batch {
    let mut stream = barun_engine::random::Stream::new(5, "orders");
    let labels: Vec<i64> = (0..rows as i64).map(|row| row % 2).collect();
    let x: Vec<f32> = labels
        .iter()
        .flat_map(|label| {
            let (first, second) = if *label == 0 { (1.0, -1.0) } else { (-1.0, 1.0) };
            [first, second, first, second].map(|value: f64| (value + 0.3 * stream.normal()) as f32)
        })
        .collect();
    Batch { x: Buffer::new(&x, [rows, 4, 1]), y: Buffer::new(&labels, [rows]) }
}

#[test]
fn networks_for_sequences_learn_an_order_in_f32_and_bf16() {
    let transformer = || {
        let attention = sequential![LayerNorm::new(8), MultiHeadAttention::new(8, 2)];
        sequential![
            Linear::new(1, 8),
            PositionEmbedding::new(4, 8),
            Residual::new(attention),
            SequenceMean::default(),
            Linear::new(8, 2)
        ]
    };
    for precision in [DType::F32, DType::BF16] {
        for model in [
            sequential![Rnn::new(1, 8), Linear::new(8, 2)],
            sequential![
                Lstm { returns: Returns::Sequence, ..Lstm::new(1, 8) },
                Gru::new(8, 8),
                Linear::new(8, 2)
            ],
            transformer(),
        ] {
            let options = StepOptions { precision, ..StepOptions::default() };
            let step = Step::with(&model, &Adam::default(), &CrossEntropy::default(), options).unwrap();
            let mut state: State = step.init(1).unwrap();
            for _ in 0..100 {
                step.run(&mut state, &orders(32), 0.01).unwrap();
            }
            let loss = step.evaluate(&state, &orders(32)).unwrap().loss;
            assert!(loss < 0.1, "{loss} in {precision}");
        }
    }
}

#[test]
fn data_16_noise_has_its_deviation_in_training_and_is_gone_at_inference() {
    let layer = GaussianNoise::new(0.5);
    let x = f64s(&[3.0; 20_000], [200, 100]);
    let run = |mode| run_model(&layer, mode, &Default::default(), &x, None).unwrap().output.to_f64();
    let noisy = run(Mode::Train);
    // Of 20,000 draws: four standard errors of the mean (0.0035) and of the deviation (0.0025).
    assert!((mean(&noisy) - 3.0).abs() < 0.014, "{}", mean(&noisy));
    assert!((variance(&noisy).sqrt() - 0.5).abs() < 0.01, "{}", variance(&noisy).sqrt());
    assert_eq!(run(Mode::Eval), [3.0; 20_000]);
    let none = run_model(&GaussianNoise::new(0.0), Mode::Train, &Default::default(), &x, None).unwrap();
    assert_eq!(none.output.to_f64(), [3.0; 20_000]);
}

#[test]
fn alpha_dropout_keeps_mean_and_variance_where_dropout_does_not() {
    let x = noise(&[400, 100], 8);
    let run = |layer: &dyn Layer, mode| {
        run_model(&layer, mode, &Default::default(), &x, None).unwrap().output.to_f64()
    };
    for rate in [0.1, 0.5] {
        let alpha = AlphaDropout::new(rate);
        let y = run(&alpha, Mode::Train);
        // Four standard errors of 40,000 draws.
        assert!(mean(&y).abs() < 0.02 && (variance(&y) - 1.0).abs() < 0.04, "{} {}", mean(&y), variance(&y));
        assert_eq!(run(&alpha, Mode::Eval), x.to_f64());
        // What is dropped all has one value, the lowest there can be where x is SELU's.
        let lowest = y.iter().filter(|value| y.iter().take(1000).any(|other| other == *value)).count();
        assert!(lowest > 0);
        let dropout = run(&Dropout::new(rate), Mode::Train);
        let expected = 1.0 / (1.0 - rate);
        assert!((variance(&dropout) - expected).abs() < 0.1, "dropout raises it to {}", variance(&dropout));
    }
}

#[test]
fn act_07_selu_with_alpha_dropout_stays_normal_through_ten_layers() {
    let mut model = Sequential::default();
    for _ in 0..10 {
        model.push(Linear { init: Init::LecunNormal, ..Linear::new(256, 256) });
        model.push(Selu::default());
        model.push(AlphaDropout::new(0.1));
    }
    let values = first_values(&model, 1, DType::F64);
    let y = run_model(&model, Mode::Train, &values, &noise(&[200, 256], 9), None).unwrap().output.to_f64();
    println!("after ten layers: mean {:.3}, variance {:.3}", mean(&y), variance(&y));
    assert!(mean(&y).abs() < 0.15 && (variance(&y) - 1.0).abs() < 0.3, "{} {}", mean(&y), variance(&y));
}

#[test]
fn layer_14_maxout_takes_the_larger_of_two_lines() {
    // max(2 x + 1, -x): units * pieces columns of a linear layer, two pieces beside each other.
    let model = sequential![Linear::new(1, 2), Maxout::new(2)];
    let mut values = first_values(&model, 1, DType::F64);
    values.insert("0.weight".into(), f64s(&[2.0, -1.0], [1, 2]));
    values.insert("0.bias".into(), f64s(&[1.0, 0.0], [2]));
    let ran = run_model(&model, Mode::Train, &values, &f64s(&[-2.0, 0.0, 3.0], [3, 1]), None).unwrap();
    assert_eq!(ran.output.to_f64(), [2.0, 1.0, 7.0]);
    assert_eq!(ran.grad_input.to_f64(), [-1.0, 2.0, 2.0]);
    let report = gradcheck(|x| Ok(x[0].reshape([3, 2]).max(-1)), &[noise(&[6], 2)]).unwrap();
    assert!(report.passes(1e-6), "{report}");
}

#[test]
fn a_depthwise_convolution_has_a_filter_for_each_channel() {
    let depthwise = Conv2d { bias: false, ..Conv2d::depthwise(3, 3) };
    assert_eq!(Inventory::of(&depthwise).unwrap().parameters[0].shape, [3, 3, 1, 3].into());
    // Only the channel that was changed changes.
    let x = noise(&[1, 4, 4, 3], 6);
    let mut other = x.to_f64();
    other.iter_mut().step_by(3).for_each(|value| *value += 1.0);
    let (a, b) = (given(&depthwise, &x).to_f64(), given(&depthwise, &f64s(&other, [1, 4, 4, 3])).to_f64());
    assert!(a.iter().zip(&b).enumerate().all(|(at, (a, b))| (a == b) == (at % 3 != 0)));
}
