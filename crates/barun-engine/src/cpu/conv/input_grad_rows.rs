//! The gradient of a convolution with respect to its input where the input has few channels.
//!
//! Few channels do not fill a vector. But what the taps of one row of the kernel see, `kernel width x channels`
//! numbers, lies side by side in a line of the input. So each output pixel is multiplied with the weights of a whole
//! row of the kernel, and the products are added where that row looked: vectors are filled by taps and channels
//! together, and nothing is multiplied that lies beyond the border. The sums of a few images grow in scratch with the
//! border around them; what lies within is copied to the output.
//!
//! Bits: an element of the output is the sum over rows of the kernel and, within each, over columns of pixels, both
//! increasing, of chains of fused multiply-adds over the output channels; so the register tiles do not show. (The
//! lanes of a tile behind the last column add zeros to what lies there: a dy that is not finite spoils it too.)

use super::ConvSpec;
use crate::cpu::gemm::Real;
use crate::cpu::gemm::blocked::{blocks, share};
use crate::cpu::gemm::micro::{Micro, Packing, Panel, Run};
use crate::cpu::isa::Isa;
use crate::cpu::kernel::{Block, Io, Kernel};

/// What the sums and the pixels of the images that are worked on together take: about the first-level cache.
const CHUNK_BYTES: usize = 40 << 10;
/// Most elements of the sums of an image, and of the weights.
const MOST_ELEMENTS: usize = 64 << 10;
/// A register tile may write this much behind the last column; it adds zeros there.
const BEHIND: usize = 64;

/// `dx` of `y = conv(x, w)` as a [`Kernel`] with inputs `[dy, w]`, for convolutions that [`InputGradByRows::suits`].
/// The output's rows are pixels, its columns channels.
pub struct InputGradByRows<T: Real<Sum = T>> {
    spec: ConvSpec,
    micro: &'static Micro<T>,
    /// Height of the sums of an image, and elements of one of their lines.
    sums: [usize; 2],
    /// Images that are worked on together.
    images: usize,
    /// Where the lines of pixels of those images begin, in dy and in the sums.
    dy_lines: Vec<usize>,
    sum_lines: Vec<usize>,
    phases: [usize; 1],
}

impl<T: Real<Sum = T>> InputGradByRows<T> {
    /// Whether the convolution is one this kernel is for: few channels that do not fill a vector, a kernel with taps
    /// side by side, and images enough to share out.
    pub fn suits(spec: &ConvSpec) -> bool {
        let [height, line] = sums(spec);
        spec.groups == 1
            && spec.in_channels < 8
            && spec.kernel[1] > 1
            && spec.dilation[1] == 1
            && spec.has_images_to_share()
            && height * line <= MOST_ELEMENTS
            && spec.taps() * spec.in_channels * spec.out_channels <= MOST_ELEMENTS
    }

    /// Plans the gradient for fixed shapes.
    ///
    /// # Panics
    /// If this machine lacks `isa`.
    pub fn new(spec: ConvSpec, isa: Isa) -> InputGradByRows<T> {
        InputGradByRows::with_micro(spec, T::micro(isa))
    }

    pub(super) fn with_micro(spec: ConvSpec, micro: &'static Micro<T>) -> InputGradByRows<T> {
        let sums = sums(&spec);
        let image = sums[0] * sums[1];
        let pixels = spec.out_h * spec.out_w * spec.out_channels;
        let phases = [spec.tasks_of_images()];
        let images = CHUNK_BYTES / size_of::<T>() / (image + pixels);
        let images = images.clamp(1, spec.batch.div_ceil(phases[0]));
        let lines = |step: usize, line: usize| {
            let of_image = move |image: usize| (0..spec.out_h).map(move |y| image * step + y * line);
            (0..images).flat_map(of_image).collect()
        };
        InputGradByRows {
            spec,
            micro,
            sums,
            images,
            dy_lines: lines(pixels, spec.out_w * spec.out_channels),
            sum_lines: lines(image, spec.stride[0] * sums[1]),
            phases,
        }
    }

    /// Columns that the taps of a row of the kernel make.
    fn columns(&self) -> usize {
        self.spec.kernel[1] * self.spec.in_channels
    }

    /// Elements of the packed weights of a row of the kernel.
    fn packed_row(&self) -> usize {
        self.spec.out_channels * self.micro.packed_columns(self.columns())
    }

    fn packed_elements(&self) -> usize {
        (self.spec.kernel[0] * self.packed_row()).next_multiple_of(16)
    }

