//! Convolution and pooling. [CNN]

use std::collections::HashMap;

use barun_nn::layers::*;
use barun_nn::losses::CrossEntropy;
use barun_nn::optimizers::Sgd;
use barun_nn::{Batch, Buffer, DType, Forward, Mode, Module, Step, sequential, summary};

use crate::common::*;

/// The example of the notes.
const IMAGE: [f64; 16] = [1., 2., 3., 0., 0., 1., 2., 3., 3., 0., 1., 2., 2., 3., 0., 1.];
const FILTER: [f64; 9] = [2., 0., 1., 0., 1., 2., 1., 0., 2.];

fn with(parameters: &[(&str, Buffer)]) -> HashMap<String, Buffer> {
    parameters.iter().map(|(name, value)| (name.to_string(), value.clone())).collect()
}

fn output(layer: &(impl Module + Forward), values: &HashMap<String, Buffer>, x: &Buffer) -> Buffer {
    run_model(layer, Mode::Train, values, x, None).unwrap().output
}

fn without_bias(layer: Conv2d) -> Conv2d {
    Conv2d { bias: false, ..layer }
}

fn noise(shape: &[usize], seed: u64) -> Buffer {
    let mut stream = barun_engine::random::Stream::new(seed, "noise");
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| stream.normal()).collect();
    f64s(&values, shape)
}

#[test]
fn cnn_01_and_02_the_filter_slides_multiplies_and_sums() {
    let layer = without_bias(Conv2d::new(1, 1, 3));
    let y = output(&layer, &with(&[("weight", f64s(&FILTER, [3, 3, 1, 1]))]), &f64s(&IMAGE, [1, 4, 4, 1]));
    assert_eq!(**y.shape(), [1, 2, 2, 1]);
    assert_eq!(y.to_f64(), [15.0, 16.0, 6.0, 15.0]);
}

#[test]
fn cnn_03_a_stride_of_2_takes_every_other_place() {
    let values = with(&[("weight", noise(&[3, 3, 1, 1], 1))]);
    let x = noise(&[1, 7, 7, 1], 2);
    let dense = output(&without_bias(Conv2d::new(1, 1, 3)), &values, &x).to_f64();
    let strided = Conv2d { stride: [2, 2], ..without_bias(Conv2d::new(1, 1, 3)) };
    let y = output(&strided, &values, &x);
    assert_eq!(**y.shape(), [1, 3, 3, 1]);
    let expected: Vec<f64> = (0..9).map(|place| dense[place / 3 * 2 * 5 + place % 3 * 2]).collect();
    assert_close(&y.to_f64(), &expected, 1e-14, "every other place");
}

#[test]
fn cnn_04_padding_by_1_keeps_the_size_under_3_by_3() {
    let layer = Conv2d { padding: [1, 1], ..Conv2d::new(1, 1, 3) };
    let y = output(&layer, &first_values(&layer, 1, DType::F64), &noise(&[1, 6, 5, 1], 1));
    assert_eq!(**y.shape(), [1, 6, 5, 1]);
}

#[test]
fn cnn_05_sizes_follow_the_formula() {
    for (size, kernel, padding, stride, expected) in
        [(28, 5, 0, 1, 24), (7, 3, 0, 2, 3), (28, 5, 2, 1, 28), (8, 3, 1, 2, 4), (5, 5, 0, 1, 1)]
    {
        let layer = Conv2d { padding: [padding; 2], stride: [stride; 2], ..Conv2d::new(1, 2, kernel) };
        let summary = summary(&layer, [1, size, size, 1], DType::F32).unwrap();
        assert_eq!(*summary.rows[0].output, [1, expected, expected, 2]);
    }
    let layer = sequential![Conv2d::new(1, 1, 5)];
    let error = summary(&layer, [1, 4, 4, 1], DType::F32).unwrap_err().to_string();
    assert!(error.starts_with("0: conv2d") && error.contains("does not fit"), "{error}");
}

