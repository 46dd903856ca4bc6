//! The tile interpreter: element-wise code over registers of [`TILE`] elements that stay in the first-level cache.
//!
//! An instruction is one primitive applied to a whole tile, so a chain of any length reads each operand from memory
//! once and writes each result once. Every instruction rounds exactly as the primitive alone would.
//!
//! Code knows bf16 only to cast it, to copy it and to fill it in; everything else works on the widened values.

use half::bf16;

use super::math;
use crate::bfloat::{narrow, narrow_f64, widen};
use crate::graph::{Binary, Literal, Unary};
use crate::multiversion;
use crate::random;
use crate::tensor::{DType, Element};

/// Elements of a tile; also the length of a leaf of the reduction tree.
pub const TILE: usize = 512;

/// Lanes of the canonical reduction order.
pub const LANES: usize = 16;

/// What an instruction computes.
#[derive(Clone, Debug, PartialEq)]
pub enum TileOp {
    /// One operand of the instruction's type.
    Unary(Unary),
    /// Two operands of the instruction's type; comparisons give bool.
    Binary(Binary),
    /// Condition, and two operands of the instruction's type.
    Where,
    /// From the instruction's type; from bf16 to f32 alone.
    Cast(DType),
    /// Copies.
    Copy,
    /// The position along an axis: `(flat / stride) % size`.
    Iota {
        /// Elements between neighbours on the axis.
        stride: usize,
        /// Size of the axis.
        size: usize,
    },
    /// Uniform numbers; operands seed and step.
    Random {
        /// Tells draws apart.
        key: u64,
    },
    /// Each row of the operand becomes one element of a value that has one for each row.
    ReduceRows {
        /// Sum or maximum.
        reduction: Reduction,
        /// Elements of a row.
        row: usize,
    },
    /// Each element of an operand that has one for each row fills a row.
    FillRows {
        /// Elements of a row.
        row: usize,
    },
}

/// What a tile value has elements for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Each {
    /// Every element of the tile.
    Element,
    /// Every row of a tile of whole rows.
    Row,
}

impl TileOp {
    /// About how much longer it takes than an addition.
    pub fn weight(&self) -> usize {
        match self {
            TileOp::Unary(
                Unary::Exp | Unary::Ln | Unary::Sin | Unary::Cos | Unary::Tanh | Unary::Sigmoid | Unary::Erf,
            )
            | TileOp::Binary(Binary::Pow)
            | TileOp::Random { .. } => 8,
            TileOp::Unary(Unary::Sqrt) | TileOp::Binary(Binary::Div) => 2,
            _ => 1,
        }
    }
}

/// One instruction over tile values, which are named by their index in the table of pointers.
#[derive(Clone, Debug)]
pub struct Instr {
    /// What it computes.
    pub op: TileOp,
    /// The type of its operands (of the result, where there are none).
    pub dtype: DType,
    /// What it is done for; [`TileOp::ReduceRows`] and [`TileOp::FillRows`] for every element.
    pub each: Each,
    /// The value it makes; never one of its operands.
    pub result: u16,
    /// The values it takes.
    pub operands: [u16; 3],
}

/// The two reductions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Sum.
    Sum,
    /// Maximum; NaN if any is.
    Max,
}

/// Arithmetic that a tile needs of an element type.
pub trait Number: Element + PartialOrd {
    /// The value that changes no sum.
    const ZERO: Self;
    /// The value that changes no maximum.
    const LOWEST: Self;
    /// The sum; wraps for integers.
    fn plus(self, other: Self) -> Self;
    /// The larger; NaN if either is.
    fn larger(self, other: Self) -> Self;
    /// Whether it is no number.
    fn is_nan(self) -> bool;
    /// Any other binary arithmetic.
    fn binary(op: Binary, a: Self, b: Self) -> Self;
}

