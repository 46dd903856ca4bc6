//! Kernels that read their operands in place, for operands of a narrower type.

use crate::cpu::gemm::Real;
use crate::cpu::gemm::blocked::share;
use crate::cpu::gemm::grid::tasks_of_pass;
use crate::cpu::gemm::micro::Micro;
use crate::cpu::isa::Isa;
use crate::cpu::kernel::{Block, Io, Kernel};
use crate::cpu::memory::ALIGN;

/// A kernel of two operands of type `T::Sum` for such of type `T`: a first phase widens them into the workspace. For
/// small operands, as those of few channels are.
pub(super) struct Widened<T: Real, K> {
    kernel: K,
    micro: &'static Micro<T>,
    /// Of each operand.
    elements: [usize; 2],
    phases: Vec<usize>,
}

impl<T: Real, K: Kernel> Widened<T, K> {
    /// `kernel`, whose operands have so many elements.
    pub fn new(kernel: K, elements: [usize; 2], isa: Isa) -> Widened<T, K> {
        Widened::with_micro(kernel, elements, T::micro(isa))
    }

    pub fn with_micro(kernel: K, elements: [usize; 2], micro: &'static Micro<T>) -> Widened<T, K> {
        let mut phases = vec![tasks_of_pass(elements.iter().sum())];
        phases.extend(kernel.phases());
        Widened { kernel, micro, elements, phases }
    }

    /// Where the wide operands and the kernel's own workspace begin, in bytes.
    fn places(&self) -> [usize; 3] {
        let [first, second] =
            self.elements.map(|count| (count * size_of::<T::Sum>()).next_multiple_of(ALIGN));
        [0, first, first + second]
    }
}

impl<T: Real, K: Kernel> Kernel for Widened<T, K> {
    fn phases(&self) -> &[usize] {
        &self.phases
    }

    fn workspace_bytes(&self) -> usize {
        self.places()[2] + self.kernel.workspace_bytes()
    }

    fn scratch_bytes(&self) -> usize {
        self.kernel.scratch_bytes()
    }

    fn flops(&self) -> f64 {
        self.kernel.flops()
    }

    unsafe fn run(
        &self,
        phase: usize,
        task: usize,
        io: &Io<'_>,
        scratch: *mut u8,
        finished: &mut dyn FnMut(Block),
    ) {
        let [first, second, own] = self.places().map(|place| io.workspace.wrapping_add(place));
        if phase > 0 {
            let inputs = [first.cast_const(), second.cast_const()];
            let io = Io { inputs: &inputs, output: io.output, workspace: own };
            // SAFETY: the caller's; the operands have been widened.
            return unsafe { self.kernel.run(phase - 1, task, &io, scratch, finished) };
        }
        for ((&from, to), count) in io.inputs.iter().zip([first, second]).zip(self.elements) {
            let share = share(count, 16, self.phases[0], task);
            // SAFETY: the operands have so many elements, and the workspace has room for them.
            unsafe {
                let (from, to) = (from.cast::<T>().add(share.start), to.cast::<T::Sum>().add(share.start));
                (self.micro.copy)(from, to, share.len());
            }
        }
    }
}
