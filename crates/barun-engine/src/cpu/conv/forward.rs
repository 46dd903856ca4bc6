//! The convolution itself.

use super::ConvSpec;
use super::gather::{Gather, PixelRows};
use crate::cpu::gemm::Real;
use crate::cpu::gemm::blocked::{Matrix, Region, depth_of_blocks, product, scratch_elements, share};
use crate::cpu::gemm::grid::Grid;
use crate::cpu::gemm::micro::Micro;
use crate::cpu::isa::Isa;
use crate::cpu::kernel::{Block, Io, Kernel};

/// `y = conv(x, w)` as a [`Kernel`] with inputs `[x, w]`. The output's rows are pixels, its columns channels.
pub struct ConvForward<T: Real> {
    spec: ConvSpec,
    micro: &'static Micro<T>,
    grid: Grid,
    depth: usize,
    phases: [usize; 1],
}

impl<T: Real> ConvForward<T> {
    /// Plans the convolution for fixed shapes.
    ///
    /// # Panics
    /// If this machine lacks `isa`.
    pub fn new(spec: ConvSpec, isa: Isa) -> ConvForward<T> {
        ConvForward::with_micro(spec, T::micro(isa))
    }

    pub(super) fn with_micro(spec: ConvSpec, micro: &'static Micro<T>) -> ConvForward<T> {
        let k = spec.taps() * spec.group_in();
        let most = spec.most_tasks().div_ceil(spec.groups);
        let grid =
            Grid::choose(micro, spec.output_pixels(), spec.group_out(), k, most, spec.groups, 0.3, 0.25);
        let phases = [spec.groups * grid.tasks()];
        ConvForward { spec, micro, grid, depth: depth_of_blocks(k, spec.group_in()), phases }
    }
}

impl<T: Real> Kernel for ConvForward<T> {
    fn phases(&self) -> &[usize] {
        &self.phases
    }

    fn workspace_bytes(&self) -> usize {
        0
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
        _phase: usize,
        task: usize,
        io: &Io<'_>,
        scratch: *mut u8,
        finished: &mut dyn FnMut(Block),
    ) {
        let (spec, micro) = (&self.spec, self.micro);
        let (cell, group) = (task % self.grid.tasks(), task / self.grid.tasks());
        let first_column = group * spec.group_out();
        let left = PixelRows {
            gather: Gather {
                source: io.inputs[0].cast::<T>().wrapping_add(group * spec.group_in()),
                size: [spec.in_h, spec.in_w],
                pixel: spec.in_channels,
                channels: spec.group_in(),
                grid: [spec.out_h, spec.out_w],
                stride: spec.stride,
                taps: spec.tap_offsets(),
            },
            output_rows: None,
        };
        let weights = io.inputs[1].cast::<T>().wrapping_add(first_column);
        let right = Matrix { at: weights, row: spec.out_channels, column: 1 };
        let region = Region {
            rows: share(spec.output_pixels(), micro.rows, self.grid.rows, cell / self.grid.columns),
            columns: share(spec.group_out(), micro.columns, self.grid.columns, cell % self.grid.columns),
            ks: 0..spec.taps() * spec.group_in(),
            depth: self.depth,
            output: io.output.cast::<T>().wrapping_add(first_column),
            output_row: spec.out_channels,
        };
        // SAFETY: the operands are those of the spec and the region lies within the output.
        unsafe {
            product(micro, &left, &right, &region, scratch.cast(), &mut |rows, columns| {
                let columns = first_column + columns.start..first_column + columns.end;
                finished(Block { rows, columns });
            });
        }
    }
}
