//! The convolution itself.

use super::ConvSpec;
use super::view::{PixelRows, Seen, View};
use crate::cpu::gemm::Real;
use crate::cpu::gemm::blocked::{
    Matrix, Region, depth_of_blocks, product, rows_of_cells, scratch_elements, share,
};
use crate::cpu::gemm::grid::Grid;
use crate::cpu::gemm::micro::Micro;
use crate::cpu::isa::Isa;
use crate::cpu::kernel::{Block, Io, Kernel};

/// `y = conv(x, w)` as a [`Kernel`] with inputs `[x, w]`. The output's rows are pixels, its columns channels.
pub struct ConvForward<T: Real> {
    spec: ConvSpec,
    micro: &'static Micro<T>,
    view: View,
    taps: Vec<[isize; 2]>,
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
        let mut grid =
            Grid::choose(micro, spec.output_pixels(), spec.group_out(), k, most, spec.groups, 0.3, 0.25);
        // Tasks are whole lines.
        grid.rows = grid.rows.min(spec.batch * spec.out_h);
        let phases = [spec.groups * grid.tasks()];
        let depth = depth_of_blocks(k, spec.group_in());
        ConvForward {
            spec,
            micro,
            view: spec.view_of_input::<T>(),
            taps: spec.tap_offsets(),
            grid,
            depth,
            phases,
        }
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
        let product = scratch_elements(self.micro, rows_of_cells(self.micro), columns, self.depth);
        (self.view.copy_elements::<T::Sum>() + product) * size_of::<T::Sum>()
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
        let weights = io.inputs[1].cast::<T>().wrapping_add(first_column);
        let right = Matrix { at: weights, row: spec.out_channels, column: 1 };
        let lines = share(spec.batch * spec.out_h, 1, self.grid.rows, cell / self.grid.columns);
        let columns = share(spec.group_out(), micro.columns, self.grid.columns, cell % self.grid.columns);
        let source = io.inputs[0].cast::<T>().wrapping_add(group * spec.group_in());
        let copy = scratch.cast::<T::Sum>();
        let scratch = copy.wrapping_add(self.view.copy_elements::<T::Sum>());
        for chunk in self.view.chunks::<T::Sum>(lines) {
            let seen = Seen {
                // SAFETY: the source is that of the spec; the scratch begins with room for the copy.
                sight: unsafe { self.view.look(micro, source, &chunk, copy) },
                grid: self.view.grid,
                channels: spec.group_in(),
                taps: &self.taps,
            };
            let region = Region {
                rows: chunk.pixels(self.view.grid),
                columns: columns.clone(),
                ks: 0..spec.taps() * spec.group_in(),
                depth: self.depth,
                output: io.output.cast::<T::Sum>().wrapping_add(first_column),
                output_row: spec.out_channels,
                add: false,
            };
            let left = PixelRows { seen, output_row: |row| row };
            // SAFETY: the operands are those of the spec and the region lies within the output.
            unsafe {
                product(micro, &left, &right, &region, scratch, &mut |rows, columns| {
                    let columns = first_column + columns.start..first_column + columns.end;
                    finished(Block { rows, columns });
                });
            }
        }
    }
}
