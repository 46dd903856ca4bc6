//! What compiled programs over images with few channels promise: the same bits however they are run.

use barun_engine::cpu::isa::Isa;
use barun_engine::random::Stream;
use barun_engine::{
    Buffer, Conv2d, DType, Device, DeviceOptions, Layout, Options, Pool2d, Program, ProgramSpec, State,
    Tensor,
};

const POOL: Pool2d = Pool2d { window: [2, 2], stride: [2, 2], padding: [(0, 0); 2], count_include_pad: true };

/// The gradients of two convolutions with pooling, and of an input and a row added to it.
fn gradients(threads: usize, isa: Option<Isa>, fuse: bool) -> Vec<Buffer> {
    let shapes: [&[usize]; 4] = [&[20, 28, 28, 1], &[5, 5, 1, 6], &[6], &[5, 5, 6, 16]];
    let inputs: Vec<Tensor> = shapes
        .iter()
        .enumerate()
        .map(|(index, shape)| Tensor::placeholder(&format!("x{index}"), *shape, DType::F32))
        .collect();
    let [image, first, bias, second] = &inputs[..] else { unreachable!() };
    let same = Conv2d { padding: [(2, 2); 2], ..Conv2d::default() };
    let hidden = (image.conv2d(first, same) + bias).tanh().avg_pool2d(POOL);
    let loss = hidden.conv2d(second, Conv2d::default()).relu().max_pool2d(POOL).square().sum(..);
    let outputs = loss.grad(&inputs.iter().collect::<Vec<_>>()).unwrap();
    let layout = Layout::new(Vec::new()).unwrap();
    let device = Device::new(DeviceOptions { threads: Some(threads), isa }).unwrap();
    let options = Options { device: Some(device), fuse, ..Options::default() };
    let spec = ProgramSpec { layout: &layout, inputs: &inputs, outputs: &outputs, updates: &[] };
    let program = Program::compile(&spec, &options).unwrap();
    let mut stream = Stream::new(3, "values");
    let feeds: Vec<Buffer> = shapes
        .iter()
        .map(|shape| {
            let count = shape.iter().product::<usize>();
            let values: Vec<f32> = (0..count).map(|_| 0.2 * stream.normal() as f32).collect();
            Buffer::new(&values, *shape)
        })
        .collect();
    program.run(&mut State::zeros(&layout), &feeds.iter().collect::<Vec<_>>()).unwrap()
}

#[test]
fn gradients_of_images_have_the_same_bits_for_any_number_of_threads_fused_or_not() {
    let expected = gradients(1, None, true);
    for (threads, fuse) in [(2, true), (3, true), (4, true), (1, false), (3, false)] {
        let found = gradients(threads, None, fuse);
        assert!(expected.iter().zip(&found).all(|(a, b)| a.bytes() == b.bytes()), "{threads} {fuse}");
    }
}

#[test]
fn gradients_of_images_agree_across_instruction_sets() {
    let expected = gradients(1, Some(Isa::Scalar), true);
    for isa in Isa::available() {
        for (a, b) in expected.iter().zip(gradients(2, Some(isa), true)) {
            let (a, b) = (a.to_f64(), b.to_f64());
            let scale = a.iter().fold(0f64, |most, x| most.max(x.abs()));
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-5 * scale), "{isa}");
        }
    }
}

#[test]
fn short_rows_are_repeated_and_reduced_like_long_ones() {
    for columns in [1, 2, 3, 6, 10, 31, 33, 64, 65] {
        let rows = 3001;
        let mut stream = Stream::new(columns as u64, "values");
        let values: Vec<f64> = (0..rows * columns).map(|_| stream.normal()).collect();
        let row: Vec<f64> = (0..columns).map(|_| stream.normal()).collect();
        let column = |index: usize| {
            let added = row[index];
            values.iter().skip(index).step_by(columns).map(move |x| x + added)
        };
        let all = 0..columns;
        let sums: Vec<f64> = all.clone().map(|index| column(index).sum()).collect();
        let maxima: Vec<f64> = all.map(|index| column(index).fold(f64::MIN, f64::max)).collect();
        for (dtype, tolerance) in [(DType::F32, 1e-2), (DType::F64, 1e-9)] {
            let tensor =
                |values: &[f64], shape: &[usize]| Tensor::new(Buffer::new(values, shape)).cast(dtype);
            let shifted = tensor(&values, &[rows, columns]) + tensor(&row, &[columns]);
            for (expected, found) in [(&sums, shifted.sum(0)), (&maxima, shifted.max(0))] {
                let found = found.eval().unwrap().to_f64();
                let near = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance;
                assert!(expected.iter().zip(&found).all(near), "{columns} {dtype:?}");
            }
        }
    }
}