macro_rules! float_number {
    ($type:ty) => {
        impl Number for $type {
            const ZERO: Self = 0.0;
            const LOWEST: Self = <$type>::NEG_INFINITY;
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                <$type>::is_nan(self)
            }
            #[inline(always)]
            fn larger(self, other: Self) -> Self {
                let larger = if self > other { self } else { other };
                if self.is_nan() { self } else { larger }
            }
            #[inline(always)]
            fn binary(op: Binary, a: Self, b: Self) -> Self {
                match op {
                    Binary::Add => a + b,
                    Binary::Sub => a - b,
                    Binary::Mul => a * b,
                    Binary::Div => a / b,
                    Binary::Pow => a.powf(b),
                    Binary::Max => a.larger(b),
                    _ => {
                        let smaller = if a < b { a } else { b };
                        if a.is_nan() { a } else { smaller }
                    }
                }
            }
        }
    };
}
float_number!(f32);
float_number!(f64);

impl Number for i64 {
    const ZERO: Self = 0;
    const LOWEST: Self = i64::MIN;
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        false
    }
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        self.max(other)
    }
    #[inline(always)]
    fn binary(op: Binary, a: Self, b: Self) -> Self {
        match op {
            Binary::Add => a.wrapping_add(b),
            Binary::Sub => a.wrapping_sub(b),
            Binary::Mul => a.wrapping_mul(b),
            // Division by zero gives 0: there is no integer NaN.
            Binary::Div => a.checked_div(b).unwrap_or(0),
            Binary::Max => a.max(b),
            _ => a.min(b),
        }
    }
}

#[inline(always)]
fn map1<T: Copy, R>(a: &[T], result: &mut [R], f: impl Fn(T) -> R) {
    for (result, &a) in result.iter_mut().zip(a) {
        *result = f(a);
    }
}

#[inline(always)]
fn map2<T: Copy, R>(a: &[T], b: &[T], result: &mut [R], f: impl Fn(T, T) -> R) {
    for ((result, &a), &b) in result.iter_mut().zip(a).zip(b) {
        *result = f(a, b);
    }
}

/// `count` elements at a tile pointer.
///
/// # Safety
/// The pointer holds `count` initialised elements that nothing writes while the slice lives.
#[inline(always)]
unsafe fn input<'a, T>(pointer: *mut u8, count: usize) -> &'a [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(pointer.cast(), count) }
}

/// As [`input`], for writing.
///
/// # Safety
/// As [`input`], and nothing else reads it while the slice lives.
#[inline(always)]
unsafe fn output<'a, T>(pointer: *mut u8, count: usize) -> &'a mut [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts_mut(pointer.cast(), count) }
}

#[inline(always)]
fn arithmetic<T: Number>(op: Binary, a: &[T], b: &[T], result: &mut [T]) {
    macro_rules! each {
        ($($name:ident),*) => {
            match op {
                $(Binary::$name => map2(a, b, result, |a, b| T::binary(Binary::$name, a, b)),)*
                _ => unreachable!("logical operations are done on bool"),
            }
        };
    }
    each!(Add, Sub, Mul, Div, Pow, Max, Min);
}

macro_rules! float_unary {
    ($name:ident, $type:ty, $($function:ident => $with:expr),*) => {
        #[inline(always)]
        fn $name(op: Unary, a: &[$type], result: &mut [$type]) {
            match op {
                Unary::Neg => map1(a, result, |x| -x),
                Unary::Abs => map1(a, result, |x| x.abs()),
                Unary::Sign => map1(a, result, |x| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x }),
                Unary::Sqrt => map1(a, result, |x| x.sqrt()),
                Unary::Floor => map1(a, result, |x| x.floor()),
                $(Unary::$function => map1(a, result, $with),)*
                Unary::Not => unreachable!("not is done on bool"),
            }
        }
    };
}
float_unary!(unary_f32, f32, Exp => math::exp, Ln => math::ln, Sin => math::sin, Cos => math::cos, Tanh => math::tanh,
    Sigmoid => math::sigmoid, Erf => math::erf);
float_unary!(unary_f64, f64, Exp => f64::exp, Ln => f64::ln, Sin => f64::sin, Cos => f64::cos, Tanh => f64::tanh,
    Sigmoid => math::sigmoid64, Erf => math::erf64);

/// Bits of an element: choosing between two is done by masks, which vectorise where branches do not.
trait Bits: Copy {
    fn choose(condition: u8, yes: Self, no: Self) -> Self;
}

