//! Winograd's algorithm
mod forward;
#[cfg(test)]
mod tests;
mod tiles;
mod transform;
mod weight_grad;

pub use forward::WinogradConv;
pub use weight_grad::WinogradWeightGrad;

use super::ConvSpec;
use crate::cpu::gemm::blocked::{Right, RightBlock};
use crate::cpu::gemm::micro::Micro;
use std::ops::Range;

/// Side of a tile of the output.
const TILE: usize = 4;
/// Side of the kernel.
const KERNEL: usize = 3;
/// Side of the patch of the input that a tile sees.
const PATCH: usize = TILE + KERNEL - 1;
/// Points of a patch: products summed apart.
const POINTS: usize = PATCH * PATCH;

/// Whether the algorithm computes this convolution.
fn applies(spec: &ConvSpec) -> bool {
    spec.kernel == [KERNEL; 2] && spec.stride == [1; 2] && spec.dilation == [1; 2] && spec.groups == 1
}

/// The size of even blocks of at most `most` (a multiple of 32) channels, in whole panels of any instruction set.
fn even(channels: usize, most: usize) -> usize {
    channels.div_ceil(channels.div_ceil(most)).next_multiple_of(32).min(channels)
}

/// A matrix for each point.
#[derive(Clone, Copy, Debug)]
struct Planes {
    /// Elements between rows.
    row: usize,
    /// Elements between matrices.
    plane: usize,
}

impl Planes {
    fn new(rows: usize, columns: usize) -> Planes {
        let row = columns.next_multiple_of(16);
        // A line of the cache more, so that the same place of all matrices does not fall into one set of it.
        Planes { row, plane: rows * row + 16 }
    }

    fn elements(&self) -> usize {
        POINTS * self.plane
    }

    fn plane(&self, at: *mut f32, point: usize) -> *mut f32 {
        at.wrapping_add(point * self.plane)
    }

    /// An element's place in all matrices.
    fn places(&self, at: *mut f32, element: usize) -> transform::Targets<PATCH> {
        std::array::from_fn(|i| std::array::from_fn(|j| self.plane(at, i * PATCH + j).wrapping_add(element)))
    }
}

/// A right operand that has been packed; one block of `k`.
struct Panels(*const f32);

impl Right<f32> for Panels {
    unsafe fn block(
        &self,
        _micro: &Micro<f32>,
        ks: Range<usize>,
        columns: Range<usize>,
        _rows: usize,
        _buffer: *mut f32,
    ) -> RightBlock<f32> {
        let packed = self.0.wrapping_add(columns.start * ks.len());
        RightBlock { packed, packed_from: columns.start, direct: std::ptr::null(), direct_row: 0 }
    }
}