#[test]
fn cnn_06_padding_with_another_value_changes_the_border_alone() {
    let values = with(&[("weight", noise(&[3, 3, 1, 1], 3))]);
    let x = noise(&[1, 5, 5, 1], 4);
    let padded = |pad_value| {
        let layer = Conv2d { padding: [1, 1], pad_value, ..without_bias(Conv2d::new(1, 1, 3)) };
        output(&layer, &values, &x).to_f64()
    };
    let (zeros, ones) = (padded(0.0), padded(1.0));
    for place in 0..25 {
        let is_border = [0, 4].contains(&(place / 5)) || [0, 4].contains(&(place % 5));
        let differs = (zeros[place] - ones[place]).abs() > 1e-9;
        assert_eq!(is_border, differs, "place {place}");
    }
}

#[test]
fn cnn_07_each_filter_has_a_bias_and_an_activation_follows() {
    let conv = Conv2d::new(1, 2, 3);
    let weight = noise(&[3, 3, 1, 2], 5);
    let x = noise(&[1, 4, 4, 1], 6);
    let plain = output(&without_bias(conv.clone()), &with(&[("weight", weight.clone())]), &x).to_f64();
    let values = with(&[("0.weight", weight), ("0.bias", f64s(&[0.5, -0.5], [2]))]);
    let y = output(&sequential![conv, Relu::default()], &values, &x).to_f64();
    let expected: Vec<f64> =
        plain.iter().enumerate().map(|(i, v)| (v + [0.5, -0.5][i % 2]).max(0.0)).collect();
    assert_close(&y, &expected, 1e-14, "relu(conv + b)");
}

#[test]
fn cnn_08_channels_are_convolved_on_their_own_and_added() {
    let (x, w) = (noise(&[1, 5, 5, 3], 7), noise(&[3, 3, 3, 1], 8));
    let whole = output(&without_bias(Conv2d::new(3, 1, 3)), &with(&[("weight", w.clone())]), &x).to_f64();
    let mut sum = [0.0; 9];
    for channel in 0..3 {
        let pick = |values: &Buffer| values.to_f64().into_iter().skip(channel).step_by(3).collect::<Vec<_>>();
        let values = with(&[("weight", f64s(&pick(&w), [3, 3, 1, 1]))]);
        let y = output(&without_bias(Conv2d::new(1, 1, 3)), &values, &f64s(&pick(&x), [1, 5, 5, 1]));
        sum.iter_mut().zip(y.to_f64()).for_each(|(sum, y)| *sum += y);
    }
    assert_close(&whole, &sum, 1e-13, "sum over channels");
}

#[test]
fn cnn_09_each_filter_makes_a_map_of_its_own() {
    let (x, w) = (noise(&[1, 5, 5, 1], 9), noise(&[3, 3, 1, 4], 10));
    let maps = output(&without_bias(Conv2d::new(1, 4, 3)), &with(&[("weight", w.clone())]), &x);
    assert_eq!(**maps.shape(), [1, 3, 3, 4]);
    for filter in 0..4 {
        let pick = |values: &Buffer| values.to_f64().into_iter().skip(filter).step_by(4).collect::<Vec<_>>();
        let values = with(&[("weight", f64s(&pick(&w), [3, 3, 1, 1]))]);
        let y = output(&without_bias(Conv2d::new(1, 1, 3)), &values, &x);
        assert_close(&y.to_f64(), &pick(&maps), 1e-13, "one filter");
    }
}

