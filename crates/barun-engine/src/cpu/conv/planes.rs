//! Images with few channels, taken apart into a plane for each channel, so that pixels side by side fill the vectors
//! (`gemm/lines.rs`). The planes have the border that the taps see, and their lines zeros behind it.

use super::ConvSpec;
use crate::cpu::gemm::Real;
use crate::cpu::gemm::lines::{MOST_CHANNELS, WHOLE};

/// Most elements of the planes of an image.
const MOST_ELEMENTS: usize = 64 << 10;
/// Most rows of the weights: one block of sums of the other kernels.
const MOST_PLACES: usize = 256;

/// Whether pixels fill the vectors better than output channels do.
pub(super) fn suits(spec: &ConvSpec) -> bool {
    let lanes = spec.out_w.next_multiple_of(16) * spec.out_channels;
    spec.groups == 1
        && spec.out_channels <= MOST_CHANNELS
        && spec.stride[1] == 1
        && lanes <= 8 * spec.out_w
        && spec.taps() * spec.in_channels <= MOST_PLACES
        && spec.has_images_to_share()
        && Planes::new(spec).elements() <= MOST_ELEMENTS
}

/// Where the elements of an image lie.
pub(super) struct Planes {
    height: usize,
    /// Elements of a line.
    pub line: usize,
    channels: usize,
}

impl Planes {
    pub fn new(spec: &ConvSpec) -> Planes {
        let reach = |axis: usize| (spec.kernel[axis] - 1) * spec.dilation[axis];
        Planes {
            height: (spec.out_h - 1) * spec.stride[0] + reach(0) + 1,
            line: spec.out_w.next_multiple_of(WHOLE) + reach(1),
            channels: spec.in_channels,
        }
    }

    pub fn elements(&self) -> usize {
        (self.channels * self.height * self.line).next_multiple_of(16)
    }

    /// Where what the first pixel sees through each tap and channel lies.
    pub fn places(&self, spec: &ConvSpec) -> Vec<usize> {
        let of_tap = |tap: usize| {
            let (y, x) = (tap / spec.kernel[1] * spec.dilation[0], tap % spec.kernel[1] * spec.dilation[1]);
            (0..self.channels).map(move |channel| (channel * self.height + y) * self.line + x)
        };
        (0..spec.taps()).flat_map(of_tap).collect()
    }

    /// Takes an image apart.
    ///
    /// # Safety
    /// The image can be read, and `to` holds [`Planes::elements`].
    pub unsafe fn fill<T: Real<Sum = T>>(&self, spec: &ConvSpec, image: *const T, to: *mut T) {
        let channels = self.channels;
        let count = spec.in_w.min(self.line.saturating_sub(spec.pad[1]));
        for channel in 0..channels {
            for row in 0..self.height {
                let y = row.checked_sub(spec.pad[0]).filter(|&y| y < spec.in_h);
                // SAFETY: a line of a plane, and pixels of a line of the image.
                unsafe {
                    let line = to.add((channel * self.height + row) * self.line);
                    let (before, count) = if y.is_some() { (spec.pad[1], count) } else { (0, 0) };
                    std::ptr::write_bytes(line, 0, before.min(self.line));
                    let from = image.add(y.unwrap_or(0) * spec.in_w * channels + channel);
                    if channels == 1 {
                        std::ptr::copy_nonoverlapping(from, line.wrapping_add(before), count);
                    } else {
                        for x in 0..count {
                            *line.add(before + x) = *from.add(x * channels);
                        }
                    }
                    let done = (before + count).min(self.line);
                    std::ptr::write_bytes(line.add(done), 0, self.line - done);
                }
            }
        }
    }
}
