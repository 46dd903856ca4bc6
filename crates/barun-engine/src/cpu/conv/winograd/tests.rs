use super::forward::Pass;
use half::bf16;

use super::transform::{Transformed, Transforms, WIDE, WIDE_BF16};
use super::*;
use crate::cpu::conv::tests::{Operands, Which, f32_micro, square, with_output};
use crate::cpu::isa::Isa;
use crate::cpu::kernel::Kernel;
use crate::cpu::testing::*;

/// The general kernels that these replace.
const WHICH: [Which; 3] = [Which::Forward, Which::InputGrad, Which::WeightGrad];

fn kernel<T: Transformed>(
    which: Which,
    spec: ConvSpec,
    transforms: &'static Transforms<T>,
) -> Box<dyn Kernel> {
    match which {
        Which::Forward => Box::new(WinogradConv::new(spec, Pass::Forward, transforms)),
        Which::InputGrad => Box::new(WinogradConv::new(spec, Pass::InputGrad, transforms)),
        _ => Box::new(WinogradWeightGrad::with_transforms(spec, transforms)),
    }
}

/// All tables; those after the first round as each other.
fn tables<T: Transformed>(wide: &'static Transforms<T>) -> Vec<(&'static str, &'static Transforms<T>)> {
    let mut tables = vec![("scalar", T::transforms(Isa::Scalar)), ("wide", wide)];
    for isa in Isa::available().into_iter().filter(|&isa| isa != Isa::Scalar) {
        tables.push((if isa == Isa::Avx2 { "avx2" } else { "avx512" }, T::transforms(isa)));
    }
    tables
}

/// The largest error, as a fraction of the largest sum of magnitudes of the products behind an element.
fn error(got: &[f32], expected: &[(f64, f64, usize)]) -> f64 {
    let size = expected.iter().fold(0f64, |most, &(_, size, _)| most.max(size));
    let errors = got.iter().zip(expected).map(|(&got, &(sum, ..))| (f64::from(got) - sum).abs());
    errors.fold(0.0, f64::max) / size.max(f64::MIN_POSITIVE)
}

fn check(spec: &ConvSpec, dice: &mut Dice) {
    check_operands::<f32>(spec, dice, &WIDE);
    check_operands::<bf16>(spec, dice, &WIDE_BF16);
}

fn check_operands<T: Sample + Transformed>(spec: &ConvSpec, dice: &mut Dice, wide: &'static Transforms<T>) {
    let operands = Operands::<T>::random(dice, spec);
    for which in WHICH {
        let expected = which.naive(spec, &operands);
        let mut fused: Option<Vec<f32>> = None;
        for (name, transforms) in tables(wide) {
            let kernel = kernel(which, *spec, transforms);
            let got = which.run_kernel(&*kernel, spec, &operands, Order::Forwards);
            let error = error(&got, &expected);
            assert!(error < 2e-6, "{which:?} {name} {spec:?}: an error of {error:.1e}");
            if name != "scalar" {
                let fused = fused.get_or_insert_with(|| got.clone());
                assert!(*fused == got, "{which:?} {spec:?}: {name} gives other bits");
            }
            for order in [Order::Backwards, Order::Interleaved] {
                let again = which.run_kernel(&*kernel, spec, &operands, order);
                assert!(got == again, "{which:?} {name} {spec:?}: {order:?} gives other bits");
            }
        }
    }
}

fn random_spec(dice: &mut Dice, size: usize, channels: usize) -> ConvSpec {
    loop {
        let spec = ConvSpec {
            in_h: dice.between(1, size),
            in_w: dice.between(1, size),
            pad: [dice.between(0, 4), dice.between(0, 4)],
            ..square(dice.between(1, 3), 3, dice.between(1, channels), dice.between(1, channels), 3, 1, 0)
        };
        let (bottom, right) = (dice.between(0, 3), dice.between(0, 3));
        if let Some(spec) = with_output(spec, bottom, right) {
            return spec;
        }
    }
}

#[test]
fn random_convolutions_agree_with_the_plain_loop_under_every_isa() {
    let mut dice = Dice::new(21);
    for round in 0..80 {
        let (size, channels) = if round % 8 == 0 { (9, 70) } else { (13, 9) };
        check(&random_spec(&mut dice, size, channels), &mut dice);
    }
}

#[test]
fn blocks_of_channels_chunks_of_tiles_and_single_pixels_agree_with_the_plain_loop() {
    let mut dice = Dice::new(22);
    for spec in [
        square(1, 1, 1, 1, 3, 1, 1),
        square(2, 4, 300, 20, 3, 1, 1),
        square(2, 4, 20, 300, 3, 1, 1),
        square(2, 8, 130, 140, 3, 1, 1),
        // Weights kept in the workspace, many stretches of tiles.
        square(3, 38, 6, 10, 3, 1, 1),
        square(75, 5, 40, 8, 3, 1, 0),
        // One row of tiles longer than a chunk.
        ConvSpec { in_h: 3, out_h: 2, ..square(1, 330, 5, 4, 3, 1, 1) },
    ] {
        check(&spec, &mut dice);
    }
}

