use super::*;
use crate::random::Stream;
use half::bf16;

/// Runs a kernel task by task, last task first, and checks that its blocks cover the output once.
fn run<T: Float + Kept>(op: PoolOp, spec: &PoolSpec, isa: Isa, inputs: &[&[T]]) -> Vec<T> {
    let pointers: Vec<*const u8> = inputs.iter().map(|input| input.as_ptr().cast()).collect();
    run_kept::<T, T>(op, spec, isa, &pointers, T::count(77))
}

/// The same for images kept as `T`, with results of type `Y`.
fn run_kept<T: Kept, Y: Copy>(
    op: PoolOp,
    spec: &PoolSpec,
    isa: Isa,
    inputs: &[*const u8],
    unwritten: Y,
) -> Vec<Y> {
    let [height, width] = op.output_size(spec);
    let mut output = vec![unwritten; spec.batch * height * width * spec.channels];
    let kernel = Pool::<T>::new(op, spec.clone(), isa);
    let output_pointer = output.as_mut_ptr().cast();
    let io = Io { inputs, output: output_pointer, workspace: std::ptr::null_mut() };
    let mut covered = vec![0; spec.batch * height * width];
    for task in (0..kernel.phases()[0]).rev() {
        let mut finished = |block: Block| {
            assert_eq!(block.columns, 0..spec.channels);
            covered[block.rows].iter_mut().for_each(|times| *times += 1);
        };
        // SAFETY: the arrays have the shapes of `spec`.
        unsafe { kernel.run(0, task, &io, std::ptr::null_mut(), &mut finished) };
    }
    assert!(covered.iter().all(|times| *times == 1), "{spec:?}");
    output
}

/// The same by the definition, one number at a time.
fn naive(op: PoolOp, spec: &PoolSpec, inputs: &[&[f64]]) -> Vec<f64> {
    let s = spec;
    let [height, width] = op.output_size(s);
    let mut output = vec![0.0; s.batch * height * width * s.channels];
    for n in 0..s.batch {
        for oy in 0..s.out_h {
            for ox in 0..s.out_w {
                for c in 0..s.channels {
                    let out = ((n * s.out_h + oy) * s.out_w + ox) * s.channels + c;
                    let mut cells = Vec::new();
                    let mut padded = 0;
                    for ky in 0..s.window[0] {
                        for kx in 0..s.window[1] {
                            let y = (oy * s.stride[0] + ky) as isize - s.pad[0] as isize;
                            let x = (ox * s.stride[1] + kx) as isize - s.pad[1] as isize;
                            if y < (s.in_h + s.pad[0]) as isize && x < (s.in_w + s.pad[1]) as isize {
                                padded += 1;
                            }
                            if (0..s.in_h as isize).contains(&y) && (0..s.in_w as isize).contains(&x) {
                                cells
                                    .push(((n * s.in_h + y as usize) * s.in_w + x as usize) * s.channels + c);
                            }
                        }
                    }
                    let divisor =
                        |include: bool| if include { padded.max(1) } else { cells.len().max(1) } as f64;
                    let mut winner = cells.first().copied();
                    for cell in &cells {
                        let (value, best) = (inputs[0][*cell % inputs[0].len()], winner.unwrap());
                        if value > inputs[0][best % inputs[0].len()] || value.is_nan() {
                            winner = Some(*cell);
                        }
                    }
                    match op {
                        PoolOp::Max => output[out] = winner.map_or(f64::NEG_INFINITY, |at| inputs[0][at]),
                        PoolOp::MaxPick => output[out] = winner.map_or(0.0, |at| inputs[1][at]),
                        PoolOp::MaxScatter => {
                            if let Some(at) = winner {
                                output[at] += inputs[1][out];
                            }
                        }
                        PoolOp::Avg { count_include_pad } => {
                            let sum: f64 = cells.iter().map(|at| inputs[0][*at]).sum();
                            output[out] = sum / divisor(count_include_pad);
                        }
                        PoolOp::AvgScatter { count_include_pad } => {
                            for at in &cells {
                                output[*at] += inputs[0][out] / divisor(count_include_pad);
                            }
                        }
                    }
                }
            }
        }
    }
    output
}

const OPS: [PoolOp; 7] = [
    PoolOp::Max,
    PoolOp::MaxPick,
    PoolOp::MaxScatter,
    PoolOp::Avg { count_include_pad: false },
    PoolOp::Avg { count_include_pad: true },
    PoolOp::AvgScatter { count_include_pad: false },
    PoolOp::AvgScatter { count_include_pad: true },
];

