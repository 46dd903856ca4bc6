//! Loops over rows. What reduces a short row and reads the result in the same row is one visit; products that are only added
//! up are one as well. Both have the same bits as apart.

use barun_engine::cpu::isa::Isa;
use barun_engine::random::Stream;
use barun_engine::{
    Buffer, DType, Device, DeviceOptions, Layout, Options, Program, ProgramSpec, State, Tensor,
};

/// How a program is compiled.
#[derive(Clone, Copy, Debug)]
struct Way {
    threads: usize,
    isa: Option<Isa>,
    fuse: bool,
}

const FUSED: Way = Way { threads: 1, isa: None, fuse: true };

fn compile(inputs: &[Tensor], outputs: &[Tensor], way: Way) -> Program {
    let device = Device::new(DeviceOptions { threads: Some(way.threads), isa: way.isa }).unwrap();
    let options = Options { device: Some(device), fuse: way.fuse, ..Options::default() };
    let layout = Layout::new(Vec::new()).unwrap();
    Program::compile(&ProgramSpec { layout: &layout, inputs, outputs, updates: &[] }, &options).unwrap()
}

fn run(program: &Program, feeds: &[Buffer]) -> Vec<Buffer> {
    let mut state = State::zeros(program.layout());
    program.run(&mut state, &feeds.iter().collect::<Vec<_>>()).unwrap()
}

/// Softmax, cross-entropy of each row and its gradient.
fn cross_entropy(shape: &[usize]) -> (Vec<Tensor>, Vec<Tensor>) {
    let kept = &shape[..shape.len() - 1];
    let logits = Tensor::placeholder("logits", shape, DType::F32);
    let labels = Tensor::placeholder("labels", kept, DType::I64);
    let mut column = kept.to_vec();
    column.push(1);
    let class = Tensor::iota(shape, shape.len() - 1, DType::I64);
    let is_label = class.equal(&labels.reshape(&column[..])).cast(DType::F32);
    let each = -(logits.log_softmax(-1) * is_label).sum(-1);
    let outputs = vec![each.mean(..).grad(&[&logits]).unwrap().remove(0), each];
    (vec![logits, labels], outputs)
}

/// Layer normalisation and its gradients.
fn layer_norm(shape: &[usize]) -> (Vec<Tensor>, Vec<Tensor>) {
    let x = Tensor::placeholder("x", shape, DType::F32);
    let weight = Tensor::placeholder("weight", &shape[shape.len() - 1..], DType::F32);
    let centred = &x - x.mean_keep(-1);
    let normal = &centred / (centred.square().mean_keep(-1) + 1e-5).sqrt();
    let y = normal * &weight;
    let mut outputs = y.square().sin().sum(..).grad(&[&x, &weight]).unwrap();
    outputs.push(y);
    (vec![x, weight], outputs)
}

fn feeds(inputs: &[Tensor], classes: usize) -> Vec<Buffer> {
    let mut stream = Stream::new(5, "rows");
    let one = |input: &Tensor| {
        let shape = input.shape().unwrap();
        if input.dtype() == DType::I64 {
            let labels: Vec<i64> =
                (0..shape.elements()).map(|_| stream.below(classes as u64) as i64).collect();
            return Buffer::new(&labels, shape);
        }
        let values: Vec<f32> = (0..shape.elements()).map(|_| stream.normal() as f32).collect();
        Buffer::new(&values, shape)
    };
    inputs.iter().map(one).collect()
}

const SHAPES: [&[usize]; 12] = [
    &[1, 5],
    &[2, 1],
    &[32, 3],
    &[130, 10],
    &[3, 511],
    &[3, 512],
    &[3, 513],
    &[2, 7, 4],
    &[2, 1, 6],
    &[5, 1, 1, 9],
    &[700, 17],
    &[64, 2, 100],
];

