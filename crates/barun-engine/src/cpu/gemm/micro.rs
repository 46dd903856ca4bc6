//! The innermost loops: register tiles and packing, generic over the vector type, and one table of them per
//! instruction set.
//!
//! A register tile holds `R x V` vectors of the output while `k` runs: `V` vectors of the right operand are loaded,
//! `R` elements of the left one are broadcast straight from memory. Each output element is one chain of fused
//! multiply-adds in increasing `k`, whatever tile it lies in; so neither the tile's shape nor its place shows in the
//! bits.
//!
//! Tiles work in the type of the sums. Operands of a narrower type (bf16) are widened where they are packed, and so
//! always are; others are also read in place. Or they are packed in pairs, for instructions that multiply those
//! (`pairs.rs`): what is said of an element along `k` then holds for a *cell* of the sum's size.

use half::bf16;

use super::lines::{Apart, Correlation, Lines, apart, correlate, lines};
#[cfg(target_arch = "x86_64")]
use super::pairs::{AMX_PAIRS, AVX512_PAIRS};
use super::row::{MOST_COLUMNS, row};
use super::simd::*;
use crate::bfloat::widen;
use crate::cpu::isa::Isa;

/// A stretch of `k` along which the left operand has even steps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Run {
    /// Where it begins, relative to the beginning of the row.
    pub offset: usize,
    pub len: usize,
}

/// Some rows of a left operand, widened.
pub(crate) struct Rows<'a, T> {
    pub at: *const T,
    /// Row `i` begins at `rows[i]`; along it come the runs, in each of which neighbours are `column` apart.
    pub rows: &'a [usize],
    pub runs: &'a [Run],
    pub column: usize,
}

/// A panel of the output: some rows by at most [`Micro::columns`] columns.
pub(crate) struct Panel<'a, T> {
    /// The left operand: row `i` begins at `a_rows[i]`; along it come the runs, in each of which neighbours are
    /// `a_column` apart.
    pub a: *const T,
    pub a_rows: &'a [usize],
    pub a_column: usize,
    pub runs: &'a [Run],
    /// The right operand: element `(p, j)` is at `p * b_row + j`; whole vectors can be read.
    pub b: *const T,
    pub b_row: usize,
    /// The output: row `i` begins at `c_rows[i]`.
    pub c: *mut T,
    pub c_rows: &'a [usize],
    /// Columns that exist; the other lanes are computed and dropped.
    pub columns: usize,
    /// Add to the output instead of overwriting it.
    pub add: bool,
}

/// What is packed into what. The right operand's `k x columns` become panels of [`Micro::panel_width`] columns, each
/// `[k][width]` and zero behind the last column; the left operand's `rows x k` become tiles of [`Micro::rows`] rows,
/// each `[k][rows]`. Pairs: the right operand's panels are `[cells][width]`, the left operand's rows `[cells]`, all
/// with [`Micro::cells`] that are zero behind the last element.
pub(crate) struct Packing<T: Real> {
    pub from: *const T,
    /// Distance between rows of the operand as the product sees it.
    pub row: usize,
    pub column: usize,
    pub k: usize,
    /// Columns of the right operand, rows of the left one.
    pub count: usize,
    pub to: *mut T::Sum,
    /// Length of `k` of the panels in `to`, of which this packing fills the part from `first_k` on (right only).
    pub whole_k: usize,
    pub first_k: usize,
}

/// Products of the rows of a matrix, each contiguous, with one vector.
pub(crate) struct Dots<T> {
    pub matrix: *const T,
    /// Distance between rows, and how many there are.
    pub row: usize,
    pub count: usize,
    pub vector: *const T,
    pub k: usize,
    /// The results, side by side.
    pub to: *mut T,
}

