//! Loops over columns: the sums of a batch norm and of its gradient.

use barun_engine::random::Stream;
use barun_engine::{
    Buffer, DType, Device, DeviceOptions, Layout, Options, Program, ProgramSpec, State, Tensor,
};

/// A batch norm over all axes but the last, and the gradients of a function of it; fed x, gamma and beta.
fn batch_norm(shape: &[usize], dtype: DType) -> (Vec<Tensor>, Vec<Tensor>) {
    let columns = &shape[shape.len() - 1..];
    let x = Tensor::placeholder("x", shape, dtype);
    let gamma = Tensor::placeholder("gamma", columns, dtype);
    let beta = Tensor::placeholder("beta", columns, dtype);
    let axes: Vec<i64> = (0..shape.len() as i64 - 1).collect();
    let mean = x.mean(&*axes);
    let var = (&x - &mean).square().mean(&*axes);
    let y = (&x - &mean) * (&gamma / (&var + 1e-5).sqrt()) + &beta;
    let mut outputs = y.sin().sum(..).grad(&[&x, &gamma, &beta]).unwrap();
    outputs.extend([y, mean, var]);
    (vec![x, gamma, beta], outputs)
}

/// Numbers around `centre` with deviation 1, gamma around 1 and beta around 0.
fn values(shape: &[usize], centre: f64) -> [(Vec<usize>, Vec<f64>); 3] {
    let mut stream = Stream::new(11, "columns");
    let columns = vec![shape[shape.len() - 1]];
    let mut some = |shape: Vec<usize>, centre: f64, spread: f64| {
        let count = shape.iter().product();
        // As f32 holds them, so that both precisions start from the same.
        let one = |_| f64::from((centre + spread * stream.normal()) as f32);
        (shape, (0..count).map(one).collect())
    };
    [some(shape.to_vec(), centre, 1.0), some(columns.clone(), 1.0, 0.1), some(columns, 0.0, 0.1)]
}

fn compile(dtype: DType, shape: &[usize], threads: usize, fuse: bool) -> Program {
    let (inputs, outputs) = batch_norm(shape, dtype);
    let device = Device::new(DeviceOptions { threads: Some(threads), isa: None }).unwrap();
    let options = Options { device: Some(device), fuse, ..Options::default() };
    let layout = Layout::new(Vec::new()).unwrap();
    let spec = ProgramSpec { layout: &layout, inputs: &inputs, outputs: &outputs, updates: &[] };
    Program::compile(&spec, &options).unwrap()
}

fn run(program: &Program, feeds: &[Buffer]) -> Vec<Vec<f64>> {
    let mut state = State::zeros(program.layout());
    let results = program.run(&mut state, &feeds.iter().collect::<Vec<_>>()).unwrap();
    results.iter().map(Buffer::to_f64).collect()
}

const SHAPES: [&[usize]; 9] = [
    &[1, 1],
    &[2, 1],
    &[7, 3],
    &[128, 512],
    &[128, 700],
    &[33, 1030],
    &[300, 513],
    &[3, 5, 7, 5],
    &[4, 16, 16, 64],
];

#[test]
fn the_sums_of_a_batch_norm_are_those_of_f64_even_if_the_mean_is_far_away() {
    for shape in SHAPES {
        for centre in [0.0, 1e4] {
            let values = values(shape, centre);
            let narrow: Vec<Buffer> = values
                .iter()
                .map(|(shape, values)| {
                    Buffer::new(&values.iter().map(|&value| value as f32).collect::<Vec<_>>(), &shape[..])
                })
                .collect();
            let wide: Vec<Buffer> =
                values.iter().map(|(shape, values)| Buffer::new(values, &shape[..])).collect();
            let got = run(&compile(DType::F32, shape, 1, true), &narrow);
            let exact = run(&compile(DType::F64, shape, 1, true), &wide);
            let rows: usize = shape[..shape.len() - 1].iter().product();
            // A mean is off by roundings of the numbers themselves; one value has no spread to compare with.
            let slack = (f64::from(f32::EPSILON) * centre * 8.0 + 1e-4) * if rows == 1 { 1e3 } else { 1.0 };
            for (index, (got, exact)) in got.iter().zip(&exact).enumerate() {
                let size = exact.iter().fold(1.0f64, |size, value| size.max(value.abs()));
                for (got, exact) in got.iter().zip(exact) {
                    let error = (got - exact).abs();
                    assert!(
                        error <= slack * size,
                        "{shape:?} around {centre}, result {index}: {got} not {exact}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_sums_of_a_batch_norm_have_the_same_bits_on_any_team_and_fused_or_not() {
    for shape in SHAPES {
        let feeds = values(shape, 3.0).map(|(shape, values)| {
            Buffer::new(&values.iter().map(|&value| value as f32).collect::<Vec<_>>(), &shape[..])
        });
        let one = run(&compile(DType::F32, shape, 1, true), &feeds);
        for (threads, fuse) in [(2, true), (3, true), (1, false), (3, false)] {
            let other = run(&compile(DType::F32, shape, threads, fuse), &feeds);
            let bits = |results: &[Vec<f64>]| -> Vec<u64> {
                results.iter().flatten().map(|value| (value + 0.0).to_bits()).collect()
            };
            assert!(bits(&one) == bits(&other), "{shape:?}: {threads} threads, fused {fuse}");
        }
    }
}

/// The mean; the mean of squared distances to it; the sums of the gradient, of the incoming one alone and times the distance,
/// in one; the gradient itself with the normalised numbers. Each further loop over the rows is one too many.
#[test]
fn a_batch_norm_and_its_gradient_go_over_the_rows_four_times() {
    let program = compile(DType::F32, &[128, 512], 1, true);
    let rows_of_floats = 128 * 512 * 4;
    let loops: Vec<_> = program.kernels().iter().filter(|kernel| kernel.bytes >= rows_of_floats).collect();
    assert_eq!(loops.len(), 4, "{}", program.describe());
}
