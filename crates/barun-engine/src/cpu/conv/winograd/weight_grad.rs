//! The gradient with respect to the weights.

use super::tiles::{Patches, Tiles};
use super::transform::{Sources, Targets, Transformed, Transforms};
use super::{KERNEL, PATCH, POINTS, Panels, Planes, even};
use crate::cpu::conv::ConvSpec;
use crate::cpu::gemm::blocked::{Matrix, MatrixLeft, Region, product, share};
use crate::cpu::gemm::grid::tasks_of_pass;
use crate::cpu::isa::Isa;
use crate::cpu::kernel::{Block, Io, Kernel};
use std::ops::Range;

/// `dw` of `y = conv(x, w)` as a [`Kernel`] with inputs `[x, dy]`. The output's rows are taps x input channels, its
/// columns output channels. Operands are of type `T`, everything else is f32.
///
/// A task makes the gradient of the weights between some channels over a stretch of the tiles: it transforms both
/// operands of some tiles at a time and adds their products at the points; then it transforms the sums back. If the
/// tiles are cut into stretches, each has its own part of the workspace, and a second phase adds the parts in order.
pub struct WinogradWeightGrad<T: Transformed> {
    spec: ConvSpec,
    transforms: &'static Transforms<T>,
    tiles: Tiles,
    /// Input and output channels of a task.
    cell: [usize; 2],
    /// Stretches of the tiles.
    splits: usize,
    /// Tiles at a time; it shows in the bits, so it must not depend on the instruction set.
    chunk: usize,
    phases: Vec<usize>,
}

/// Most tiles at a time.
const CHUNK: usize = 32;
/// Most channels of either side of a task, in order of preference.
const CHANNELS: [usize; 3] = [128, 64, 32];
/// Tasks wished for, by cutting the tiles into stretches.
const TASKS: usize = 16;
/// With fewer tasks than this the channels are cut further.
const FEWEST_TASKS: usize = 8;

impl<T: Transformed> WinogradWeightGrad<T> {
    /// Plans the gradient for fixed shapes, chosen by [`ConvSpec::suits_winograd`].
    ///
    /// # Panics
    /// If this machine lacks `isa`, or the convolution is none of 3x3 taps without stride, dilation and groups.
    pub fn new(spec: ConvSpec, isa: Isa) -> WinogradWeightGrad<T> {
        WinogradWeightGrad::with_transforms(spec, T::transforms(isa))
    }

    pub(super) fn with_transforms(
        spec: ConvSpec,
        transforms: &'static Transforms<T>,
    ) -> WinogradWeightGrad<T> {
        assert!(super::applies(&spec), "{spec:?} is no convolution for Winograd's algorithm");
        let tiles = Tiles::of_output(&spec);
        let chunks = tiles.count().div_ceil(CHUNK);
        let chunk = tiles.count().div_ceil(chunks);
        let cut = |most: usize| [spec.in_channels, spec.out_channels].map(|channels| even(channels, most));
        let cells = |[from, to]: [usize; 2]| spec.in_channels.div_ceil(from) * spec.out_channels.div_ceil(to);
        let enough = |cell: &[usize; 2]| cells(*cell) * chunks >= FEWEST_TASKS;
        let cell = CHANNELS.into_iter().map(cut).find(enough).unwrap_or_else(|| cut(CHANNELS[0]));
        let cells = cells(cell);
        let splits = (TASKS / cells).clamp(1, tiles.count().div_ceil(chunk));
        let mut phases = vec![cells * splits];
        let rows = KERNEL * KERNEL * spec.in_channels;
        if splits > 1 {
            phases.push(tasks_of_pass(rows * spec.out_channels * splits).min(rows));
        }
        WinogradWeightGrad { spec, transforms, tiles, cell, splits, chunk, phases }
    }

    fn rows(&self) -> usize {
        KERNEL * KERNEL * self.spec.in_channels
    }

    fn elements(&self) -> usize {
        self.rows() * self.spec.out_channels
    }

    /// `x` as patches: `[tile][input channel]` at each point.
    fn patches(&self) -> Patches<T> {
        let planes = Planes::new(self.chunk, self.cell[0]);
        Patches { transforms: self.transforms, tiles: self.tiles, channels: self.spec.in_channels, planes }
    }

    /// Transformed tiles of `dy`: panels of output channels at each point.
    fn gradients(&self) -> Planes {
        Planes::new(self.chunk, self.transforms.micro.packed_columns(self.cell[1]))
    }

    /// Sums of products: `[input channel][output channel]` at each point.
    fn sums(&self) -> Planes {
        Planes::new(self.cell[0], self.cell[1])
    }

    /// Elements of a line of zeros.
    fn line(&self) -> usize {
        self.cell[0].max(self.cell[1]).next_multiple_of(16)
    }