/// Packs rows one after the other.
pub(crate) type PackRows<T> = unsafe fn(&Rows<'_, T>, *mut T);

/// The kernels of one instruction set for operands of one element type.
pub(crate) struct Micro<T: Real> {
    /// Rows of a register tile.
    pub rows: usize,
    /// Elements of a vector.
    pub lanes: usize,
    /// Columns of the widest register tile.
    pub columns: usize,
    /// Neighbours along `k` in a cell.
    pub group: usize,
    /// Stretches of `k` are filled up to whole multiples of so many cells.
    pub granule: usize,
    /// Computes a panel of one, two or four vectors' width.
    pub panel: [unsafe fn(&Panel<'_, T::Sum>); 3],
    /// Computes a panel of one row, of whatever width.
    pub row: unsafe fn(&Panel<'_, T::Sum>),
    pub pack_right: unsafe fn(&Packing<T>),
    pub pack_left: unsafe fn(&Packing<T>),
    /// Where tiles take cells, packs rows that lie as a [`Panel`] tells in [`Micro::cells`] each, one after the other.
    pub pack_rows: Option<PackRows<T::Sum>>,
    /// Copies `count` neighbours.
    pub copy: unsafe fn(from: *const T, to: *mut T::Sum, count: usize),
    /// Adds in 64 bytes' worth of lanes under every instruction set, and those in a fixed tree.
    pub dots: unsafe fn(&Dots<T::Sum>),
    /// `to[i] = parts[i] + parts[stride + i] + ...` for `i < count`, added in order.
    pub sum: unsafe fn(parts: *const T::Sum, number: usize, stride: usize, to: *mut T::Sum, count: usize),
    pub lines: unsafe fn(&Lines<'_, T::Sum>),
    pub apart: unsafe fn(&Apart<T::Sum>),
    /// Rows of the result that [`Micro::correlate`] computes at a time.
    pub correlated: usize,
    pub correlate: unsafe fn(&Correlation<'_, T::Sum>),
}

impl<T: Real> Micro<T> {
    /// Cells of a packed stretch of `k`.
    pub fn cells(&self, k: usize) -> usize {
        k.div_ceil(self.group).next_multiple_of(self.granule)
    }

    /// Whether operands are packed in pairs.
    pub fn of_pairs(&self) -> bool {
        self.group > 1
    }

    /// The width of the panel when `remaining` columns are left.
    pub fn panel_width(&self, remaining: usize) -> usize {
        if remaining <= self.lanes { self.lanes } else { self.columns }
    }

    /// Elements of `columns` columns packed for one `k`.
    pub fn packed_columns(&self, columns: usize) -> usize {
        let tail = columns % self.columns;
        columns - tail + if tail == 0 { 0 } else { self.panel_width(tail) }
    }

    /// # Safety
    /// The pointers of `panel` are valid for its sizes and the processor has the instruction set.
    pub unsafe fn panel(&self, panel: &Panel<'_, T::Sum>) {
        debug_assert!(panel.columns <= self.columns && panel.c_rows.len() == panel.a_rows.len());
        // SAFETY: the caller's.
        unsafe { self.panel[usize::from(panel.columns > self.lanes)](panel) }
    }

    /// How many of `columns` columns of a right operand can be read in place for `rows` rows: panels must be whole, but
    /// for a single row.
    pub fn columns_in_place(&self, rows: usize, columns: usize) -> usize {
        if rows == 1 { columns } else { columns / self.columns * self.columns }
    }

    /// The width of a panel of `remaining` columns of a right operand that is read in place. With few rows a wider
    /// panel fills the registers and reads more of each row at a time.
    pub fn width_in_place(&self, rows: usize, remaining: usize) -> usize {
        match rows {
            1 => remaining.min(MOST_COLUMNS),
            2 if remaining >= 4 * self.lanes => 4 * self.lanes,
            _ => self.columns,
        }
    }

    /// # Safety
    /// As for [`Micro::panel`]; all columns exist and their number is from [`Micro::width_in_place`].
    pub unsafe fn panel_in_place(&self, panel: &Panel<'_, T::Sum>) {
        debug_assert!(panel.c_rows.len() == panel.a_rows.len());
        // SAFETY: the caller's.
        unsafe {
            match panel.a_rows.len() {
                1 => (self.row)(panel),
                _ => self.panel[(panel.columns / self.lanes).ilog2() as usize](panel),
            }
        }
    }
}

/// Types of operands that the kernels exist for.
pub trait Real: Copy + Default + Send + Sync + std::fmt::Debug + 'static + sealed::Kernels {
    /// What products are summed in, and what results are: f32 for bf16, else the same type.
    type Sum: Real<Sum = Self::Sum> + std::ops::Add<Output = Self::Sum>;
    /// Whether that is the same type, so that operands can be read in place.
    const IN_PLACE: bool;
    /// The same number.
    fn widen(self) -> Self::Sum;
}

macro_rules! sums_itself {
    ($type:ty) => {
        impl Real for $type {
            type Sum = $type;
            const IN_PLACE: bool = true;
            #[inline(always)]
            fn widen(self) -> $type {
                self
            }
        }
    };
}
sums_itself!(f32);
sums_itself!(f64);

impl Real for bf16 {
    type Sum = f32;
    const IN_PLACE: bool = false;
    #[inline(always)]
    fn widen(self) -> f32 {
        widen(self)
    }
}

pub(crate) mod sealed {
    /// Finds the kernels of an element type.
    pub trait Kernels: Sized {
        #[doc(hidden)]
        #[allow(private_interfaces)]
        fn micro(isa: super::Isa) -> &'static super::Micro<Self>
        where
            Self: super::Real;
    }
}

macro_rules! kernels {
    ($t:ty, $scalar:ident, $avx2:ident, $avx512:ident $(, $avx512_bf16:ident, $amx:ident)?) => {
        impl sealed::Kernels for $t {
            #[allow(private_interfaces)]
            fn micro(isa: Isa) -> &'static Micro<$t> {
                assert!(isa.is_available(), "this machine has no {isa}");
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => &$avx2,
                    $(#[cfg(target_arch = "x86_64")]
                    Isa::Avx512Bf16 => &$avx512_bf16,
                    #[cfg(target_arch = "x86_64")]
                    Isa::Amx => &$amx,)?
                    #[cfg(target_arch = "x86_64")]
                    _ if isa.vectors() == Isa::Avx512 => &$avx512,
                    _ => &$scalar,
                }
            }

        }
    };
}

kernels!(f32, SCALAR_F32, AVX2_F32, AVX512_F32);
kernels!(f64, SCALAR_F64, AVX2_F64, AVX512_F64);
kernels!(bf16, SCALAR_BF16, AVX2_BF16, AVX512_BF16, AVX512_PAIRS, AMX_PAIRS);

/// One table for operands of type `$t`: the generic loops compiled with the features that `$simd` needs.
macro_rules! micro {
    ($name:ident, $t:ty, $simd:ty, $rows:literal, $narrow_rows:literal $(, $feature:literal)?) => {
        pub(crate) static $name: Micro<$t> = {
            type Sum = <$t as Real>::Sum;
            // SAFETY of the blocks below: the caller's contract is passed on.
            $(#[target_feature(enable = $feature)])?
            unsafe fn panel1(p: &Panel<'_, Sum>) {
                unsafe { panel::<Sum, $simd, $narrow_rows, 1>(p) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn panel2(p: &Panel<'_, Sum>) {
                unsafe { panel::<Sum, $simd, $rows, 2>(p) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn panel4(p: &Panel<'_, Sum>) {
                unsafe { panel::<Sum, $simd, 2, 4>(p) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn one_row(p: &Panel<'_, Sum>) {
                unsafe { row::<Sum, $simd>(p) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn right(p: &Packing<$t>) {
                unsafe { pack_right::<$t, $simd, LANES>(p) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn left(p: &Packing<$t>) {
                unsafe { pack_left::<$t, $rows>(p) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn copied(from: *const $t, to: *mut Sum, count: usize) {
                unsafe { copy::<$t>(from, to, count) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn products(d: &Dots<Sum>) {
                const VECTORS: usize = 64 / size_of::<Sum>() / LANES;
                unsafe { dots::<Sum, $simd, VECTORS>(d) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn total(parts: *const Sum, number: usize, stride: usize, to: *mut Sum, count: usize) {
                unsafe { sum::<Sum, $simd>(parts, number, stride, to, count) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn pixel_lines(l: &Lines<'_, Sum>) {
                unsafe { lines::<Sum, $simd>(l) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn take_apart(a: &Apart<Sum>) {
                unsafe { apart::<Sum, $simd>(a) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn correlation(c: &Correlation<'_, Sum>) {
                const VECTORS: usize = 64 / size_of::<Sum>() / LANES;
                unsafe { correlate::<Sum, $simd, VECTORS, CORRELATED>(c) }
            }
            const LANES: usize = <$simd as Simd<Sum>>::LANES;
            // Twelve vectors of sums, two for each.
            const CORRELATED: usize = if LANES * size_of::<Sum>() < 32 { 1 } else { LANES * size_of::<Sum>() * 3 / 32 };
            Micro {
                rows: $rows,
                lanes: LANES,
                columns: 2 * LANES,
                group: 1,
                granule: 1,
                panel: [panel1, panel2, panel4],
                row: one_row,
                pack_right: right,
                pack_left: left,
                pack_rows: None,
                copy: copied,
                dots: products,
                sum: total,
                lines: pixel_lines,
                apart: take_apart,
                correlated: CORRELATED,
                correlate: correlation,
            }
        };
    };
}

// Tile shapes: as many rows as leave registers for the right operand and, as each row also wants a pointer, as there
// are general registers for: with 14 rows AVX-512 would reload pointers in the inner loop.
micro!(SCALAR_F32, f32, Portable<4>, 4, 4);
micro!(SCALAR_F64, f64, Portable<2>, 4, 4);
micro!(SCALAR_BF16, bf16, Portable<4>, 4, 4);
#[cfg(target_arch = "x86_64")]
micro!(AVX2_F32, f32, Avx2, 6, 8, "avx2,fma");
#[cfg(target_arch = "x86_64")]
micro!(AVX2_F64, f64, Avx2, 6, 8, "avx2,fma");
#[cfg(target_arch = "x86_64")]
micro!(AVX2_BF16, bf16, Avx2, 6, 8, "avx2,fma");
#[cfg(target_arch = "x86_64")]
micro!(AVX512_F32, f32, Avx512, 10, 8, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma");
#[cfg(target_arch = "x86_64")]
micro!(AVX512_F64, f64, Avx512, 10, 8, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma");
#[cfg(target_arch = "x86_64")]
micro!(AVX512_BF16, bf16, Avx512, 10, 8, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma");

// The tile shapes of AVX-512 on any machine, for tests.
#[cfg(test)]
micro!(WIDE_F32, f32, Fused<16>, 10, 8);
#[cfg(test)]
micro!(WIDE_F64, f64, Fused<8>, 10, 8);
#[cfg(test)]
micro!(WIDE_BF16, bf16, Fused<16>, 10, 8);

/// # Safety
/// See [`Micro::panel`].
#[inline(always)]
pub(super) unsafe fn panel<T: Copy, S: Simd<T>, const R: usize, const V: usize>(p: &Panel<T>) {
    let rows = p.a_rows.len();
    let mut done = 0;
    while done < rows {
        let count = match rows - done {
            // A tile of one or two rows would wait for its sums: rather two of about half the rows.
            left if left > R && left <= R + 2 => left.div_ceil(2),
            left => left.min(R),
        };
        // SAFETY: rows below `rows` only; the caller vouches for the pointers.
        unsafe {
            match count {
                count if count == R => tile::<T, S, R, V>(p, done),
                1 => tile::<T, S, 1, V>(p, done),
                2 if R > 2 => tile::<T, S, 2, V>(p, done),
                3 if R > 3 => tile::<T, S, 3, V>(p, done),
                4 if R > 4 => tile::<T, S, 4, V>(p, done),
                5 if R > 5 => tile::<T, S, 5, V>(p, done),
                6 if R > 6 => tile::<T, S, 6, V>(p, done),
                7 if R > 7 => tile::<T, S, 7, V>(p, done),
                8 if R > 8 => tile::<T, S, 8, V>(p, done),
                9 if R > 9 => tile::<T, S, 9, V>(p, done),
                _ => {}
            }
        }
        done += count;
    }
}

/// Rows `first .. first + R` of a panel.
///
/// # Safety
/// See [`Micro::panel`].
#[allow(clippy::needless_range_loop)] // several arrays run along; iterators are not unrolled as surely
#[inline(always)]
unsafe fn tile<T: Copy, S: Simd<T>, const R: usize, const V: usize>(p: &Panel<T>, first: usize) {
    // SAFETY: the runs of `R` rows of `a` and whole vectors of `b` can be read, and the existing columns of the rows
    // of `c` written, as the caller vouches; there are `first + R` rows.
    unsafe {
        let mut sums = [[S::zero(); V]; R];
        let rows: [*const T; R] =
            std::array::from_fn(|i| p.a.wrapping_add(*p.a_rows.get_unchecked(first + i)));
        let mut b = p.b;
        for run in p.runs {
            let mut offset = run.offset;
            for _ in 0..run.len {
                let right: [S::V; V] = std::array::from_fn(|j| S::load(b.add(j * S::LANES)));
                for i in 0..R {
                    let left = S::splat(rows[i].add(offset));
                    for j in 0..V {
                        sums[i][j] = S::fma(left, right[j], sums[i][j]);
                    }
                }
                b = b.wrapping_add(p.b_row);
                offset += p.a_column;
            }
        }
        // Small loops of known length, so that the sums stay in registers; the rare case works on a copy.
        let row = |i: usize| p.c.add(*p.c_rows.get_unchecked(first + i));
        if p.columns == V * S::LANES {
            if p.add {
                for i in 0..R {
                    for j in 0..V {
                        let c = row(i).add(j * S::LANES);
                        S::store(c, S::add(S::load(c), sums[i][j]));
                    }
                }
            } else {
                for i in 0..R {
                    for j in 0..V {
                        S::store(row(i).add(j * S::LANES), sums[i][j]);
                    }
                }
            }
        } else {
            store_tail::<T, S, R, V>(p, first, sums);
        }
    }
}

/// The end of a tile some of whose columns do not exist.
///
/// # Safety
/// See [`Micro::panel`].
#[inline(always)]
unsafe fn store_tail<T: Copy, S: Simd<T>, const R: usize, const V: usize>(
    p: &Panel<T>,
    first: usize,
    sums: [[S::V; V]; R],
) {
    for (i, sums) in sums.iter().enumerate() {
        // SAFETY: the existing columns of the rows can be read and written, as the caller vouches.
        unsafe {
            let c = p.c.add(*p.c_rows.get_unchecked(first + i));
            for (j, &sum) in sums.iter().enumerate() {
                let count = p.columns.saturating_sub(j * S::LANES).min(S::LANES);
                let c = c.wrapping_add(j * S::LANES);
                S::store_part(c, if p.add { S::add(S::load_part(c, count), sum) } else { sum }, count);
            }
        }
    }
}

/// Widens `N` neighbours.
///
/// # Safety
/// They can be read, and as many sums written.
#[inline(always)]
unsafe fn widen_all<T: Real, const N: usize>(from: *const T, to: *mut T::Sum) {
    // SAFETY: the caller's; an array is aligned as its elements. All are read before any is written, in one vector.
    unsafe {
        let narrow = from.cast::<[T; N]>().read();
        to.cast::<[T::Sum; N]>().write(narrow.map(T::widen));
    }
}

/// A vector of sums: of all its elements if `WHOLE`, else of the first `count`, the other lanes zero.
///
/// # Safety
/// So many elements can be read, and the processor has the instruction set.
#[inline(always)]
pub(crate) unsafe fn load<T: Real, S: Simd<T::Sum>, const WHOLE: bool>(from: *const T, count: usize) -> S::V {
    /// At least the lanes of any vector type.
    const LANES: usize = 16;
    // SAFETY: the caller's; the array holds a vector.
    unsafe {
        if T::IN_PLACE {
            let from = from.cast();
            return if WHOLE { S::load(from) } else { S::load_part(from, count) };
        }
        let mut wide = [T::Sum::default(); LANES];
        let count = if WHOLE { S::LANES } else { count };
        for (i, wide) in wide.iter_mut().enumerate().take(count) {
            *wide = (*from.add(i)).widen();
        }
        S::load(wide.as_ptr())
    }
}

/// # Safety
/// `count` elements can be read and sums written.
#[inline(always)]
unsafe fn copy<T: Real>(from: *const T, to: *mut T::Sum, count: usize) {
    const CHUNK: usize = 16;
    // SAFETY: indices stay below `count`.
    unsafe {
        if T::IN_PLACE {
            return std::ptr::copy_nonoverlapping(from.cast(), to, count);
        }
        let whole = count / CHUNK * CHUNK;
        for i in (0..whole).step_by(CHUNK) {
            widen_all::<T, CHUNK>(from.add(i), to.add(i));
        }
        for i in whole..count {
            *to.add(i) = (*from.add(i)).widen();
        }
    }
}

/// # Safety
/// `k x count` elements of `from` can be read with the given strides; `to` holds `whole_k` times
/// [`Micro::packed_columns`], and `first_k + k <= whole_k`.
#[inline(always)]
unsafe fn pack_right<T: Real, S: Simd<T::Sum>, const L: usize>(p: &Packing<T>) {
    let mut done = 0;
    while done < p.count {
        let remaining = p.count - done;
        let width = if remaining <= L { L } else { 2 * L };
        let columns = remaining.min(width);
        // SAFETY: `columns` columns from `done` on exist; panels before this one hold `whole_k * done` elements, as all
        // but the last are whole.
        unsafe {
            let from = p.from.add(done * p.column);
            let to = p.to.add(done * p.whole_k + p.first_k * width);
            if p.column == 1 {
                pack_rows::<T, S, L>(from, p.row, p.k, columns, to, width);
            } else {
                pack_columns::<T, S>(from, p.row, p.column, p.k, columns, to, width);
            }
        }
        done += columns;
    }
}

/// One panel from an operand whose rows are contiguous.
///
/// # Safety
/// See [`pack_right`].
#[inline(always)]
unsafe fn pack_rows<T: Real, S: Simd<T::Sum>, const L: usize>(
    from: *const T,
    row: usize,
    k: usize,
    columns: usize,
    to: *mut T::Sum,
    width: usize,
) {
    // SAFETY: row `i` of the operand has `columns` elements, of the panel `width`.
    unsafe {
        for i in 0..k {
            let (from, to) = (from.add(i * row), to.add(i * width));
            for j in (0..width).step_by(L) {
                let count = columns.saturating_sub(j);
                if count >= L {
                    widen_all::<T, L>(from.add(j), to.add(j));
                } else if T::IN_PLACE {
                    S::store(to.add(j), S::load_part(from.wrapping_add(j).cast(), count));
                } else {
                    for lane in 0..count {
                        *to.add(j + lane) = (*from.add(j + lane)).widen();
                    }
                    std::ptr::write_bytes(to.add(j + count), 0, L - count);
                }
            }
        }
    }
}

/// One panel from an operand whose rows are not contiguous; fast if its columns are.
///
/// # Safety
/// See [`pack_right`].
#[inline(always)]
unsafe fn pack_columns<T: Real, S: Simd<T::Sum>>(
    from: *const T,
    row: usize,
    column: usize,
    k: usize,
    columns: usize,
    to: *mut T::Sum,
    width: usize,
) {
    let (squares, k_whole) =
        if row == 1 { (columns / S::SIDE * S::SIDE, k / S::SIDE * S::SIDE) } else { (0, 0) };
    // SAFETY: only elements `(i, j)` with `i < k`, `j < columns` are read; all `k * width` are written.
    unsafe {
        for i in (0..k_whole).step_by(S::SIDE) {
            for j in (0..squares).step_by(S::SIDE) {
                transpose::<T, S>(from.add(j * column + i), column, to.add(i * width + j), width);
            }
        }
        for i in 0..k {
            let first = if i < k_whole { squares } else { 0 };
            for j in first..columns {
                *to.add(i * width + j) = (*from.add(i * row + j * column)).widen();
            }
            if columns < width {
                std::ptr::write_bytes(to.add(i * width + columns), 0, width - columns);
            }
        }
    }
}

/// As [`Simd::transpose`].
///
/// # Safety
/// `SIDE` rows of `SIDE` elements can be read and written.
#[inline(always)]
unsafe fn transpose<T: Real, S: Simd<T::Sum>>(
    from: *const T,
    from_row: usize,
    to: *mut T::Sum,
    to_row: usize,
) {
    /// At least the side of any vector type.
    const SIDE: usize = 8;
    // SAFETY: the caller's; the square holds `SIDE` rows.
    unsafe {
        if T::IN_PLACE {
            return S::transpose(from.cast(), from_row, to, to_row);
        }
        let mut square = [[T::Sum::default(); SIDE]; SIDE];
        for (i, line) in square.iter_mut().enumerate().take(S::SIDE) {
            for (j, wide) in line.iter_mut().enumerate().take(S::SIDE) {
                *wide = (*from.add(i * from_row + j)).widen();
            }
        }
        S::transpose(square.as_ptr().cast(), SIDE, to, to_row);
    }
}

/// # Safety
/// `count x k` elements of `from` can be read with the given strides; `to` holds `k` times `count` rounded up to
/// whole tiles.
#[inline(always)]
unsafe fn pack_left<T: Real, const R: usize>(p: &Packing<T>) {
    let whole = p.count / R * R;
    for i in 0..p.k {
        // SAFETY: row `i` of `k` and rows below `count` exist; tiles before row `j` hold `k * j` elements.
        unsafe {
            let from = p.from.add(i * p.column);
            let to = p.to.add(i * R);
            // A line of memory at a time, whichever tiles it goes to: lines may be far apart and evict each other.
            for j in (0..whole).step_by(R) {
                if p.row == 1 {
                    widen_all::<T, R>(from.add(j), to.add(j * p.k));
                } else {
                    for l in 0..R {
                        *to.add(j * p.k + l) = (*from.add((j + l) * p.row)).widen();
                    }
                }
            }
            for j in whole..p.count {
                *to.add(whole * p.k + j - whole) = (*from.add(j * p.row)).widen();
            }
        }
    }
}

/// # Safety
/// `d.count` rows and the vector, of `d.k` elements each, can be read and `d.count` elements written.
#[inline(always)]
unsafe fn dots<T: Real + std::ops::Add<Output = T>, S: Simd<T>, const V: usize>(d: &Dots<T>) {
    /// Rows at a time, so that the sums do not wait for each other.
    const ROWS: usize = 4;
    for first in (0..d.count).step_by(ROWS) {
        // Rows behind the last are the last once more.
        let row = |i: usize| d.matrix.wrapping_add((first + i).min(d.count - 1) * d.row);
        let rows: [*const T; ROWS] = std::array::from_fn(row);
        let step = V * S::LANES;
        let whole = d.k / step * step;
        // SAFETY: only elements below `k` are read.
        unsafe {
            let mut sums = [[S::zero(); V]; ROWS];
            for p in (0..whole).step_by(step) {
                for v in 0..V {
                    let at = p + v * S::LANES;
                    let x = S::load(d.vector.add(at));
                    for (sums, row) in sums.iter_mut().zip(rows) {
                        sums[v] = S::fma(S::load(row.add(at)), x, sums[v]);
                    }
                }
            }
            if whole < d.k {
                for v in 0..V {
                    let at = whole + v * S::LANES;
                    let count = d.k.saturating_sub(at).min(S::LANES);
                    let x = S::load_part(d.vector.wrapping_add(at), count);
                    for (sums, row) in sums.iter_mut().zip(rows) {
                        sums[v] = S::fma(S::load_part(row.wrapping_add(at), count), x, sums[v]);
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate().take(d.count - first) {
                // At most 64 bytes, so at most sixteen lanes.
                let mut lanes = [T::default(); 16];
                for (v, &sum) in sums.iter().enumerate() {
                    S::store(lanes.as_mut_ptr().add(v * S::LANES), sum);
                }
                let mut half = step / 2;
                while half > 0 {
                    for lane in 0..half {
                        lanes[lane] = lanes[lane] + lanes[lane + half];
                    }
                    half /= 2;
                }
                *d.to.add(first + i) = lanes[0];
            }
        }
    }
}

/// # Safety
/// `number` parts of `count` elements, `stride` apart, can be read and `count` written.
#[inline(always)]
unsafe fn sum<T: Copy, S: Simd<T>>(parts: *const T, number: usize, stride: usize, to: *mut T, count: usize) {
    // SAFETY: indices stay below `count`.
    unsafe {
        for i in (0..count).step_by(S::LANES) {
            let lanes = (count - i).min(S::LANES);
            let mut total = S::load_part(parts.add(i), lanes);
            for part in 1..number {
                total = S::add(total, S::load_part(parts.add(part * stride + i), lanes));
            }
            S::store_part(to.add(i), total, lanes);
        }
    }
}
