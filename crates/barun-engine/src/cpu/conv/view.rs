//! What a grid of pixels sees of an image through the taps of a kernel, as a matrix that is never written out.
//!
//! The matrix has a row for each pixel `(image, y, x)` of the grid and a column for each `(tap, channel)`; its
//! element is the source at `stride * (y, x) + offset of the tap`, or zero outside. Where it lies is the sum of a
//! place of the pixel and a place of the tap; so the register tiles can read it in the source itself, or, where taps
//! reach over the border, in a copy of some lines of the source with zeros around them.

use crate::cpu::gemm::Real;
use crate::cpu::gemm::blocked::{Left, LeftBlock, Places};
use crate::cpu::gemm::micro::{Micro, Run};
use std::ops::Range;

/// The most memory a copy takes: part of the second-level cache.
const COPY_BYTES: usize = 512 << 10;

/// How a grid of pixels sees a source.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// Height and width of the source.
    pub size: [usize; 2],
    /// All channels of the source: elements between its pixels.
    pub all_channels: usize,
    /// Channels seen: those of a group.
    pub channels: usize,
    /// Height and width of the grid of one image.
    pub grid: [usize; 2],
    pub stride: [usize; 2],
    /// Where the taps look, downwards and across.
    reach: [Range<isize>; 2],
    /// Whether the source must be copied to have a border, or to be widened.
    copied: bool,
}

/// Lines of the grid that are worked on together: all lines of some images, or some lines of one image.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub images: Range<usize>,
    pub lines: Range<usize>,
}

impl Chunk {
    /// The pixels of its lines, counted through all images, in a grid of this height and width. The grid may have
    /// fewer lines than the view's.
    pub fn pixels(&self, [height, width]: [usize; 2]) -> Range<usize> {
        let start = (self.images.start * height + self.lines.start.min(height)) * width;
        start..((self.images.end - 1) * height + self.lines.end.min(height)) * width
    }
}

/// The source, or a copy of what a chunk sees of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight<T> {
    at: *const T,
    /// Elements between images, between lines of the grid, and between its pixels.
    steps: [usize; 3],
    /// Image and line of the grid that `at` belongs to.
    first: [usize; 2],
    /// Elements between lines and pixels of the memory seen.
    memory: [usize; 2],
    /// What is taken off the taps' offsets.
    least: [isize; 2],
}

impl View {
    /// Of a source of type `T`; `taps` holds all offsets that will be asked for.
    pub fn new<T: Real>(
        size: [usize; 2],
        all_channels: usize,
        channels: usize,
        grid: [usize; 2],
        stride: [usize; 2],
        taps: impl Iterator<Item = [isize; 2]> + Clone,
    ) -> View {
        let reach = [0, 1].map(|axis| {
            let offsets = taps.clone().map(|tap| tap[axis]);
            offsets.clone().min().unwrap_or(0)..offsets.max().unwrap_or(0) + 1
        });
        let inside = |axis: usize| {
            let last = ((grid[axis] - 1) * stride[axis]) as isize + reach[axis].end;
            reach[axis].start >= 0 && last <= size[axis] as isize
        };
        let copied = !(T::IN_PLACE && inside(0) && inside(1));
        View { size, all_channels, channels, grid, stride, reach, copied }
    }

    /// Rows of memory that lines of one image see.
    fn rows_seen(&self, lines: usize) -> usize {
        (lines - 1) * self.stride[0] + self.reach[0].len()
    }

    /// Pixels of memory that a line sees.
    fn width_seen(&self) -> usize {
        (self.grid[1] - 1) * self.stride[1] + self.reach[1].len()
    }

    /// Whole images, or else lines, at a time.
    fn at_once<W>(&self) -> (usize, usize) {
        if !self.copied {
            return (usize::MAX, self.grid[0]);
        }
        let most = COPY_BYTES / size_of::<W>() / (self.width_seen() * self.channels);
        let images = most / self.rows_seen(self.grid[0]);
        if images > 0 {
            return (images, self.grid[0]);
        }
        let lines = most.saturating_sub(self.reach[0].len()) / self.stride[0] + 1;
        (1, lines.clamp(1, self.grid[0]))
    }

