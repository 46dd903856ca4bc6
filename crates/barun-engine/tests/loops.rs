//! Loops whose turns all multiply with the same matrices: what is packed once for all turns gives what the turns give
//! one by one.

use std::sync::Arc;

use barun_engine::cpu::isa::Isa;
use barun_engine::random::Stream;
use barun_engine::{
    Buffer, DType, Device, DeviceOptions, Layout, Options, Program, ProgramSpec, Result, ScanOptions, State,
    Tensor, scan,
};

fn random(seed: u64, shape: &[usize]) -> Buffer {
    let mut stream = Stream::new(seed, "loops");
    let values: Vec<f32> = (0..shape.iter().product::<usize>()).map(|_| stream.normal() as f32).collect();
    Buffer::new(&values, shape)
}

fn on(threads: usize, isa: Option<Isa>) -> Options {
    let device = Device::new(DeviceOptions { threads: Some(threads), isa }).unwrap();
    Options { device: Some(device), ..Options::default() }
}

fn compile(outputs: &[Tensor], options: &Options) -> (Program, Arc<Layout>) {
    let layout = Layout::new(Vec::new()).unwrap();
    let spec = ProgramSpec { layout: &layout, inputs: &[], outputs, updates: &[] };
    (Program::compile(&spec, options).unwrap(), layout)
}

fn run(outputs: &[Tensor], options: &Options) -> Vec<Vec<f64>> {
    let (program, layout) = compile(outputs, options);
    program.evaluate(&State::zeros(&layout), &[]).unwrap().iter().map(Buffer::to_f64).collect()
}

/// How the turns are run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turns {
    Looped,
    Unrolled,
}

/// Two layers of `units`, of which the second reads the first and is read by it in the next turn: products with a
/// matrix as it lies, with its transpose, and with a part of a larger one.
struct Network {
    length: usize,
    units: usize,
    xs: Tensor,
    first: Tensor,
    matrices: [Tensor; 3],
}

impl Network {
    fn new([length, batch, units]: [usize; 3], dtype: DType) -> Network {
        let leaf = |seed: u64, shape: &[usize], scale: f64| {
            let small = Tensor::new(random(seed, shape)).cast(dtype) * scale;
            Tensor::new((*small.eval().unwrap()).clone()).variable()
        };
        let scale = 1.0 / (units as f64).sqrt();
        Network {
            length,
            units,
            xs: leaf(1, &[length, batch, units], 1.0),
            first: leaf(2, &[batch, units], 1.0),
            matrices: [
                leaf(3, &[units, units], scale),
                leaf(4, &[units, units], scale),
                leaf(5, &[units + 3, 2 * units + 1], scale),
            ],
        }
    }

    fn turn(&self, [low, high]: [&Tensor; 2], x: &Tensor) -> [Tensor; 2] {
        let [plain, turned, part] = &self.matrices;
        let part = part.narrow(0, 1, self.units + 1).narrow(1, 2, self.units + 2);
        let low = (low.matmul(plain) + high.matmul(&turned.transpose()) + x).tanh();
        let high = (low.matmul(&part) + high).tanh();
        [low, high]
    }

    /// The last carries, all that the second layer gave, and the gradients of a loss of all of these.
    fn results(&self, turns: Turns) -> Result<Vec<Tensor>> {
        let (last, all) = match turns {
            Turns::Looped => {
                let (last, all) =
                    scan(&[&self.first, &self.first], &[&self.xs], ScanOptions::default(), |carry, x| {
                        let next = self.turn([&carry[0], &carry[1]], &x[0]);
                        Ok((next.to_vec(), vec![next[1].clone()]))
                    })?;
                ([last[0].clone(), last[1].clone()], all[0].clone())
            }
            Turns::Unrolled => {
                let shape = self.first.shape()?.clone();
                let mut carry = [self.first.clone(), self.first.clone()];
                let mut all = Vec::new();
                for turn in 0..self.length {
                    let x = self.xs.narrow(0, turn, turn + 1).reshape(shape.clone());
                    carry = self.turn([&carry[0], &carry[1]], &x);
                    all.push(carry[1].unsqueeze(0));
                }
                (carry, Tensor::concat(&all.iter().collect::<Vec<_>>(), 0))
            }
        };
        let loss = (&last[0] * 0.5).exp().sum(..) + all.square().sum(..);
        let wrt: Vec<&Tensor> = self.matrices.iter().chain([&self.xs, &self.first]).collect();
        let gradients = loss.grad(&wrt)?;
        Ok(last.into_iter().chain([all]).chain(gradients).collect())
    }
}

