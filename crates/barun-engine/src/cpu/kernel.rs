//! What the executor asks of a hand-written kernel (matrix product, convolution, pooling).
//!
//! A kernel is built once for fixed shapes. It works in *phases*, one after the other; a phase is a number of
//! *tasks* that may run in any order on any thread. How work is cut into tasks follows from the shapes alone, never
//! from the number of threads, so results have the same bits on any team.

use std::ops::Range;

/// Where one run of a kernel reads and writes.
pub struct Io<'a> {
    /// The operands, in the order the kernel documents.
    pub inputs: &'a [*const u8],
    /// The result, contiguous.
    pub output: *mut u8,
    /// [`Kernel::workspace_bytes`] shared by all tasks of the run, aligned to 64 bytes.
    pub workspace: *mut u8,
}

/// A rectangle of a contraction's output, seen as a row-major matrix, that no later task of the run writes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Rows of the output matrix (batch x rows, or pixels of a convolution).
    pub rows: Range<usize>,
    /// Columns of the output matrix (the last axis of the output).
    pub columns: Range<usize>,
}

/// A compiled kernel; see the module docs.
pub trait Kernel: Send + Sync {
    /// The number of tasks of each phase.
    fn phases(&self) -> &[usize];

    /// Whether the first phase makes what all runs need of operands that are the same in all of them. It then runs once,
    /// before the first run, and runs begin with the second phase.
    fn prepares(&self) -> bool {
        false
    }

    /// Bytes that the tasks of a run share and that live only during the run; or from the first run to the last, if the
    /// kernel [prepares](Kernel::prepares) something.
    fn workspace_bytes(&self) -> usize;

    /// Bytes of private memory a task needs, aligned to 64 bytes; the same memory serves one task after the other.
    fn scratch_bytes(&self) -> usize;

    /// Floating-point operations of one run as the operation is defined (a multiply-add counts two); an algorithm
    /// that gets by with fewer has the higher rate.
    fn flops(&self) -> f64;

    /// Nanoseconds that a run is expected to take on one thread; decides what is worth sharing.
    fn estimate_ns(&self) -> f64 {
        self.flops() / 40.0
    }

    /// Runs one task. `finished` is called for each rectangle of the output once it holds its final values, by the
    /// task that wrote it last; over a run the rectangles cover the output once.
    ///
    /// # Safety
    /// The pointers of `io` are valid for the shapes the kernel was built for, aligned to their type, and do not
    /// overlap in a way the kernel forbids; `scratch` holds `scratch_bytes`; phases run in order, each task once. If the
    /// kernel [prepares](Kernel::prepares) something, all runs have the same workspace.
    unsafe fn run(
        &self,
        phase: usize,
        task: usize,
        io: &Io<'_>,
        scratch: *mut u8,
        finished: &mut dyn FnMut(Block),
    );
}
