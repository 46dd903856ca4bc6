//! The loops around the micro-kernels: blocks of columns, of `k`, of rows, so that what is reused stays in cache.

use super::micro::{Micro, Packing, Panel, Real, Rows, Run};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Longest block of `k`: a packed panel of two vectors' width (16 KiB with AVX2) fits the first-level cache. It is
/// the same for all instruction sets, because blocks are rounded one by one.
pub(crate) const DEPTH: usize = 256;
/// Most columns packed at a time, in bytes: with [`DEPTH`] it makes half a megabyte, for the second-level cache.
const COLUMN_BYTES: usize = 2048;
/// About the rows of the left operand used at a time: 96 KiB with [`DEPTH`] in f32.
pub(crate) const ROWS: usize = 96;
/// A block may have up to a tile more.
const MOST_ROWS: usize = ROWS + 16;

/// A block of the left operand ready for the micro-kernel; see [`Panel`].
pub(crate) struct LeftBlock<T> {
    pub at: *const T,
    pub column: usize,
}

/// Where the rows of a block begin and what runs they consist of. It is made anew for each product, however small,
/// so it is not cleared.
pub(crate) struct Places {
    rows: List<usize, MOST_ROWS>,
    runs: List<Run, DEPTH>,
}

impl Places {
    /// Sets where the rows begin: at the places of each run in turn, which are `step` apart.
    pub fn set_rows(&mut self, step: usize, runs: impl Iterator<Item = Run>) {
        self.rows.len = 0;
        for run in runs {
            self.rows.extend((0..run.len).map(|i| run.offset + i * step));
        }
    }

    /// Sets the runs of all rows, joining those that follow each other with the same step.
    pub fn set_runs(&mut self, step: usize, runs: impl Iterator<Item = Run>) {
        self.runs.len = 0;
        for run in runs {
            match self.runs.as_mut_slice().last_mut() {
                Some(last) if last.offset + last.len * step == run.offset => last.len += run.len,
                _ => self.runs.push(run),
            }
        }
    }
}

impl Places {
    /// What tiles read of a block: the block itself, or where tiles take cells, those that `buffer` then holds.
    ///
    /// # Safety
    /// The block has these places and can be read; `buffer` holds the cells of all rows.
    pub unsafe fn ready<T: Real>(
        &mut self,
        micro: &Micro<T>,
        block: LeftBlock<T::Sum>,
        buffer: *mut T::Sum,
    ) -> LeftBlock<T::Sum> {
        let Some(pack_rows) = micro.pack_rows else { return block };
        let (rows, runs) = (self.rows.as_slice(), self.runs.as_slice());
        let (count, k) = (rows.len(), runs.iter().map(|run| run.len).sum());
        // SAFETY: the caller's.
        unsafe { pack_rows(&Rows { at: block.at, rows, runs, column: block.column }, buffer) };
        self.set_cells(micro, count, k);
        LeftBlock { at: buffer, column: 1 }
    }

    /// Sets rows of the cells of `k` elements, one after the other.
    fn set_cells<T: Real>(&mut self, micro: &Micro<T>, count: usize, k: usize) {
        let cells = micro.cells(k);
        self.set_runs(1, std::iter::once(Run { offset: 0, len: cells }));
        self.set_rows(cells, std::iter::once(Run { offset: 0, len: count }));
    }
}

/// A list of at most `N` items on the stack.
struct List<T, const N: usize> {
    items: [MaybeUninit<T>; N],
    len: usize,
}

impl<T: Copy, const N: usize> List<T, N> {
    fn new() -> List<T, N> {
        List { items: [const { MaybeUninit::uninit() }; N], len: 0 }
    }

    fn push(&mut self, item: T) {
        self.items[self.len].write(item);
        self.len += 1;
    }

    fn extend(&mut self, items: impl ExactSizeIterator<Item = T>) {
        let slots = &mut self.items[self.len..self.len + items.len()];
        let mut written = 0;
        for (slot, item) in slots.iter_mut().zip(items) {
            slot.write(item);
            written += 1;
        }
        self.len += written;
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: the first `len` items have been written.
        unsafe { std::slice::from_raw_parts_mut(self.items.as_mut_ptr().cast(), self.len) }
    }