fn random_spec(stream: &mut Stream) -> PoolSpec {
    let mut pick = |low: u64, high: u64| (low + stream.below(high - low + 1)) as usize;
    if pick(0, 1) == 0 {
        return side_by_side(pick(1, 3), [pick(2, 13), pick(2, 13)], pick(1, 45));
    }
    let window = [pick(1, 4), pick(1, 4)];
    let stride = [pick(1, 4), pick(1, 4)];
    let pad = [pick(0, window[0] as u64 - 1), pick(0, window[1] as u64 - 1)];
    let (in_h, in_w) = (pick(1, 12), pick(1, 12));
    // Up to one window more than fits, as rounding up gives.
    let out = |axis: usize, size: usize, more: usize| {
        ((size + 2 * pad[axis]).saturating_sub(window[axis]) / stride[axis] + 1 + more).max(1)
    };
    let (out_h, out_w) = (out(0, in_h, pick(0, 1)), out(1, in_w, pick(0, 1)));
    let (batch, channels) = (pick(1, 3), pick(1, 45));
    PoolSpec { batch, in_h, in_w, channels, out_h, out_w, window, stride, pad }
}

/// Windows of 2 x 2 next to each other.
fn side_by_side(batch: usize, [in_h, in_w]: [usize; 2], channels: usize) -> PoolSpec {
    PoolSpec {
        batch,
        in_h,
        in_w,
        channels,
        out_h: in_h / 2,
        out_w: in_w / 2,
        window: [2, 2],
        stride: [2, 2],
        pad: [0, 0],
    }
}

/// A large image, cut into several tasks.
fn large_spec() -> PoolSpec {
    PoolSpec {
        batch: 1,
        in_h: 67,
        in_w: 65,
        channels: 40,
        out_h: 34,
        out_w: 33,
        window: [3, 3],
        stride: [2, 2],
        pad: [1, 1],
    }
}

/// Small whole numbers, so that ties are many and sums are exact, with NaN and infinities if asked for.
fn numbers(stream: &mut Stream, count: usize, odd: bool) -> Vec<f64> {
    let number = |stream: &mut Stream| match stream.below(40) {
        0 if odd => f64::NAN,
        1..=8 if odd => f64::NEG_INFINITY,
        9 if odd => f64::INFINITY,
        n => (n % 7) as f64 - 3.0,
    };
    (0..count).map(|_| number(stream)).collect()
}

fn sizes(spec: &PoolSpec) -> [usize; 2] {
    let pixels = spec.batch * spec.channels;
    [pixels * spec.in_h * spec.in_w, pixels * spec.out_h * spec.out_w]
}

fn inputs(op: PoolOp, spec: &PoolSpec, stream: &mut Stream, odd: bool) -> Vec<Vec<f64>> {
    let [x, y] = sizes(spec);
    match op {
        PoolOp::Max => vec![numbers(stream, x, odd)],
        PoolOp::Avg { .. } => vec![numbers(stream, x, false)],
        PoolOp::MaxPick => vec![numbers(stream, x, odd), numbers(stream, x, false)],
        PoolOp::MaxScatter => vec![numbers(stream, x, odd), numbers(stream, y, false)],
        PoolOp::AvgScatter { .. } => vec![numbers(stream, y, false)],
    }
}

#[test]
fn every_operation_follows_its_definition_on_random_shapes() {
    let mut stream = Stream::new(1, "pool");
    let mut specs: Vec<PoolSpec> = (0..150).map(|_| random_spec(&mut stream)).collect();
    specs.push(large_spec());
    for spec in specs {
        for op in OPS {
            let inputs = inputs(op, &spec, &mut stream, true);
            let views: Vec<&[f64]> = inputs.iter().map(|input| &input[..]).collect();
            let expected = naive(op, &spec, &views);
            let found = run::<f64>(op, &spec, Isa::detect(), &views);
            let same = |(a, b): (&f64, &f64)| a == b || (a - b).abs() < 1e-12 || a.is_nan() && b.is_nan();
            assert!(found.iter().zip(&expected).all(same), "{op:?} {spec:?}");
        }
    }
}

