//! Memory aligned to cache lines, with typed views; large blocks lie in huge pages where there are any.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use super::huge_pages::HugePages;
use crate::tensor::Element;

/// The alignment of every buffer and of every slot of an arena: one cache line, one AVX-512 register.
pub const ALIGN: usize = 64;

/// How long a block is likely to live, which decides where it is best taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lives {
    /// For many runs: states, arenas.
    Long,
    /// For a run or less: batches, results.
    Briefly,
}

/// A zero-initialised block of bytes aligned to [`ALIGN`].
pub struct Memory {
    start: NonNull<u8>,
    bytes: usize,
    lives: Lives,
    /// What holds the bytes, if not the allocator.
    pages: Option<HugePages>,
}

// SAFETY: `Memory` owns its bytes alone; shared access only reads.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// `bytes` zero bytes.
    pub fn zeroed(bytes: usize, lives: Lives) -> Self {
        if bytes == 0 {
            return Memory { start: NonNull::<[u8; ALIGN]>::dangling().cast(), bytes, lives, pages: None };
        }
        if let Some(mut pages) = HugePages::zeroed(bytes, lives) {
            return Memory { start: pages.start(), bytes, lives, pages: Some(pages) };
        }
        let layout = Self::layout(bytes);
        // SAFETY: the layout has a size above zero.
        let start = unsafe { alloc_zeroed(layout) };
        match NonNull::new(start) {
            Some(start) => Memory { start, bytes, lives, pages: None },
            None => handle_alloc_error(layout),
        }
    }

    /// The elements of `values`.
    pub fn from_slice<T: Element>(values: &[T], lives: Lives) -> Self {
        let mut memory = Memory::zeroed(size_of_val(values), lives);
        memory.slice_mut(0, values.len()).copy_from_slice(values);
        memory
    }

    fn layout(bytes: usize) -> Layout {
        match Layout::from_size_align(bytes, ALIGN) {
            Ok(layout) => layout,
            Err(_) => panic!("{bytes} bytes do not fit the address space"),
        }
    }

    /// The number of bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The first byte.
    pub fn as_ptr(&self) -> *const u8 {
        self.start.as_ptr()
    }

    /// The first byte, for writing.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// `count` elements from byte `offset` on; the range must lie inside, `offset` be aligned to the type.
    pub fn slice<T: Element>(&self, offset: usize, count: usize) -> &[T] {
        self.check::<T>(offset, count);
        // SAFETY: in bounds and aligned (checked); every bit pattern is a value of an `Element`; bytes are initialised.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(offset).cast(), count) }
    }

    /// As [`Memory::slice`], for writing.
    pub fn slice_mut<T: Element>(&mut self, offset: usize, count: usize) -> &mut [T] {
        self.check::<T>(offset, count);
        // SAFETY: as in `slice`; `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().add(offset).cast(), count) }
    }

    fn check<T>(&self, offset: usize, count: usize) {
        let end = count.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_add(offset));
        assert!(
            end.is_some_and(|end| end <= self.bytes) && offset.is_multiple_of(align_of::<T>()),
            "{count} elements at byte {offset} do not lie in a memory of {} bytes",
            self.bytes
        );
    }
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        Memory::from_slice(self.slice::<u8>(0, self.bytes), self.lives)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.bytes > 0 && self.pages.is_none() {
            // SAFETY: allocated in `zeroed` with this layout.
            unsafe { dealloc(self.start.as_ptr(), Self::layout(self.bytes)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_aligned_zeroed_and_copies() {
        let mut memory = Memory::zeroed(100, Lives::Briefly);
        assert_eq!(memory.as_ptr() as usize % ALIGN, 0);
        assert!(memory.slice::<u8>(0, 100).iter().all(|&byte| byte == 0));
        memory.slice_mut::<f32>(8, 2).copy_from_slice(&[1.0, 2.0]);
        assert_eq!(memory.clone().slice::<f32>(8, 2), [1.0, 2.0]);
        for (mebibytes, lives) in [(10, Lives::Long), (10, Lives::Briefly), (40, Lives::Briefly)] {
            let mut large = Memory::zeroed(mebibytes << 20, lives);
            let bytes = large.bytes();
            assert_eq!(large.as_ptr() as usize % ALIGN, 0);
            assert!(large.slice::<u8>(0, bytes).iter().all(|&byte| byte == 0));
            large.slice_mut::<u8>(bytes - 1, 1)[0] = 7;
            assert_eq!(large.clone().slice::<u8>(bytes - 1, 1), [7]);
        }
        assert_eq!(Memory::zeroed(0, Lives::Long).slice::<f64>(0, 0), [] as [f64; 0]);
    }

    #[test]
    #[should_panic(expected = "do not lie in")]
    fn a_view_past_the_end_is_refused() {
        Memory::zeroed(8, Lives::Long).slice::<f64>(0, 2);
    }
}