    fn as_slice(&self) -> &[T] {
        // SAFETY: the first `len` items have been written.
        unsafe { std::slice::from_raw_parts(self.items.as_ptr().cast(), self.len) }
    }
}

/// The left operand of a product: a matrix, or something that can be read like one.
pub(crate) trait Left<T: Real> {
    /// Makes the rows and the stretch of `k` readable and says where they are; `buffer` holds `rows` (rounded up to
    /// whole tiles) times `ks` elements.
    ///
    /// # Safety
    /// The ranges lie within the operand, whose memory can be read.
    unsafe fn block(
        &self,
        micro: &Micro<T>,
        rows: Range<usize>,
        ks: Range<usize>,
        buffer: *mut T::Sum,
        places: &mut Places,
    ) -> LeftBlock<T::Sum>;

    /// For each row of the product the row of the output it is written to.
    fn output_row(&self, row: usize) -> usize {
        row
    }
}

/// A block of the right operand: whole panels in `packed`, or rows in place.
pub(crate) struct RightBlock<T> {
    /// Panels of the columns from `packed_from` on.
    pub packed: *const T,
    pub packed_from: usize,
    /// Columns before that are read in place: first element and distance between rows.
    pub direct: *const T,
    pub direct_row: usize,
}

/// The right operand of a product.
pub(crate) trait Right<T: Real> {
    /// Makes the stretch of `k` and the columns readable; `buffer` holds `ks` times
    /// [`Micro::packed_columns`] elements. `rows` is how many rows will use it.
    ///
    /// # Safety
    /// The ranges lie within the operand, whose memory can be read.
    unsafe fn block(
        &self,
        micro: &Micro<T>,
        ks: Range<usize>,
        columns: Range<usize>,
        rows: usize,
        buffer: *mut T::Sum,
    ) -> RightBlock<T::Sum>;
}

/// What one call computes.
pub(crate) struct Region<T> {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    pub ks: Range<usize>,
    /// Length of a block of `k`, see [`depth_of_blocks`].
    pub depth: usize,
    /// Where element `(0, 0)` of the product lies, and the distance between rows.
    pub output: *mut T,
    pub output_row: usize,
    /// Add to what the output holds.
    pub add: bool,
}

/// The length of blocks of `k`: at most [`DEPTH`] (or one `unit`, if that is longer), whole `unit`s where they are
/// short, and about equal.
pub(crate) fn depth_of_blocks(k: usize, unit: usize) -> usize {
    let unit = if unit <= DEPTH { unit } else { 1 };
    let units = k.div_ceil(unit);
    let blocks = units.div_ceil(DEPTH / unit);
    units.div_ceil(blocks) * unit
}

/// Columns packed at a time.
fn columns_at_once<T>() -> usize {
    COLUMN_BYTES / size_of::<T>()
}

/// Rows of scratch that a left operand needs which tiles read in place unless they take cells.
pub(crate) fn rows_of_cells<T: Real>(micro: &Micro<T>) -> usize {
    if micro.of_pairs() { rows_at_once(micro) } else { 0 }
}

fn rows_at_once<T: Real>(micro: &Micro<T>) -> usize {
    ROWS.div_ceil(micro.rows) * micro.rows
}

/// Sums of scratch that [`product`] needs for regions of at most this size.
pub(crate) fn scratch_elements<T: Real>(
    micro: &Micro<T>,
    rows: usize,
    columns: usize,
    depth: usize,
) -> usize {
    let depth = micro.cells(depth);
    let rows = rows.min(rows_at_once(micro)).div_ceil(micro.rows) * micro.rows;
    let columns = micro.packed_columns(columns.min(columns_at_once::<T::Sum>()));
    // Rounded so that the second part is aligned as the first.
    (columns * depth).next_multiple_of(16) + rows * depth
}

