//! The gradient of a convolution with respect to its weights.

use super::ConvSpec;
use super::view::{Seen, TapRows, View};
use crate::cpu::gemm::Real;
use crate::cpu::gemm::blocked::{
    Matrix, Region, depth_of_blocks, product, rows_of_cells, scratch_elements, share,
};
use crate::cpu::gemm::grid::{Grid, tasks_of_pass};
use crate::cpu::gemm::micro::Micro;
use crate::cpu::isa::Isa;
use crate::cpu::kernel::{Block, Io, Kernel};

/// `dw` of `y = conv(x, w)` as a [`Kernel`] with inputs `[x, dy]`. The output's rows are taps x input channels, its
/// columns output channels.
///
/// The sums run over all pixels of the batch. If the weights alone do not make enough tasks, the pixels are cut into
/// stretches; each has its own part of the workspace, and a second phase adds the parts in order.
pub struct ConvWeightGrad<T: Real> {
    spec: ConvSpec,
    micro: &'static Micro<T>,
    view: View,
    taps: Vec<[isize; 2]>,
    grid: Grid,
    splits: usize,
    depth: usize,
    phases: Vec<usize>,
}

/// The parts of all stretches together take at most this much.
const WORKSPACE_BYTES: usize = 16 << 20;

impl<T: Real> ConvWeightGrad<T> {
    /// Plans the gradient for fixed shapes.
    ///
    /// # Panics
    /// If this machine lacks `isa`.
    pub fn new(spec: ConvSpec, isa: Isa) -> ConvWeightGrad<T> {
        ConvWeightGrad::with_micro(spec, T::micro(isa))
    }

    pub(super) fn with_micro(spec: ConvSpec, micro: &'static Micro<T>) -> ConvWeightGrad<T> {
        let pixels = spec.output_pixels();
        let rows = spec.taps() * spec.group_in();
        let splits = splits(&spec, size_of::<T::Sum>());
        let most = spec.most_tasks().div_ceil(spec.groups * splits);
        let copies = spec.groups * splits;
        let stretch = pixels.div_ceil(splits);
        let grid = Grid::choose(micro, rows, spec.group_out(), stretch, most, copies, 0.3, 0.25);
        let mut phases = vec![copies * grid.tasks()];
        if splits > 1 {
            phases.push(tasks_of_pass(rows * spec.out_channels * splits).min(rows));
        }
        let (view, taps) = (spec.view_of_input::<T>(), spec.tap_offsets());
        ConvWeightGrad {
            spec,
            micro,
            view,
            taps,
            grid,
            splits,
            depth: depth_of_blocks(stretch, spec.out_w),
            phases,
        }
    }

    fn rows(&self) -> usize {
        self.spec.taps() * self.spec.group_in()
    }

    fn elements(&self) -> usize {
        self.rows() * self.spec.out_channels
    }
}

/// In how many stretches the pixels are cut. It must not depend on the instruction set.
fn splits(spec: &ConvSpec, element_bytes: usize) -> usize {
    let rows = spec.taps() * spec.group_in();
    let cells = spec.groups * rows.div_ceil(96) * spec.group_out().div_ceil(64);
    let pixels = spec.output_pixels();
    let wished = (32 / cells)
        .min(pixels / 512)
        .min(spec.most_tasks() / cells)
        .min(WORKSPACE_BYTES / (rows * spec.out_channels * element_bytes));
    if wished <= 1 {
        return 1;
    }
    // A power of two suits most teams; and every stretch has at least a block.
    let splits = 1 << wished.ilog2();
    let depth = depth_of_blocks(pixels.div_ceil(splits), spec.out_w);
    splits.min(pixels.div_ceil(depth))
}

impl<T: Real> Kernel for ConvWeightGrad<T> {
    fn phases(&self) -> &[usize] {
        &self.phases
    }

    fn workspace_bytes(&self) -> usize {
        if self.splits == 1 { 0 } else { self.splits * self.elements() * size_of::<T::Sum>() }
    }

    fn scratch_bytes(&self) -> usize {
        let columns = self.spec.group_out().div_ceil(self.grid.columns) + self.micro.columns;
        let columns = columns.min(self.spec.group_out());
        let product = scratch_elements(self.micro, rows_of_cells(self.micro), columns, self.depth);
        (self.view.copy_elements::<T::Sum>() + product) * size_of::<T::Sum>()
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
        let (spec, micro) = (&self.spec, self.micro);
        let (output, workspace) = (io.output.cast::<T::Sum>(), io.workspace.cast::<T::Sum>());
        let width = spec.out_channels;
        if phase == 1 {
            let rows = share(self.rows(), 1, self.phases[1], task);
            let start = rows.start * width;
            // SAFETY: the workspace holds `splits` outputs, all written by the first phase.
            unsafe {
                let parts = workspace.add(start);
                (micro.sum)(parts, self.splits, self.elements(), output.add(start), rows.len() * width);
            }
            return finished(Block { rows, columns: 0..width });
        }
        let (cell, rest) = (task % self.grid.tasks(), task / self.grid.tasks());
        let (split, group) = (rest % self.splits, rest / self.splits);
        let first_column = group * spec.group_out();
        let right = Matrix { at: io.inputs[1].cast::<T>().wrapping_add(first_column), row: width, column: 1 };
        let to = if self.splits == 1 { output } else { workspace.wrapping_add(split * self.elements()) };
        let rows = share(self.rows(), micro.rows, self.grid.rows, cell / self.grid.columns);
        let columns = share(spec.group_out(), micro.columns, self.grid.columns, cell % self.grid.columns);
        let pixels = share(spec.output_pixels(), self.depth, self.splits, split);
        let source = io.inputs[0].cast::<T>().wrapping_add(group * spec.group_in());
        let copy = scratch.cast::<T::Sum>();
        let scratch = copy.wrapping_add(self.view.copy_elements::<T::Sum>());
        let lines = pixels.start / spec.out_w..pixels.end.div_ceil(spec.out_w);
        for chunk in self.view.chunks::<T::Sum>(lines) {
            let left = TapRows(Seen {
                // SAFETY: the source is that of the spec; the scratch begins with room for the copy.
                sight: unsafe { self.view.look(micro, source, &chunk, copy) },
                grid: self.view.grid,
                channels: spec.group_in(),
                taps: &self.taps,
            });
            // Stretches need not end with a line.
            let seen = chunk.pixels(self.view.grid);
            let ks = seen.start.max(pixels.start)..seen.end.min(pixels.end);
            let last = ks.end == pixels.end;
            let region = Region {
                rows: rows.clone(),
                columns: columns.clone(),
                add: ks.start > pixels.start,
                ks,
                depth: self.depth,
                output: to.wrapping_add(first_column),
                output_row: width,
            };
            // SAFETY: the operands are those of the spec and the region lies within the output or this stretch's
            // part of the workspace.
            unsafe {
                product(micro, &left, &right, &region, scratch, &mut |rows, columns| {
                    if self.splits == 1 && last {
                        let columns = first_column + columns.start..first_column + columns.end;
                        finished(Block { rows, columns });
                    }
                });
            }
        }
    }
}