    /// Elements of type `W` of scratch that a chunk takes.
    pub fn copy_elements<W>(&self) -> usize {
        if !self.copied {
            return 0;
        }
        let (images, lines) = self.at_once::<W>();
        (images * self.rows_seen(lines) * self.width_seen() * self.channels).next_multiple_of(16)
    }

    /// Cuts lines, counted through all images, into chunks.
    pub fn chunks<W>(&self, lines: Range<usize>) -> impl Iterator<Item = Chunk> + use<W> {
        let height = self.grid[0];
        let (images_at_once, lines_at_once) = self.at_once::<W>();
        let end = lines.end;
        let mut at = lines.start;
        std::iter::from_fn(move || {
            let (image, line) = (at / height, at % height);
            if at >= end {
                None
            } else if line == 0 && lines_at_once == height && end - at >= height {
                let images = ((end - at) / height).min(images_at_once);
                at += images * height;
                Some(Chunk { images: image..image + images, lines: 0..height })
            } else {
                let lines = lines_at_once.min(height - line).min(end - at);
                at += lines;
                Some(Chunk { images: image..image + 1, lines: line..line + lines })
            }
        })
    }

    /// Makes what a chunk sees readable. `source` is the first channel of the group.
    ///
    /// # Safety
    /// The source can be read; `copy` holds [`View::copy_elements`].
    pub unsafe fn look<T: Real>(
        &self,
        micro: &Micro<T>,
        source: *const T,
        chunk: &Chunk,
        copy: *mut T::Sum,
    ) -> Sight<T::Sum> {
        let [height, width] = self.size;
        if !self.copied {
            let line = width * self.all_channels;
            return Sight {
                at: source.cast(),
                steps: [height * line, self.stride[0] * line, self.stride[1] * self.all_channels],
                first: [0, 0],
                memory: [line, self.all_channels],
                least: [0, 0],
            };
        }
        let (rows, columns) = (self.rows_seen(chunk.lines.len()), self.width_seen());
        let (top, left) =
            ((chunk.lines.start * self.stride[0]) as isize + self.reach[0].start, self.reach[1].start);
        // The part of a row that exists in the source.
        let from = left.clamp(0, width as isize) as usize;
        let to = (left + columns as isize).clamp(0, width as isize) as usize;
        let before = ((from as isize - left) as usize).min(columns);
        let channels = self.channels;
        for (slot, image) in chunk.images.clone().enumerate() {
            for row in 0..rows {
                let y = top + row as isize;
                let exists = y >= 0 && y < height as isize;
                let (before, count) = if exists { (before, to - from) } else { (columns, 0) };
                // SAFETY: `before + count <= columns` pixels of the copy, and pixels `from..to` of a row of the source.
                unsafe {
                    let line = copy.add((slot * rows + row) * columns * channels);
                    std::ptr::write_bytes(line, 0, before * channels);
                    if count > 0 {
                        let y = y as usize;
                        let source = source.add(((image * height + y) * width + from) * self.all_channels);
                        let line = line.add(before * channels);
                        copy_pixels(micro, source, self.all_channels, line, channels, count);
                    }
                    let after = before + count;
                    std::ptr::write_bytes(line.add(after * channels), 0, (columns - after) * channels);
                }
            }
        }
        let line = columns * channels;
        Sight {
            at: copy,
            steps: [rows * line, self.stride[0] * line, self.stride[1] * channels],
            first: [chunk.images.start, chunk.lines.start],
            memory: [line, channels],
            least: [self.reach[0].start, self.reach[1].start],
        }
    }
}

/// Copies the first `channels` of `count` pixels that are `step` apart.
///
/// # Safety
/// They can be read, and `to` holds `count * channels` elements.
unsafe fn copy_pixels<T: Real>(
    micro: &Micro<T>,
    from: *const T,
    step: usize,
    to: *mut T::Sum,
    channels: usize,
    count: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        if step == channels {
            return (micro.copy)(from, to, count * channels);
        }
        for pixel in 0..count {
            (micro.copy)(from.add(pixel * step), to.add(pixel * channels), channels);
        }
    }
}