macro_rules! bits {
    ($($type:ty),*) => { $(
        impl Bits for $type {
            #[inline(always)]
            fn choose(condition: u8, yes: Self, no: Self) -> Self {
                let mask = <$type>::from(condition != 0).wrapping_neg();
                (yes & mask) | (no & !mask)
            }
        }
    )* };
}
bits!(u8, u32, u64);

#[inline(always)]
fn choose<T: Bits>(condition: &[u8], yes: &[T], no: &[T], result: &mut [T]) {
    for (((result, &condition), &yes), &no) in result.iter_mut().zip(condition).zip(yes).zip(no) {
        *result = T::choose(condition, yes, no);
    }
}

#[inline(always)]
fn cast_from<T: Number>(
    a: &[T],
    to: DType,
    result: *mut u8,
    to_f32: impl Fn(T) -> f32,
    to_i64: impl Fn(T) -> i64,
    to_u8: impl Fn(T) -> u8,
    to_bf16: impl Fn(T) -> bf16,
) {
    let count = a.len();
    // SAFETY: the result has room for a tile of its type and is none of the operands.
    unsafe {
        match to {
            DType::F32 => map1(a, output::<f32>(result, count), to_f32),
            DType::BF16 => map1(a, output::<bf16>(result, count), to_bf16),
            DType::F64 => map1(a, output::<f64>(result, count), |x| x.to_f64()),
            DType::I64 => map1(a, output::<i64>(result, count), to_i64),
            DType::U8 => map1(a, output::<u8>(result, count), to_u8),
            DType::Bool => map1(a, output::<u8>(result, count), |x| u8::from(x != T::ZERO)),
        }
    }
}

#[inline(always)]
fn cast_byte(a: &[u8], to: DType, result: *mut u8) {
    let count = a.len();
    // SAFETY: as in `cast_from`.
    unsafe {
        match to {
            DType::F32 => map1(a, output::<f32>(result, count), f32::from),
            DType::BF16 => map1(a, output::<bf16>(result, count), |x| narrow(f32::from(x))),
            DType::F64 => map1(a, output::<f64>(result, count), f64::from),
            DType::I64 => map1(a, output::<i64>(result, count), i64::from),
            DType::U8 => map1(a, output::<u8>(result, count), |x| x),
            DType::Bool => map1(a, output::<u8>(result, count), |x| u8::from(x != 0)),
        }
    }
}

/// Uniform numbers for elements `start ..`, each a function of its index. f32 takes one word, f64 two.
#[inline(always)]
fn uniform(key: u64, seed: i64, step: i64, start: usize, dtype: DType, result: *mut u8, count: usize) {
    let key = random::combine(seed as u64, key);
    let key = [key as u32, (key >> 32) as u32];
    let per_block = if dtype == DType::F32 { 4 } else { 2 };
    let first = start / per_block;
    let blocks = (start + count).div_ceil(per_block) - first;
    let mut words = [0u32; (TILE / 2 + 2) * 4];
    for (block, words) in words.as_chunks_mut::<4>().0[..blocks].iter_mut().enumerate() {
        let index = (first + block) as u64;
        *words = random::philox([index as u32, (index >> 32) as u32, step as u32, (step >> 32) as u32], key);
    }
    let skip = start - first * per_block;
    // SAFETY: the result has room for a tile of its type.
    unsafe {
        if dtype == DType::F32 {
            map1(&words[skip..skip + count], output::<f32>(result, count), |word| {
                (word >> 8) as f32 * (1.0 / (1u32 << 24) as f32)
            });
        } else {
            let result = output::<f64>(result, count);
            for (result, pair) in result.iter_mut().zip(words[2 * skip..].as_chunks::<2>().0) {
                let bits = (u64::from(pair[1]) << 32 | u64::from(pair[0])) >> 11;
                *result = bits as f64 * (1.0 / (1u64 << 53) as f64);
            }
        }
    }
}

