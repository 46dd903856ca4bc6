//! Large blocks of memory in huge pages, where the system has them for those who ask (Linux).
//!
//! A walk over tens of megabytes in pages of 4 KiB waits for address translation as much as for the memory, more so in a
//! virtual machine, where each translation is two: an optimiser's update takes up to half as long again.

use std::ptr::NonNull;

use memmap2::{MmapMut, MmapOptions};

use super::memory::Lives;

/// The size of a huge page on x86-64, and on aarch64 with pages of 4 KiB.
const HUGE: usize = 2 << 20;

/// The smallest block that is worth pages of its own.
///
/// What lives long is walked so often that taking it hardly counts. What lives briefly is taken anew each time: up to
/// 32 MiB glibc's allocator keeps what it gets back for the next one, beyond it maps small pages anew. Taken, filled and
/// given back a hundred times in a virtual machine, 16 MiB cost 1.4 ms each from the allocator and 2.1 ms in huge pages,
/// 64 MiB cost 56 ms and 12 ms.
fn least(lives: Lives) -> usize {
    match lives {
        Lives::Long => 2 * HUGE,
        Lives::Briefly => 32 << 20,
    }
}

/// Zeros at the beginning of a huge page.
pub struct HugePages {
    map: MmapMut,
}

impl HugePages {
    /// `bytes` zero bytes; none where they are too few, or where the system does not give them.
    pub fn zeroed(bytes: usize, lives: Lives) -> Option<Self> {
        if cfg!(not(target_os = "linux")) || bytes < least(lives) {
            return None;
        }
        // What the system maps begins at any small page; what stays untouched before and behind takes no memory.
        let map = MmapOptions::new().len(bytes.checked_add(HUGE)?).map_anon().ok()?;
        #[cfg(target_os = "linux")]
        if map.advise(memmap2::Advice::HugePage).is_err() {
            return None;
        }
        Some(HugePages { map })
    }

    /// The first byte.
    pub fn start(&mut self) -> NonNull<u8> {
        let start = NonNull::from(&mut self.map[..]).cast::<u8>();
        let before = start.as_ptr().align_offset(HUGE);
        NonNull::from(&mut self.map[before..]).cast()
    }
}
