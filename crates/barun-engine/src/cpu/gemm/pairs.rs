//! Register tiles for bf16 that multiply two neighbours along `k` at once.
//!
//! Operands are packed in *cells*: two neighbours along `k` in the 4 bytes of an f32, the second in the upper half,
//! zero behind the last. An instruction takes a cell of the left and one of the right operand and adds both products
//! to an f32. So a register tile for AVX512-BF16 is that for f32 with another multiply-add, over half as many steps;
//! and AMX multiplies tiles of 16 x 16 cells (`tiles.rs`).
//!
//! Bits: the two products of a pair are added one after the other, and denormals are zero; so results differ from
//! those of widened operands by rounding. They still depend on shapes alone.
//!
//! Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, VDPBF16PS.

use half::bf16;

use super::micro::{self, Micro, Packing, Panel, Rows};
use super::simd::*;
#[cfg(target_arch = "x86_64")]
use super::tiles;

/// One table: register tiles of `$simd` whose multiply-add takes cells, or what `$panel` computes on panels packed for
/// them.
macro_rules! pairs {
    ($name:ident, $plain:path, $simd:ty, $rows:literal, $granule:expr, $panel:expr $(, $feature:literal)?) => {
        pub(crate) static $name: Micro<bf16> = {
            // SAFETY of the blocks below: the caller's contract is passed on.
            $(#[target_feature(enable = $feature)])?
            unsafe fn right(p: &Packing<bf16>) {
                unsafe { pack_right::<$simd>(p, $granule) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn left(p: &Packing<bf16>) {
                unsafe { pack_left(p, $granule) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn rows(from: &Rows<'_, f32>, to: *mut f32) {
                unsafe { pack_rows(from, to, $granule) }
            }
            Micro {
                rows: $rows,
                group: 2,
                granule: $granule,
                panel: $panel,
                row: $plain.row,
                pack_right: right,
                pack_left: left,
                pack_rows: Some(rows),
                ..$plain
            }
        };
    };
}

/// The panels of a [`Simd`] type whose multiply-add takes cells.
macro_rules! panels {
    ($simd:ty, $rows:literal, $narrow_rows:literal $(, $feature:literal)?) => {{
        // SAFETY of the blocks below: the caller's contract is passed on.
        $(#[target_feature(enable = $feature)])?
        unsafe fn panel1(p: &Panel<'_, f32>) {
            unsafe { micro::panel::<f32, $simd, $narrow_rows, 1>(p) }
        }
        $(#[target_feature(enable = $feature)])?
        unsafe fn panel2(p: &Panel<'_, f32>) {
            unsafe { micro::panel::<f32, $simd, $rows, 2>(p) }
        }
        // Wider ones are for operands in place.
        [panel1, panel2, panel2]
    }};
}

#[cfg(target_arch = "x86_64")]
pairs!(
    AVX512_PAIRS,
    micro::AVX512_BF16,
    Avx512Bf16,
    10,
    1,
    panels!(Avx512Bf16, 10, 8, "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"),
    "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"
);
#[cfg(target_arch = "x86_64")]
pairs!(
    AMX_PAIRS,
    micro::AVX512_BF16,
    Avx512Bf16,
    32,
    tiles::CELLS,
    [tiles::panel; 3],
    "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"
);

// The same tables on any machine, for tests.
#[cfg(test)]
pairs!(EMULATED_AVX512, micro::WIDE_BF16, FusedPairs, 10, 1, panels!(FusedPairs, 10, 8));
#[cfg(test)]
pairs!(EMULATED_AMX, micro::WIDE_BF16, FusedPairs, 32, 16, [super::emulated::panel; 3]);

/// Cells, by `granule`, of `k` elements.
fn cells(k: usize, granule: usize) -> usize {
    k.div_ceil(2).next_multiple_of(granule)
}

/// # Safety
/// `k x count` elements of `from` can be read with the given strides; `to` holds the cells of `whole_k` times
/// [`Micro::packed_columns`], of which those before `first_k` have been packed.
#[inline(always)]
unsafe fn pack_right<S: Simd<f32>>(p: &Packing<bf16>, granule: usize) {
    let cells = cells(p.whole_k, granule);
    let (first, odd) = (p.first_k / 2, p.first_k % 2);
    // Cells that lie whole in this part, and where the part begins if it does not end the cell before.
    let (whole, start) = ((p.k - odd) / 2, odd);
    let is_last = p.first_k + p.k == p.whole_k;
    let mut done = 0;
    while done < p.count {
        let remaining = p.count - done;
        let width = if remaining <= S::LANES { S::LANES } else { 2 * S::LANES };
        let columns = remaining.min(width);
        // SAFETY: `columns` columns from `done` on exist; panels before this one hold `cells * done`, as all but the
        // last are whole.
        unsafe {
            let from = p.from.add(done * p.column).cast::<u16>();
            let to = p.to.add(done * cells + first * width).cast::<u32>();
            if odd == 1 {
                (0..columns).for_each(|j| *to.add(j) |= u32::from(*from.add(j * p.column)) << 16);
            }
            let (from, to) = (from.add(start * p.row), to.add(odd * width));
            let squares = if p.row == 1 && p.column.is_multiple_of(2) {
                transpose_cells::<S>(from, p.column / 2, whole, columns, to, width)
            } else {
                [0, 0]
            };
            for cell in 0..whole {
                let (from, to) = (from.add(2 * cell * p.row), to.add(cell * width));
                let first = if cell < squares[0] { squares[1] } else { 0 };
                if p.column == 1 {
                    for j in first..columns {
                        *to.add(j) = joined(*from.add(j), *from.add(p.row + j));
                    }
                } else {
                    for j in first..columns {
                        let from = from.add(j * p.column);
                        *to.add(j) = joined(*from, *from.add(p.row));
                    }
                }
                std::ptr::write_bytes(to.add(columns), 0, width - columns);
            }
            let end = to.add(whole * width);
            if is_last {
                std::ptr::write_bytes(end, 0, (cells - first - odd - whole) * width);
            }
            if start + 2 * whole < p.k {
                let from = from.add(2 * whole * p.row);
                (0..columns).for_each(|j| *end.add(j) = joined(*from.add(j * p.column), 0));
                std::ptr::write_bytes(end.add(columns), 0, width - columns);
            }
        }
        done += columns;
    }
}

/// Turns the columns of an operand that is contiguous along `k`, in whole squares; returns how many cells and columns
/// they cover. `column` is in cells.
///
/// # Safety
/// `cells x columns` cells can be read and written.
#[inline(always)]
unsafe fn transpose_cells<S: Simd<f32>>(
    from: *const u16,
    column: usize,
    cells: usize,
    columns: usize,
    to: *mut u32,
    width: usize,
) -> [usize; 2] {
    let covered = [cells / S::SIDE * S::SIDE, columns / S::SIDE * S::SIDE];
    for i in (0..covered[0]).step_by(S::SIDE) {
        for j in (0..covered[1]).step_by(S::SIDE) {
            // SAFETY: a square of the operand and of the panel; transposing moves bits, whatever they mean.
            unsafe {
                let from = from.cast::<f32>().add(j * column + i);
                S::transpose(from, column, to.cast::<f32>().add(i * width + j), width);
            }
        }
    }
    covered
}

/// Rows of `cells` each, one after the other.
///
/// # Safety
/// `count x k` elements of `from` can be read with the given strides; `to` holds `cells` times `count`.
#[inline(always)]
unsafe fn pack_left(p: &Packing<bf16>, granule: usize) {
    let cells = cells(p.k, granule);
    let (from, to) = (p.from.cast::<u16>(), p.to.cast::<u32>());
    let (whole, odd) = (p.k / 2, !p.k.is_multiple_of(2));
    // SAFETY: rows below `count` and columns below `k` exist, and so do as many rows of cells.
    unsafe {
        for i in 0..p.count {
            let to = to.add(i * cells);
            std::ptr::write_bytes(to.add(whole), 0, cells - whole);
            if odd {
                *to.add(whole) = joined(*from.add(i * p.row + (p.k - 1) * p.column), 0);
            }
            if p.column == 1 {
                std::ptr::copy_nonoverlapping(from.add(i * p.row), to.cast(), 2 * whole);
            }
        }
        if p.column == 1 {
            return;
        }
        // Some rows at a time, so that the lines they are written to stay in cache.
        const ROWS: usize = 16;
        for first in (0..p.count).step_by(ROWS) {
            for cell in 0..whole {
                let from = from.add(2 * cell * p.column);
                for i in first..p.count.min(first + ROWS) {
                    *to.add(i * cells + cell) = joined(*from.add(i * p.row), *from.add(p.column + i * p.row));
                }
            }
        }
    }
}

/// # Safety
/// The rows can be read; `to` holds the cells of each.
#[inline(always)]
unsafe fn pack_rows(from: &Rows<'_, f32>, to: *mut f32, granule: usize) {
    // Some rows at a time, as above.
    const ROWS: usize = 16;
    let k = from.runs.iter().map(|run| run.len).sum();
    let length = 2 * cells(k, granule);
    for (block, rows) in from.rows.chunks(ROWS).enumerate() {
        let to = to.cast::<u16>().wrapping_add(block * ROWS * length);
        let mut done = 0;
        for run in from.runs {
            // SAFETY: the run of each row can be read, and the halves of its cells written.
            unsafe {
                if from.column == 1 {
                    for (i, row) in rows.iter().enumerate() {
                        let (from, to) = (from.at.add(row + run.offset), to.add(i * length + done));
                        (0..run.len).for_each(|p| *to.add(p) = narrowed(*from.add(p)));
                    }
                } else {
                    for p in 0..run.len {
                        let from = from.at.add(run.offset + p * from.column);
                        for (i, row) in rows.iter().enumerate() {
                            *to.add(i * length + done + p) = narrowed(*from.add(*row));
                        }
                    }
                }
            }
            done += run.len;
        }
        for i in 0..rows.len() {
            // SAFETY: the rest of the row's cells.
            unsafe { std::ptr::write_bytes(to.add(i * length + k), 0, length - k) };
        }
    }
}

/// The bf16 that was widened to `x`.
#[inline(always)]
fn narrowed(x: f32) -> u16 {
    (x.to_bits() >> 16) as u16
}

/// A cell.
#[inline(always)]
fn joined(first: u16, second: u16) -> u32 {
    u32::from(first) | u32::from(second) << 16
}