#[test]
fn cnn_10_max_pooling_takes_the_maximum_and_sends_the_gradient_there() {
    let x = f64s(&[1.0, 2.0, 3.0, 4.0], [1, 2, 2, 1]);
    let ran = run_model(&MaxPool2d::new(2), Mode::Train, &HashMap::new(), &x, None).unwrap();
    assert_eq!(ran.output.to_f64(), [4.0]);
    assert_eq!(ran.grad_input.to_f64(), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(MaxPool2d::new(3).stride, [3, 3]);
    let overlapping = MaxPool2d { stride: [1, 1], ..MaxPool2d::new(2) };
    let y = output(&overlapping, &HashMap::new(), &f64s(&IMAGE, [1, 4, 4, 1]));
    assert_eq!(y.to_f64(), [2.0, 3.0, 3.0, 3.0, 2.0, 3.0, 3.0, 3.0, 2.0]);
}

#[test]
fn cnn_11_average_pooling_takes_the_mean_and_shares_the_gradient() {
    let x = f64s(&[1.0, 2.0, 3.0, 4.0], [1, 2, 2, 1]);
    let ran = run_model(&AvgPool2d::new(2), Mode::Train, &HashMap::new(), &x, None).unwrap();
    assert_eq!(ran.output.to_f64(), [2.5]);
    assert_eq!(ran.grad_input.to_f64(), [0.25; 4]);
}

fn small_cnn() -> Sequential {
    sequential![
        Conv2d { padding: [1, 1], ..Conv2d::new(1, 4, 3) },
        Relu::default(),
        MaxPool2d::new(2),
        Flatten::default(),
        Linear::new(64, 3),
    ]
}

#[test]
fn cnn_12_and_25_extractor_and_classifier_show_in_the_summary_and_pooling_has_no_parameters() {
    let summary = summary(&small_cnn(), [2, 8, 8, 1], DType::F32).unwrap();
    let kinds: Vec<&str> = summary.rows.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, ["Conv2d", "Relu", "MaxPool2d", "Flatten", "Linear"]);
    assert_eq!(summary.rows[2].trainable + summary.rows[2].not_trainable, 0);
    assert_eq!(summary.trainable, 40 + 64 * 3 + 3);
}

#[test]
fn cnn_13_a_step_changes_filters_weights_and_biases() {
    let step = Step::compile(small_cnn(), &Sgd::default(), &CrossEntropy::default()).unwrap();
    let mut state = step.init(1).unwrap();
    let before = state.clone();
    let x: Vec<f32> = noise(&[6, 8, 8, 1], 1).to_f64().iter().map(|&x| x as f32).collect();
    let batch = Batch { x: Buffer::new(&x, [6, 8, 8, 1]), y: Buffer::new(&[0i64, 1, 2, 0, 1, 2], [6]) };
    assert!(step.run(&mut state, &batch, 0.1).unwrap().applied);
    for entry in &step.inventory().parameters {
        let values = |state: &barun_nn::State| state.get(&entry.path).unwrap().to_f64();
        assert_ne!(values(&state), values(&before), "{}", entry.path);
    }
}

#[test]
fn cnn_14_the_gradient_of_a_filter_is_the_sum_over_patches() {
    let (x, upstream) = (noise(&[1, 3, 3, 1], 11), noise(&[1, 2, 2, 1], 12));
    let values = with(&[("weight", noise(&[2, 2, 1, 1], 13))]);
    let layer = without_bias(Conv2d::new(1, 1, 2));
    let ran = run_model(&layer, Mode::Train, &values, &x, Some(&upstream)).unwrap();
    let (x, dy) = (x.to_f64(), upstream.to_f64());
    let by_hand: Vec<f64> = (0..4)
        .map(|tap| (0..4).map(|at| dy[at] * x[(at / 2 + tap / 2) * 3 + at % 2 + tap % 2]).sum())
        .collect();
    assert_close(&ran.grads["weight"].to_f64(), &by_hand, 1e-13, "filter");
}

#[test]
fn cnn_15_direct_and_by_matrices_are_equal() {
    let (x, w) = (noise(&[2, 6, 6, 3], 14), noise(&[3, 3, 3, 5], 15));
    let direct = output(&without_bias(Conv2d::new(3, 5, 3)), &with(&[("weight", w.clone())]), &x).to_f64();
    // im2col: a row of patch values for each output place, times the filters as columns.
    let values = x.to_f64();
    let mut patches = Vec::new();
    for (n, i, j) in (0..2 * 16).map(|place| (place / 16, place / 4 % 4, place % 4)) {
        for (u, v, c) in (0..27).map(|tap| (tap / 9, tap / 3 % 3, tap % 3)) {
            patches.push(values[((n * 6 + i + u) * 6 + j + v) * 3 + c]);
        }
    }
    let filters = f64s(&w.to_f64(), [27, 5]);
    let product =
        compute(&[&f64s(&patches, [32, 27]), &filters], |inputs| Ok(vec![inputs[0].matmul(&inputs[1])]));
    assert_close(&direct, &product.unwrap()[0].to_f64(), 1e-12, "im2col");
}