#[test]
fn every_instruction_set_gives_the_bits_of_the_scalar_one() {
    let mut stream = Stream::new(2, "pool");
    let mut specs: Vec<PoolSpec> = (0..100).map(|_| random_spec(&mut stream)).collect();
    specs.push(large_spec());
    for spec in specs {
        for op in OPS {
            let inputs: Vec<Vec<f32>> = inputs(op, &spec, &mut stream, true)
                .into_iter()
                .map(|input| input.into_iter().map(|x| x as f32 / 3.0).collect())
                .collect();
            let views: Vec<&[f32]> = inputs.iter().map(|input| &input[..]).collect();
            let bits = |isa| -> Vec<u32> {
                run::<f32>(op, &spec, isa, &views).into_iter().map(f32::to_bits).collect()
            };
            let scalar = bits(Isa::Scalar);
            for isa in [Isa::Avx2, Isa::Avx512] {
                assert_eq!(bits(isa), scalar, "{op:?} {isa:?} {spec:?}");
            }
        }
    }
}

#[test]
fn images_kept_in_bf16_are_pooled_as_the_same_numbers_in_f32() {
    let mut stream = Stream::new(4, "pool");
    for _ in 0..60 {
        let spec = random_spec(&mut stream);
        for op in OPS.into_iter().filter(|op| !matches!(op, PoolOp::AvgScatter { .. })) {
            let inputs: Vec<Vec<f32>> = inputs(op, &spec, &mut stream, true)
                .into_iter()
                .map(|input| input.into_iter().map(|x| bf16::from_f64(x / 3.0).to_f32()).collect())
                .collect();
            let x: Vec<bf16> = inputs[0].iter().map(|&x| bf16::from_f32(x)).collect();
            let views: Vec<&[f32]> = inputs.iter().map(|input| &input[..]).collect();
            for isa in Isa::available() {
                let expected = run::<f32>(op, &spec, isa, &views);
                let mut pointers: Vec<*const u8> = views.iter().map(|input| input.as_ptr().cast()).collect();
                pointers[0] = x.as_ptr().cast();
                let found: Vec<f32> = if op == PoolOp::Max {
                    let kept = run_kept::<bf16, bf16>(op, &spec, isa, &pointers, bf16::MAX);
                    kept.into_iter().map(bf16::to_f32).collect()
                } else {
                    run_kept::<bf16, f32>(op, &spec, isa, &pointers, 77.0)
                };
                let same = |(a, b): (&f32, &f32)| a == b || a.is_nan() && b.is_nan();
                assert!(found.iter().zip(&expected).all(same), "{op:?} {isa} {spec:?}");
            }
        }
    }
}

#[test]
fn scatter_and_pick_are_adjoint() {
    let mut stream = Stream::new(3, "pool");
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for _ in 0..100 {
        let spec = random_spec(&mut stream);
        let [inside, outside] = sizes(&spec);
        let mut normal = |count: usize| -> Vec<f64> { (0..count).map(|_| stream.normal()).collect() };
        let (x, u, dy) = (normal(inside), normal(inside), normal(outside));
        let isa = Isa::detect();
        let mut pairs = vec![(
            run(PoolOp::MaxScatter, &spec, isa, &[&x, &dy]),
            run(PoolOp::MaxPick, &spec, isa, &[&x, &u]),
        )];
        for count_include_pad in [false, true] {
            pairs.push((
                run(PoolOp::AvgScatter { count_include_pad }, &spec, isa, &[&dy]),
                run(PoolOp::Avg { count_include_pad }, &spec, isa, &[&u]),
            ));
        }
        for (scattered, picked) in pairs {
            let (left, right) = (dot(&scattered, &u), dot(&dy, &picked));
            assert!((left - right).abs() < 1e-9 * (1.0 + left.abs()), "{left} {right} {spec:?}");
        }
    }
}

#[test]
fn tasks_depend_on_the_shape_and_small_work_is_one_task() {
    let tasks = |batch: usize, side: usize, channels: usize| {
        let half = side / 2;
        let (window, stride, pad) = ([2, 2], [2, 2], [0, 0]);
        let spec = PoolSpec {
            batch,
            in_h: side,
            in_w: side,
            channels,
            out_h: half,
            out_w: half,
            window,
            stride,
            pad,
        };
        Pool::<f32>::new(PoolOp::Max, spec, Isa::Scalar).phases()[0]
    };
    assert_eq!(tasks(4, 28, 6), 1);
    assert!(tasks(64, 32, 64) >= 32);
    assert!(tasks(1, 128, 64) >= 8);
    assert_eq!(tasks(0, 8, 8), 0);
}
