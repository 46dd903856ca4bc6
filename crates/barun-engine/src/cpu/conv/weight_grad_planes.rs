//! The gradient of a convolution with respect to its weights where the output has few channels: pixels in the lanes.

use super::ConvSpec;
use super::planes::{self, Planes};
use crate::cpu::gemm::Real;
use crate::cpu::gemm::blocked::share;
use crate::cpu::gemm::lines::{Apart, Correlation, SQUARE, WHOLE, fold};
use crate::cpu::gemm::micro::Micro;
use crate::cpu::isa::Isa;
use crate::cpu::kernel::{Block, Io, Kernel};

/// `dw` of `y = conv(x, w)` as a [`Kernel`] with inputs `[x, dy]`, for convolutions that
/// [`WeightGradByPlanes::suits`]. The output's rows are taps x input channels, its columns output channels.
///
/// Each task sums over its images; a second phase adds the sums of the tasks in order.
pub struct WeightGradByPlanes<T: Real<Sum = T>> {
    spec: ConvSpec,
    micro: &'static Micro<T>,
    planes: Planes,
    /// Of the rows of the output, and the last again until they fill whole tiles.
    places: Vec<usize>,
    phases: [usize; 2],
}

impl<T: Real<Sum = T>> WeightGradByPlanes<T> {
    /// Whether the convolution is one this kernel is for: few output channels, and lines that fill vectors.
    pub fn suits(spec: &ConvSpec) -> bool {
        planes::suits(spec)
    }

    /// Plans the gradient for fixed shapes.
    ///
    /// # Panics
    /// If this machine lacks `isa`.
    pub fn new(spec: ConvSpec, isa: Isa) -> WeightGradByPlanes<T> {
        WeightGradByPlanes::with_micro(spec, T::micro(isa))
    }

    pub(super) fn with_micro(spec: ConvSpec, micro: &'static Micro<T>) -> WeightGradByPlanes<T> {
        let planes = Planes::new(&spec);
        let mut places = planes.places(&spec);
        let whole = places.len().next_multiple_of(micro.correlated);
        places.resize(whole, places.last().copied().unwrap_or(0));
        WeightGradByPlanes { spec, micro, planes, places, phases: [spec.tasks_of_images(), 1] }
    }

    /// Rows of the output.
    fn rows(&self) -> usize {
        self.spec.taps() * self.spec.in_channels
    }

    fn elements(&self) -> usize {
        self.rows() * self.spec.out_channels
    }

    /// Output channels rounded up to whole tiles.
    fn channels(&self) -> usize {
        self.spec.out_channels.next_multiple_of(2)
    }

    /// Elements of a line of a plane of dy, and of a plane.
    fn dy_sizes(&self) -> [usize; 2] {
        let line = self.spec.out_w.next_multiple_of(WHOLE);
        [line, line * self.spec.out_h]
    }

    fn dy_elements(&self) -> usize {
        self.dy_sizes()[1] * SQUARE
    }

    fn sum_elements(&self) -> usize {
        self.places.len() * self.channels() * 64 / size_of::<T>()
    }

    /// Sums over some images, into a part of the workspace.
    ///
    /// # Safety
    /// As for [`Kernel::run`]; `part` holds the elements of the output.
    unsafe fn sum(&self, task: usize, io: &Io<'_>, scratch: *mut T, part: *mut T) {
        let spec = &self.spec;
        let [dy_line, dy_plane] = self.dy_sizes();
        let dy_planes = scratch.wrapping_add(self.planes.elements());
        let sums = dy_planes.wrapping_add(self.dy_elements());
        // SAFETY: the operands are those of the spec; the scratch holds the planes of an image, its dy and the sums.
        unsafe {
            std::ptr::write_bytes(dy_planes, 0, self.dy_elements());
            std::ptr::write_bytes(sums, 0, self.sum_elements());
            for image in share(spec.batch, 1, self.phases[0], task) {
                let x = io.inputs[0].cast::<T>().add(image * spec.in_h * spec.in_w * spec.in_channels);
                self.planes.fill(spec, x, scratch);
                for y in 0..spec.out_h {
                    let line = (image * spec.out_h + y) * spec.out_w * spec.out_channels;
                    (self.micro.apart)(&Apart {
                        from: io.inputs[1].cast::<T>().add(line),
                        pixels: spec.out_w,
                        channels: spec.out_channels,
                        to: dy_planes.add(y * dy_line),
                        plane: dy_plane,
                    });
                }
                (self.micro.correlate)(&Correlation {
                    x: scratch,
                    places: &self.places,
                    x_line: spec.stride[0] * self.planes.line,
                    dy: dy_planes,
                    dy_line,
                    dy_plane,
                    channels: self.channels(),
                    lines: spec.out_h,
                    pixels: spec.out_w,
                    sums,
                });
            }
            for row in 0..self.rows() {
                for channel in 0..spec.out_channels {
                    let lanes = sums.add((row * self.channels() + channel) * 64 / size_of::<T>());
                    *part.add(row * spec.out_channels + channel) = fold::<T>(lanes);
                }
            }
        }
    }
}

impl<T: Real<Sum = T>> Kernel for WeightGradByPlanes<T> {
    fn phases(&self) -> &[usize] {
        &self.phases
    }

    fn workspace_bytes(&self) -> usize {
        self.phases[0] * self.elements() * size_of::<T>()
    }

    fn scratch_bytes(&self) -> usize {
        (self.planes.elements() + self.dy_elements() + self.sum_elements()) * size_of::<T>()
    }

    fn flops(&self) -> f64 {
        self.spec.flops()
    }

    unsafe fn run(
        &self,
        phase: usize,
        task: usize,
        io: &Io<'_>,
        scratch: *mut u8,
        finished: &mut dyn FnMut(Block),
    ) {
        let parts = io.workspace.cast::<T>();
        if phase == 0 {
            // SAFETY: the caller's; the part is this task's own.
            return unsafe { self.sum(task, io, scratch.cast(), parts.add(task * self.elements())) };
        }
        // SAFETY: the workspace holds as many outputs as the first phase had tasks, all written.
        unsafe {
            (self.micro.sum)(parts, self.phases[0], self.elements(), io.output.cast(), self.elements());
        }
        finished(Block { rows: 0..self.rows(), columns: 0..self.spec.out_channels });
    }
}
