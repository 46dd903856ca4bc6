//! The convolution, and the gradient with respect to its input, which is one too.

use super::tiles::{Patches, Tiles};
use super::transform::{Sources, Targets, Transformed, Transforms};
use super::{KERNEL, PATCH, POINTS, Panels, Planes, TILE, even};
use crate::cpu::conv::ConvSpec;
use crate::cpu::gemm::blocked::{Matrix, MatrixLeft, Region, product, share};
use crate::cpu::gemm::micro::Packing;
use crate::cpu::isa::Isa;
use crate::cpu::kernel::{Block, Io, Kernel};
use std::ops::Range;

/// What is convolved with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// `x` with `w`.
    Forward,
    /// `dy` with `w` turned by half a turn, its two channels swapped.
    InputGrad,
}

/// `y = conv(x, w)` with inputs `[x, w]`, or `dx` of it with inputs `[dy, w]`, as a [`Kernel`]. The output's rows
/// are pixels, its columns channels. Operands are of type `T`, everything else is f32.
///
/// A task makes some columns of some tiles. It goes through blocks of the channels summed over: transforms its tiles'
/// patches, and adds the products with the transformed weights; then it transforms the sums back. The weights are
/// transformed by a first phase, or, if no two tasks use the same, by the task.
pub struct WinogradConv<T: Transformed> {
    spec: ConvSpec,
    pass: Pass,
    transforms: &'static Transforms<T>,
    tiles: Tiles,
    /// Channels summed over, and how many at a time.
    from: usize,
    depth: usize,
    /// Channels of the output, and how many a task makes.
    to: usize,
    width: usize,
    /// Most tiles at a time.
    chunk: usize,
    /// Shares of the tiles.
    shares: usize,
    phases: Vec<usize>,
}

/// Channels summed over at a time.
const DEPTH: usize = 128;
/// Most tiles and output channels of a task, in order of preference. What a task makes of them should not overflow
/// the second-level cache much; each task reads the weights of its channels and transforms its tiles anew.
const CUTS: [[usize; 2]; 6] = [[ONE_CHUNK, 128], [ONE_CHUNK, 64], [40, 128], [40, 64], [40, 32], [24, 32]];
/// The cuts of so many tiles are for those that they leave whole.
const ONE_CHUNK: usize = 72;
/// Tasks wished for.
const TASKS: usize = 8;
/// How many times the weights are transformed rather than kept.
const REPEATS: usize = 4;

/// The first cut with enough tasks.
fn cut(tiles: usize, to: usize) -> [usize; 2] {
    let fits = |most: usize| most < ONE_CHUNK || tiles <= ONE_CHUNK;
    let tasks = |[most, width]: [usize; 2]| tiles.div_ceil(most) * to.div_ceil(even(to, width));
    let good = CUTS.into_iter().find(|&cut| fits(cut[0]) && tasks(cut) >= TASKS);
    good.unwrap_or(CUTS[CUTS.len() - 1])
}

impl<T: Transformed> WinogradConv<T> {
    /// Plans the convolution for fixed shapes, chosen by [`ConvSpec::suits_winograd`].
    ///
    /// # Panics
    /// If this machine lacks `isa`, or the convolution is none of 3x3 taps without stride, dilation and groups.
    pub fn forward(spec: ConvSpec, isa: Isa) -> WinogradConv<T> {
        WinogradConv::new(spec, Pass::Forward, T::transforms(isa))
    }

    /// As [`WinogradConv::forward`], for the gradient with respect to the input.
    ///
    /// # Panics
    /// As [`WinogradConv::forward`].
    pub fn input_grad(spec: ConvSpec, isa: Isa) -> WinogradConv<T> {
        WinogradConv::new(spec, Pass::InputGrad, T::transforms(isa))
    }

    pub(super) fn new(spec: ConvSpec, pass: Pass, transforms: &'static Transforms<T>) -> WinogradConv<T> {
        assert!(super::applies(&spec), "{spec:?} is no convolution for Winograd's algorithm");
        let (tiles, from, to) = match pass {
            Pass::Forward => (Tiles::of_output(&spec), spec.in_channels, spec.out_channels),
            Pass::InputGrad => (Tiles::of_input(&spec), spec.out_channels, spec.in_channels),
        };
        let [most, width] = cut(tiles.count(), to);
        let (depth, width) = (even(from, DEPTH), even(to, width));
        let chunk = tiles.count().div_ceil(tiles.count().div_ceil(most));
        let chunk = chunk.next_multiple_of(transforms.micro.rows);
        let shares = tiles.count().div_ceil(chunk);
        let mut conv = WinogradConv {
            spec,
            pass,
            transforms,
            tiles,
            from,
            depth,
            to,
            width,
            chunk,
            shares,
            phases: vec![],
        };
        let cells = conv.blocks() * conv.stretches();
        conv.phases = if conv.keeps() { vec![cells] } else { vec![] };
        conv.phases.push(shares * conv.blocks());
        conv
    }

