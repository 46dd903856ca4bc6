//! The gradient of a convolution with respect to its weights.

use super::ConvSpec;
use super::gather::{Gather, TapRows};
use crate::cpu::gemm::Real;
use crate::cpu::gemm::blocked::{Matrix, Region, depth_of_blocks, product, scratch_elements, share};
use crate::cpu::gemm::grid::{Grid, tasks_of_sum};
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
        let splits = splits(&spec, size_of::<T>());
        let most = spec.most_tasks().div_ceil(spec.groups * splits);
        let copies = spec.groups * splits;
        let stretch = pixels.div_ceil(splits);
        let grid = Grid::choose(micro, rows, spec.group_out(), stretch, most, copies, 0.3, 0.25);
        let mut phases = vec![copies * grid.tasks()];
        if splits > 1 {
            phases.push(tasks_of_sum(rows * spec.out_channels * splits).min(rows));
        }
        ConvWeightGrad { spec, micro, grid, splits, depth: depth_of_blocks(stretch, 1), phases }
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
    let depth = depth_of_blocks(pixels.div_ceil(splits), 1);
    splits.min(pixels.div_ceil(depth))
}

impl<T: Real> Kernel for ConvWeightGrad<T> {
    fn phases(&self) -> &[usize] {
        &self.phases
    }

    fn workspace_bytes(&self) -> usize {
        if self.splits == 1 { 0 } else { self.splits * self.elements() * size_of::<T>() }
    }

    fn scratch_bytes(&self) -> usize {
        let columns = self.spec.group_out().div_ceil(self.grid.columns) + self.micro.columns;
        let columns = columns.min(self.spec.group_out());
        scratch_elements(self.micro, usize::MAX, columns, self.depth) * size_of::<T>()
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
        let (output, workspace) = (io.output.cast::<T>(), io.workspace.cast::<T>());
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
        let left = TapRows(Gather {
            source: io.inputs[0].cast::<T>().wrapping_add(group * spec.group_in()),
            size: [spec.in_h, spec.in_w],
            pixel: spec.in_channels,
            channels: spec.group_in(),
            grid: [spec.out_h, spec.out_w],
            stride: spec.stride,
            taps: spec.tap_offsets(),
        });
        let right = Matrix { at: io.inputs[1].cast::<T>().wrapping_add(first_column), row: width, column: 1 };
        let to = if self.splits == 1 { output } else { workspace.wrapping_add(split * self.elements()) };
        let region = Region {
            rows: share(self.rows(), micro.rows, self.grid.rows, cell / self.grid.columns),
            columns: share(spec.group_out(), micro.columns, self.grid.columns, cell % self.grid.columns),
            ks: share(spec.output_pixels(), self.depth, self.splits, split),
            depth: self.depth,
            output: to.wrapping_add(first_column),
            output_row: width,
        };
        // SAFETY: the operands are those of the spec and the region lies within the output or this stretch's part.
        unsafe {
            product(micro, &left, &right, &region, scratch.cast(), &mut |rows, columns| {
                if self.splits == 1 {
                    let columns = first_column + columns.start..first_column + columns.end;
                    finished(Block { rows, columns });
                }
            });
        }
    }
}
