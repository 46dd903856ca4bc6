//! Laying out what a block of pixels sees through a stretch of taps and channels.

use crate::cpu::gemm::Real;
use crate::cpu::gemm::blocked::{Left, LeftBlock};
use crate::cpu::gemm::micro::Micro;
use std::ops::Range;

/// What the pixels of a grid see of a source: the matrix with a row for each pixel `(image, y, x)` of the grid and a
/// column for each `(tap, channel)`, whose element is the source at `stride * (y, x) + tap offset`, or zero outside.
pub(super) struct Gather<T> {
    /// The first channel (of the group) of the source.
    pub source: *const T,
    /// Height and width of the source.
    pub size: [usize; 2],
    /// Elements between neighbouring pixels of the source: all its channels.
    pub pixel: usize,
    /// Channels seen.
    pub channels: usize,
    /// Height and width of the grid of one image.
    pub grid: [usize; 2],
    pub stride: [usize; 2],
    pub taps: Vec<[isize; 2]>,
}

impl<T: Real> Gather<T> {
    /// The matrix in place, as `(first element, distance of pixels)`, if it lies in the source as it is.
    pub fn in_place(&self) -> Option<(*const T, usize)> {
        let same = self.taps == [[0, 0]] && self.stride == [1, 1] && self.grid == self.size;
        same.then_some((self.source, self.pixel))
    }

    /// Writes the rows `pixels` and columns `ks` of the matrix to `to`, row by row.
    ///
    /// # Safety
    /// The source can be read, `to` holds `pixels x ks` elements.
    pub unsafe fn lay_out(&self, pixels: Range<usize>, ks: Range<usize>, to: *mut T) {
        let [height, width] = self.size;
        let mut to = to;
        let (mut x, rest) = (pixels.start % self.grid[1], pixels.start / self.grid[1]);
        let (mut y, mut image) = (rest % self.grid[0], rest / self.grid[0]);
        for _ in pixels {
            let (y_at, x_at) = ((y * self.stride[0]) as isize, (x * self.stride[1]) as isize);
            let (mut tap, mut channel) = (ks.start / self.channels, ks.start % self.channels);
            let mut remaining = ks.len();
            while remaining > 0 {
                let count = (self.channels - channel).min(remaining);
                let [dy, dx] = self.taps[tap];
                let (sy, sx) = ((y_at + dy) as usize, (x_at + dx) as usize);
                // A negative place is a huge number here.
                // SAFETY: the source pixel exists, and `channel + count` is at most `channels`.
                unsafe {
                    if sy < height && sx < width {
                        let from = ((image * height + sy) * width + sx) * self.pixel + channel;
                        std::ptr::copy_nonoverlapping(self.source.add(from), to, count);
                    } else {
                        std::ptr::write_bytes(to, 0, count);
                    }
                    to = to.add(count);
                }
                remaining -= count;
                tap += 1;
                channel = 0;
            }
            x += 1;
            if x == self.grid[1] {
                (x, y) = (0, y + 1);
                if y == self.grid[0] {
                    (y, image) = (0, image + 1);
                }
            }
        }
    }
}

/// Pixels as rows: the left operand of the forward pass and of the input gradient.
pub(super) struct PixelRows<'a, T> {
    pub gather: Gather<T>,
    /// See [`Left::output_rows`].
    pub output_rows: Option<&'a dyn Fn(usize) -> usize>,
}

impl<T: Real> Left<T> for PixelRows<'_, T> {
    unsafe fn block(
        &self,
        micro: &Micro<T>,
        rows: Range<usize>,
        ks: Range<usize>,
        buffer: *mut T,
    ) -> LeftBlock<T> {
        if let Some((at, row)) = self.gather.in_place() {
            let at = at.wrapping_add(rows.start * row + ks.start);
            return LeftBlock { at, tile: micro.rows * row, row, column: 1 };
        }
        let row = ks.len();
        // SAFETY: the buffer holds rows x ks, as the caller vouches.
        unsafe { self.gather.lay_out(rows, ks, buffer) };
        LeftBlock { at: buffer, tile: micro.rows * row, row, column: 1 }
    }

    fn output_rows(&self) -> Option<&dyn Fn(usize) -> usize> {
        self.output_rows
    }
}

/// Taps and channels as rows, sums over pixels: the left operand of the weight gradient.
pub(super) struct TapRows<T>(pub Gather<T>);

impl<T: Real> Left<T> for TapRows<T> {
    unsafe fn block(
        &self,
        micro: &Micro<T>,
        rows: Range<usize>,
        ks: Range<usize>,
        buffer: *mut T,
    ) -> LeftBlock<T> {
        if let Some((at, column)) = self.0.in_place() {
            let at = at.wrapping_add(ks.start * column + rows.start);
            return LeftBlock { at, tile: micro.rows, row: 1, column };
        }
        let column = rows.len();
        // SAFETY: the buffer holds rows x ks, as the caller vouches.
        unsafe { self.0.lay_out(ks, rows, buffer) };
        LeftBlock { at: buffer, tile: micro.rows, row: 1, column }
    }
}