    /// Transforms some tiles of some output channels of `dy` into panels.
    ///
    /// # Safety
    /// `source` is that of the spec, `zeros` a line of zeros, and `to` holds [`WinogradWeightGrad::gradients`].
    unsafe fn transform_gradients(
        &self,
        source: *const T,
        channels: &Range<usize>,
        tiles: Range<usize>,
        to: *mut f32,
        zeros: *const T,
    ) {
        let (planes, micro, count) = (self.gradients(), self.transforms.micro, tiles.len());
        for first in channels.clone().step_by(micro.columns) {
            let columns = micro.columns.min(channels.end - first);
            let (panel, width) = ((first - channels.start) * count, micro.panel_width(columns));
            let mut row = 0;
            for run in self.tiles.runs(tiles.clone()) {
                let source = source.wrapping_add(first);
                for pixels in self.tiles.pixels(&run, source, self.spec.out_channels, zeros) {
                    let to = planes.places(to, panel + row * width);
                    // SAFETY: the pixels lie in the source or are zeros; the row is one of the panel.
                    unsafe { (self.transforms.from_output)(&pixels, &to, columns) };
                    row += 1;
                }
            }
        }
    }

    /// Makes the gradient of the weights between some channels from the sums at the points.
    ///
    /// # Safety
    /// `output` has room for the weights of the spec, and `sums` holds those of the channels.
    unsafe fn transform_back(&self, output: *mut f32, [from, to]: &[Range<usize>; 2], sums: *mut f32) {
        let planes = self.sums();
        for channel in 0..from.len() {
            let at = planes.places(sums, channel * planes.row);
            let source: Sources<f32, PATCH> = at.map(|line| line.map(|at| at.cast_const()));
            let target: Targets<KERNEL> = std::array::from_fn(|i| {
                std::array::from_fn(|j| {
                    let row = (i * KERNEL + j) * self.spec.in_channels + from.start + channel;
                    output.wrapping_add(row * self.spec.out_channels + to.start)
                })
            });
            // SAFETY: the channels exist.
            unsafe { (self.transforms.to_weights)(&source, &target, to.len()) };
        }
    }
}

impl<T: Transformed> Kernel for WinogradWeightGrad<T> {
    fn phases(&self) -> &[usize] {
        &self.phases
    }

    fn workspace_bytes(&self) -> usize {
        if self.splits == 1 { 0 } else { self.splits * self.elements() * size_of::<f32>() }
    }

    fn scratch_bytes(&self) -> usize {
        let planes = self.patches().planes.elements() + self.gradients().elements() + self.sums().elements();
        (self.line() + planes) * size_of::<f32>()
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
        let (spec, micro) = (&self.spec, self.transforms.micro);
        let (x, dy) = (io.inputs[0].cast::<T>(), io.inputs[1].cast::<T>());
        let (output, workspace) = (io.output.cast::<f32>(), io.workspace.cast::<f32>());
        if phase == 1 {
            let rows = share(self.rows(), 1, self.phases[1], task);
            let start = rows.start * spec.out_channels;
            // SAFETY: the workspace holds `splits` outputs, all written by the first phase.
            unsafe {
                let (to, count) = (output.add(start), rows.len() * spec.out_channels);
                (micro.sum)(workspace.add(start), self.splits, self.elements(), to, count);
            }
            return finished(Block { rows, columns: 0..spec.out_channels });
        }
        let zeros = scratch.cast::<f32>();
        let patches = zeros.wrapping_add(self.line());
        let gradients = patches.wrapping_add(self.patches().planes.elements());
        let sums = gradients.wrapping_add(self.gradients().elements());
        let (split, cell) = (task % self.splits, task / self.splits);
        let blocks = spec.out_channels.div_ceil(self.cell[1]);
        let channels =
            |count: usize, width: usize, block: usize| block * width..((block + 1) * width).min(count);
        let from = channels(spec.in_channels, self.cell[0], cell / blocks);
        let to = channels(spec.out_channels, self.cell[1], cell % blocks);
        let stretch = share(self.tiles.count(), self.chunk, self.splits, split);
        // SAFETY: the scratch begins with a line.
        unsafe { std::ptr::write_bytes(zeros, 0, self.line()) };
        for first in stretch.clone().step_by(self.chunk) {
            let tiles = first..(first + self.chunk).min(stretch.end);
            // SAFETY: the operands are those of the spec; the scratch is laid out as its size was counted.
            unsafe {
                self.patches().transform(x, &from, tiles.clone(), patches, zeros.cast());
                self.transform_gradients(dy, &to, tiles.clone(), gradients, zeros.cast());
            }
            for point in 0..POINTS {
                let at = self.patches().planes.plane(patches, point).cast_const();
                let left = MatrixLeft {
                    matrix: Matrix { at, row: 1, column: self.patches().planes.row },
                    pack: false,
                };
                let region = Region {
                    rows: 0..from.len(),
                    columns: 0..to.len(),
                    ks: 0..tiles.len(),
                    depth: tiles.len(),
                    output: self.sums().plane(sums, point),
                    output_row: self.sums().row,
                    add: first > stretch.start,
                };
                let right = Panels(self.gradients().plane(gradients, point));
                // SAFETY: as above.
                unsafe { product(micro, &left, &right, &region, zeros, &mut |_, _| {}) };
            }
        }
        let part = if self.splits == 1 { output } else { workspace.wrapping_add(split * self.elements()) };
        let channels = [from, to];
        // SAFETY: as above; the part is this stretch's own.
        unsafe { self.transform_back(part, &channels, sums) };
        if self.splits == 1 {
            let [from, to] = channels;
            for tap in 0..KERNEL * KERNEL {
                let first = tap * spec.in_channels;
                finished(Block { rows: first + from.start..first + from.end, columns: to.clone() });
            }
        }
    }
}