/// Turns, rows and units: a single turn, a single row, odd sizes, sizes that several threads share, and several blocks
/// of `k`.
const SHAPES: [[usize; 3]; 8] =
    [[1, 1, 1], [3, 1, 37], [4, 1, 130], [1, 40, 33], [5, 3, 7], [6, 23, 65], [4, 64, 128], [2, 37, 301]];

#[test]
fn a_loop_and_its_gradient_agree_with_its_turns_in_f64() {
    for shape in SHAPES {
        let exact = run(&Network::new(shape, DType::F64).results(Turns::Unrolled).unwrap(), &on(1, None));
        let looped = Network::new(shape, DType::F32).results(Turns::Looped).unwrap();
        for isa in Isa::available() {
            for (index, (found, exact)) in run(&looped, &on(2, Some(isa))).iter().zip(&exact).enumerate() {
                let most = exact.iter().fold(0f64, |most, x| most.max(x.abs()));
                let error = found.iter().zip(exact).fold(0f64, |most, (a, b)| most.max((a - b).abs()));
                assert!(error <= 2e-5 * most, "{shape:?}, {isa}, result {index}: {error} of {most}");
            }
        }
    }
}

#[test]
fn a_loop_and_its_gradient_have_the_same_bits_on_any_team_and_its_values_those_of_its_turns() {
    for shape in SHAPES {
        let network = Network::new(shape, DType::F32);
        let [looped, unrolled] =
            [Turns::Looped, Turns::Unrolled].map(|turns| network.results(turns).unwrap());
        for isa in Isa::available() {
            let expected = run(&looped, &on(1, Some(isa)));
            // Gradients are added up in another order, and a single row times a matrix that the loop is given as a copy.
            let values = run(&unrolled[..3], &on(1, Some(isa)));
            assert!(
                shape[1] == 1 || expected[..3] == values,
                "{shape:?}, {isa}: the turns one by one differ"
            );
            for threads in [2, 3] {
                assert!(
                    run(&looped, &on(threads, Some(isa))) == expected,
                    "{shape:?}, {isa}, {threads} threads"
                );
            }
            let apart = Options { fuse: false, ..on(2, Some(isa)) };
            assert!(run(&looped, &apart) == expected, "{shape:?}, {isa}, one by one");
        }
    }
}

#[test]
fn a_loop_over_bf16_has_the_bits_of_its_turns() {
    for [length, batch, units] in [[3, 1, 37], [4, 3, 64], [5, 23, 65], [3, 64, 128]] {
        let w = Tensor::new(random(1, &[units, units])).cast(DType::BF16);
        let turned = Tensor::new(random(2, &[units, units])).cast(DType::BF16);
        let xs = Tensor::new(random(3, &[length, batch, units]));
        let first = Tensor::new(random(4, &[batch, units]));
        let turn = |h: &Tensor, x: &Tensor| {
            let h = h.cast(DType::BF16);
            ((h.matmul(&w) + h.matmul(&turned.transpose())) * 0.05 + x).tanh()
        };
        let (last, _) = scan(&[&first], &[&xs], ScanOptions::default(), |carry, x| {
            Ok((vec![turn(&carry[0], &x[0])], vec![]))
        })
        .unwrap();
        let mut h = first.clone();
        for index in 0..length {
            h = turn(&h, &xs.narrow(0, index, index + 1).reshape([batch, units]));
        }
        for isa in Isa::available() {
            let expected = run(&[h.clone()], &on(1, Some(isa)));
            for threads in [1, 2, 3] {
                assert!(
                    run(&last, &on(threads, Some(isa))) == expected,
                    "{length} x {batch} x {units}, {isa}"
                );
            }
        }
    }
}

