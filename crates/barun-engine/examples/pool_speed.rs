//! Nanoseconds of the pooling kernels for each number of x, on one thread.
//!
//!     cargo run --release -p barun-engine --example pool_speed

use barun_engine::cpu::isa::Isa;
use barun_engine::cpu::kernel::{Io, Kernel};
use barun_engine::cpu::pool::{Pool, PoolOp, PoolSpec};
use std::time::Instant;

fn main() {
    println!("ns for each number of x, one thread, {:?}", Isa::detect());
    for (channels, side) in [(64, 32), (16, 28), (6, 28)] {
        for (window, stride, pad) in [(2, 2, 0), (3, 2, 1)] {
            let out = (side + 2 * pad - window) / stride + 1;
            let spec = PoolSpec {
                batch: 16,
                in_h: side,
                in_w: side,
                channels,
                out_h: out,
                out_w: out,
                window: [window; 2],
                stride: [stride; 2],
                pad: [pad; 2],
            };
            print!("{side:3}x{side} {channels:3} channels, window {window} stride {stride}:");
            let avg = PoolOp::Avg { count_include_pad: true };
            let avg_scatter = PoolOp::AvgScatter { count_include_pad: true };
            let ops = [PoolOp::Max, PoolOp::MaxScatter, PoolOp::MaxPick, avg, avg_scatter];
            for (name, op) in ["max", "max_scatter", "max_pick", "avg", "avg_scatter"].into_iter().zip(ops) {
                print!("  {name} {:.3}", time(op, &spec));
            }
            println!();
        }
    }
}

fn time(op: PoolOp, spec: &PoolSpec) -> f64 {
    let count = spec.batch * spec.in_h * spec.in_w * spec.channels;
    let x: Vec<f32> = (0..count).map(|i| (i as u32).wrapping_mul(2_654_435_769) as f32).collect();
    let other = x.clone();
    let mut output = x.clone();
    let kernel = Pool::<f32>::new(op, spec.clone(), Isa::detect());
    let inputs = [x.as_ptr().cast(), other.as_ptr().cast()];
    let io = Io { inputs: &inputs, output: output.as_mut_ptr().cast(), workspace: std::ptr::null_mut() };
    let mut best = f64::INFINITY;
    for _ in 0..50 {
        let start = Instant::now();
        for task in 0..kernel.phases()[0] {
            // SAFETY: all arrays are as large as x, which no array of the kernel exceeds.
            unsafe { kernel.run(0, task, &io, std::ptr::null_mut(), &mut |_| {}) };
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    best * 1e9 / count as f64
}
