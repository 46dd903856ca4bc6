use super::*;
use crate::cpu::gemm::micro::sealed::Kernels;
use crate::cpu::gemm::micro::{Micro, WIDE_BF16, WIDE_F32, WIDE_F64};
use crate::cpu::gemm::pairs::{EMULATED_AMX, EMULATED_AVX512};
use crate::cpu::isa::Isa;
use crate::cpu::kernel::Kernel;
use crate::cpu::testing::*;
use half::bf16;

/// Calls `visit(x index, w index, y index)` for each product of the convolution.
fn each_product(spec: &ConvSpec, mut visit: impl FnMut(usize, usize, usize)) {
    let (group_in, group_out) = (spec.group_in(), spec.group_out());
    for pixel in 0..spec.output_pixels() {
        let (ox, rest) = (pixel % spec.out_w, pixel / spec.out_w);
        let (oy, image) = (rest % spec.out_h, rest / spec.out_h);
        for tap in 0..spec.taps() {
            let y = oy * spec.stride[0] + tap / spec.kernel[1] * spec.dilation[0];
            let x = ox * spec.stride[1] + tap % spec.kernel[1] * spec.dilation[1];
            let (Some(y), Some(x)) = (y.checked_sub(spec.pad[0]), x.checked_sub(spec.pad[1])) else {
                continue;
            };
            if y >= spec.in_h || x >= spec.in_w {
                continue;
            }
            for channel in 0..spec.out_channels {
                let group = channel / group_out;
                for c in 0..group_in {
                    visit(
                        ((image * spec.in_h + y) * spec.in_w + x) * spec.in_channels + group * group_in + c,
                        (tap * group_in + c) * spec.out_channels + channel,
                        pixel * spec.out_channels + channel,
                    );
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Which {
    Forward,
    ForwardByPlanes,
    InputGrad,
    InputGradByRows,
    WeightGrad,
    WeightGradByPlanes,
}

const WHICH: [Which; 6] = [
    Which::Forward,
    Which::ForwardByPlanes,
    Which::InputGrad,
    Which::InputGradByRows,
    Which::WeightGrad,
    Which::WeightGradByPlanes,
];

/// A kernel that reads its operands in place, for operands of type `T`.
fn in_place<T: Sample, K: Kernel + 'static>(
    kernel: K,
    elements: [usize; 2],
    micro: &'static Micro<T>,
) -> Box<dyn Kernel> {
    if T::IN_PLACE { Box::new(kernel) } else { Box::new(Widened::with_micro(kernel, elements, micro)) }
}

impl Which {
    /// The kernels that can compute the convolution.
    fn all<T: Sample>(spec: &ConvSpec) -> Vec<Which> {
        let suits = |which: &Which| match which {
            Which::ForwardByPlanes => ForwardByPlanes::<T::Sum>::suits(spec),
            Which::InputGradByRows => InputGradByRows::<T::Sum>::suits(spec),
            Which::WeightGradByPlanes => WeightGradByPlanes::<T::Sum>::suits(spec),
            _ => true,
        };
        WHICH.into_iter().filter(suits).collect()
    }

    fn kernel<T: Sample>(self, spec: ConvSpec, micro: &'static Micro<T>) -> Box<dyn Kernel> {
        let (x, w, y) = (spec.input_elements(), spec.weight_elements(), spec.output_elements());
        match self {
            Which::Forward => Box::new(ConvForward::with_micro(spec, micro)),
            Which::ForwardByPlanes => {
                in_place(ForwardByPlanes::with_micro(spec, T::sums(micro)), [x, w], micro)
            }
            Which::InputGrad => Box::new(ConvInputGrad::with_micro(spec, micro)),
            Which::InputGradByRows => {
                in_place(InputGradByRows::with_micro(spec, T::sums(micro)), [y, w], micro)
            }
            Which::WeightGrad => Box::new(ConvWeightGrad::with_micro(spec, micro)),
            Which::WeightGradByPlanes => {
                in_place(WeightGradByPlanes::with_micro(spec, T::sums(micro)), [x, y], micro)
            }
        }
    }

    /// The operand that has the shape of the output.
    fn same_shape<T>(self, operands: &Operands<T>) -> &[T] {
        match self {
            Which::Forward | Which::ForwardByPlanes => &operands.y,
            Which::InputGrad | Which::InputGradByRows => &operands.x,
            Which::WeightGrad | Which::WeightGradByPlanes => &operands.w,
        }
    }

    /// Rows and columns of the output.
    pub(super) fn output(self, spec: &ConvSpec) -> (usize, usize) {
        match self {
            Which::Forward | Which::ForwardByPlanes => (spec.output_pixels(), spec.out_channels),
            Which::InputGrad | Which::InputGradByRows => (spec.input_pixels(), spec.in_channels),
            Which::WeightGrad | Which::WeightGradByPlanes => {
                (spec.taps() * spec.group_in(), spec.out_channels)
            }
        }
    }

    /// Runs the kernel on the two of x, w and y that it reads.
    pub(super) fn run<T: Sample>(
        self,
        spec: &ConvSpec,
        micro: &'static Micro<T>,
        operands: &Operands<T>,
        order: Order,
    ) -> Vec<T::Sum> {
        self.run_kernel(&*self.kernel(*spec, micro), spec, operands, order)
    }

    /// As [`Which::run`], with a kernel of another kind.
    pub(super) fn run_kernel<T: Sample>(
        self,
        kernel: &dyn Kernel,
        spec: &ConvSpec,
        operands: &Operands<T>,
        order: Order,
    ) -> Vec<T::Sum> {
        let inputs: [&[T]; 2] = match self {
            Which::Forward | Which::ForwardByPlanes => [&operands.x, &operands.w],
            Which::InputGrad | Which::InputGradByRows => [&operands.y, &operands.w],
            Which::WeightGrad | Which::WeightGradByPlanes => [&operands.x, &operands.y],
        };
        let (rows, columns) = self.output(spec);
        let (output, blocks) = run_all(kernel, &inputs, rows * columns, order);
        assert_covers(&blocks, rows, columns);
        output
    }

    /// Per output element: the sum, the sum of magnitudes, the number of terms.
    pub(super) fn naive<T: Sample>(self, spec: &ConvSpec, operands: &Operands<T>) -> Vec<(f64, f64, usize)> {
        let (rows, columns) = self.output(spec);
        let mut output = vec![(0.0, 0.0, 0); rows * columns];
        each_product(spec, |x, w, y| {
            let (a, b, to) = match self {
                Which::Forward | Which::ForwardByPlanes => (operands.x[x].into(), operands.w[w].into(), y),
                Which::InputGrad | Which::InputGradByRows => (operands.y[y].into(), operands.w[w].into(), x),
                Which::WeightGrad | Which::WeightGradByPlanes => {
                    (operands.x[x].into(), operands.y[y].into(), w)
                }
            };
            let product: f64 = a * b;
            let entry = &mut output[to];
            *entry = (entry.0 + product, entry.1 + product.abs(), entry.2 + 1);
        });
        output
    }
}

pub(super) struct Operands<T> {
    pub x: Vec<T>,
    pub w: Vec<T>,
    pub y: Vec<T>,
}

impl<T: Sample> Operands<T> {
    pub fn random(dice: &mut Dice, spec: &ConvSpec) -> Operands<T> {
        Operands {
            x: samples(dice, spec.input_pixels() * spec.in_channels),
            w: samples(dice, spec.taps() * spec.group_in() * spec.out_channels),
            y: samples(dice, spec.output_pixels() * spec.out_channels),
        }
    }
}

fn check<T: Sample>(spec: &ConvSpec, dice: &mut Dice, wide: &'static Micro<T>) {
    let operands = Operands::<T>::random(dice, spec);
    for which in Which::all::<T>(spec) {
        let expected = which.naive(spec, &operands);
        let mut fused: Option<Vec<T::Sum>> = None;
        let mut tables: Vec<(&str, &'static Micro<T>)> = vec![("wide", wide)];
        if Isa::detect() >= Isa::Avx2 {
            tables.push(("avx2", T::micro(Isa::Avx2)));
        }
        if Isa::detect() >= Isa::Avx512 {
            tables.push(("avx512", T::micro(Isa::Avx512)));
        }
        tables.push(("scalar", T::micro(Isa::Scalar)));
        for (name, micro) in tables {
            let got = which.run(spec, micro, &operands, Order::Forwards);
            for (i, (&got, &(sum, size, terms))) in got.iter().zip(&expected).enumerate() {
                let got: f64 = got.into();
                let bound = (terms as f64 + 2.0) * T::EPSILON * size;
                assert!((got - sum).abs() <= bound, "{which:?} {name} {spec:?}: {i} is {got}, not {sum}");
            }
            if name != "scalar" {
                let fused = fused.get_or_insert_with(|| got.clone());
                assert!(*fused == got, "{which:?} {spec:?}: {name} gives other bits");
            }
            for order in [Order::Backwards, Order::Interleaved] {
                let again = which.run(spec, micro, &operands, order);
                assert!(got == again, "{which:?} {name} {spec:?}: {order:?} gives other bits");
            }
        }
    }
}

/// The kernels that multiply pairs of bf16 against the plain loop, and the instructions against their emulation.
fn check_pairs(spec: &ConvSpec, dice: &mut Dice) {
    let operands = Operands::<bf16>::random(dice, spec);
    for which in [Which::Forward, Which::InputGrad, Which::WeightGrad] {
        let expected = which.naive(spec, &operands);
        for (isa, emulated) in [(Isa::Avx512Bf16, &EMULATED_AVX512), (Isa::Amx, &EMULATED_AMX)] {
            let got = which.run(spec, emulated, &operands, Order::Forwards);
            for (i, (&got, &(sum, size, terms))) in got.iter().zip(&expected).enumerate() {
                let bound = (terms as f64 + 2.0) * f64::from(f32::EPSILON) * size;
                let got = f64::from(got);
                assert!((got - sum).abs() <= bound, "{which:?} {isa} {spec:?}: {i} is {got}, not {sum}");
            }
            let backwards = which.run(spec, emulated, &operands, Order::Backwards);
            assert!(got == backwards, "{which:?} {isa} {spec:?}: the order shows in the bits");
            if isa.is_available() {
                let real = which.run(spec, bf16::micro(isa), &operands, Order::Interleaved);
                assert!(
                    got == real,
                    "{which:?} {spec:?}: the instructions of {isa} differ from their emulation"
                );
            }
        }
    }
}

/// The largest output without going more than `over` steps past the lower right padding.
pub(super) fn with_output(mut spec: ConvSpec, bottom: usize, right: usize) -> Option<ConvSpec> {
    let size = |size: usize, axis: usize, end: usize| {
        let seen = spec.dilation[axis] * (spec.kernel[axis] - 1) + 1;
        Some((size + spec.pad[axis] + end).checked_sub(seen)? / spec.stride[axis] + 1)
    };
    let (out_h, out_w) = (size(spec.in_h, 0, bottom)?, size(spec.in_w, 1, right)?);
    (spec.out_h, spec.out_w) = (out_h, out_w);
    Some(spec)
}

fn random_spec(dice: &mut Dice, channels: usize) -> ConvSpec {
    loop {
        let groups = if dice.between(0, 2) == 0 { dice.between(1, 4) } else { 1 };
        let mut pair = |low, high| [dice.between(low, high), dice.between(low, high)];
        let (kernel, stride, pad, dilation) = (pair(1, 4), pair(1, 3), pair(0, 4), pair(1, 2));
        let [in_h, in_w] = pair(1, 11);
        let spec = ConvSpec {
            batch: dice.between(1, 3),
            in_h,
            in_w,
            in_channels: groups * dice.between(1, channels),
            out_h: 0,
            out_w: 0,
            out_channels: groups * dice.between(1, channels),
            kernel,
            stride,
            pad,
            dilation,
            groups,
        };
        let (bottom, right) = (dice.between(0, 5), dice.between(0, 5));
        if let Some(spec) = with_output(spec, bottom, right) {
            return spec;
        }
    }
}

/// A square convolution with the same padding on all sides.
pub(super) fn square(
    batch: usize,
    size: usize,
    from: usize,
    to: usize,
    kernel: usize,
    stride: usize,
    pad: usize,
) -> ConvSpec {
    let spec = ConvSpec {
        batch,
        in_h: size,
        in_w: size,
        in_channels: from,
        out_h: 0,
        out_w: 0,
        out_channels: to,
        kernel: [kernel; 2],
        stride: [stride; 2],
        pad: [pad; 2],
        dilation: [1; 2],
        groups: 1,
    };
    with_output(spec, pad, pad).unwrap()
}

#[test]
fn random_convolutions_agree_with_the_plain_loop_under_every_isa() {
    let mut dice = Dice::new(11);
    for round in 0..150 {
        let spec = random_spec(&mut dice, if round % 5 == 0 { 40 } else { 7 });
        check::<f32>(&spec, &mut dice, &WIDE_F32);
        check::<f64>(&spec, &mut dice, &WIDE_F64);
        check::<bf16>(&spec, &mut dice, &WIDE_BF16);
        check_pairs(&spec, &mut dice);
    }
}

#[test]
fn convolutions_of_the_usual_networks_agree_with_the_plain_loop() {
    let mut dice = Dice::new(12);
    for spec in [
        square(3, 28, 1, 32, 3, 1, 0),
        square(2, 12, 32, 64, 3, 1, 0),
        square(3, 28, 1, 6, 5, 1, 2),
        square(3, 14, 6, 16, 5, 1, 0),
        square(2, 9, 64, 128, 3, 2, 1),
        square(2, 8, 64, 128, 1, 2, 0),
        square(2, 7, 48, 96, 1, 1, 0),
        square(2, 5, 260, 40, 3, 1, 1),
        ConvSpec { groups: 24, in_channels: 24, out_channels: 24, ..square(2, 10, 24, 24, 3, 1, 1) },
        ConvSpec { groups: 24, in_channels: 24, out_channels: 48, ..square(2, 10, 24, 48, 3, 2, 1) },
    ] {
        check::<f32>(&spec, &mut dice, &WIDE_F32);
        check::<bf16>(&spec, &mut dice, &WIDE_BF16);
        check_pairs(&spec, &mut dice);
    }
}

#[test]
fn pixels_in_the_lanes_agree_with_the_plain_loop_and_give_the_bits_of_the_general_kernel() {
    let mut dice = Dice::new(14);
    let mut tried = 0;
    while tried < 40 {
        let mut pair = |low, high| [dice.between(low, high), dice.between(low, high)];
        let (kernel, pad, dilation) = (pair(1, 5), pair(0, 5), pair(1, 2));
        let spec = ConvSpec {
            batch: dice.between(1, 4),
            in_h: dice.between(1, 9),
            in_w: dice.between(10, 34),
            in_channels: dice.between(1, 4),
            out_h: 0,
            out_w: 0,
            out_channels: dice.between(1, 7),
            kernel,
            stride: [dice.between(1, 3), 1],
            pad,
            dilation,
            groups: 1,
        };
        let Some(spec) = with_output(spec, dice.between(0, 5), dice.between(0, 9)) else { continue };
        if !ForwardByPlanes::<f32>::suits(&spec) {
            continue;
        }
        tried += 1;
        check::<f32>(&spec, &mut dice, &WIDE_F32);
        check::<f64>(&spec, &mut dice, &WIDE_F64);
        check::<bf16>(&spec, &mut dice, &WIDE_BF16);
        let operands = Operands::<f32>::random(&mut dice, &spec);
        for isa in Isa::available() {
            let run = |which: Which| which.run(&spec, f32_micro(isa), &operands, Order::Forwards);
            assert!(run(Which::Forward) == run(Which::ForwardByPlanes), "{spec:?} {isa}");
        }
    }
}

#[test]
fn the_rule_takes_the_special_kernels_for_few_channels_only() {
    let lenet = square(64, 28, 1, 6, 5, 1, 2);
    assert_eq!(Which::all::<f32>(&lenet), WHICH);
    let (second, many) = (square(64, 14, 6, 16, 5, 1, 0), square(64, 26, 32, 64, 3, 1, 0));
    let general = [Which::Forward, Which::InputGrad, Which::WeightGrad];
    assert_eq!(Which::all::<f32>(&second), [general[0], general[1], Which::InputGradByRows, general[2]]);
    for spec in [many, ConvSpec { groups: 6, in_channels: 6, ..lenet }, square(64, 28, 1, 6, 5, 2, 2)] {
        assert!(!Which::all::<f32>(&spec).contains(&Which::ForwardByPlanes), "{spec:?}");
    }
}

#[test]
fn the_kernels_are_adjoint() {
    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    }
    let mut dice = Dice::new(13);
    for _ in 0..60 {
        let spec = random_spec(&mut dice, 20);
        let operands = Operands::<f32>::random(&mut dice, &spec);
        for isa in Isa::available() {
            let size = operands.y.len() as f64 * (spec.taps() * spec.group_in()) as f64;
            let tolerance = 1e-6 * size.max(1.0);
            let forms = Which::all::<f32>(&spec).into_iter().map(|which| {
                let output = which.run(&spec, f32_micro(isa), &operands, Order::Forwards);
                (which, dot(&output, which.same_shape(&operands)))
            });
            let forms: Vec<(Which, f64)> = forms.collect();
            for (which, form) in &forms {
                let forward = forms[0].1;
                assert!((forward - form).abs() < tolerance, "{which:?} {spec:?} {isa}: {forward} and {form}");
            }
        }
    }
}

pub(super) fn f32_micro(isa: Isa) -> &'static Micro<f32> {
    f32::micro(isa)
}

#[test]
fn large_convolutions_keep_a_team_busy_and_their_workspace_is_bounded() {
    for spec in [
        square(64, 26, 32, 64, 3, 1, 0),
        square(64, 28, 1, 6, 5, 1, 2),
        square(64, 32, 64, 64, 3, 1, 1),
        square(64, 4, 512, 512, 3, 1, 1),
        square(64, 8, 256, 512, 1, 2, 0),
    ] {
        for which in Which::all::<f32>(&spec) {
            let kernel = which.kernel(spec, f32_micro(Isa::detect()));
            let tasks = kernel.phases()[0];
            assert!((8..=64).contains(&tasks), "{which:?} {spec:?} has {tasks} tasks");
            assert!(kernel.workspace_bytes() <= 16 << 20);
            assert!(kernel.scratch_bytes() <= 1 << 20);
        }
    }
}