#[test]
fn a_loop_in_a_loop_packs_for_itself() {
    let [outer, inner] = [1, 2].map(|seed| Tensor::new(random(seed, &[70, 70])));
    let xs = Tensor::new(random(3, &[3, 64, 70]));
    let first = Tensor::new(random(4, &[64, 70]));
    // Each turn of the outer loop makes the inner one another matrix.
    let step = |h: &Tensor, w: &Tensor| (h.matmul(w) * 0.1 + h.matmul(&inner) * 0.1).tanh();
    let mut h = first.clone();
    for index in 0..3 {
        let x = xs.narrow(0, index, index + 1).reshape([64, 70]);
        let w = &outer * x.mean(..);
        h = (h.matmul(&outer) * 0.1 + x).tanh();
        (0..4).for_each(|_| h = step(&h, &w));
    }
    let options = ScanOptions { length: Some(4), ..ScanOptions::default() };
    let (last, _) = scan(&[&first], &[&xs], ScanOptions::default(), |carry, x| {
        let w = &outer * x[0].mean(..);
        let h = (carry[0].matmul(&outer) * 0.1 + &x[0]).tanh();
        let (last, _) = scan(&[&h], &[], options, |carry, _| Ok((vec![step(&carry[0], &w)], vec![])))?;
        Ok((last, vec![]))
    })
    .unwrap();
    let expected = run(&[h], &on(1, None));
    for threads in [1, 2, 3] {
        assert!(run(&last, &on(threads, None)) == expected, "{threads} threads");
    }
}

#[test]
fn a_loop_without_turns_packs_nothing_and_gives_its_first_values() {
    let w = Tensor::new(random(1, &[128, 128]));
    let first = random(2, &[64, 128]);
    for reverse in [false, true] {
        let options = ScanOptions { length: Some(0), reverse };
        let (last, _) = scan(&[&Tensor::new(first.clone())], &[], options, |carry, _| {
            Ok((vec![carry[0].matmul(&w).tanh()], vec![]))
        })
        .unwrap();
        for threads in [1, 2] {
            assert_eq!(run(&last, &on(threads, None)), [first.to_f64()]);
        }
    }
}

#[test]
fn weights_that_an_update_changes_are_packed_anew_in_the_next_run() {
    let layout = Layout::new(vec![("w".into(), [65, 65].into(), DType::F32)]).unwrap();
    let xs = Tensor::new(random(1, &[4, 33, 65]));
    let first = Tensor::zeros([33, 65], DType::F32);
    let turn = |h: &Tensor, x: &Tensor, w: &Tensor| (h.matmul(w) + x).tanh();
    let slot = layout.tensor(0);
    let (last, _) = scan(&[&first], &[&xs], ScanOptions::default(), |carry, x| {
        Ok((vec![turn(&carry[0], &x[0], &slot)], vec![]))
    })
    .unwrap();
    let gradient = last[0].square().sum(..).grad(&[&slot]).unwrap().remove(0);
    let spec = ProgramSpec {
        layout: &layout,
        inputs: &[],
        outputs: &last,
        updates: &[(0, &slot - gradient * 1e-3)],
    };
    let mut w = random(2, &[65, 65]);
    let program = Program::compile(&spec, &on(2, None)).unwrap();
    let mut state = State::zeros(&layout);
    state.set("w", &w).unwrap();
    for _ in 0..3 {
        let found = program.run(&mut state, &[]).unwrap();
        let mut h = first.clone();
        for index in 0..4 {
            h = turn(&h, &xs.narrow(0, index, index + 1).reshape([33, 65]), &Tensor::new(w.clone()));
        }
        assert_eq!([found[0].to_f64()], run(&[h], &on(1, None))[..]);
        let updated = state.get("w").unwrap();
        assert_ne!(updated.to_f64(), w.to_f64());
        w = updated;
    }
}

#[test]
fn what_is_packed_is_in_the_memory_plan_once_whatever_the_number_of_turns() {
    let (units, batch) = (512, 32);
    let workspace = |length: usize, is_constant: bool| {
        let w = Tensor::new(random(1, &[units, units]));
        let xs = Tensor::new(random(2, &[length, batch, units]));
        let first = Tensor::zeros([batch, units], DType::F32);
        let (last, _) = scan(&[&first, &w], &[&xs], ScanOptions::default(), |carry, x| {
            let matrix = if is_constant { &w } else { &carry[1] };
            Ok((vec![(carry[0].matmul(matrix) + &x[0]).tanh(), carry[1].clone()], vec![]))
        })
        .unwrap();
        compile(&last[..1], &on(2, None)).0.memory().most.workspace
    };
    let packed = units * units * size_of::<f32>();
    let constant = workspace(3, true);
    assert_eq!(constant, workspace(30, true));
    assert_eq!(constant, workspace(3, false) + packed);
}
