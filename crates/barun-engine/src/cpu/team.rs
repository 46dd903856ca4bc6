//! The thread team: all threads enter a compiled step together and walk the same list of work.
//!
//! [`Team::run`] calls one function on every thread of the team (single program, multiple data). Inside, the members
//! share work out by their [`Member::index`] and meet at [`Member::barrier`]. Entering costs one wake-up for a whole
//! step instead of one for each operation, and a barrier between two members that both run is two cache-line
//! transfers.
//!
//! Whoever waits spins for [`SPIN`] and then sleeps, so a team gives its cores away between runs, beside other
//! processes, and when it has more threads than there are cores (then it hardly spins at all).

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a waiting thread keeps its core before it sleeps: about what a sleep and a wake-up cost.
const SPIN: Duration = Duration::from_micros(50);

/// The most threads a team is asked for; more is a slip of the keyboard.
const MOST_THREADS: usize = 1024;

type Work<'a> = dyn Fn(Member<'_>) + Sync + 'a;

/// A caller and `threads - 1` workers that run one function together; see the module docs.
///
/// ```
/// use barun_engine::cpu::team::Team;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let team = Team::new(2);
/// let arrived = AtomicUsize::new(0);
/// team.run(&|member| {
///     arrived.fetch_add(1, Ordering::Relaxed);
///     member.barrier();
///     assert_eq!(arrived.load(Ordering::Relaxed), member.threads);
/// });
/// ```
pub struct Team {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held by the caller of a run: one run at a time.
    entry: Mutex<()>,
}

/// One thread's place in a run.
pub struct Member<'a> {
    /// `0..threads`; the caller is 0.
    pub index: usize,
    /// How many members this run has.
    pub threads: usize,
    barrier: Option<&'a Gate>,
    /// The count of `barrier` at which the next barrier opens.
    opens: Cell<u64>,
    /// A member belongs to its thread.
    not_send: PhantomData<*const ()>,
}

impl Team {
    /// A team of `threads`, the caller of [`Team::run`] included; 0 counts as 1. Where the system refuses to start
    /// that many threads the team is smaller.
    pub fn new(threads: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let spin = if threads > cores { Duration::ZERO } else { SPIN };
        let shared = Arc::new(Shared::new(spin));
        let mut workers = Vec::new();
        for index in 1..threads {
            let shared = Arc::clone(&shared);
            let builder = std::thread::Builder::new().name(format!("barun-{index}"));
            match builder.spawn(move || shared.work(index)) {
                Ok(worker) => workers.push(worker),
                Err(_) => break,
            }
        }
        Team { shared, workers, entry: Mutex::new(()) }
    }

    /// The members of a run, the caller included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `work` once on every member, the caller being member 0, and returns when all are done.
    ///
    /// Every member must meet the same barriers. Two callers take turns. A run inside a run, of this team or another,
    /// has a single member (`threads == 1`): use [`Member::threads`], not [`Team::threads`], to share work out.
    ///
    /// # Panics
    /// If a member panics the others leave at their next barrier, and the first panic goes on in the caller.
    pub fn run(&self, work: &Work<'_>) {
        if self.workers.is_empty() || IN_A_RUN.get() {
            return work(Member::alone());
        }
        let turn = lock(&self.entry);
        let shared = &*self.shared;
        let threads = self.threads();
        let exits = shared.exit.count() + self.workers.len() as u64;
        // SAFETY: the workers use the pointer only between `start.advance` and their arrival at `exit`, which this
        // call awaits below, so it never outlives `work`.
        let eternal = unsafe { std::mem::transmute::<*const Work<'_>, *const Work<'static>>(work) };
        // SAFETY: no worker reads the cell before the new start: all arrived at `exit` of the run before.
        unsafe { *shared.job.get() = Some(Job { work: eternal, threads }) };
        shared.start.advance(1);
        shared.start.wake();

        IN_A_RUN.set(true);
        shared.enter(0, work, threads);
        IN_A_RUN.set(false);

        shared.exit.wait(|count| count >= exits);
        shared.barrier.reset();
        let panic = lock(&shared.panic).take();
        drop(turn);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.start.set(FLAG);
        for worker in self.workers.drain(..) {
            // A worker catches what members throw; there is nothing left to report.
            let _ = worker.join();
        }
    }
}

