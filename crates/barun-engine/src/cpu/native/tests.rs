//! Native code against the interpreter, on code that no compiler would write but every path meets.

use super::*;
use crate::cpu::tile::{Each, TILE, TileOp, run_tile};
use crate::graph::{Binary, Unary};
use crate::random::Stream;
use crate::tensor::DType;

/// Values with their types: floats, truth values, bytes.
struct Chain {
    code: Vec<Instr>,
    dtypes: Vec<DType>,
    /// How many of the values come from outside, and which of these are the same for all elements.
    inputs: usize,
    invariants: Vec<u16>,
    wanted: Vec<u16>,
}

fn pick(stream: &mut Stream, from: &[u16]) -> u16 {
    from[stream.below(from.len() as u64) as usize]
}

fn random_chain(stream: &mut Stream, length: usize) -> Chain {
    let mut dtypes = Vec::new();
    for dtype in [DType::F32, DType::Bool, DType::U8, DType::BF16] {
        let count = 1 + stream.below(if dtype == DType::F32 { 14 } else { 2 }) as usize;
        dtypes.extend(std::iter::repeat_n(dtype, count));
    }
    let inputs = dtypes.len();
    let invariants = (0..inputs as u16).filter(|_| stream.below(4) == 0).collect();
    let mut code = Vec::new();
    for _ in 0..length {
        let of = |dtype: DType| -> Vec<u16> {
            (0..dtypes.len() as u16).filter(|&value| dtypes[value as usize] == dtype).collect()
        };
        let (floats, masks, bytes) = (of(DType::F32), of(DType::Bool), of(DType::U8));
        let halves = of(DType::BF16);
        let arithmetic = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Max, Binary::Min];
        let unary = [Unary::Neg, Unary::Abs, Unary::Sign, Unary::Sqrt, Unary::Floor];
        let (op, dtype, made, operands) = match stream.below(17) {
            0..4 => {
                let op = arithmetic[stream.below(6) as usize];
                (TileOp::Binary(op), DType::F32, DType::F32, [&floats, &floats, &floats])
            }
            4 | 5 => {
                let op = unary[stream.below(5) as usize];
                (TileOp::Unary(op), DType::F32, DType::F32, [&floats, &floats, &floats])
            }
            6 => (TileOp::Binary(Binary::Less), DType::F32, DType::Bool, [&floats, &floats, &floats]),
            7 => (TileOp::Binary(Binary::Equal), DType::F32, DType::Bool, [&floats, &floats, &floats]),
            8 => {
                let op = [Binary::And, Binary::Or][stream.below(2) as usize];
                (TileOp::Binary(op), DType::Bool, DType::Bool, [&masks, &masks, &masks])
            }
            9 => (TileOp::Unary(Unary::Not), DType::Bool, DType::Bool, [&masks, &masks, &masks]),
            10 => (TileOp::Where, DType::F32, DType::F32, [&masks, &floats, &floats]),
            11 => (TileOp::Where, DType::Bool, DType::Bool, [&masks, &masks, &masks]),
            12 => {
                let from = [DType::Bool, DType::U8][stream.below(2) as usize];
                let operands = if from == DType::Bool { &masks } else { &bytes };
                (TileOp::Cast(DType::F32), from, DType::F32, [operands; 3])
            }
            13 => (TileOp::Cast(DType::F32), DType::BF16, DType::F32, [&halves; 3]),
            14 => (TileOp::Cast(DType::BF16), DType::F32, DType::BF16, [&floats; 3]),
            15 => (TileOp::Copy, DType::BF16, DType::BF16, [&halves; 3]),
            _ if stream.below(2) == 0 => (TileOp::Cast(DType::Bool), DType::F32, DType::Bool, [&floats; 3]),
            _ => (TileOp::Copy, DType::F32, DType::F32, [&floats; 3]),
        };
        let operands = operands.map(|from| pick(stream, from));
        let result = dtypes.len() as u16;
        dtypes.push(made);
        code.push(Instr { op, dtype, each: Each::Element, result, operands });
    }
    let made = inputs as u16..dtypes.len() as u16;
    let last = dtypes.len() as u16 - 1;
    let wanted = made.filter(|&value| value == last || stream.below(4) == 0).collect();
    Chain { code, dtypes, inputs, invariants, wanted }
}

