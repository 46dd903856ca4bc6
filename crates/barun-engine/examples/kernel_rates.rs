//! GFLOP/s of the hand-written kernels on the shapes of common networks, beside the machine's fused multiply-add peak
//! and, for plain products, the `gemm` crate.
//!
//!     cargo run --release -p barun-engine --example kernel_rates [filter]
//!
//! Convolutions that are computed by Winograd's algorithm have the direct kernel beside it; the rates of both count the
//! operations of the definition.
//! Each figure is the best of several rounds, and the rounds of all contestants alternate, so that other load on the
//! machine spoils none of them alone.

use barun_engine::cpu::conv::{self, ConvForward, ConvInputGrad, ConvSpec, ConvWeightGrad};
use barun_engine::cpu::gemm::{Gemm, GemmSpec, MatrixStrides};
use barun_engine::cpu::isa::Isa;
use barun_engine::cpu::kernel::{Block, Io, Kernel};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(25);

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let isa = Isa::from_env_or_detect().unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(2);
    });
    println!("{isa}; GFLOP/s, and per cent of the peak measured beside them");
    println!(
        "{:<34}{:>8}{:>10}{:>6}{:>10}{:>7}{:>10}{:>7}",
        "kernel", "tasks", "1 thread", "%", "2 threads", "%", "gemm 1t", "%"
    );
    for (name, spec) in products() {
        if name.contains(&filter) {
            report(&name, &Gemm::<f32>::new(spec, isa), sizes(&spec), isa, Some(spec));
        }
    }
    for (name, spec) in convolutions() {
        let x = spec.batch * spec.in_h * spec.in_w * spec.in_channels;
        let w = spec.kernel[0] * spec.kernel[1] * spec.in_channels / spec.groups * spec.out_channels;
        let y = spec.batch * spec.out_h * spec.out_w * spec.out_channels;
        let mut kernels: Vec<(&str, Box<dyn Kernel>, [usize; 3])> = vec![
            ("forward", conv::forward::<f32>(spec, isa), [x, w, y]),
            ("input grad", conv::input_grad::<f32>(spec, isa), [y, w, x]),
            ("weight grad", conv::weight_grad::<f32>(spec, isa), [x, y, w]),
        ];
        if spec.suits_winograd() {
            kernels.extend([
                (
                    "forward direct",
                    Box::new(ConvForward::<f32>::new(spec, isa)) as Box<dyn Kernel>,
                    [x, w, y],
                ),
                ("input grad direct", Box::new(ConvInputGrad::<f32>::new(spec, isa)), [y, w, x]),
                ("weight grad direct", Box::new(ConvWeightGrad::<f32>::new(spec, isa)), [x, y, w]),
            ]);
        }
        for (pass, kernel, sizes) in kernels {
            let name = format!("{name} {pass}");
            if name.contains(&filter) {
                report(&name, &*kernel, sizes, isa, None);
            }
        }
    }
}

fn sizes(spec: &GemmSpec) -> [usize; 3] {
    [spec.m * spec.k, spec.k * spec.n, spec.m * spec.n]
}

/// Forward, weight gradient and input gradient of dense layers.
fn products() -> Vec<(String, GemmSpec)> {
    let mut list = Vec::new();
    let layers = [
        ("mlp128", 128, 784, 512),
        ("mlp128", 128, 512, 256),
        ("mlp128", 128, 256, 10),
        ("cnn64", 64, 9216, 128),
        ("lenet", 64, 400, 120),
        ("one row", 1, 784, 512),
        ("eight rows", 8, 784, 512),
        ("one column", 128, 784, 1),
        ("square", 1024, 1024, 1024),
        ("tiny", 32, 10, 16),
    ];
    for (net, batch, from, to) in layers {
        let row_major = MatrixStrides::row_major;
        let transposed = MatrixStrides::transposed;
        for (pass, m, k, n, a, b) in [
            ("forward", batch, from, to, row_major(batch, from), row_major(from, to)),
            ("weight grad", from, batch, to, transposed(from, batch), row_major(batch, to)),
            ("input grad", batch, to, from, row_major(batch, to), transposed(to, from)),
        ] {
            list.push((format!("{net} {pass} {m}x{k}x{n}"), GemmSpec { batch: 1, m, n, k, a, b }));
        }
    }
    list
}