multiversion! {
    /// Runs `code` on the `count` elements of the tile that starts at flat position `start`.
    ///
    /// # Safety
    /// `values` holds, for each value `code` names, a pointer to `count` elements of its type; no result is also an
    /// operand of its instruction, and values overlap only where they are the same.
    pub unsafe fn run_tile(code: &[Instr], values: &[*mut u8], start: usize, count: usize) {
        for instr in code {
            let at = |index: usize| values[instr.operands[index] as usize];
            let result = values[instr.result as usize];
            // SAFETY: the caller's contract.
            unsafe {
                match (&instr.op, instr.dtype) {
                    (TileOp::Unary(op), DType::F32) => unary_f32(*op, input(at(0), count), output(result, count)),
                    (TileOp::Unary(op), DType::F64) => unary_f64(*op, input(at(0), count), output(result, count)),
                    (TileOp::Unary(op), DType::I64) => {
                        let (a, result): (&[i64], &mut [i64]) = (input(at(0), count), output(result, count));
                        match op {
                            Unary::Neg => map1(a, result, i64::wrapping_neg),
                            Unary::Abs => map1(a, result, i64::wrapping_abs),
                            _ => map1(a, result, i64::signum),
                        }
                    }
                    (TileOp::Unary(_), _) => map1(input::<u8>(at(0), count), output::<u8>(result, count), |x| u8::from(x == 0)),
                    (TileOp::Binary(Binary::Less), dtype) => {
                        let result = output::<u8>(result, count);
                        match dtype {
                            DType::F32 => map2::<f32, u8>(input(at(0), count), input(at(1), count), result, |a, b| u8::from(a < b)),
                            DType::F64 => map2::<f64, u8>(input(at(0), count), input(at(1), count), result, |a, b| u8::from(a < b)),
                            DType::I64 => map2::<i64, u8>(input(at(0), count), input(at(1), count), result, |a, b| u8::from(a < b)),
                            _ => map2::<u8, u8>(input(at(0), count), input(at(1), count), result, |a, b| u8::from(a < b)),
                        }
                    }
                    (TileOp::Binary(Binary::Equal), dtype) => {
                        let result = output::<u8>(result, count);
                        match dtype {
                            DType::F32 => map2::<f32, u8>(input(at(0), count), input(at(1), count), result, |a, b| u8::from(a == b)),
                            DType::F64 => map2::<f64, u8>(input(at(0), count), input(at(1), count), result, |a, b| u8::from(a == b)),
                            DType::I64 => map2::<i64, u8>(input(at(0), count), input(at(1), count), result, |a, b| u8::from(a == b)),
                            _ => map2::<u8, u8>(input(at(0), count), input(at(1), count), result, |a, b| u8::from(a == b)),
                        }
                    }
                    (TileOp::Binary(op), DType::F32) => arithmetic::<f32>(*op, input(at(0), count), input(at(1), count), output(result, count)),
                    (TileOp::Binary(op), DType::F64) => arithmetic::<f64>(*op, input(at(0), count), input(at(1), count), output(result, count)),
                    (TileOp::Binary(op), DType::I64) => arithmetic::<i64>(*op, input(at(0), count), input(at(1), count), output(result, count)),
                    (TileOp::Binary(op), _) => {
                        let (a, b, result): (&[u8], &[u8], &mut [u8]) = (input(at(0), count), input(at(1), count), output(result, count));
                        if *op == Binary::And { map2(a, b, result, |a, b| a & b) } else { map2(a, b, result, |a, b| a | b) }
                    }
                    (TileOp::Where, dtype) => {
                        let condition: &[u8] = input(at(0), count);
                        match dtype {
                            DType::F32 => choose::<u32>(condition, input(at(1), count), input(at(2), count), output(result, count)),
                            DType::F64 | DType::I64 => choose::<u64>(condition, input(at(1), count), input(at(2), count), output(result, count)),
                            _ => choose::<u8>(condition, input(at(1), count), input(at(2), count), output(result, count)),
                        }
                    }
                    (TileOp::Cast(to), DType::F32) => cast_from::<f32>(input(at(0), count), *to, result, |x| x, |x| x as i64, |x| x as u8, narrow),
                    (TileOp::Cast(to), DType::F64) => cast_from::<f64>(input(at(0), count), *to, result, |x| x as f32, |x| x as i64, |x| x as u8, narrow_f64),
                    (TileOp::Cast(to), DType::I64) => cast_from::<i64>(input(at(0), count), *to, result, |x| x as f32, |x| x, |x| x.clamp(0, 255) as u8, |x| narrow(x as f32)),
                    (TileOp::Cast(_), DType::BF16) => map1(input(at(0), count), output(result, count), widen),
                    (TileOp::Cast(to), _) => cast_byte(input(at(0), count), *to, result),
                    (TileOp::Copy, dtype) => std::ptr::copy_nonoverlapping(at(0), result, count * dtype.size()),
                    (TileOp::Iota { stride, size }, dtype) => iota(*stride, *size, start, dtype, result, count),
                    (TileOp::ReduceRows { reduction, row }, dtype) => match dtype {
                        DType::F32 => each_row::<f32>(*reduction, input(at(0), count), *row, output(result, count / row)),
                        DType::F64 => each_row::<f64>(*reduction, input(at(0), count), *row, output(result, count / row)),
                        _ => each_row::<i64>(*reduction, input(at(0), count), *row, output(result, count / row)),
                    },
                    (TileOp::FillRows { row }, dtype) => match dtype.size() {
                        1 => fill_rows::<u8>(input(at(0), count / row), *row, output(result, count)),
                        2 => fill_rows::<u16>(input(at(0), count / row), *row, output(result, count)),
                        4 => fill_rows::<u32>(input(at(0), count / row), *row, output(result, count)),
                        _ => fill_rows::<u64>(input(at(0), count / row), *row, output(result, count)),
                    },
                    (TileOp::Random { key }, dtype) => {
                        let (seed, step) = (at(0).cast::<i64>().read(), at(1).cast::<i64>().read());
                        uniform(*key, seed, step, start, dtype, result, count);
                    }
                }
            }
        }
    }
}

