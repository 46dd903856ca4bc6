//! The gradient of a convolution with respect to its input.

use super::ConvSpec;
use super::view::{Chunk, PixelRows, Seen, View};
use crate::cpu::gemm::Real;
use crate::cpu::gemm::blocked::{
    DEPTH, Region, Right, RightBlock, depth_of_blocks, product, rows_of_cells, scratch_elements, share,
};
use crate::cpu::gemm::grid::Grid;
use crate::cpu::gemm::micro::{Micro, Packing};
use crate::cpu::isa::Isa;
use crate::cpu::kernel::{Block, Io, Kernel};
use std::ops::Range;

/// `dx` of `y = conv(x, w)` as a [`Kernel`] with inputs `[dy, w]`. The output's rows are pixels, its columns
/// channels.
pub struct ConvInputGrad<T: Real> {
    spec: ConvSpec,
    micro: &'static Micro<T>,
    classes: Vec<Class>,
    /// What the class of the first pixel, which is the largest, sees of `dy` through the taps of all classes.
    view: View,
    /// Rows are cut at multiples of the stride, between *bands* of as many image rows as the stride.
    grid: Grid,
    phases: [usize; 1],
}

/// The input pixels with the same place modulo the stride.
struct Class {
    /// The first of them.
    first: [usize; 2],
    /// How many there are in an image, down and across.
    grid: [usize; 2],
    /// The taps they meet.
    taps: Vec<usize>,
    /// Which output pixel each tap leads to, relative to the pixel's place in the class.
    offsets: Vec<[isize; 2]>,
}

impl Class {
    fn all(spec: &ConvSpec) -> Vec<Class> {
        let [down, across] = spec.stride;
        let mut classes = Vec::new();
        for y in 0..down.min(spec.in_h) {
            for x in 0..across.min(spec.in_w) {
                let first = [y, x];
                let grid = [(spec.in_h - y).div_ceil(down), (spec.in_w - x).div_ceil(across)];
                let (mut taps, mut offsets) = (Vec::new(), Vec::new());
                for (tap, offset) in spec.tap_offsets().into_iter().enumerate() {
                    let [dy, dx] = [y as isize - offset[0], x as isize - offset[1]];
                    if dy % down as isize == 0 && dx % across as isize == 0 {
                        taps.push(tap);
                        offsets.push([dy / down as isize, dx / across as isize]);
                    }
                }
                classes.push(Class { first, grid, taps, offsets });
            }
        }
        classes
    }
}

impl<T: Real> ConvInputGrad<T> {
    /// Plans the gradient for fixed shapes.
    ///
    /// # Panics
    /// If this machine lacks `isa`.
    pub fn new(spec: ConvSpec, isa: Isa) -> ConvInputGrad<T> {
        ConvInputGrad::with_micro(spec, T::micro(isa))
    }

    pub(super) fn with_micro(spec: ConvSpec, micro: &'static Micro<T>) -> ConvInputGrad<T> {
        let classes = Class::all(&spec);
        let k = (spec.taps() * spec.group_out()).div_ceil(classes.len());
        let most = spec.most_tasks().div_ceil(spec.groups);
        let mut grid =
            Grid::choose(micro, spec.input_pixels(), spec.group_in(), k, most, spec.groups, 0.3, 0.4);
        grid.rows = grid.rows.min(spec.batch * spec.in_h.div_ceil(spec.stride[0]));
        let phases = [spec.groups * grid.tasks()];
        let view = View::new::<T>(
            [spec.out_h, spec.out_w],
            spec.out_channels,
            spec.group_out(),
            classes[0].grid,
            [1, 1],
            classes.iter().flat_map(|class| class.offsets.iter().copied()),
        );
        ConvInputGrad { spec, micro, classes, view, grid, phases }
    }

    fn bands(&self) -> usize {
        self.spec.in_h.div_ceil(self.spec.stride[0])
    }

    /// The rows of the output that a chunk of bands covers.
    fn rows(&self, chunk: &Chunk) -> Range<usize> {
        let Chunk { images, lines } = chunk;
        let at = |image: usize, line: usize| {
            (image * self.spec.in_h + (line * self.spec.stride[0]).min(self.spec.in_h)) * self.spec.in_w
        };
        at(images.start, lines.start)..at(images.end - 1, lines.end)
    }
}

/// The weights of some taps, output channels down, input channels across.
struct TapWeights<'a, T> {
    /// The first output channel of the group.
    weights: *const T,
    taps: &'a [usize],
    group_in: usize,
    group_out: usize,
    out_channels: usize,
}