/// Memory of all values: odd floats among the inputs, something recognisable elsewhere.
fn memory(chain: &Chain, stream: &mut Stream) -> Vec<Vec<u8>> {
    let odd = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-40, -3.5, 1.0];
    let fill = |value: u16, stream: &mut Stream| -> Vec<u8> {
        let is_input = (value as usize) < chain.inputs;
        let is_invariant = chain.invariants.contains(&value);
        let element = |stream: &mut Stream| match chain.dtypes[value as usize] {
            DType::F32 if stream.below(3) == 0 => odd[stream.below(8) as usize].to_le_bytes().to_vec(),
            DType::F32 => ((stream.normal() * 3.0) as f32).to_le_bytes().to_vec(),
            DType::Bool => vec![stream.below(2) as u8],
            DType::BF16 => (stream.below(1 << 16) as u16).to_le_bytes().to_vec(),
            _ => vec![stream.below(256) as u8],
        };
        let first = element(stream);
        let each = |_| if is_invariant { first.clone() } else { element(stream) };
        if is_input { (0..TILE).flat_map(each).collect() } else { vec![7; TILE * 4] }
    };
    (0..chain.dtypes.len() as u16).map(|value| fill(value, stream)).collect()
}

fn pointers(memory: &mut [Vec<u8>]) -> Vec<*mut u8> {
    memory.iter_mut().map(Vec::as_mut_ptr).collect()
}

#[test]
fn native_code_gives_the_interpreters_bits_and_writes_nothing_else() {
    if !Isa::Avx2.is_available() {
        eprintln!("skipped: this machine has no AVX2");
        return;
    }
    let mut stream = Stream::new(7, "native");
    for turn in 0..400 {
        let length = 1 + stream.below(if turn % 4 == 0 { 60 } else { 12 }) as usize;
        let chain = random_chain(&mut stream, length);
        let count = 1 + stream.below(40) as usize;
        let surroundings = Surroundings {
            is_invariant: &|value| chain.invariants.contains(&value),
            is_wanted: &|value| chain.wanted.contains(&value),
        };
        let Some(native) = compile(&chain.code, &surroundings) else {
            eprintln!("skipped: this system gives no executable memory");
            return;
        };
        let mut expected = memory(&chain, &mut stream);
        let mut actual = expected.clone();
        // SAFETY: every value has memory of its own for a tile.
        unsafe {
            run_tile(Isa::Scalar, &chain.code, &pointers(&mut expected), 0, count);
            native.run(&pointers(&mut actual), count);
        }
        for value in 0..chain.dtypes.len() {
            let size = chain.dtypes[value].size();
            if !chain.wanted.contains(&(value as u16)) {
                expected[value].fill(0);
                actual[value].fill(0);
            }
            let same = |(a, b): (&[u8], &[u8])| {
                let number = |bytes: &[u8]| bytes.try_into().map_or(0.0, f32::from_le_bytes);
                let half =
                    |bytes: &[u8]| bytes.try_into().map_or(half::bf16::ZERO, half::bf16::from_le_bytes);
                a == b
                    || (size == 4 && number(a).is_nan() && number(b).is_nan())
                    || (size == 2 && half(a).is_nan() && half(b).is_nan())
            };
            let pairs = expected[value].chunks(size).zip(actual[value].chunks(size));
            let wrong = pairs.enumerate().find(|(_, pair)| !same(*pair)).map(|(index, _)| index);
            assert_eq!(wrong, None, "turn {turn}, value {value}, {count} elements of {:?}", chain.code);
        }
    }
}

#[test]
fn what_has_no_translation_stays_with_the_interpreter() {
    let instr = |op, dtype| Instr { op, dtype, each: Each::Element, result: 3, operands: [0, 1, 2] };
    let add = || instr(TileOp::Binary(Binary::Add), DType::F32);
    let exp = || instr(TileOp::Unary(Unary::Exp), DType::F32);
    let code = [add(), add(), exp(), add(), exp(), add(), add(), add()];
    assert_eq!(stretches(&code, Isa::Scalar), [(0..8, false)]);
    if cfg!(target_arch = "x86_64") && Isa::Avx2.is_available() {
        assert_eq!(stretches(&code, Isa::Avx2), [(0..2, true), (2..5, false), (5..8, true)]);
    }
}
