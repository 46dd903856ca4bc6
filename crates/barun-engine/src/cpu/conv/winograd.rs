//! 3x3 convolutions without stride with a quarter of the multiplications: Winograd's minimal filtering F(4x4, 3x3).
//!
//! A tile of 4x4 outputs sees a patch of 6x6 inputs. Patch and kernel are each transformed to 36 *points*
//! (`winograd/transform.rs`); there the convolution is a product number by number, which summed over channels makes a
//! matrix product for each point, `[tiles, channels in] x [channels in, channels out]`; a last transform turns the
//! sums into the tile. So 36 multiplications stand for 16 x 9 = 144. Lavin & Gray, "Fast algorithms for convolutional
//! neural networks", 2015, arXiv:1509.09308; the one-dimensional algorithm is Toom's and Cook's, the minimality
//! Winograd's ("Arithmetic complexity of computations", 1980).
//!
//! | kernel | patches of | tiles of | at the points |
//! |---|---|---|---|
//! | [`WinogradConv::forward`] | `x` | `y` | tiles x channels in x channels out |
//! | [`WinogradConv::input_grad`] | `dy` | `dx` | the same, taps reversed and channels swapped |
//! | [`WinogradWeightGrad`] | `x` | `dy` | channels in x tiles x channels out |
//!
//! The weight gradient is the exact adjoint of the forward pass: `dy` goes through the transpose of the transform
//! that makes `y`, and the sums over tiles through the transpose of the one that the weights go through.
//!
//! The points take 2.25 times the memory of the images, so they are never all written out: a task makes those of a
//! chunk of tiles and a block of channels in its scratch, multiplies (with the register tiles of `gemm/micro.rs`),
//! adds up, and writes finished pixels, on which an epilogue can run at once.
//!
//! # Errors
//! The transforms cancel, so results are less exact than the direct sum, by a factor that depends on the points
//! (Barabasz et al., "Error analysis and improving the accuracy of Winograd convolution for deep neural networks",
//! 2018, arXiv:1803.10986). Largest error as a fraction of the largest output, f32, inputs of variance one and
//! weights of variance 2 / fan-in:
//!
//! | points, besides 0 and infinity | y, 64 channels | y, 512 channels | dw, 1024 tiles |
//! |---|---|---|---|
//! | none (the direct sum) | 4e-7 | 4e-7 | 4e-7 |
//! | +-1, +-2 (customary) | 6e-6 | 1.1e-5 | 4e-6 |
//! | +-1, 1/2, -2 (Barabasz et al.) | 2e-6 | 4e-6 | 1.7e-6 |
//! | +-3/4, +-3/2 (here) | 1.4e-6 | 2.3e-6 | 1.2e-6 |
//!
//! f64 is for checking gradients and stays direct. A value that is not finite spoils all outputs of the tiles whose
//! patches hold it, and not only those whose taps meet it.
//!
//! # Bits
//! An element at a point is a chain of fused multiply-adds over the channels summed over (over the tiles, for the
//! weights), in blocks of a length that follows from the shape alone. Which tiles and columns a task takes does not
//! show. So teams of any size, AVX2 and AVX-512 give the same bits.

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

impl ConvSpec {
    /// Whether Winograd's algorithm computes the convolution and its gradients faster than the direct kernels, by
    /// the multiply-adds of both. It asks for the shape alone.
    pub fn suits_winograd(&self) -> bool {
        let channels = [self.in_channels, self.out_channels];
        // With few channels the transforms are most of the work; and small work makes too few tasks.
        if !applies(self)
            || channels.iter().any(|&count| count < FEWEST_CHANNELS)
            || self.flops() < LEAST_FLOPS
        {
            return false;
        }
        let [from, to] = channels.map(|count| count as f64);
        let tiles = (self.batch * self.out_h.div_ceil(TILE) * self.out_w.div_ceil(TILE)) as f64;
        let products = POINTS as f64 * 1.15 * tiles * from * to;
        // Patches are transformed anew for each block of the other side's channels.
        let transforms = 300.0 * tiles * (from * (to / 64.0).ceil() + to);
        let weights = 250.0 * from * to;
        products + transforms + weights < 0.8 * self.flops() / 2.0
    }
}

/// See [`ConvSpec::suits_winograd`].
const FEWEST_CHANNELS: usize = 32;
const LEAST_FLOPS: f64 = 16e6;

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