fn convolutions() -> Vec<(String, ConvSpec)> {
    [
        ("cnn64 1>32 k3", 64, 28, 1, 32, 3, 1, 0),
        ("cnn64 32>64 k3", 64, 26, 32, 64, 3, 1, 0),
        ("lenet 1>6 k5", 64, 28, 1, 6, 5, 1, 2),
        ("lenet 6>16 k5", 64, 14, 6, 16, 5, 1, 0),
        ("resnet 3>64 k3", 64, 32, 3, 64, 3, 1, 1),
        ("resnet 64>64 k3", 64, 32, 64, 64, 3, 1, 1),
        ("resnet 64>128 k3 s2", 64, 32, 64, 128, 3, 2, 1),
        ("resnet 128>128 k3", 64, 16, 128, 128, 3, 1, 1),
        ("resnet 256>256 k3", 64, 8, 256, 256, 3, 1, 1),
        ("resnet 512>512 k3", 64, 4, 512, 512, 3, 1, 1),
        ("resnet 64>128 k1 s2", 64, 32, 64, 128, 1, 2, 0),
    ]
    .map(|(name, batch, size, from, to, kernel, stride, pad)| {
        let out = (size + 2 * pad - kernel) / stride + 1;
        let spec = ConvSpec {
            batch,
            in_h: size,
            in_w: size,
            in_channels: from,
            out_h: out,
            out_w: out,
            out_channels: to,
            kernel: [kernel; 2],
            stride: [stride; 2],
            pad: [pad; 2],
            dilation: [1; 2],
            groups: 1,
        };
        (name.to_string(), spec)
    })
    .to_vec()
}

fn report(name: &str, kernel: &dyn Kernel, sizes: [usize; 3], isa: Isa, plain: Option<GemmSpec>) {
    let [a, b, c] = sizes;
    let (a, b, mut c) = (numbers(a), numbers(b), vec![0f32; c + 16]);
    let mut workspace = Buffer::new(kernel.workspace_bytes());
    let mut scratch = [Buffer::new(kernel.scratch_bytes()), Buffer::new(kernel.scratch_bytes())];
    let inputs = [a.as_ptr().cast::<u8>(), b.as_ptr().cast()];
    let flops = kernel.flops();
    let (mut one, mut two, mut other, mut top) = (0f64, 0f64, 0f64, 0f64);
    for _ in 0..ROUNDS {
        top = top.max(peak(isa));
        let io = Io { inputs: &inputs, output: c.as_mut_ptr().cast(), workspace: workspace.at() };
        one = one.max(rate(flops, || alone(kernel, &io, scratch[0].at())));
        two = two.max(flops / 1e9 / pair(kernel, &io, [scratch[0].at(), scratch[1].at()]));
        if let Some(spec) = plain {
            other = other.max(rate(flops, || crate_gemm(&spec, &a, &b, &mut c)));
        }
    }
    let tasks: Vec<String> = kernel.phases().iter().map(usize::to_string).collect();
    print!("{name:<34}{:>8}{one:>10.1}{:>6.0}", tasks.join("+"), 100.0 * one / top);
    print!("{two:>10.1}{:>7.0}", 50.0 * two / top);
    match plain {
        Some(_) => println!("{other:>10.1}{:>7.0}", 100.0 * other / top),
        None => println!(),
    }
}

/// GFLOP/s of a job repeated for one round, by its fastest repetition.
fn rate(flops: f64, mut job: impl FnMut()) -> f64 {
    job();
    let start = processor_seconds();
    let mut least = f64::INFINITY;
    // Short jobs are timed several at a time.
    let at_once = ((2e6 / flops) as usize).max(1);
    while processor_seconds() - start < ROUND.as_secs_f64() {
        let begin = processor_seconds();
        (0..at_once).for_each(|_| job());
        least = least.min((processor_seconds() - begin) / at_once as f64);
    }
    flops / least / 1e9
}

/// Time this thread has had a processor, where the system can tell: other load then counts less.
fn processor_seconds() -> f64 {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    {
        let mut time = [0i64; 2];
        // SAFETY: the system call clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time), which writes `time` alone.
        unsafe {
            std::arch::asm!(
                "syscall",
                inlateout("rax") 228i64 => _,
                in("rdi") 3,
                in("rsi") time.as_mut_ptr(),
                lateout("rcx") _,
                lateout("r11") _,
            );
        }
        time[0] as f64 + time[1] as f64 * 1e-9
    }
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_secs_f64()
    }
}

/// Where an epilogue would run.
fn finished(block: Block) {
    black_box(block);
}

fn alone(kernel: &dyn Kernel, io: &Io<'_>, scratch: *mut u8) {
    for (phase, &count) in kernel.phases().iter().enumerate() {
        for task in 0..count {
            // SAFETY: `report` made the operands for this kernel.
            unsafe { kernel.run(phase, task, io, scratch, &mut finished) };
        }
    }
}