/// Computes a region of the product. `finished` learns of rows and columns of the product when they are done.
///
/// # Safety
/// The operands can be read, the region of the output written, `scratch` holds [`scratch_elements`], and the
/// processor has the instruction set of `micro`.
pub(crate) unsafe fn product<T: Real>(
    micro: &Micro<T>,
    left: &impl Left<T>,
    right: &impl Right<T>,
    region: &Region<T::Sum>,
    scratch: *mut T::Sum,
    finished: &mut dyn FnMut(Range<usize>, Range<usize>),
) {
    let Region { depth, output, output_row, .. } = *region;
    let mut places = Places { rows: List::new(), runs: List::new() };
    let mut outputs = List::<usize, MOST_ROWS>::new();
    let width = columns_at_once::<T::Sum>();
    let cells = micro.cells(depth);
    for columns in blocks(&region.columns, width) {
        let left_buffer = scratch
            .wrapping_add((micro.packed_columns(columns.len().min(width)) * cells).next_multiple_of(16));
        for ks in blocks(&region.ks, depth) {
            // SAFETY: the ranges are parts of the region.
            let b = unsafe { right.block(micro, ks.clone(), columns.clone(), region.rows.len(), scratch) };
            for rows in even_blocks(&region.rows, rows_at_once(micro), micro.rows) {
                // SAFETY: the ranges are parts of the region.
                let a = unsafe { left.block(micro, rows.clone(), ks.clone(), left_buffer, &mut places) };
                outputs.len = 0;
                outputs.extend(rows.clone().map(|row| left.output_row(row) * output_row));
                let mut j = columns.start;
                while j < columns.end {
                    let in_place = j < b.packed_from;
                    let (b_at, b_row, count) = if in_place {
                        let width = micro.width_in_place(rows.len(), b.packed_from - j);
                        (b.direct.wrapping_add(j - columns.start), b.direct_row, width)
                    } else {
                        let width = micro.panel_width(columns.end - j);
                        let at = b.packed.wrapping_add((j - b.packed_from) * micro.cells(ks.len()));
                        (at, width, width.min(columns.end - j))
                    };
                    let panel = Panel {
                        a: a.at,
                        a_rows: places.rows.as_slice(),
                        a_column: a.column,
                        runs: places.runs.as_slice(),
                        b: b_at,
                        b_row,
                        c: output.wrapping_add(j),
                        c_rows: outputs.as_slice(),
                        columns: count,
                        add: region.add || ks.start > region.ks.start,
                    };
                    // SAFETY: `a` and `b` are blocks for these rows, columns and this stretch of `k`; the panel
                    // lies within the region of the output.
                    unsafe { if in_place { micro.panel_in_place(&panel) } else { micro.panel(&panel) } }
                    j += count;
                }
                if ks.end == region.ks.end {
                    finished(rows, columns.clone());
                }
            }
        }
    }
}

/// Consecutive pieces of `size`, the last maybe shorter.
pub(crate) fn blocks(range: &Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.clone().step_by(size).map(move |start| start..(start + size).min(end))
}

/// Consecutive pieces of about equal size, at most `size`, multiples of `unit` but for the last.
fn even_blocks(range: &Range<usize>, size: usize, unit: usize) -> impl Iterator<Item = Range<usize>> {
    let pieces = range.len().div_ceil(size).max(1);
    let piece = range.len().div_ceil(pieces).next_multiple_of(unit).max(unit);
    blocks(range, piece)
}

/// Piece `index` of `count` when `0..total` is cut into whole `unit`s as evenly as can be.
pub(crate) fn share(total: usize, unit: usize, count: usize, index: usize) -> Range<usize> {
    let units = total.div_ceil(unit);
    let at = |i: usize| (units * i / count * unit).min(total);
    at(index)..at(index + 1)
}

/// A matrix in memory, by its strides.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<T> {
    pub at: *const T,
    pub row: usize,
    pub column: usize,
}

/// A left operand that is a matrix; `pack` says whether its blocks are copied even if they can be read in place.
pub(crate) struct MatrixLeft<T> {
    pub matrix: Matrix<T>,
    pub pack: bool,
}

