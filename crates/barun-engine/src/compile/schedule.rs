//! The schedule: units in stages. What runs in one stage does not depend on each other; a stage of small work runs on
//! one thread, and between two such stages nobody waits.

/// What the scheduler knows of a unit.
pub struct Job {
    /// Units that must end before.
    pub after: Vec<usize>,
    /// Tasks of each phase; empty for work that is no work.
    pub phases: Vec<usize>,
    /// Nanoseconds on one thread.
    pub estimate_ns: f64,
    /// Whether it needs the whole team by itself (a loop whose body is shared).
    pub alone: bool,
}

/// One stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Unit and phase of what runs, in order where the stage is not shared.
    pub runs: Vec<(usize, usize)>,
    /// How the threads work on it.
    pub mode: Mode,
}

/// How the threads work on a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The first thread does all of it.
    Single,
    /// The tasks are shared.
    Shared,
    /// All threads enter it together.
    Together,
}

/// Stages, and the first and last stage of each unit.
pub struct Schedule {
    pub stages: Vec<Stage>,
    pub span: Vec<(usize, usize)>,
}

/// A stage below this is done before another thread has noticed it.
const WORTH_SHARING_NS: f64 = 8_000.0;
/// A program whose stages to share are below this in sum is not worth waking the team for. (Nobody waits for a thread
/// that is late, so what counts is the call that wakes it.)
const WORTH_WAKING_NS: f64 = 30_000.0;

/// Puts jobs, given in an order that respects `after`, into stages as early as they can run. A job that only leaves
/// wait for runs just before it is needed.
pub fn schedule(jobs: &[Job]) -> Schedule {
    let length = |job: usize| jobs[job].phases.len().max(1);
    let mut level = vec![0usize; jobs.len()];
    let mut alone_until = 0;
    let mut latest = 0;
    for job in 0..jobs.len() {
        let ready = jobs[job].after.iter().map(|&before| level[before] + length(before)).max().unwrap_or(0);
        level[job] = ready.max(alone_until);
        if jobs[job].alone {
            level[job] = level[job].max(latest);
            alone_until = level[job] + 1;
        }
        latest = latest.max(level[job] + length(job));
    }
    // Later, where nothing is lost: shortens the life of what is made from leaves alone.
    let mut needed = vec![usize::MAX; jobs.len()];
    for job in (0..jobs.len()).rev() {
        if jobs[job].after.is_empty() && alone_until == 0 && needed[job] != usize::MAX {
            level[job] = level[job].max(needed[job].saturating_sub(length(job)));
        }
        for &before in &jobs[job].after {
            needed[before] = needed[before].min(level[job]);
        }
    }
    let mut slots: Vec<Vec<(usize, usize)>> = vec![Vec::new(); latest];
    for job in 0..jobs.len() {
        for phase in 0..jobs[job].phases.len() {
            slots[level[job] + phase].push((job, phase));
        }
    }
    let cost = |runs: &[(usize, usize)]| -> f64 {
        runs.iter().map(|&(job, _)| jobs[job].estimate_ns / length(job) as f64).sum()
    };
    let mode = |runs: &[(usize, usize)]| {
        if runs.iter().any(|&(job, _)| jobs[job].alone) {
            return Mode::Together;
        }
        let tasks: usize = runs.iter().map(|&(job, phase)| jobs[job].phases[phase]).sum();
        if tasks > 1 && cost(runs) > WORTH_SHARING_NS { Mode::Shared } else { Mode::Single }
    };
    let mut stages: Vec<Stage> = slots.into_iter().map(|runs| Stage { mode: mode(&runs), runs }).collect();
    let shared: f64 =
        stages.iter().filter(|stage| stage.mode == Mode::Shared).map(|stage| cost(&stage.runs)).sum();
    if shared < WORTH_WAKING_NS {
        let to_single = stages.iter_mut().filter(|stage| stage.mode == Mode::Shared);
        to_single.for_each(|stage| stage.mode = Mode::Single);
    }
    let span = (0..jobs.len()).map(|job| (level[job], level[job] + length(job) - 1)).collect();
    Schedule { stages, span }
}