/// What the two threads share; pointers are sent as they are.
struct Shared<'a>(&'a Io<'a>, [*mut u8; 2]);
// SAFETY: tasks of a phase may run on any thread, each with its own scratch.
unsafe impl Sync for Shared<'_> {}

/// Seconds per run with two threads, tasks handed out by a counter, spinning barriers between phases. The best of
/// some batches of runs: within a batch one thread may be ahead of the other, so single runs cannot be timed.
fn pair(kernel: &dyn Kernel, io: &Io<'_>, scratch: [*mut u8; 2]) -> f64 {
    let shared = Shared(io, scratch);
    let shared = &shared;
    let runs = (2e8 / kernel.flops()).clamp(1.0, 200.0) as usize;
    let batches = ((ROUND.as_secs_f64() * 100e9 / kernel.flops()) as usize / runs).clamp(2, 50);
    let phases = kernel.phases().len();
    let mut least = f64::INFINITY;
    for _ in 0..batches {
        let next: Vec<AtomicUsize> = (0..runs * phases).map(|_| AtomicUsize::new(0)).collect();
        let arrived = AtomicUsize::new(0);
        let meet = |count: usize| {
            arrived.fetch_add(1, Ordering::AcqRel);
            let mut spins = 0u32;
            while arrived.load(Ordering::Acquire) < 2 * count {
                std::hint::spin_loop();
                spins += 1;
                if spins > 20_000 {
                    std::thread::yield_now();
                }
            }
        };
        let work = |me: usize| {
            meet(1);
            let begin = Instant::now();
            for (step, next) in next.iter().enumerate() {
                let phase = step % phases;
                loop {
                    let task = next.fetch_add(1, Ordering::Relaxed);
                    if task >= kernel.phases()[phase] {
                        break;
                    }
                    let scratch = shared.1[me];
                    // SAFETY: each task once, each thread its own scratch, a barrier between phases.
                    unsafe {
                        kernel.run(phase, task, shared.0, scratch, &mut finished);
                    }
                }
                meet(step + 2);
            }
            begin.elapsed().as_secs_f64() / runs as f64
        };
        std::thread::scope(|scope| {
            let work = &work;
            let other = scope.spawn(move || work(1));
            let mine = work(0);
            // A thread that came late has the shorter time.
            least = least.min(mine.max(other.join().expect("the second thread finishes")));
        });
    }
    least
}

fn crate_gemm(spec: &GemmSpec, a: &[f32], b: &[f32], c: &mut [f32]) {
    // SAFETY: the slices hold what the spec says.
    unsafe {
        gemm::gemm(
            spec.m,
            spec.n,
            spec.k,
            c.as_mut_ptr(),
            1,
            spec.n as isize,
            false,
            a.as_ptr(),
            spec.a.column as isize,
            spec.a.row as isize,
            b.as_ptr(),
            spec.b.column as isize,
            spec.b.row as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i.wrapping_mul(2_654_435_761) >> 7) as u16 as f32 / 65_536.0 - 0.5).collect()
}

/// Memory aligned to 64 bytes.
struct Buffer(Vec<u64>);

impl Buffer {
    fn new(bytes: usize) -> Buffer {
        Buffer(vec![0; bytes.div_ceil(8) + 8])
    }

    fn at(&mut self) -> *mut u8 {
        let skip = self.0.as_ptr().align_offset(64);
        self.0[skip..].as_mut_ptr().cast()
    }
}

/// GFLOP/s of fused multiply-adds that wait for nothing.
fn peak(isa: Isa) -> f64 {
    match isa.vectors() {
        // SAFETY: the instruction set is available.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => rate(2.0 * 16.0 * 16.0 * 1000.0, || unsafe { fma_512() }),
        // SAFETY: the instruction set is available.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => rate(2.0 * 8.0 * 12.0 * 1000.0, || unsafe { fma_256() }),
        _ => f64::NAN,
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn fma_256() {
    use std::arch::x86_64::*;
    let (x, y) = (_mm256_set1_ps(black_box(0.5)), _mm256_set1_ps(black_box(0.25)));
    let mut sums = [_mm256_setzero_ps(); 12];
    for _ in 0..1000 {
        for sum in &mut sums {
            *sum = _mm256_fmadd_ps(x, *sum, y);
        }
    }
    black_box(sums);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn fma_512() {
    use std::arch::x86_64::*;
    let (x, y) = (_mm512_set1_ps(black_box(0.5)), _mm512_set1_ps(black_box(0.25)));
    let mut sums = [_mm512_setzero_ps(); 16];
    for _ in 0..1000 {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(x, *sum, y);
        }
    }
    black_box(sums);
}