    /// # Safety
    /// `weights` can be read, and `to` holds [`InputGradByRows::packed_elements`].
    unsafe fn pack(&self, weights: *const T, to: *mut T) {
        let spec = &self.spec;
        for row in 0..spec.kernel[0] {
            // SAFETY: the weights of a row of the kernel, and its part of `to`.
            unsafe {
                (self.micro.pack_right)(&Packing {
                    from: weights.add(row * self.columns() * spec.out_channels),
                    row: 1,
                    column: spec.out_channels,
                    k: spec.out_channels,
                    count: self.columns(),
                    to: to.add(row * self.packed_row()),
                    whole_k: spec.out_channels,
                    first_k: 0,
                });
            }
        }
    }

    /// Adds what some images get to their sums.
    ///
    /// # Safety
    /// `dy` is that of the first of `images` images, at most [`InputGradByRows::images`]; `sums` holds theirs and
    /// [`BEHIND`] elements more.
    unsafe fn add(&self, images: usize, dy: *const T, packed: *const T, sums: *mut T) {
        let spec = &self.spec;
        let (k, lines) = (spec.out_channels, images * spec.out_h);
        let run = [Run { offset: 0, len: k }];
        for row in 0..spec.kernel[0] {
            let line = row * spec.dilation[0] * self.sums[1];
            for x in 0..spec.out_w {
                let to = sums.wrapping_add(line + x * spec.stride[1] * spec.in_channels);
                let mut column = 0;
                while column < self.columns() {
                    let width = self.micro.panel_width(self.columns() - column);
                    let panel = Panel {
                        a: dy.wrapping_add(x * k),
                        a_rows: &self.dy_lines[..lines],
                        a_column: 1,
                        runs: &run,
                        b: packed.wrapping_add(row * self.packed_row() + column * k),
                        b_row: width,
                        c: to.wrapping_add(column),
                        c_rows: &self.sum_lines[..lines],
                        columns: width,
                        add: true,
                    };
                    // SAFETY: the pixels at `x` of all lines, the packed weights of a row of the kernel, and what
                    // that row sees; a panel is at most [`BEHIND`] wide, and zero behind the last column.
                    unsafe { self.micro.panel(&panel) };
                    column += width;
                }
            }
        }
    }

    /// Copies the sums of an image to its place in the output; what no tap sees is zero.
    ///
    /// # Safety
    /// `sums` holds those of an image, `output` has room for it.
    unsafe fn copy(&self, sums: *const T, output: *mut T) {
        let spec = &self.spec;
        let (line, border) = (spec.in_w * spec.in_channels, spec.pad[1] * spec.in_channels);
        let count = self.sums[1].saturating_sub(border).min(line);
        for y in 0..spec.in_h {
            let seen = if y + spec.pad[0] < self.sums[0] { count } else { 0 };
            let from = sums.wrapping_add((y + spec.pad[0]) * self.sums[1] + border);
            // SAFETY: a line of the output, and `seen` elements from the border on of a line of the sums.
            unsafe {
                let to = output.add(y * line);
                std::ptr::copy_nonoverlapping(from, to, seen);
                std::ptr::write_bytes(to.add(seen), 0, line - seen);
            }
        }
    }
}

/// Height and elements of a line of what the taps see of an image.
fn sums(spec: &ConvSpec) -> [usize; 2] {
    let size = |axis: usize, out: usize| {
        (out - 1) * spec.stride[axis] + (spec.kernel[axis] - 1) * spec.dilation[axis] + 1
    };
    [size(0, spec.out_h), size(1, spec.out_w) * spec.in_channels]
}

impl<T: Real<Sum = T>> Kernel for InputGradByRows<T> {
    fn phases(&self) -> &[usize] {
        &self.phases
    }

    fn workspace_bytes(&self) -> usize {
        0
    }

    fn scratch_bytes(&self) -> usize {
        let sums = self.images * self.sums[0] * self.sums[1] + BEHIND;
        (self.packed_elements() + sums) * size_of::<T>()
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
        let spec = &self.spec;
        let pixels = spec.in_h * spec.in_w;
        let image = self.sums[0] * self.sums[1];
        let packed = scratch.cast::<T>();
        let sums = packed.wrapping_add(self.packed_elements());
        // SAFETY: the operands are those of the spec, and the scratch holds the weights and the sums of a chunk.
        unsafe { self.pack(io.inputs[1].cast(), packed) };
        for chunk in blocks(&share(spec.batch, 1, self.phases[0], task), self.images) {
            let dy = chunk.start * spec.out_h * spec.out_w * spec.out_channels;
            // SAFETY: as above; the images of the chunk are this task's.
            unsafe {
                std::ptr::write_bytes(sums, 0, chunk.len() * image + BEHIND);
                self.add(chunk.len(), io.inputs[0].cast::<T>().add(dy), packed, sums);
                for (slot, number) in chunk.clone().enumerate() {
                    let output = io.output.cast::<T>().add(number * pixels * spec.in_channels);
                    self.copy(sums.add(slot * image), output);
                }
            }
            finished(Block { rows: chunk.start * pixels..chunk.end * pixels, columns: 0..spec.in_channels });
        }
    }
}