#[test]
fn the_three_kernels_are_adjoint() {
    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    }
    let mut dice = Dice::new(23);
    for _ in 0..40 {
        let spec = random_spec(&mut dice, 12, 40);
        let operands = Operands::<f32>::random(&mut dice, &spec);
        for isa in Isa::available() {
            let [y, dx, dw] = WHICH.map(|which| {
                let kernel = kernel(which, spec, f32::transforms(isa));
                which.run_kernel(&*kernel, &spec, &operands, Order::Forwards)
            });
            let [forward, input, weight] =
                [dot(&y, &operands.y), dot(&dx, &operands.x), dot(&dw, &operands.w)];
            let products = operands.y.len() as f64 * (KERNEL * KERNEL * spec.in_channels) as f64;
            let tolerance = 1e-6 * products;
            assert!((forward - input).abs() < tolerance, "{spec:?} {isa}: {forward} and {input}");
            assert!((forward - weight).abs() < tolerance, "{spec:?} {isa}: {forward} and {weight}");
        }
    }
}

#[test]
fn errors_with_the_weights_of_a_new_network_stay_far_below_what_training_needs() {
    let mut dice = Dice::new(24);
    for (spec, batch) in [(square(1, 16, 64, 64, 3, 1, 1), 4), (square(1, 4, 512, 512, 3, 1, 1), 2)] {
        let spec = ConvSpec { batch, ..spec };
        let mut operands = Operands::<f32>::random(&mut dice, &spec);
        // Uniform numbers of variance one, and weights of variance 2 / fan-in (He et al. 2015).
        let he = (6.0 / (KERNEL * KERNEL * spec.in_channels) as f32).sqrt();
        operands.x.iter_mut().chain(&mut operands.y).for_each(|x| *x *= 3f32.sqrt());
        operands.w.iter_mut().for_each(|w| *w *= he);
        for which in WHICH {
            let expected = which.naive(&spec, &operands);
            let most = expected.iter().fold(0f64, |most, &(sum, ..)| most.max(sum.abs()));
            let error = |got: &[f32]| {
                let errors = got.iter().zip(&expected).map(|(&got, &(sum, ..))| (f64::from(got) - sum).abs());
                errors.fold(0.0, f64::max) / most
            };
            let isa = Isa::detect();
            let winograd = kernel(which, spec, f32::transforms(isa));
            let winograd = error(&which.run_kernel(&*winograd, &spec, &operands, Order::Forwards));
            let direct = error(&which.run(&spec, f32_micro(isa), &operands, Order::Forwards));
            println!("{which:?} {}: {winograd:.1e}, directly {direct:.1e}", spec.in_channels);
            assert!(
                winograd < 5e-6,
                "{which:?} {spec:?}: {winograd:.1e} of the largest, directly {direct:.1e}"
            );
        }
    }
}

#[test]
fn what_the_algorithm_cannot_or_should_not_do_is_left_to_the_direct_kernels() {
    let good = square(64, 16, 64, 64, 3, 1, 1);
    assert!(good.suits_winograd());
    for spec in [
        square(64, 16, 64, 64, 5, 1, 2),
        square(64, 16, 64, 64, 3, 2, 1),
        ConvSpec { dilation: [2; 2], ..good },
        ConvSpec { groups: 2, ..good },
        // Few channels, tiles mostly outside, hardly any tiles, little work.
        square(64, 32, 3, 64, 3, 1, 1),
        square(64, 2, 512, 512, 3, 1, 1),
        square(1, 4, 512, 512, 3, 1, 1),
        square(1, 8, 64, 64, 3, 1, 1),
    ] {
        assert!(!spec.suits_winograd(), "{spec:?}");
    }
}

#[test]
fn large_convolutions_keep_a_team_busy_and_their_memory_is_bounded() {
    for spec in [
        square(64, 26, 32, 64, 3, 1, 0),
        square(64, 32, 64, 64, 3, 1, 1),
        square(64, 8, 256, 256, 3, 1, 1),
        square(64, 4, 512, 512, 3, 1, 1),
        square(256, 4, 512, 512, 3, 1, 1),
        square(4, 4, 512, 512, 3, 1, 1),
        square(16, 7, 128, 128, 3, 1, 1),
    ] {
        assert!(spec.suits_winograd(), "{spec:?}");
        for which in WHICH {
            let kernel = kernel(which, spec, f32::transforms(Isa::detect()));
            let tasks = kernel.phases().iter().max().copied().unwrap_or_default();
            assert!(tasks >= 8, "{which:?} {spec:?} has {tasks} tasks");
            assert!(kernel.workspace_bytes() <= 40 << 20);
            assert!(kernel.scratch_bytes() <= 4 << 20, "{which:?} {spec:?} {}", kernel.scratch_bytes());
        }
    }
}
