//! Native tile code: stretches of a fused loop as machine code, made when a program is compiled.
//!
//! The tile interpreter passes every intermediate value through the first-level cache. Where it can, the loop is
//! instead translated into x86-64 vector code that keeps them in registers (`translate.rs`, in instructions that
//! `assembler.rs` encodes). Every instruction rounds as the interpreter's does, so results have the same bits; what
//! has no translation - elementary functions, random numbers, f64, integers - stays with the interpreter, stretch by
//! stretch. AVX2 code serves machines with AVX-512 as well: these loops wait for memory, not for arithmetic.
//!
//! Without AVX2, on other processors, and where the system refuses executable memory, everything is interpreted.

mod assembler;
#[cfg(test)]
mod tests;
mod translate;

use std::ops::Range;
use std::sync::Arc;

use super::isa::Isa;
use super::tile::{Each, Instr};
pub use translate::Surroundings;

/// A stretch of the tile code of a loop, all for each element or all for each row.
#[derive(Clone, Debug)]
pub enum Step {
    /// These instructions are interpreted.
    Interpreted(Range<usize>),
    /// These are machine code.
    Native(Range<usize>, Native),
}

impl Step {
    /// The instructions it does.
    pub fn range(&self) -> Range<usize> {
        match self {
            Step::Interpreted(range) | Step::Native(range, _) => range.clone(),
        }
    }
}

/// Machine code of a stretch.
#[derive(Clone)]
pub struct Native {
    /// Keeps the code mapped.
    _code: Arc<memmap2::Mmap>,
    entry: Entry,
}

/// What the code may be called as.
#[cfg(target_arch = "x86_64")]
type Entry = unsafe extern "sysv64" fn(values: *const *mut u8, count: usize);
/// No code is made for other processors.
#[cfg(not(target_arch = "x86_64"))]
type Entry = unsafe extern "C" fn(values: *const *mut u8, count: usize);

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("machine code")
    }
}

impl Native {
    /// Runs the stretch on `count` elements.
    ///
    /// # Safety
    /// `values` has a pointer for every value the stretch takes from outside or gives: to `count` elements of its type,
    /// or to eight copies of it if it is invariant. Elements that are written are not among those still to be read.
    #[inline]
    pub unsafe fn run(&self, values: &[*mut u8], count: usize) {
        // SAFETY: the code was made for this signature, by `translate`, for a machine that has AVX2 (checked by
        // `stretches`); the rest is the caller's.
        unsafe { (self.entry)(values.as_ptr(), count) }
    }
}

/// The shortest stretch worth leaving the interpreter for.
const SHORTEST: usize = 2;

/// Cuts code into stretches for the machine and for the interpreter, where this machine can run native code with `isa`.
pub fn stretches(code: &[Instr], isa: Isa) -> Vec<(Range<usize>, bool)> {
    let can = cfg!(target_arch = "x86_64") && isa != Isa::Scalar && Isa::Avx2.is_available();
    let single = code.iter().enumerate();
    let single = single.map(|(at, instr)| (at..at + 1, instr.each, can && translate::is_translated(instr)));
    let long = join(single)
        .into_iter()
        .map(|(range, each, native)| (range.clone(), each, native && range.len() >= SHORTEST));
    join(long).into_iter().map(|(range, _, native)| (range, native)).collect()
}

/// Joins neighbours of one kind.
fn join(stretches: impl Iterator<Item = (Range<usize>, Each, bool)>) -> Vec<(Range<usize>, Each, bool)> {
    let mut joined: Vec<(Range<usize>, Each, bool)> = Vec::new();
    for (range, each, native) in stretches {
        match joined.last_mut() {
            Some((before, same, kind)) if (*same, *kind) == (each, native) => before.end = range.end,
            _ => joined.push((range, each, native)),
        }
    }
    joined
}

/// Translates a stretch; `None` if the system gives no executable memory.
pub fn compile(code: &[Instr], surroundings: &Surroundings<'_>) -> Option<Native> {
    let bytes = translate::translate(code, surroundings);
    let mut memory = memmap2::MmapMut::map_anon(bytes.len()).ok()?;
    memory.copy_from_slice(&bytes);
    let code = Arc::new(memory.make_exec().ok()?);
    // SAFETY: the mapping begins with a function of this type and is kept as long as the pointer.
    let entry = unsafe { std::mem::transmute::<*const u8, Entry>(code.as_ptr()) };
    Some(Native { _code: code, entry })
}