impl<T: Real> Right<T> for TapWeights<'_, T> {
    unsafe fn block(
        &self,
        micro: &Micro<T>,
        ks: Range<usize>,
        columns: Range<usize>,
        _rows: usize,
        buffer: *mut T::Sum,
    ) -> RightBlock<T::Sum> {
        let mut k = ks.start;
        while k < ks.end {
            let (tap, channel) = (self.taps[k / self.group_out], k % self.group_out);
            let count = (self.group_out - channel).min(ks.end - k);
            let from = (tap * self.group_in + columns.start) * self.out_channels + channel;
            // SAFETY: the taps and channels exist, and the buffer holds all of `ks`.
            unsafe {
                (micro.pack_right)(&Packing {
                    from: self.weights.add(from),
                    row: 1,
                    column: self.out_channels,
                    k: count,
                    count: columns.len(),
                    to: buffer,
                    whole_k: ks.len(),
                    first_k: k - ks.start,
                });
            }
            k += count;
        }
        RightBlock { packed: buffer, packed_from: columns.start, direct: std::ptr::null(), direct_row: 0 }
    }
}

impl<T: Real> Kernel for ConvInputGrad<T> {
    fn phases(&self) -> &[usize] {
        &self.phases
    }

    fn workspace_bytes(&self) -> usize {
        0
    }

    fn scratch_bytes(&self) -> usize {
        let columns = self.spec.group_in().div_ceil(self.grid.columns) + self.micro.columns;
        let columns = columns.min(self.spec.group_in());
        let product = scratch_elements(self.micro, rows_of_cells(self.micro), columns, DEPTH);
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
        let [down, across] = spec.stride;
        let (cell, group) = (task % self.grid.tasks(), task / self.grid.tasks());
        let first_column = group * spec.group_in();
        let columns = share(spec.group_in(), micro.columns, self.grid.columns, cell % self.grid.columns);
        let all_columns = first_column + columns.start..first_column + columns.end;
        let bands = share(spec.batch * self.bands(), 1, self.grid.rows, cell / self.grid.columns);
        let source = io.inputs[0].cast::<T>().wrapping_add(group * spec.group_out());
        let output = io.output.cast::<T::Sum>().wrapping_add(first_column);
        let copy = scratch.cast::<T::Sum>();
        let scratch = copy.wrapping_add(self.view.copy_elements::<T::Sum>());
        let plain = spec.stride == [1, 1];
        for chunk in self.view.chunks::<T::Sum>(bands) {
            // SAFETY: the source is that of the spec; the scratch begins with room for the copy.
            let sight = unsafe { self.view.look(micro, source, &chunk, copy) };
            for class in &self.classes {
                let output_row = |row: usize| {
                    if plain {
                        return row;
                    }
                    let (x, rest) = (row % class.grid[1], row / class.grid[1]);
                    let (y, image) = (rest % class.grid[0], rest / class.grid[0]);
                    let (y, x) = (class.first[0] + down * y, class.first[1] + across * x);
                    (image * spec.in_h + y) * spec.in_w + x
                };
                let rows = chunk.pixels(class.grid);
                if class.taps.is_empty() {
                    for row in rows {
                        let at = output_row(row) * spec.in_channels + columns.start;
                        // SAFETY: a row of the output, and the columns of this task in it.
                        unsafe { std::ptr::write_bytes(output.add(at), 0, columns.len()) };
                    }
                    continue;
                }
                let seen = Seen { sight, grid: class.grid, channels: spec.group_out(), taps: &class.offsets };
                let left = PixelRows { seen, output_row };
                let right = TapWeights {
                    weights: io.inputs[1].cast::<T>().wrapping_add(group * spec.group_out()),
                    taps: &class.taps,
                    group_in: spec.group_in(),
                    group_out: spec.group_out(),
                    out_channels: spec.out_channels,
                };
                let k = class.taps.len() * spec.group_out();
                let region = Region {
                    rows,
                    columns: columns.clone(),
                    ks: 0..k,
                    depth: depth_of_blocks(k, spec.group_out()),
                    output,
                    output_row: spec.in_channels,
                    add: false,
                };
                // SAFETY: the operands are those of the spec and the region lies within the output.
                unsafe {
                    product(micro, &left, &right, &region, scratch, &mut |rows, columns| {
                        if plain {
                            let columns = first_column + columns.start..first_column + columns.end;
                            finished(Block { rows, columns });
                        }
                    });
                }
            }
            if !plain {
                // The classes interlace, so rows are final only now.
                finished(Block { rows: self.rows(&chunk), columns: all_columns.clone() });
            }
        }
    }
}
