//! A panel of one row: the right operand is read once and never again, so what counts is the order in which it lies in
//! memory. Its rows go by in groups, each from its first column to its last, and the sums wait in the first-level cache.

use super::micro::Panel;
use super::simd::Simd;

/// Rows of the right operand side by side, for which the sums are fetched and put back once.
const ABREAST: usize = 8;
/// The most columns of a panel.
pub(crate) const MOST_COLUMNS: usize = 512;

/// Computes a panel of one row and at most [`MOST_COLUMNS`] columns: the chains of
/// [`Micro::panel`](super::micro::Micro::panel), and so its bits.
///
/// # Safety
/// As for [`Micro::panel`](super::micro::Micro::panel), but that no more of `b` is read than its columns.
#[inline(always)]
pub(super) unsafe fn row<T: Copy + Default, S: Simd<T>>(p: &Panel<'_, T>) {
    debug_assert!(p.a_rows.len() == 1 && p.c_rows.len() == 1 && p.columns <= MOST_COLUMNS);
    let mut sums = [T::default(); MOST_COLUMNS];
    let sums = sums.as_mut_ptr();
    // SAFETY: the runs of the row of `a`, the columns of as many rows of `b`, and those of the row of `c`.
    unsafe {
        let a = p.a.wrapping_add(*p.a_rows.get_unchecked(0));
        let mut b = p.b;
        for run in p.runs {
            let left = a.wrapping_add(run.offset);
            let mut done = 0;
            while done + ABREAST <= run.len {
                add_rows::<T, S, ABREAST>(p, left.wrapping_add(done * p.a_column), b, sums);
                b = b.wrapping_add(ABREAST * p.b_row);
                done += ABREAST;
            }
            for i in done..run.len {
                add_rows::<T, S, 1>(p, left.wrapping_add(i * p.a_column), b, sums);
                b = b.wrapping_add(p.b_row);
            }
        }
        let c = p.c.add(*p.c_rows.get_unchecked(0));
        for j in (0..p.columns).step_by(S::LANES) {
            let count = (p.columns - j).min(S::LANES);
            let sum = S::load(sums.add(j));
            let sum = if p.add { S::add(S::load_part(c.add(j), count), sum) } else { sum };
            S::store_part(c.add(j), sum, count);
        }
    }
}

/// Adds `G` rows of `b`, each times its element of `a`, one after the other.
///
/// # Safety
/// As for [`row`]; `sums` holds [`MOST_COLUMNS`].
#[allow(clippy::needless_range_loop)] // several arrays run along; iterators are not unrolled as surely
#[inline(always)]
unsafe fn add_rows<T: Copy, S: Simd<T>, const G: usize>(
    p: &Panel<'_, T>,
    a: *const T,
    b: *const T,
    sums: *mut T,
) {
    let whole = p.columns / S::LANES * S::LANES;
    // SAFETY: the caller's.
    unsafe {
        let factors: [S::V; G] = std::array::from_fn(|i| S::splat(a.wrapping_add(i * p.a_column)));
        let rows: [*const T; G] = std::array::from_fn(|i| b.wrapping_add(i * p.b_row));
        for j in (0..whole).step_by(S::LANES) {
            let mut sum = S::load(sums.add(j));
            for i in 0..G {
                sum = S::fma(factors[i], S::load(rows[i].add(j)), sum);
            }
            S::store(sums.add(j), sum);
        }
        if whole < p.columns {
            let mut sum = S::load(sums.add(whole));
            for i in 0..G {
                sum = S::fma(factors[i], S::load_part(rows[i].add(whole), p.columns - whole), sum);
            }
            S::store(sums.add(whole), sum);
        }
    }
}