    /// Whether the weights are transformed by a phase of their own.
    fn keeps(&self) -> bool {
        self.shares > REPEATS
    }

    /// Blocks of output channels.
    fn blocks(&self) -> usize {
        self.to.div_ceil(self.width)
    }

    /// Blocks of the channels summed over.
    fn stretches(&self) -> usize {
        self.from.div_ceil(self.depth)
    }

    fn block(&self, block: usize) -> Range<usize> {
        block * self.width..((block + 1) * self.width).min(self.to)
    }

    fn stretch(&self, stretch: usize) -> Range<usize> {
        stretch * self.depth..((stretch + 1) * self.depth).min(self.from)
    }

    /// The source as patches: `[tile][channel]` at each point.
    fn patches(&self) -> Patches<T> {
        let planes = Planes::new(self.chunk, self.depth);
        Patches { transforms: self.transforms, tiles: self.tiles, channels: self.from, planes }
    }

    /// Sums of products: `[tile][output channel]` at each point.
    fn sums(&self) -> Planes {
        Planes::new(self.chunk, self.width)
    }

    /// The transformed weights of a stretch and a block: panels at each point.
    fn weights(&self) -> Planes {
        Planes::new(self.depth, self.transforms.micro.packed_columns(self.width))
    }

    /// Elements of the taps of one panel, one plane for each.
    fn taps(&self) -> usize {
        KERNEL * KERNEL * self.tap()
    }

    fn tap(&self) -> usize {
        self.depth * self.transforms.micro.columns
    }

    /// Elements of a line of zeros, or of one that nobody reads.
    fn line(&self) -> usize {
        self.depth.max(self.width).next_multiple_of(16)
    }

    /// Transforms the weights between some channels.
    ///
    /// # Safety
    /// `weights` are those of the spec, `to` holds [`WinogradConv::weights`] and `taps` [`WinogradConv::taps`].
    unsafe fn transform_weights(
        &self,
        weights: *const T,
        ks: Range<usize>,
        columns: Range<usize>,
        to: *mut f32,
        taps: *mut f32,
    ) {
        let ConvSpec { in_channels, out_channels, .. } = self.spec;
        let (micro, planes) = (self.transforms.micro, self.weights());
        let (row, column) = match self.pass {
            Pass::Forward => (out_channels, 1),
            Pass::InputGrad => (1, out_channels),
        };
        for first in columns.clone().step_by(micro.columns) {
            let count = micro.columns.min(columns.end - first);
            for place in 0..KERNEL * KERNEL {
                let tap = match self.pass {
                    Pass::Forward => place,
                    Pass::InputGrad => KERNEL * KERNEL - 1 - place,
                };
                let at = tap * in_channels * out_channels + ks.start * row + first * column;
                let packing = Packing {
                    from: weights.wrapping_add(at),
                    row,
                    column,
                    k: ks.len(),
                    count,
                    to: taps.wrapping_add(place * self.tap()),
                    whole_k: ks.len(),
                    first_k: 0,
                };
                // SAFETY: the channels exist, and a tap's plane holds the panel.
                unsafe { (self.transforms.packing.pack_right)(&packing) };
            }
            let from: Sources<f32, KERNEL> = std::array::from_fn(|i| {
                std::array::from_fn(|j| taps.wrapping_add((i * KERNEL + j) * self.tap()).cast_const())
            });
            let to = planes.places(to, (first - columns.start) * ks.len());
            // SAFETY: the panel lies in its planes.
            unsafe { (self.transforms.from_weights)(&from, &to, ks.len() * micro.packed_columns(count)) };
        }
    }

