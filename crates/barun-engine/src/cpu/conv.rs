//! Two-dimensional convolutions (cross-correlations, as everywhere in deep learning) and their gradients.
//!
//! Images are `[batch, height, width, channels]`, weights `[kernel height, kernel width, channels in / groups,
//! channels out]`. All three are matrix products on the register tiles of `gemm/micro.rs` in which one operand, the
//! matrix of what pixels see through the taps, is never written out: the tiles read it where it is (`conv/view.rs`).
//!
//! | kernel | rows | columns | sums over |
//! |---|---|---|---|
//! | [`ConvForward`] | output pixels | output channels | taps x input channels |
//! | [`ConvInputGrad`] | input pixels of one residue class | input channels | taps of that class x output channels |
//! | [`ConvWeightGrad`] | taps x input channels | output channels | output pixels |
//!
//! With stride `s` an input pixel at `y` meets only the taps with `y + pad - tap * dilation` divisible by `s`; the
//! pixels that share `y mod s` and `x mod s` share their taps, so the input gradient is one product for each such
//! class and multiplies no zeros.
//!
//! 3x3 convolutions of many channels have faster kernels beside these, see `conv/winograd.rs`;
//! [`ConvSpec::suits_winograd`] says which.

mod forward;
mod input_grad;
#[cfg(test)]
mod tests;
mod view;
mod weight_grad;
mod winograd;

use super::gemm::Real;
use view::View;

pub use forward::ConvForward;
pub use input_grad::ConvInputGrad;
pub use weight_grad::ConvWeightGrad;
pub use winograd::{WinogradConv, WinogradWeightGrad};

/// The shape of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvSpec {
    /// Images.
    pub batch: usize,
    /// Height of the input.
    pub in_h: usize,
    /// Width of the input.
    pub in_w: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Height of the output.
    pub out_h: usize,
    /// Width of the output.
    pub out_w: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Steps between neighbouring outputs.
    pub stride: [usize; 2],
    /// Zeros above and to the left of the input; those below and to the right follow from the output's size.
    pub pad: [usize; 2],
    /// Steps between neighbouring taps.
    pub dilation: [usize; 2],
    /// Groups of channels that do not mix; divides both channel counts.
    pub groups: usize,
}

impl ConvSpec {
    /// Input channels of a group.
    fn group_in(&self) -> usize {
        self.in_channels / self.groups
    }

    /// Output channels of a group.
    fn group_out(&self) -> usize {
        self.out_channels / self.groups
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    fn input_pixels(&self) -> usize {
        self.batch * self.in_h * self.in_w
    }

    fn output_pixels(&self) -> usize {
        self.batch * self.out_h * self.out_w
    }

    /// Where each tap looks, relative to `stride * output pixel`.
    fn tap_offsets(&self) -> Vec<[isize; 2]> {
        let at = |axis: usize, tap: usize| (tap * self.dilation[axis]) as isize - self.pad[axis] as isize;
        (0..self.taps()).map(|tap| [at(0, tap / self.kernel[1]), at(1, tap % self.kernel[1])]).collect()
    }

    /// What the output's pixels see of the input.
    fn view_of_input<T: Real>(&self) -> View {
        View::new::<T>(
            [self.in_h, self.in_w],
            self.in_channels,
            self.group_in(),
            [self.out_h, self.out_w],
            self.stride,
            self.tap_offsets().into_iter(),
        )
    }

    /// Those of the definition, whichever way it is computed, so that rates can be compared.
    fn flops(&self) -> f64 {
        2.0 * self.output_pixels() as f64
            * self.out_channels as f64
            * self.taps() as f64
            * self.group_in() as f64
    }

    /// The most tasks worth having.
    fn most_tasks(&self) -> usize {
        ((self.flops() / crate::cpu::gemm::grid::SMALLEST_TASK_FLOPS) as usize).clamp(1, 64)
    }
}
