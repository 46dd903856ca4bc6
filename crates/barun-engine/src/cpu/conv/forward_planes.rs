//! The convolution where the output has few channels: pixels in the lanes.

use super::ConvSpec;
use super::planes::{self, Planes};
use crate::cpu::gemm::Real;
use crate::cpu::gemm::blocked::share;
use crate::cpu::gemm::lines::{Lines, SQUARE, WHOLE};
use crate::cpu::gemm::micro::Micro;
use crate::cpu::isa::Isa;
use crate::cpu::kernel::{Block, Io, Kernel};

/// `y = conv(x, w)` as a [`Kernel`] with inputs `[x, w]`, for convolutions that [`ForwardByPlanes::suits`]. It gives
/// the bits of [`ConvForward`](super::ConvForward): the same chains of fused multiply-adds.
pub struct ForwardByPlanes<T: Real<Sum = T>> {
    spec: ConvSpec,
    micro: &'static Micro<T>,
    planes: Planes,
    places: Vec<usize>,
    phases: [usize; 1],
}

impl<T: Real<Sum = T>> ForwardByPlanes<T> {
    /// Whether the convolution is one this kernel is for: few output channels, and lines that fill vectors.
    pub fn suits(spec: &ConvSpec) -> bool {
        planes::suits(spec)
    }

    /// Plans the convolution for fixed shapes.
    ///
    /// # Panics
    /// If this machine lacks `isa`.
    pub fn new(spec: ConvSpec, isa: Isa) -> ForwardByPlanes<T> {
        ForwardByPlanes::with_micro(spec, T::micro(isa))
    }

    pub(super) fn with_micro(spec: ConvSpec, micro: &'static Micro<T>) -> ForwardByPlanes<T> {
        let planes = Planes::new(&spec);
        let places = planes.places(&spec);
        ForwardByPlanes { spec, micro, planes, places, phases: [spec.tasks_of_images()] }
    }

    /// Elements of a line of pixels, and of a line of each output channel.
    fn line_elements(&self) -> usize {
        self.spec.out_w.next_multiple_of(WHOLE) * SQUARE + SQUARE
    }
}

impl<T: Real<Sum = T>> Kernel for ForwardByPlanes<T> {
    fn phases(&self) -> &[usize] {
        &self.phases
    }

    fn workspace_bytes(&self) -> usize {
        0
    }

    fn scratch_bytes(&self) -> usize {
        (self.planes.elements() + 2 * self.line_elements()) * size_of::<T>()
    }

    fn flops(&self) -> f64 {
        self.spec.flops()
    }

    unsafe fn run(
        &self,
        _phase: usize,
        task: usize,
        io: &Io<'_>,
        scratch: *mut u8,
        finished: &mut dyn FnMut(Block),
    ) {
        let spec = &self.spec;
        let planes = scratch.cast::<T>();
        let channel_lines = planes.wrapping_add(self.planes.elements());
        let pixels = channel_lines.wrapping_add(self.line_elements());
        let line = spec.out_w * spec.out_channels;
        for image in share(spec.batch, 1, self.phases[0], task) {
            // SAFETY: the operands are those of the spec; the scratch holds the planes and two lines.
            unsafe {
                let x = io.inputs[0].cast::<T>().add(image * spec.in_h * spec.in_w * spec.in_channels);
                self.planes.fill(spec, x, planes);
                for y in 0..spec.out_h {
                    (self.micro.lines)(&Lines {
                        weights: io.inputs[1].cast(),
                        channels: spec.out_channels,
                        source: planes.add(y * spec.stride[0] * self.planes.line),
                        places: &self.places,
                        pixels: spec.out_w,
                        planes: channel_lines,
                        to: pixels,
                    });
                    let to = io.output.cast::<T>().add((image * spec.out_h + y) * line);
                    std::ptr::copy_nonoverlapping(pixels, to, line);
                }
            }
            let pixels = spec.out_h * spec.out_w;
            finished(Block { rows: image * pixels..(image + 1) * pixels, columns: 0..spec.out_channels });
        }
    }
}
