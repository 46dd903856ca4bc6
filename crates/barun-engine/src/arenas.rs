//! The memory of runs, kept for the next run: an arena, the threads' scratch, the boards of scans.

use std::sync::{Arc, Mutex, PoisonError};

use crate::cpu::board::Board;
use crate::cpu::execute::Executable;
use crate::cpu::memory::{Lives, Memory};

/// Memory that runs borrow. Programs that share it and never run at the same time, as those of one training, together
/// need no more than the one that needs most.
#[derive(Clone, Default)]
pub struct Arenas(Arc<Mutex<Vec<Context>>>);

/// The memory of one run.
pub(crate) struct Context {
    pub arena: Memory,
    pub scratch: Vec<Memory>,
    pub boards: Vec<Board>,
}

impl Arenas {
    /// The bytes it holds, ready for the next runs: arenas and scratch.
    pub fn bytes(&self) -> usize {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |context: &Context| {
            context.arena.bytes() + context.scratch.iter().map(Memory::bytes).sum::<usize>()
        };
        waiting.iter().map(of).sum()
    }

    /// The memory of an earlier run, or fresh memory, large enough for `executable` on `threads` threads.
    pub(crate) fn borrow(&self, executable: &Executable, threads: usize) -> Context {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut context = waiting.unwrap_or_else(|| Context {
            arena: Memory::zeroed(0, Lives::Long),
            scratch: Vec::new(),
            boards: Vec::new(),
        });
        grow(&mut context.arena, executable.arena_bytes);
        while context.scratch.len() < threads {
            context.scratch.push(Memory::zeroed(0, Lives::Long));
        }
        context.scratch.iter_mut().for_each(|scratch| grow(scratch, executable.scratch_bytes));
        while context.boards.len() < executable.boards {
            context.boards.push(Board::default());
        }
        context
    }

    /// Takes back what was borrowed.
    pub(crate) fn give_back(&self, context: Context) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(context);
    }
}

impl std::fmt::Debug for Arenas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.bytes())
    }
}

/// At least `bytes`; the old memory goes before the new one comes.
fn grow(memory: &mut Memory, bytes: usize) {
    if memory.bytes() < bytes {
        *memory = Memory::zeroed(0, Lives::Long);
        *memory = Memory::zeroed(bytes, Lives::Long);
    }
}