    /// Makes some columns of the output from the sums at the points.
    ///
    /// # Safety
    /// `output` is that of the spec, `sums` holds the tiles' sums and `waste` a line.
    unsafe fn transform_back(
        &self,
        output: *mut f32,
        tiles: Range<usize>,
        columns: Range<usize>,
        sums: *mut f32,
        waste: *mut f32,
        finished: &mut dyn FnMut(Block),
    ) {
        let planes = self.sums();
        let mut row = 0;
        for run in self.tiles.runs(tiles) {
            let output = output.wrapping_add(columns.start);
            for pixels in self.tiles.pixels(&run, output, self.to, waste) {
                let from: Sources<f32, PATCH> =
                    planes.places(sums, row * planes.row).map(|line| line.map(|at| at.cast_const()));
                let to: Targets<TILE> = pixels.map(|line| line.map(|at| at.cast_mut()));
                // SAFETY: the pixels lie in the output, or are waste.
                unsafe { (self.transforms.to_output)(&from, &to, columns.len()) };
                row += 1;
            }
            for rows in self.tiles.covered(&run) {
                finished(Block { rows, columns: columns.clone() });
            }
        }
    }
}

impl<T: Transformed> Kernel for WinogradConv<T> {
    fn phases(&self) -> &[usize] {
        &self.phases
    }

    fn workspace_bytes(&self) -> usize {
        let kept = if self.keeps() { self.blocks() * self.stretches() } else { 0 };
        kept * self.weights().elements() * size_of::<f32>()
    }

    fn scratch_bytes(&self) -> usize {
        let own = if self.keeps() { 0 } else { self.weights().elements() + self.taps() };
        let task = 2 * self.line() + self.patches().planes.elements() + self.sums().elements() + own;
        task.max(self.taps()) * size_of::<f32>()
    }

    fn flops(&self) -> f64 {
        self.spec.flops()
    }

    unsafe fn run(
        &self,
        phase: usize,
        task: usize,
        io: &Io<'_>,
        scratch: *mut u8,
        finished: &mut dyn FnMut(Block),
    ) {
        let (source, weights) = (io.inputs[0].cast::<T>(), io.inputs[1].cast::<T>());
        let (output, kept, scratch) =
            (io.output.cast::<f32>(), io.workspace.cast::<f32>(), scratch.cast::<f32>());
        let cell = self.weights().elements();
        if self.keeps() && phase == 0 {
            let (ks, columns) = (self.stretch(task / self.blocks()), self.block(task % self.blocks()));
            // SAFETY: the workspace holds a cell for each task, the scratch the taps.
            return unsafe {
                self.transform_weights(weights, ks, columns, kept.wrapping_add(task * cell), scratch)
            };
        }
        let zeros = scratch;
        let waste = zeros.wrapping_add(self.line());
        let patches = waste.wrapping_add(self.line());
        let sums = patches.wrapping_add(self.patches().planes.elements());
        let own = sums.wrapping_add(self.sums().elements());
        let columns = self.block(task % self.blocks());
        let tiles = share(self.tiles.count(), self.transforms.micro.rows, self.shares, task / self.blocks());
        // SAFETY: the scratch begins with a line.
        unsafe { std::ptr::write_bytes(zeros, 0, self.line()) };
        for stretch in 0..self.stretches() {
            let ks = self.stretch(stretch);
            // SAFETY: the operands are those of the spec; the scratch is laid out as its size was counted.
            unsafe {
                self.patches().transform(source, &ks, tiles.clone(), patches, zeros.cast());
                let mut ready = kept.wrapping_add((stretch * self.blocks() + task % self.blocks()) * cell);
                if !self.keeps() {
                    ready = own;
                    self.transform_weights(weights, ks.clone(), columns.clone(), own, own.wrapping_add(cell));
                }
                for point in 0..POINTS {
                    let at = self.patches().planes.plane(patches, point);
                    let left = MatrixLeft {
                        matrix: Matrix { at: at.cast_const(), row: self.patches().planes.row, column: 1 },
                        pack: false,
                    };
                    let region = Region {
                        rows: 0..tiles.len(),
                        columns: 0..columns.len(),
                        ks: 0..ks.len(),
                        depth: ks.len(),
                        output: self.sums().plane(sums, point),
                        output_row: self.sums().row,
                        add: stretch > 0,
                    };
                    let right = Panels(self.weights().plane(ready, point));
                    product(self.transforms.micro, &left, &right, &region, scratch, &mut |_, _| {});
                }
            }
        }
        // SAFETY: as above.
        unsafe { self.transform_back(output, tiles, columns, sums, waste, finished) };
    }
}