impl Member<'_> {
    pub(crate) fn alone() -> Self {
        Member { index: 0, threads: 1, barrier: None, opens: Cell::new(0), not_send: PhantomData }
    }

    /// Waits until every member is here. What members wrote before is seen by all after.
    #[inline]
    pub fn barrier(&self) {
        if let Some(gate) = self.barrier {
            self.meet(gate);
        }
    }

    fn meet(&self, gate: &Gate) {
        let opens = self.opens.get();
        self.opens.set(opens + self.threads as u64);
        let mut count = gate.advance(1);
        if count == opens {
            gate.wake();
        } else if count < opens {
            count = gate.wait(|count| count >= opens);
        }
        if count & FLAG != 0 {
            // Another member panicked; `Shared::enter` knows it and is silent about this one.
            resume_unwind(Box::new(Poisoned));
        }
    }
}

/// What leaves a member whose barrier was poisoned.
struct Poisoned;

thread_local! {
    /// Whether this thread is a member of a run.
    static IN_A_RUN: Cell<bool> = const { Cell::new(false) };
}

#[derive(Clone, Copy)]
struct Job {
    work: *const Work<'static>,
    threads: usize,
}

struct Shared {
    /// Counts runs; the flag stops the workers.
    start: Gate,
    /// Counts arrivals at the barriers of a run; the flag says that a member panicked.
    barrier: Gate,
    /// Counts the workers that finished a run, over all runs.
    exit: Gate,
    /// The work of the run in progress: written before `start`, read after.
    job: UnsafeCell<Option<Job>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `job` is written only while all workers wait at `start` (see `Team::run`), and `work` is `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer in `job` is to a `Sync` function.
unsafe impl Send for Shared {}

impl Shared {
    fn new(spin: Duration) -> Self {
        Shared {
            start: Gate::new(spin),
            barrier: Gate::new(spin),
            exit: Gate::new(spin),
            job: UnsafeCell::new(None),
            panic: Mutex::new(None),
        }
    }

    /// The life of a worker.
    fn work(&self, index: usize) {
        IN_A_RUN.set(true);
        let mut runs = 0;
        loop {
            runs += 1;
            let count = self.start.wait(|count| count >= runs);
            if count & FLAG != 0 {
                return;
            }
            // SAFETY: the caller wrote the cell before it advanced `start` and writes it again only after this worker
            // arrived at `exit`.
            if let Some(job) = unsafe { *self.job.get() } {
                // SAFETY: the caller keeps `work` alive until this worker arrived at `exit`.
                if index < job.threads {
                    self.enter(index, unsafe { &*job.work }, job.threads);
                }
            }
            self.exit.advance(1);
            self.exit.wake();
        }
    }

    /// One member's part of a run.
    fn enter(&self, index: usize, work: &Work<'_>, threads: usize) {
        let member = Member {
            index,
            threads,
            barrier: Some(&self.barrier),
            opens: Cell::new(threads as u64),
            not_send: PhantomData,
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(member))) {
            if !panic.is::<Poisoned>() {
                lock(&self.panic).get_or_insert(panic);
            }
            self.barrier.set(FLAG);
        }
    }
}

/// The top bit of a [`Gate`]'s count: it opens the gate for whoever waits, whatever the count.
const FLAG: u64 = 1 << 63;

/// A counter that threads wait on. Alone on its cache lines (two, for the prefetcher takes pairs).
#[repr(align(128))]
struct Gate {
    count: AtomicU64,
    sleepers: AtomicU32,
    lock: Mutex<()>,
    bell: Condvar,
    spin: Duration,
}

impl Gate {
    fn new(spin: Duration) -> Self {
        Gate {
            count: AtomicU64::new(0),
            sleepers: AtomicU32::new(0),
            lock: Mutex::new(()),
            bell: Condvar::new(),
            spin,
        }
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Adds to the count and gives the sum. Sequentially consistent, as [`Gate::wake`] needs.
    #[inline]
    fn advance(&self, by: u64) -> u64 {
        self.count.fetch_add(by, Ordering::SeqCst) + by
    }

    /// Sets flags and wakes everybody.
    fn set(&self, flags: u64) {
        self.count.fetch_or(flags, Ordering::SeqCst);
        self.wake();
    }

    /// Back to zero, once nobody waits.
    fn reset(&self) {
        self.count.store(0, Ordering::Release);
    }

    /// Wakes those who sleep, after a change of the count. A sleeper registers before it looks at the count for the
    /// last time, and the count changes before `sleepers` is read here, so one of the two sees the other.
    #[inline]
    fn wake(&self) {
        if self.sleepers.load(Ordering::SeqCst) != 0 {
            self.ring();
        }
    }

    #[cold]
    fn ring(&self) {
        // A sleeper holds the lock from its last look at the count until it sleeps: taking it means it sleeps.
        drop(lock(&self.lock));
        self.bell.notify_all();
    }

    /// Waits until `open(count)`; gives that count.
    #[inline]
    fn wait(&self, open: impl Fn(u64) -> bool) -> u64 {
        const LOOKS: usize = 64;
        const YIELDS: usize = 8;
        let mut since = None;
        loop {
            for _ in 0..LOOKS {
                let count = self.count();
                if open(count) {
                    return count;
                }
                std::hint::spin_loop();
            }
            if self.spin.is_zero() {
                break;
            }
            if since.get_or_insert_with(Instant::now).elapsed() > self.spin {
                return self.sleep(open);
            }
        }
        // More members than cores: whoever is awaited may want this very core.
        for _ in 0..YIELDS {
            std::thread::yield_now();
            let count = self.count();
            if open(count) {
                return count;
            }
        }
        self.sleep(open)
    }

    #[cold]
    fn sleep(&self, open: impl Fn(u64) -> bool) -> u64 {
        let mut guard = lock(&self.lock);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let count = loop {
            let count = self.count.load(Ordering::SeqCst);
            if open(count) {
                break count;
            }
            guard = self.bell.wait(guard).unwrap_or_else(PoisonError::into_inner);
        };
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        count
    }
}

/// Locks; no lock here is ever held over a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number of threads that makes no team.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{source_name} is `{value}`, but the number of threads must be a whole number from 1 to {MOST_THREADS}; \
     leave it out to use every core this process may use"
)]
pub struct InvalidThreads {
    /// Where the number came from.
    pub source_name: &'static str,
    /// What it says.
    pub value: String,
}

/// How many threads to use: `option` where given, else the environment's `BARUN_THREADS`, else every core that the
/// affinity mask and the control group leave to this process.
pub fn default_threads(option: Option<usize>) -> Result<usize, InvalidThreads> {
    let word = std::env::var_os("BARUN_THREADS").map(|word| word.to_string_lossy().into_owned());
    choose_threads(option, word.as_deref())
}

fn choose_threads(option: Option<usize>, word: Option<&str>) -> Result<usize, InvalidThreads> {
    let valid = |threads: &usize| (1..=MOST_THREADS).contains(threads);
    let (source_name, value, threads) = match (option, word) {
        (Some(threads), _) => ("the option `threads`", threads.to_string(), Some(threads)),
        (None, Some(word)) if !word.trim().is_empty() => {
            ("the environment variable BARUN_THREADS", word.to_owned(), word.trim().parse().ok())
        }
        _ => {
            return Ok(std::thread::available_parallelism().map_or(1, |cores| cores.get()).min(MOST_THREADS));
        }
    };
    threads.filter(valid).ok_or(InvalidThreads { source_name, value })
}

#[cfg(test)]
mod tests;