/// Fills `count` elements with a constant.
///
/// # Safety
/// The result has room for them.
#[inline(always)]
pub unsafe fn fill(value: Literal, dtype: DType, result: *mut u8, count: usize) {
    let number = value.to_f64();
    // SAFETY: the caller's.
    unsafe {
        match (dtype, value) {
            (DType::F32, _) => output::<f32>(result, count).fill(number as f32),
            (DType::BF16, _) => output::<bf16>(result, count).fill(narrow_f64(number)),
            (DType::F64, _) => output::<f64>(result, count).fill(number),
            (DType::I64, Literal::Int(value)) => output::<i64>(result, count).fill(value),
            (DType::I64, _) => output::<i64>(result, count).fill(number as i64),
            (DType::U8 | DType::Bool, _) => output::<u8>(result, count).fill(number as u8),
        }
    }
}

#[inline(always)]
unsafe fn iota(stride: usize, size: usize, start: usize, dtype: DType, result: *mut u8, count: usize) {
    let (mut along, mut within) = ((start / stride) % size, start % stride);
    let mut next = || {
        let position = along;
        within += 1;
        if within == stride {
            within = 0;
            along += 1;
            if along == size {
                along = 0;
            }
        }
        position
    };
    // SAFETY: the caller's: the result has room.
    unsafe {
        match dtype {
            DType::F32 => output::<f32>(result, count).fill_with(|| next() as f32),
            DType::BF16 => unreachable!("the shape rule refuses to count in bf16"),
            DType::F64 => output::<f64>(result, count).fill_with(|| next() as f64),
            DType::I64 => output::<i64>(result, count).fill_with(|| next() as i64),
            DType::U8 | DType::Bool => output::<u8>(result, count).fill_with(|| next() as u8),
        }
    }
}

/// Reduces what `value` makes of the elements of two slices of one length, in the canonical order: lanes, then a tree.
#[inline(always)]
fn reduce_with<T: Number>(
    (a, b): (&[T], &[T]),
    value: impl Fn(T, T) -> T,
    identity: T,
    f: impl Fn(T, T) -> T,
) -> T {
    let (chunks_of_a, rest_of_a) = a.as_chunks::<LANES>();
    let (chunks_of_b, rest_of_b) = b.as_chunks::<LANES>();
    let mut lanes = [identity; LANES];
    for (a, b) in chunks_of_a.iter().zip(chunks_of_b) {
        for lane in 0..LANES {
            lanes[lane] = f(lanes[lane], value(a[lane], b[lane]));
        }
    }
    // The compiler sees the lanes as a whole; it would else give each pair a vector of its own, as the tree takes them.
    let mut lanes = std::hint::black_box(lanes);
    for (lane, (&a, &b)) in lanes.iter_mut().zip(rest_of_a.iter().zip(rest_of_b)) {
        *lane = f(*lane, value(a, b));
    }
    let eight: [T; 8] = std::array::from_fn(|lane| f(lanes[lane], lanes[lane + 8]));
    let four: [T; 4] = std::array::from_fn(|lane| f(eight[lane], eight[lane + 4]));
    let two: [T; 2] = std::array::from_fn(|lane| f(four[lane], four[lane + 2]));
    f(two[0], two[1])
}