/// The matrix of the module docs: pixels of a grid down, taps and channels across.
pub(super) struct Seen<'a, T: Real> {
    pub sight: Sight<T::Sum>,
    /// Of this part of the view's grid, which begins at the same pixel.
    pub grid: [usize; 2],
    pub channels: usize,
    pub taps: &'a [[isize; 2]],
}

impl<T: Real> Seen<'_, T> {
    /// Where pixels are, the taps' places left out, as runs: each the rest of a line.
    fn pixel_runs(&self, pixels: Range<usize>) -> impl Iterator<Item = Run> {
        let [height, width] = self.grid;
        let [image_step, line_step, pixel_step] = self.sight.steps;
        let [first_image, first_line] = self.sight.first;
        let mut at = pixels.start;
        std::iter::from_fn(move || {
            if at >= pixels.end {
                return None;
            }
            let (x, rest) = (at % width, at / width);
            let (y, image) = (rest % height, rest / height);
            let len = (width - x).min(pixels.end - at);
            at += len;
            let offset = (image - first_image) * image_step + (y - first_line) * line_step + x * pixel_step;
            Some(Run { offset, len })
        })
    }

    fn tap(&self, tap: usize) -> usize {
        let ([dy, dx], [line, pixel], [least_y, least_x]) =
            (self.taps[tap], self.sight.memory, self.sight.least);
        (dy - least_y) as usize * line + (dx - least_x) as usize * pixel
    }

    /// Taps and channels as runs: each the rest of a tap.
    fn tap_runs(&self, ks: Range<usize>) -> impl Iterator<Item = Run> {
        let mut at = ks.start;
        std::iter::from_fn(move || {
            if at >= ks.end {
                return None;
            }
            let (tap, channel) = (at / self.channels, at % self.channels);
            let len = (self.channels - channel).min(ks.end - at);
            at += len;
            Some(Run { offset: self.tap(tap) + channel, len })
        })
    }
}

/// Pixels as rows, sums over taps and channels: the left operand of the forward pass and of the input gradient.
pub(super) struct PixelRows<'a, T: Real, F> {
    pub seen: Seen<'a, T>,
    /// See [`Left::output_row`].
    pub output_row: F,
}

impl<T: Real, F: Fn(usize) -> usize> Left<T> for PixelRows<'_, T, F> {
    unsafe fn block(
        &self,
        micro: &Micro<T>,
        rows: Range<usize>,
        ks: Range<usize>,
        buffer: *mut T::Sum,
        places: &mut Places,
    ) -> LeftBlock<T::Sum> {
        places.set_rows(self.seen.sight.steps[2], self.seen.pixel_runs(rows));
        places.set_runs(1, self.seen.tap_runs(ks));
        // SAFETY: what is seen can be read, and the buffer holds it, as the caller vouches.
        unsafe { places.ready(micro, LeftBlock { at: self.seen.sight.at, column: 1 }, buffer) }
    }

    fn output_row(&self, row: usize) -> usize {
        (self.output_row)(row)
    }
}

/// Taps and channels as rows, sums over pixels: the left operand of the weight gradient.
pub(super) struct TapRows<'a, T: Real>(pub Seen<'a, T>);

impl<T: Real> Left<T> for TapRows<'_, T> {
    unsafe fn block(
        &self,
        micro: &Micro<T>,
        rows: Range<usize>,
        ks: Range<usize>,
        buffer: *mut T::Sum,
        places: &mut Places,
    ) -> LeftBlock<T::Sum> {
        places.set_rows(1, self.0.tap_runs(rows));
        let column = self.0.sight.steps[2];
        places.set_runs(column, self.0.pixel_runs(ks));
        // SAFETY: as above.
        unsafe { places.ready(micro, LeftBlock { at: self.0.sight.at, column }, buffer) }
    }
}
