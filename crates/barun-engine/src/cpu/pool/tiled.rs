//! Pooling whose windows are 2 x 2 and lie side by side, the usual case: every cell belongs to one window at most, so
//! a scattering task writes each cell once and reads none, and windows have no edges to look after.
//!
//! Where few channels do not fill a vector, it reaches into the next pixel of its row. What it writes there is
//! overwritten when that pixel's turn comes; only the last pixels of a row are cut to size.

use super::{Float, Kept, PoolOp, PoolSpec, beats, clear, each, load, store};
use crate::multiversion;
use std::ops::Range;

/// Whether the windows are those of this file.
pub(super) fn is_tiled(spec: &PoolSpec) -> bool {
    let fits = |out: usize, size: usize| 2 * out <= size;
    spec.window == [2, 2]
        && spec.stride == [2, 2]
        && spec.pad == [0, 0]
        && fits(spec.out_h, spec.in_h)
        && fits(spec.out_w, spec.in_w)
}

/// Runs the body for each window of a row and each of its blocks of channels: `$out` is the block's place in the row
/// of y, `$cell` that of the window's first cell in the row of x, `$lanes` its constant width.
macro_rules! by_window {
    ($spec:expr, |$out:ident, $cell:ident, $lanes:ident| $body:block) => {{
        let (channels, width) = ($spec.channels, $spec.out_w);
        for window in 0..width {
            let mut c = 0;
            while c < channels {
                let ($out, $cell) = (window * channels + c, 2 * window * channels + c);
                let left = channels - c;
                // How far a vector may reach without leaving the row.
                let room = width * channels - $out;
                let fits = |lanes: usize| left >= lanes || (c == 0 && left > lanes / 2 && room >= lanes);
                if fits(16) {
                    const $lanes: usize = 16;
                    $body
                    c += 16;
                } else if fits(8) {
                    const $lanes: usize = 8;
                    $body
                    c += 8;
                } else if fits(4) {
                    const $lanes: usize = 4;
                    $body
                    c += 4;
                } else {
                    const $lanes: usize = 1;
                    $body
                    c += 1;
                }
            }
        }
    }};
}

/// A window's block of channels: its four cells in row-major order.
///
/// # Safety
/// The cells can be read: two rows of x that are `row` apart, two pixels that are `pixel` apart.
#[inline(always)]
unsafe fn cells<T: Kept, const LANES: usize>(
    x: *const T,
    row: usize,
    pixel: usize,
) -> [[T::Number; LANES]; 4] {
    // SAFETY: the caller's.
    unsafe {
        [
            each(load::<T, LANES>(x), T::widen),
            each(load::<T, LANES>(x.add(pixel)), T::widen),
            each(load::<T, LANES>(x.add(row)), T::widen),
            each(load::<T, LANES>(x.add(row + pixel)), T::widen),
        ]
    }
}

/// The maximum of each window and the number of its first cell that has it.
#[inline(always)]
fn winners<T: Float, const LANES: usize>(cells: &[[T; LANES]; 4]) -> ([T; LANES], [T; LANES]) {
    let (mut best, mut winner) = (cells[0], [T::ZERO; LANES]);
    for (number, cell) in cells.iter().enumerate().skip(1) {
        let number = T::count(number);
        for lane in 0..LANES {
            let wins = beats(cell[lane], best[lane]);
            best[lane] = if wins { cell[lane] } else { best[lane] };
            winner[lane] = if wins { number } else { winner[lane] };
        }
    }
    (best, winner)
}

