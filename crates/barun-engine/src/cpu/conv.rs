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
//! Where output channels are few, [`ForwardByPlanes`] and [`WeightGradByPlanes`] put pixels in the lanes instead; where
//! input channels are few, [`InputGradByRows`] the taps of a row of the kernel. Of bf16 they work on a widened copy.
//!
//! With stride `s` an input pixel at `y` meets only the taps with `y + pad - tap * dilation` divisible by `s`; the
//! pixels that share `y mod s` and `x mod s` share their taps, so the input gradient is one product for each such
//! class and multiplies no zeros.
//!
//! 3x3 convolutions of many channels have faster kernels beside these, see `conv/winograd.rs`;
//! [`ConvSpec::suits_winograd`] says which.

mod forward;
mod forward_planes;
mod input_grad;
mod input_grad_rows;
mod planes;
#[cfg(test)]
mod tests;
mod view;
mod weight_grad;
mod weight_grad_planes;
mod widened;
mod winograd;

use crate::cpu::gemm::Real;
use crate::cpu::isa::Isa;
use crate::cpu::kernel::Kernel;
use half::bf16;
use std::any::TypeId;
use view::View;
use widened::Widened;

pub use forward::ConvForward;
pub use forward_planes::ForwardByPlanes;
pub use input_grad::ConvInputGrad;
pub use input_grad_rows::InputGradByRows;
pub use weight_grad::ConvWeightGrad;
pub use weight_grad_planes::WeightGradByPlanes;
pub use winograd::{WinogradConv, WinogradWeightGrad};

/// Functions that give the kernel for a convolution by its shape and type alone.
macro_rules! by_shape {
    (
        $(#[$doc:meta])*
        $name:ident: $winograd:ident::$make:ident, $special:ident, $general:ident of $first:ident and $second:ident
    ) => {
        $(#[$doc])*
        ///
        /// # Panics
        /// If this machine lacks `isa`.
        pub fn $name<T: Real>(spec: ConvSpec, isa: Isa) -> Box<dyn Kernel> {
            if suits_winograd::<T>(&spec, isa) {
                if T::IN_PLACE {
                    Box::new($winograd::<f32>::$make(spec, isa))
                } else {
                    Box::new($winograd::<bf16>::$make(spec, isa))
                }
            } else if $special::<T::Sum>::suits(&spec) {
                let kernel = $special::<T::Sum>::new(spec, isa);
                let operands = [spec.$first(), spec.$second()];
                if T::IN_PLACE { Box::new(kernel) } else { Box::new(Widened::<T, _>::new(kernel, operands, isa)) }
            } else {
                Box::new($general::<T>::new(spec, isa))
            }
        }
    };
}

by_shape! {
    /// The kernel for the convolution itself.
    forward: WinogradConv::forward, ForwardByPlanes, ConvForward of input_elements and weight_elements
}

by_shape! {
    /// The kernel for the gradient with respect to the input.
    input_grad: WinogradConv::input_grad, InputGradByRows, ConvInputGrad of output_elements and weight_elements
}

by_shape! {
    /// The kernel for the gradient with respect to the weights.
    weight_grad: WinogradWeightGrad::new, WeightGradByPlanes, ConvWeightGrad of input_elements and output_elements
}

/// Whether Winograd's algorithm is the fastest for this shape, type and machine.
fn suits_winograd<T: Real>(spec: &ConvSpec, isa: Isa) -> bool {
    // Gradient checks are done in f64, and want its exactness.
    let is_exact = TypeId::of::<T>() == TypeId::of::<f64>();
    // Tiles multiply bf16 at sixteen times the rate of f32, which is more than the algorithm saves.
    let on_tiles = !T::IN_PLACE && isa == Isa::Amx;
    !is_exact && !on_tiles && spec.suits_winograd()
}

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

    fn input_elements(&self) -> usize {
        self.input_pixels() * self.in_channels
    }

    fn output_elements(&self) -> usize {
        self.output_pixels() * self.out_channels
    }

    fn weight_elements(&self) -> usize {
        self.taps() * self.group_in() * self.out_channels
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

    /// Whether there are images enough to share them out whole.
    fn has_images_to_share(&self) -> bool {
        self.batch >= self.most_tasks().min(16)
    }

    /// Tasks when images are shared out whole.
    fn tasks_of_images(&self) -> usize {
        self.batch.min(self.most_tasks()).min(32)
    }

    /// The most tasks worth having.
    fn most_tasks(&self) -> usize {
        ((self.flops() / crate::cpu::gemm::grid::SMALLEST_TASK_FLOPS) as usize).clamp(1, 64)
    }
}
