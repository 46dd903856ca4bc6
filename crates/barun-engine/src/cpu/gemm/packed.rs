//! A right operand that is packed as a whole, once for all the products that use it. A loop's constants are: the weights
//! of a recurrent layer, which every turn multiplies with.

use std::ops::Range;

use super::blocked::{Matrix, Right, RightBlock, blocks};
use super::micro::{Micro, Real};

/// The panels of all columns for one block of `k`, then those for the next.
pub(crate) struct Packed<T: Real> {
    pub at: *mut T::Sum,
    /// Columns of the operand.
    pub columns: usize,
    /// Length of a block of `k`, the last maybe shorter.
    pub depth: usize,
}

impl<T: Real> Packed<T> {
    /// Elements of an operand of `k` rows.
    pub fn elements(micro: &Micro<T>, k: usize, columns: usize, depth: usize) -> usize {
        let cells: usize = blocks(&(0..k), depth).map(|ks| micro.cells(ks.len())).sum();
        cells * micro.packed_columns(columns)
    }

    /// Where the panel of a block of `k` lies that begins with `column`.
    fn panel(&self, micro: &Micro<T>, ks: &Range<usize>, column: usize) -> *mut T::Sum {
        let before = ks.start / self.depth * micro.cells(self.depth) * micro.packed_columns(self.columns);
        self.at.wrapping_add(before + column * micro.cells(ks.len()))
    }

    /// Packs some columns of `matrix`, which has `k` rows.
    ///
    /// # Safety
    /// The columns begin and end with a whole panel or with the last column; the matrix can be read, and
    /// [`Packed::elements`] written.
    pub unsafe fn fill(&self, micro: &Micro<T>, matrix: &Matrix<T>, k: usize, columns: Range<usize>) {
        for ks in blocks(&(0..k), self.depth) {
            // SAFETY: the caller's.
            unsafe { matrix.pack(micro, &ks, columns.clone(), self.panel(micro, &ks, columns.start)) };
        }
    }
}

/// A right operand that is a matrix.
pub(crate) enum MatrixRight<T: Real> {
    /// As it lies; each product packs what it uses.
    Plain(Matrix<T>),
    /// Packed for all products.
    Packed(Packed<T>),
}

impl<T: Real> Right<T> for MatrixRight<T> {
    unsafe fn block(
        &self,
        micro: &Micro<T>,
        ks: Range<usize>,
        columns: Range<usize>,
        rows: usize,
        buffer: *mut T::Sum,
    ) -> RightBlock<T::Sum> {
        match self {
            // SAFETY: the caller's.
            MatrixRight::Plain(matrix) => unsafe { matrix.block(micro, ks, columns, rows, buffer) },
            MatrixRight::Packed(packed) => RightBlock {
                packed: packed.panel(micro, &ks, columns.start),
                packed_from: columns.start,
                direct: std::ptr::null(),
                direct_row: 0,
            },
        }
    }
}