multiversion! {
    /// One piece of the work of `op`, which is no pick: rows of the output of an image.
    ///
    /// # Safety
    /// The arrays have the shapes of `spec`, which [`is_tiled`]; `second` is dy of the scattering maximum and nothing
    /// else; the output overlaps no input; `rows` are rows of its image that nobody else uses.
    pub(super) unsafe fn run<T: Kept>(
        op: PoolOp, spec: &PoolSpec, image: usize, rows: Range<usize>,
        first: *const T, second: *const T::Number, output: *mut u8
    ) {
        let (row, pixel) = (spec.in_w * spec.channels, spec.channels);
        let x_at = |out_y: usize| (image * spec.in_h + 2 * out_y) * row;
        let y_at = |out_y: usize| (image * spec.out_h + out_y) * spec.out_w * pixel;
        let numbers = output.cast::<T::Number>();
        // SAFETY of the blocks below: a block of channels of a window, which may reach on into its row of y and then
        // as far into its rows of x.
        match op {
            PoolOp::Max => for out_y in rows {
                let (x, y) = (first.wrapping_add(x_at(out_y)), output.cast::<T>().wrapping_add(y_at(out_y)));
                by_window!(spec, |out, cell, LANES| {
                    unsafe {
                        let (best, _) = winners(&cells::<T, LANES>(x.add(cell), row, pixel));
                        store::<T, LANES>(y.add(out), each(best, T::narrow));
                    }
                });
            },
            PoolOp::Avg { .. } => for out_y in rows {
                let (x, y) = (first.wrapping_add(x_at(out_y)), numbers.wrapping_add(y_at(out_y)));
                by_window!(spec, |out, cell, LANES| {
                    unsafe {
                        let [a, b, c, d] = cells::<T, LANES>(x.add(cell), row, pixel);
                        let mut mean = [T::Number::ZERO; LANES];
                        for lane in 0..LANES {
                            mean[lane] = (((a[lane] + b[lane]) + c[lane]) + d[lane]) / T::Number::count(4);
                        }
                        store::<T::Number, LANES>(y.add(out), mean);
                    }
                });
            },
            PoolOp::MaxScatter => {
                for out_y in windows(&rows, spec) {
                    let at = x_at(out_y);
                    let (x, dy, dx) = (first.wrapping_add(at), second.wrapping_add(y_at(out_y)), numbers.wrapping_add(at));
                    // Tasks may part a window's rows.
                    let mine = [rows.contains(&(2 * out_y)), rows.contains(&(2 * out_y + 1))];
                    by_window!(spec, |out, cell, LANES| {
                        unsafe {
                            let (_, winner) = winners(&cells::<T, LANES>(x.add(cell), row, pixel));
                            let gradient = load::<T::Number, LANES>(dy.add(out));
                            let share = |number: usize| {
                                let mut share = [T::Number::ZERO; LANES];
                                for lane in 0..LANES {
                                    share[lane] = if winner[lane] == T::Number::count(number) { gradient[lane] } else { T::Number::ZERO };
                                }
                                share
                            };
                            if mine[0] {
                                store::<T::Number, LANES>(dx.add(cell), share(0));
                                store::<T::Number, LANES>(dx.add(cell + pixel), share(1));
                            }
                            if mine[1] {
                                store::<T::Number, LANES>(dx.add(cell + row), share(2));
                                store::<T::Number, LANES>(dx.add(cell + row + pixel), share(3));
                            }
                        }
                    });
                }
                // SAFETY: rows that are ours.
                unsafe { clear_rest(spec, image, &rows, numbers) };
            }
            PoolOp::AvgScatter { .. } => {
                for out_y in windows(&rows, spec) {
                    let dy = first.cast::<T::Number>().wrapping_add(y_at(out_y));
                    let dx = numbers.wrapping_add(x_at(out_y));
                    let mine = [rows.contains(&(2 * out_y)), rows.contains(&(2 * out_y + 1))];
                    by_window!(spec, |out, cell, LANES| {
                        unsafe {
                            let share = each(load::<T::Number, LANES>(dy.add(out)), |dy| dy / T::Number::count(4));
                            if mine[0] {
                                store::<T::Number, LANES>(dx.add(cell), share);
                                store::<T::Number, LANES>(dx.add(cell + pixel), share);
                            }
                            if mine[1] {
                                store::<T::Number, LANES>(dx.add(cell + row), share);
                                store::<T::Number, LANES>(dx.add(cell + row + pixel), share);
                            }
                        }
                    });
                }
                // SAFETY: rows that are ours.
                unsafe { clear_rest(spec, image, &rows, numbers) };
            }
            PoolOp::MaxPick => unreachable!("picks are read window by window"),
        }
    }
}

/// The rows of windows that touch rows of the image.
#[inline(always)]
fn windows(rows: &Range<usize>, spec: &PoolSpec) -> Range<usize> {
    (rows.start / 2).min(spec.out_h)..rows.end.div_ceil(2).min(spec.out_h)
}

/// Zeroes what no window covers of some rows of dx: the last column and the last row where their number is odd.
///
/// # Safety
/// The rows are within `dx` and the caller's.
#[inline(always)]
unsafe fn clear_rest<T: Float>(spec: &PoolSpec, image: usize, rows: &Range<usize>, dx: *mut T) {
    let covered = 2 * spec.out_w * spec.channels;
    let row = spec.in_w * spec.channels;
    for y in rows.start..rows.end.min(2 * spec.out_h) {
        // SAFETY: the end of a row that is the caller's.
        unsafe { dx.add((image * spec.in_h + y) * row + covered).write_bytes(0, row - covered) };
    }
    let below = rows.start.max(2 * spec.out_h)..rows.end.max(2 * spec.out_h);
    // SAFETY: whole rows that are the caller's.
    unsafe { clear(spec, image, below, dx) };
}
