//! Whether this process may use AMX: tile registers and their products of bf16 (`amx-tile`, `amx-bf16`).
//!
//! The processor must have them, the system must save them between threads, and Linux wants to be asked before a
//! process uses them, as they make the memory for a thread's registers 8 KiB larger. Elsewhere there is no way to
//! ask, and they are taken as missing.
//!
//! Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18; Linux,
//! `Documentation/arch/x86/xstate.rst`.

use std::sync::OnceLock;

/// Whether tile registers can be used; asks the system the first time.
pub(super) fn is_usable() -> bool {
    static USABLE: OnceLock<bool> = OnceLock::new();
    *USABLE.get_or_init(|| has_instructions() && are_registers_saved() && may_be_used())
}

fn has_instructions() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    /// Of leaf 7, register `edx`.
    const BF16: u32 = 1 << 22;
    const TILE: u32 = 1 << 24;
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & (BF16 | TILE) == BF16 | TILE
}

/// Whether the system saves the configuration and the data of tiles.
fn are_registers_saved() -> bool {
    use std::arch::x86_64::{__cpuid, _xgetbv};
    /// Of leaf 1, register `ecx`: `xgetbv` may be executed.
    const OSXSAVE: u32 = 1 << 27;
    const TILE_STATE: u64 = 1 << 17 | 1 << 18;

    #[target_feature(enable = "xsave")]
    fn saved() -> u64 {
        // SAFETY: the caller saw `OSXSAVE`, and register 0 exists.
        unsafe { _xgetbv(0) }
    }
    // SAFETY: `OSXSAVE` implies `xsave`.
    __cpuid(1).ecx & OSXSAVE != 0 && unsafe { saved() } & TILE_STATE == TILE_STATE
}

/// Asks for the process, for good and for all its threads.
#[cfg(target_os = "linux")]
fn may_be_used() -> bool {
    const ARCH_PRCTL: u64 = 158;
    const REQUEST_PERMISSION: u64 = 0x1023;
    const TILE_DATA: u64 = 18;
    let answer: i64;
    // SAFETY: `arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA)` touches no memory of ours; a system that does not know it
    // answers with an error. A system call overwrites `rcx` and `r11`.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => answer,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    answer == 0
}

#[cfg(not(target_os = "linux"))]
fn may_be_used() -> bool {
    false
}