#[test]
fn rows_have_the_same_bits_in_one_visit_and_in_many() {
    for shape in SHAPES {
        for (name, graph) in [("cross-entropy", cross_entropy(shape)), ("layer norm", layer_norm(shape))] {
            let (inputs, outputs) = graph;
            let feeds = feeds(&inputs, shape[shape.len() - 1]);
            let expected = run(&compile(&inputs, &outputs, Way { fuse: false, ..FUSED }), &feeds);
            for way in [FUSED, Way { threads: 3, ..FUSED }, Way { threads: 2, fuse: false, ..FUSED }] {
                let found = run(&compile(&inputs, &outputs, way), &feeds);
                let same = expected.iter().zip(&found).all(|(a, b)| a.bytes() == b.bytes());
                assert!(same, "{name} {shape:?} {way:?}");
            }
            let scalar = run(&compile(&inputs, &outputs, Way { isa: Some(Isa::Scalar), ..FUSED }), &feeds);
            for (a, b) in expected.iter().zip(&scalar) {
                let (a, b) = (a.to_f64(), b.to_f64());
                let scale = a.iter().fold(1e-3f64, |most, x| most.max(x.abs()));
                let near = a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-5 * scale);
                assert!(near, "{name} {shape:?}");
            }
        }
    }
}

#[test]
fn cross_entropy_and_its_gradient_are_those_of_the_definition() {
    let shape = [7, 5];
    let (inputs, outputs) = cross_entropy(&shape);
    let feeds = feeds(&inputs, shape[1]);
    let found = run(&compile(&inputs, &outputs, FUSED), &feeds);
    let (gradient, each) = (found[0].to_f64(), found[1].to_f64());
    let (logits, labels) = (feeds[0].to_f64(), feeds[1].to_f64());
    for row in 0..shape[0] {
        let exp: Vec<f64> = logits[row * shape[1]..][..shape[1]].iter().map(|x| x.exp()).collect();
        let sum: f64 = exp.iter().sum();
        let label = labels[row] as usize;
        assert!((each[row] + (exp[label] / sum).ln()).abs() < 1e-5);
        for column in 0..shape[1] {
            let expected = (exp[column] / sum - f64::from(u8::from(column == label))) / shape[0] as f64;
            assert!((gradient[row * shape[1] + column] - expected).abs() < 1e-6);
        }
    }
}

#[test]
fn a_softmax_its_loss_and_its_gradient_are_one_loop() {
    for shape in [&[32, 3][..], &[130, 10], &[64, 2, 100]] {
        let (inputs, outputs) = cross_entropy(shape);
        let program = compile(&inputs, &outputs, FUSED);
        assert_eq!(program.kernels().len(), 1, "{}", program.describe());
    }
}

#[test]
fn sums_of_products_have_the_same_bits_as_products_that_are_then_summed() {
    for shape in [&[513][..], &[1025], &[40_000], &[3, 600], &[2, 33_000], &[257, 1, 514]] {
        let [x, y] = ["x", "y"].map(|name| Tensor::placeholder(name, shape, DType::F32));
        let inputs = [x.clone(), y.clone()];
        let feeds = feeds(&inputs, 1);
        // Of one operand with itself, of two, of each row, and where the product is wanted as well.
        for outputs in [
            vec![x.square().sum(..)],
            vec![(&x * &y).sum(..)],
            vec![(&x * &y).sum(-1)],
            vec![(&x * &y).sum(..), &x * &y],
        ] {
            let apart = compile(&inputs, &outputs, Way { fuse: false, ..FUSED });
            let expected = run(&apart, &feeds);
            let isas = [None, Some(Isa::Scalar), Some(Isa::Avx2)].into_iter();
            let isas = isas.filter(|isa| isa.is_none_or(Isa::is_available));
            for way in isas.map(|isa| Way { isa, ..FUSED }).chain([Way { threads: 3, ..FUSED }]) {
                let found = run(&compile(&inputs, &outputs, way), &feeds);
                let same = expected.iter().zip(&found).all(|(a, b)| a.bytes() == b.bytes());
                assert!(same, "{shape:?} {way:?}\n{}", apart.describe());
            }
        }
    }
}
