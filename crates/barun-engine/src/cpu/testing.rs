//! What the kernels' tests share: running a kernel by hand and random operands.

use half::bf16;

use crate::cpu::gemm::Real;
use crate::cpu::gemm::micro::sealed::Kernels;
use crate::cpu::gemm::micro::{Micro, WIDE_F32};
use crate::cpu::isa::Isa;
use crate::cpu::kernel::{Block, Io, Kernel};

/// The order in which the tasks of a phase run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Forwards,
    Backwards,
    /// All even tasks, then all odd ones.
    Interleaved,
}

pub(crate) const ORDERS: [Order; 3] = [Order::Forwards, Order::Backwards, Order::Interleaved];

impl Order {
    fn tasks(self, count: usize) -> Vec<usize> {
        match self {
            Order::Forwards => (0..count).collect(),
            Order::Backwards => (0..count).rev().collect(),
            Order::Interleaved => (0..count).step_by(2).chain((1..count).step_by(2)).collect(),
        }
    }
}

/// Memory aligned to 64 bytes and filled with NaN, so that nothing read before it is written goes unseen.
pub(crate) struct Aligned {
    bytes: Vec<u64>,
    skip: usize,
}

impl Aligned {
    pub fn new(bytes: usize) -> Aligned {
        let bytes = vec![u64::MAX; bytes.div_ceil(8) + 8];
        let skip = bytes.as_ptr().align_offset(64);
        Aligned { bytes, skip }
    }

    pub fn at(&mut self) -> *mut u8 {
        self.bytes[self.skip..].as_mut_ptr().cast()
    }
}

/// Runs all tasks of all phases on this thread and returns the output of `len` elements with the finished blocks.
pub(crate) fn run_all<T: Real>(
    kernel: &dyn Kernel,
    inputs: &[&[T]],
    len: usize,
    order: Order,
) -> (Vec<T::Sum>, Vec<Block>) {
    let mut workspace = Aligned::new(kernel.workspace_bytes());
    run_phases(kernel, 0, inputs, len, order, &mut workspace)
}

/// As [`run_all`], over and over on the same workspace: what the kernel prepares it prepares in the first run.
pub(crate) fn run_often<T: Real>(
    kernel: &dyn Kernel,
    runs: &[[&[T]; 2]],
    len: usize,
    order: Order,
) -> Vec<Vec<T::Sum>> {
    let mut workspace = Aligned::new(kernel.workspace_bytes());
    let first = |run: usize| usize::from(run > 0 && kernel.prepares());
    let run = |(run, inputs): (usize, &[&[T]; 2])| {
        run_phases(kernel, first(run), inputs, len, order, &mut workspace).0
    };
    runs.iter().enumerate().map(run).collect()
}

/// The phases from `first` on.
fn run_phases<T: Real>(
    kernel: &dyn Kernel,
    first: usize,
    inputs: &[&[T]],
    len: usize,
    order: Order,
    workspace: &mut Aligned,
) -> (Vec<T::Sum>, Vec<Block>) {
    // A guard behind the output, as a vector's tail must not be written past it.
    const GUARD: usize = 64;
    let mut output = Aligned::new((len + GUARD) * size_of::<T::Sum>());
    let mut scratch = Aligned::new(kernel.scratch_bytes() + GUARD);
    let inputs: Vec<*const u8> = inputs.iter().map(|input| input.as_ptr().cast()).collect();
    let io = Io { inputs: &inputs, output: output.at(), workspace: workspace.at() };
    let mut blocks = Vec::new();
    for (phase, &count) in kernel.phases().iter().enumerate().skip(first) {
        for task in order.tasks(count) {
            // SAFETY: the caller's operands have the kernel's shapes; the rest is as large as the kernel asks.
            unsafe { kernel.run(phase, task, &io, scratch.at(), &mut |block| blocks.push(block)) };
        }
    }
    // SAFETY: `Aligned` holds this many elements, all initialised as bytes.
    let written = unsafe { std::slice::from_raw_parts(output.at().cast::<T::Sum>(), len).to_vec() };
    let bytes = |at: *mut u8, from: usize, count: usize| {
        // SAFETY: within the guard.
        unsafe { std::slice::from_raw_parts(at.add(from), count).to_vec() }
    };
    let behind = bytes(output.at(), len * size_of::<T::Sum>(), GUARD * size_of::<T::Sum>());
    assert!(behind.iter().all(|&byte| byte == 0xFF), "written past the output");
    let behind = bytes(scratch.at(), kernel.scratch_bytes(), GUARD);
    assert!(behind.iter().all(|&byte| byte == 0xFF), "written past the scratch");
    (written, blocks)
}

/// Asserts that the blocks cover a `rows x columns` output exactly once.
pub(crate) fn assert_covers(blocks: &[Block], rows: usize, columns: usize) {
    let mut times = vec![0u8; rows * columns];
    for block in blocks {
        assert!(block.rows.end <= rows && block.columns.end <= columns, "{block:?} of {rows} x {columns}");
        for row in block.rows.clone() {
            for column in block.columns.clone() {
                times[row * columns + column] += 1;
            }
        }
    }
    assert!(times.iter().all(|&count| count == 1), "not covered once: {blocks:?} of {rows} x {columns}");
}

/// A small generator for test shapes and operands (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `low..=high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    /// A number from [-1, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub fn vector(&mut self, len: usize) -> Vec<f64> {
        (0..len).map(|_| self.unit()).collect()
    }
}

/// The numbers as `T`, and as the `f64` they then are.
pub(crate) trait Sample: Real<Sum: PartialEq + Into<f64>> + PartialEq + Into<f64> {
    /// Of the sums.
    const EPSILON: f64;
    /// The same kernels for operands of the sums' type.
    fn sums(micro: &'static Micro<Self>) -> &'static Micro<Self::Sum>;
    fn of(x: f64) -> Self;
}

impl Sample for f32 {
    const EPSILON: f64 = f32::EPSILON as f64;
    fn sums(micro: &'static Micro<f32>) -> &'static Micro<f32> {
        micro
    }
    fn of(x: f64) -> f32 {
        x as f32
    }
}

impl Sample for f64 {
    const EPSILON: f64 = f64::EPSILON;
    fn sums(micro: &'static Micro<f64>) -> &'static Micro<f64> {
        micro
    }
    fn of(x: f64) -> f64 {
        x
    }
}

impl Sample for bf16 {
    const EPSILON: f64 = f32::EPSILON as f64;
    fn sums(micro: &'static Micro<bf16>) -> &'static Micro<f32> {
        let of = |isa| <f32 as Kernels>::micro(isa);
        let known = Isa::available().into_iter().map(of).chain([&WIDE_F32]);
        known.rev().find(|sums| sums.lanes == micro.lanes).unwrap()
    }
    fn of(x: f64) -> bf16 {
        bf16::from_f64(x)
    }
}

pub(crate) fn samples<T: Sample>(dice: &mut Dice, len: usize) -> Vec<T> {
    dice.vector(len).into_iter().map(T::of).collect()
}
