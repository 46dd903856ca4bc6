//! How a loop reads an operand: in place, or into a tile register.

use super::{REGISTER_BYTES, TILE};
use crate::graph::MAX_RANK;
use crate::tensor::DType;

/// How a loop reads an operand.
#[derive(Clone, Debug, PartialEq)]
pub enum Access {
    /// Element `i` of the iteration is element `offset + i`.
    Contiguous {
        /// In elements.
        offset: isize,
    },
    /// Every element of the iteration reads the same one.
    Uniform {
        /// In elements.
        offset: isize,
    },
    /// The same elements over and over: element `i` of the iteration is element `offset + i % period`.
    Periodic {
        /// In elements.
        offset: isize,
        /// At most [`Access::longest_period`].
        period: usize,
    },
    /// A stride per axis of the iteration.
    Strided {
        /// In elements.
        offset: isize,
        /// In elements.
        strides: Vec<isize>,
    },
}

impl Access {
    /// The longest period of elements of a type: a register holds a tile and a period behind it, so that the tile can
    /// begin anywhere in the period.
    pub fn longest_period(dtype: DType) -> usize {
        (REGISTER_BYTES / dtype.size() - TILE).min(TILE)
    }
}

/// Asks for the cache lines of a range; it may lie anywhere.
#[inline(always)]
pub(super) fn prefetch(from: *const u8, bytes: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..bytes).step_by(64) {
        // SAFETY: a prefetch reads nothing; an address that is not mapped is ignored.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(
                from.wrapping_add(line).cast(),
            );
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, bytes);
}

/// Repeats one element of `size` bytes `count` times.
pub(super) unsafe fn repeat(from: *const u8, to: *mut u8, size: usize, count: usize) {
    // SAFETY: the caller's; registers are aligned to 64 bytes.
    unsafe {
        match size {
            1 => std::slice::from_raw_parts_mut(to, count).fill(from.read()),
            2 => std::slice::from_raw_parts_mut(to.cast::<u16>(), count).fill(from.cast::<u16>().read()),
            4 => std::slice::from_raw_parts_mut(to.cast::<u32>(), count).fill(from.cast::<u32>().read()),
            _ => std::slice::from_raw_parts_mut(to.cast::<u64>(), count).fill(from.cast::<u64>().read()),
        }
    }
}

/// Fills `total` bytes with copies of the `period` bytes at `from`, the last one maybe in part.
pub(super) unsafe fn repeat_period(from: *const u8, to: *mut u8, period: usize, total: usize) {
    let mut done = period.min(total);
    // SAFETY: the caller's; what is copied within `to` has been written.
    unsafe {
        std::ptr::copy_nonoverlapping(from, to, done);
        while done < total {
            let count = done.min(total - done);
            std::ptr::copy_nonoverlapping(to, to.add(done), count);
            done += count;
        }
    }
}

/// Copies the `count` elements from flat position `start` of a strided view into `to`.
pub(super) unsafe fn gather<T: Copy>(
    from: *const T,
    to: *mut T,
    sizes: &[usize],
    strides: &[isize],
    start: usize,
    count: usize,
) {
    let last = sizes.len() - 1;
    let mut position = [0usize; MAX_RANK];
    let mut rest = start;
    let mut offset = 0isize;
    for axis in (0..sizes.len()).rev() {
        position[axis] = rest % sizes[axis];
        rest /= sizes[axis];
        offset += position[axis] as isize * strides[axis];
    }
    let mut done = 0;
    while done < count {
        let run = (sizes[last] - position[last]).min(count - done);
        // SAFETY: the view lies inside its buffer, `to` has room for `count`.
        unsafe {
            let (from, to) = (from.offset(offset), to.add(done));
            match strides[last] {
                0 => std::slice::from_raw_parts_mut(to, run).fill(*from),
                1 => std::ptr::copy_nonoverlapping(from, to, run),
                stride => {
                    for index in 0..run {
                        to.add(index).write(*from.offset(index as isize * stride));
                    }
                }
            }
        }
        done += run;
        position[last] += run;
        offset += run as isize * strides[last];
        let mut axis = last;
        while position[axis] == sizes[axis] && axis > 0 {
            offset -= sizes[axis] as isize * strides[axis];
            position[axis] = 0;
            axis -= 1;
            position[axis] += 1;
            offset += strides[axis];
        }
    }
}