/// As [`reduce_with`] where not every lane gets a value: lanes without one would add the identity, which changes
/// nothing after the first time.
#[inline(always)]
fn reduce_short<T: Number>(values: &[T], identity: T, f: impl Fn(T, T) -> T) -> T {
    let mut lanes = [identity; LANES];
    for (lane, &value) in lanes.iter_mut().zip(values) {
        *lane = f(identity, value);
    }
    let (mut live, mut width) = (values.len(), LANES / 2);
    while width > 0 {
        for lane in 0..live.saturating_sub(width) {
            lanes[lane] = f(lanes[lane], lanes[lane + width]);
        }
        live = live.min(width);
        width /= 2;
    }
    lanes[0]
}

/// Reduces rows of `row` values each, at most a tile, in the canonical order: lanes, then a tree.
#[inline(always)]
fn each_row<T: Number>(reduction: Reduction, values: &[T], row: usize, results: &mut [T]) {
    for (result, values) in results.iter_mut().zip(values.chunks_exact(row)) {
        *result = reduce_leaf(reduction, values);
    }
}

#[inline(always)]
fn reduce_leaf<T: Number>(reduction: Reduction, values: &[T]) -> T {
    let value = |value, _| value;
    match reduction {
        Reduction::Sum if values.len() < LANES => reduce_short(values, T::ZERO, T::plus),
        Reduction::Max if values.len() < LANES => reduce_short(values, T::LOWEST, T::larger),
        Reduction::Sum => reduce_with((values, values), value, T::ZERO, T::plus),
        Reduction::Max => reduce_with((values, values), value, T::LOWEST, T::larger),
    }
}

#[inline(always)]
fn fill_rows<T: Copy>(values: &[T], row: usize, result: &mut [T]) {
    for (result, &value) in result.chunks_exact_mut(row).zip(values) {
        result.fill(value);
    }
}

multiversion! {
    /// Reduces a leaf, at most a tile of values, in the canonical order: lanes, then a tree.
    pub fn reduce<T: Number>(reduction: Reduction, values: &[T]) -> T {
        reduce_leaf(reduction, values)
    }
}

multiversion! {
    /// As [`reduce`] of the products of two slices, each of which is rounded before it is added.
    pub fn sum_of_products<T: Number>(a: &[T], b: &[T]) -> T {
        reduce_with((a, b), |a, b| T::binary(Binary::Mul, a, b), T::ZERO, T::plus)
    }
}

multiversion! {
    /// Combines rows of `sums.len()` values into `sums`, one after the other; the last row may be shorter.
    pub fn accumulate<T: Number>(reduction: Reduction, rows: &[T], sums: &mut [T]) {
        for row in rows.chunks(sums.len()) {
            match reduction {
                Reduction::Sum => for (sum, &value) in sums.iter_mut().zip(row) { *sum = sum.plus(value) },
                Reduction::Max => for (sum, &value) in sums.iter_mut().zip(row) { *sum = sum.larger(value) },
            }
        }
    }
}

impl Reduction {
    /// The value that changes nothing.
    pub fn identity<T: Number>(self) -> T {
        match self {
            Reduction::Sum => T::ZERO,
            Reduction::Max => T::LOWEST,
        }
    }

    /// Two into one.
    #[inline(always)]
    pub fn combine<T: Number>(self, a: T, b: T) -> T {
        match self {
            Reduction::Sum => a.plus(b),
            Reduction::Max => a.larger(b),
        }
    }
}
