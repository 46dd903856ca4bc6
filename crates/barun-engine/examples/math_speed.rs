//! Nanoseconds per element of the vector functions in a loop over a slice that fits the first-level cache.
//!
//!     cargo run --release -p barun-engine --example math_speed

use barun_engine::cpu::isa::Isa;
use barun_engine::cpu::math;
use barun_engine::multiversion;
use std::hint::black_box;
use std::time::Instant;

multiversion! {
    fn map<F: Fn(f32) -> f32>(f: F, x: &[f32], y: &mut [f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = f(*x);
        }
    }
}

fn main() {
    let isas = [Isa::Scalar, Isa::Avx2, Isa::Avx512];
    println!(
        "ns per element (an instruction set the machine lacks runs as Scalar); best here: {:?}",
        Isa::detect()
    );
    println!("{:10}{:>10}{:>10}{:>10}{:>12}", "", "Scalar", "Avx2", "Avx512", "std");
    macro_rules! row {
        ($name:ident, $std:expr) => {
            let ours = isas.map(|isa| time(|x, y| map(isa, |x| math::$name(x), x, y)));
            let std = time(|x, y| map(Isa::Scalar, $std, x, y));
            println!(
                "{:10}{:>10.2}{:>10.2}{:>10.2}{std:>12.2}",
                stringify!($name),
                ours[0],
                ours[1],
                ours[2]
            );
        };
    }
    row!(exp, f32::exp);
    row!(ln, f32::ln);
    row!(tanh, f32::tanh);
    row!(sigmoid, |x: f32| 1.0 / (1.0 + (-x).exp()));
    row!(sin, f32::sin);
    row!(cos, f32::cos);
}

fn time(work: impl Fn(&[f32], &mut [f32])) -> f64 {
    const COUNT: usize = 2048;
    const ROUNDS: usize = 500;
    let x: Vec<f32> = (0..COUNT).map(|i| 0.01 + 8.0 * i as f32 / COUNT as f32).collect();
    let mut y = vec![0.0; COUNT];
    let mut best = f64::INFINITY;
    for _ in 0..40 {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            work(black_box(&x), black_box(&mut y));
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    best * 1e9 / (COUNT * ROUNDS) as f64
}