impl<T: Real> Left<T> for MatrixLeft<T> {
    unsafe fn block(
        &self,
        micro: &Micro<T>,
        rows: Range<usize>,
        ks: Range<usize>,
        buffer: *mut T::Sum,
        places: &mut Places,
    ) -> LeftBlock<T::Sum> {
        let Matrix { at, row, column } = self.matrix;
        let at = at.wrapping_add(rows.start * row + ks.start * column);
        let (k, count) = (ks.len(), rows.len());
        let packing = Packing { from: at, row, column, k, count, to: buffer, whole_k: k, first_k: 0 };
        if micro.of_pairs() {
            // SAFETY: the ranges lie within the matrix and the buffer holds them, as the caller vouches.
            unsafe { (micro.pack_left)(&packing) };
            places.set_cells(micro, count, k);
            return LeftBlock { at: buffer, column: 1 };
        }
        places.set_runs(1, std::iter::once(Run { offset: 0, len: k }));
        if T::IN_PLACE && !self.pack {
            places.set_rows(row, std::iter::once(Run { offset: 0, len: count }));
            return LeftBlock { at: at.cast(), column };
        }
        if column == 1 {
            for i in 0..count {
                // SAFETY: the ranges lie within the matrix and the buffer holds them, as the caller vouches.
                unsafe { (micro.copy)(at.add(i * row), buffer.add(i * k), k) };
            }
            places.set_rows(k, std::iter::once(Run { offset: 0, len: count }));
            return LeftBlock { at: buffer, column };
        }
        // SAFETY: the ranges lie within the matrix and the buffer holds them, as the caller vouches.
        unsafe { (micro.pack_left)(&packing) };
        let tile = micro.rows;
        let tiles = (0..count).step_by(tile);
        places.set_rows(1, tiles.map(|i| Run { offset: i * k, len: tile.min(count - i) }));
        LeftBlock { at: buffer, column: tile }
    }
}

/// With at most this many register tiles of rows a right operand is read in place: packing it would cost as much.
const DIRECT_TILES: usize = 2;
/// A right operand that lies in so few bytes is read in place whatever the rows: the first-level cache holds it.
const DIRECT_BYTES: usize = 20 << 10;

/// How many of a right operand's columns are read in place for so many rows and such a stretch of `k`.
pub(crate) fn columns_in_place<T: Real>(
    micro: &Micro<T>,
    right: &Matrix<T>,
    ks: usize,
    rows: usize,
    columns: usize,
) -> usize {
    let is_small = ks * right.row * size_of::<T>() <= DIRECT_BYTES;
    let direct = T::IN_PLACE && right.column == 1 && (is_small || rows <= DIRECT_TILES * micro.rows);
    if direct { micro.columns_in_place(rows, columns) } else { 0 }
}

impl<T: Real> Matrix<T> {
    /// Packs a block: rows `ks` of some columns.
    ///
    /// # Safety
    /// The block can be read, and its panels written to `to`.
    pub(crate) unsafe fn pack(
        &self,
        micro: &Micro<T>,
        ks: &Range<usize>,
        columns: Range<usize>,
        to: *mut T::Sum,
    ) {
        let Matrix { at, row, column } = *self;
        let from = at.wrapping_add(ks.start * row + columns.start * column);
        let (k, count) = (ks.len(), columns.len());
        let packing = Packing { from, row, column, k, count, to, whole_k: k, first_k: 0 };
        // SAFETY: the caller's.
        unsafe { (micro.pack_right)(&packing) };
    }
}

impl<T: Real> Right<T> for Matrix<T> {
    unsafe fn block(
        &self,
        micro: &Micro<T>,
        ks: Range<usize>,
        columns: Range<usize>,
        rows: usize,
        buffer: *mut T::Sum,
    ) -> RightBlock<T::Sum> {
        let packed_from = columns.start + columns_in_place(micro, self, ks.len(), rows, columns.len());
        // SAFETY: the ranges lie within the matrix and the buffer holds them, as the caller vouches.
        unsafe { self.pack(micro, &ks, packed_from..columns.end, buffer) };
        let direct = self.at.wrapping_add(ks.start * self.row + columns.start * self.column);
        RightBlock { packed: buffer, packed_from, direct: direct.cast(), direct_row: self.row }
    }
}
