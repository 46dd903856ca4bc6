//! Where the time of a program goes.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Program;
use crate::compile::KernelInfo;
use crate::cpu::execute::Stopwatch;
use crate::error::Result;
use crate::state::State;
use crate::tensor::Buffer;

/// The time of a run, split among its kernels.
///
/// With several threads a kernel's time is what all of them spent in it, divided by their number; so the kernels'
/// times and the time that threads waited for each other add up to the run's.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Threads that ran.
    pub threads: usize,
    /// Seconds of a run, the mean over all.
    pub seconds: f64,
    /// One for each kernel, in the order of [`Program::kernels`].
    pub kernels: Vec<KernelTime>,
}

/// The time of a kernel.
#[derive(Clone, Debug)]
pub struct KernelTime {
    /// What it does.
    pub kernel: KernelInfo,
    /// Seconds of a run, the mean over all.
    pub seconds: f64,
}

impl Profile {
    /// Seconds of a run in which threads waited: for each other, for work too small to share, for the run to begin
    /// and its results to be copied.
    pub fn waiting_seconds(&self) -> f64 {
        self.seconds - self.kernels.iter().map(|kernel| kernel.seconds).sum::<f64>()
    }
}

impl Program {
    /// Runs `runs` times on the same feeds, which changes `state` as as many runs would, and looks at the clock around
    /// every task. That takes some 50 ns a task, and changes no bit of the results. (A program that checks every value for
    /// NaN runs op by op and has no profile: all its time counts as waiting.)
    pub fn profile(&self, state: &mut State, feeds: &[&Buffer], runs: usize) -> Result<Profile> {
        self.check(state, feeds)?;
        let runs = runs.max(1);
        let team = self.device.team();
        let spent = Spent::new(self.kernels.len());
        let start = Instant::now();
        for _ in 0..runs {
            self.execute(team, state.memory.as_mut_ptr(), feeds, Some(&spent))?;
        }
        let seconds = start.elapsed().as_secs_f64() / runs as f64;
        let threads = if self.executable.is_shared() { team.threads() } else { 1 };
        let share = (runs * threads) as f64;
        let kernels = self.kernels.iter().zip(spent.into_inner());
        let kernels = kernels
            .map(|(kernel, time)| KernelTime { kernel: kernel.clone(), seconds: time.as_secs_f64() / share });
        Ok(Profile { threads, seconds, kernels: kernels.collect() })
    }
}

/// The time all members spent in each kernel so far.
pub(super) struct Spent(Mutex<Vec<Duration>>);

impl Spent {
    fn new(kernels: usize) -> Spent {
        Spent(Mutex::new(vec![Duration::ZERO; kernels]))
    }

    /// A stopwatch for one member and one run.
    pub(super) fn stopwatch(&self) -> Stopwatch {
        Stopwatch { spent: vec![Duration::ZERO; self.lock().len()] }
    }

    pub(super) fn add(&self, watch: &Stopwatch) {
        self.lock().iter_mut().zip(&watch.spent).for_each(|(total, &spent)| *total += spent);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Duration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn into_inner(self) -> Vec<Duration> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
