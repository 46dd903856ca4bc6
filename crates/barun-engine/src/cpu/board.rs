//! The board of a list of steps: which step is on, and which of its tasks is the next to be taken.
//!
//! A step begins when every task of the one before is done, not when every thread has noticed. So nobody waits for a
//! thread that has no task in hand: one that the system keeps off its core, or that comes late, finds the board where
//! the others have brought it, and takes part from there.
//!
//! Whoever ends the last task of a step opens the next one, and has its first task already.

use std::sync::atomic::{AtomicU64, Ordering};

/// See the module docs. Alone on its cache lines (two, for the prefetcher takes pairs).
#[derive(Default)]
#[repr(align(128))]
pub struct Board {
    /// The step in the upper half; in the lower half how often a task of it has been asked for.
    next: AtomicU64,
    /// How many tasks of the step are done, as far as members have reported.
    done: AtomicU64,
}

/// A task that is the taker's alone, unless the step has no more so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The step.
    pub step: usize,
    /// The task.
    pub task: usize,
}

const TASK_BITS: u32 = 32;

impl Board {
    /// Back to the first step; nobody may be at work.
    pub fn reset(&self) {
        self.next.store(0, Ordering::SeqCst);
        self.done.store(0, Ordering::SeqCst);
    }

    /// The step that is on.
    #[inline]
    pub fn step(&self) -> usize {
        (self.next.load(Ordering::SeqCst) >> TASK_BITS) as usize
    }

    /// Takes the next task. What the steps before wrote is seen from here on.
    #[inline]
    pub fn claim(&self) -> Claim {
        let next = self.next.fetch_add(1, Ordering::SeqCst);
        Claim { step: (next >> TASK_BITS) as usize, task: next as u32 as usize }
    }

    /// Reports `count` tasks of the step as done, and whether these were the last of its `tasks`.
    #[inline]
    pub fn report(&self, count: usize, tasks: usize) -> bool {
        // Alone with the step, or the last: nobody else has anything to report.
        if count == tasks {
            return true;
        }
        let is_last = self.done.fetch_add(count as u64, Ordering::SeqCst) + count as u64 == tasks as u64;
        if is_last {
            self.done.store(0, Ordering::SeqCst);
        }
        is_last
    }

    /// Opens `step` and takes its first task. Only for whom [`Board::report`] told that the step before is done.
    #[inline]
    pub fn open(&self, step: usize) -> Claim {
        self.next.store((step as u64) << TASK_BITS | 1, Ordering::SeqCst);
        Claim { step, task: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn every_task_of_every_step_is_taken_once_and_no_step_begins_early() {
        let board = Board::default();
        let steps: Vec<usize> = (0..2_000).map(|step| 1 + step * 7 % 11).collect();
        let done: Vec<AtomicUsize> = steps.iter().map(|_| AtomicUsize::new(0)).collect();
        let member = || {
            let mut claim = board.claim();
            while let Some(&tasks) = steps.get(claim.step) {
                let mut mine = 0;
                while claim.task < tasks {
                    let before = claim.step.checked_sub(1);
                    assert!(before.is_none_or(|b| done[b].load(Ordering::SeqCst) == steps[b]));
                    done[claim.step].fetch_add(1, Ordering::SeqCst);
                    mine += 1;
                    let step = claim.step;
                    claim = board.claim();
                    assert_eq!(claim.step, step, "a step goes on while a task of it is in somebody's hands");
                }
                if mine > 0 && board.report(mine, tasks) {
                    claim = board.open(claim.step + 1);
                    continue;
                }
                while board.step() == claim.step {
                    std::thread::yield_now();
                }
                claim = board.claim();
            }
        };
        std::thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(member))));
        for (step, tasks) in steps.iter().enumerate() {
            assert_eq!(done[step].load(Ordering::SeqCst), *tasks, "step {step}");
        }
    }
}
