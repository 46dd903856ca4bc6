//! The thread team: all threads enter a compiled step together and walk the same list of work.
//!
//! [`Team::run`] calls one function on every thread of the team (single program, multiple data). Inside, the members
//! share work out by their [`Member::index`] and meet at [`Member::barrier`]; or they walk the steps of a
//! `Board` and take whatever task is next, as compiled programs do. Entering costs one wake-up for a whole
//! step instead of one for each operation, and what passes between two members that both run is two cache-line
//! transfers.
//!
//! Cores may be taken away at any moment, by other processes or because the team has more threads than there are
//! cores. So nobody is waited for who has no work in hand: a worker that finds none for `SPIN` leaves the run and
//! sleeps until there is more; one that the system keeps off its core joins in when it comes, and a run ends when its
//! work is done and those who are inside have left. With more threads than cores waiting threads hardly spin at all:
//! who is awaited may want this very core.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::board::Board;

/// How long a waiting thread keeps its core before it sleeps: about what a sleep and a wake-up cost.
const SPIN: Duration = Duration::from_micros(50);

/// The most threads a team is asked for; more is a slip of the keyboard.
const MOST_THREADS: usize = 1024;

type Work<'a> = dyn Fn(Member<'_>) -> Attendance + Sync + 'a;

/// How a member comes back from a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attendance {
    /// There is nothing left to do.
    Done,
    /// It found nothing to do at this step of the run's board; it is called again once the board has moved on.
    AwayAt(usize),
}

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
    /// None where there is nobody else.
    shared: Option<&'a Shared>,
    /// The count of arrivals at which the next barrier opens.
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

    /// Calls `work` on every member, the caller being member 0, and returns when all are done. A member that is not
    /// there before the caller is done is left out, so where all are needed they have to meet at a barrier.
    ///
    /// Every member must meet the same barriers. Two callers take turns. A run inside a run, of this team or another,
    /// has a single member (`threads == 1`): use [`Member::threads`], not [`Team::threads`], to share work out.
    ///
    /// # Panics
    /// If a member panics the others leave at their next barrier, and the first panic goes on in the caller.
    pub fn run(&self, work: &(dyn Fn(Member<'_>) + Sync)) {
        self.run_steps(&|member| {
            work(member);
            Attendance::Done
        });
    }

    /// As [`Team::run`] for work on the run's [`Member::board`], which begins at its first step. Workers that
    /// [`Member::stays_until`] sends away come back.
    pub(crate) fn run_steps(&self, work: &Work<'_>) {
        if self.workers.is_empty() || IN_A_RUN.get() {
            work(Member::alone());
            return;
        }
        let turn = lock(&self.entry);
        let shared = &*self.shared;
        let threads = self.threads();
        // SAFETY: workers use the pointer only while they are inside, and this call closes the door and waits until
        // nobody is, so it never outlives `work`.
        let eternal = unsafe { std::mem::transmute::<*const Work<'_>, *const Work<'static>>(work) };
        // SAFETY: the door is closed and nobody inside, so nobody reads the cell.
        unsafe { *shared.job.get() = Some(Job { work: eternal, threads }) };
        shared.board.reset();
        shared.open_door();

        IN_A_RUN.set(true);
        shared.enter(0, work, threads);
        IN_A_RUN.set(false);

        shared.close_door();
        let panic = lock(&shared.panic).take();
        drop(turn);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.door.fetch_or(STOP, Ordering::SeqCst);
        self.shared.workers.ring();
        for worker in self.workers.drain(..) {
            // A worker catches what members throw; there is nothing left to report.
            let _ = worker.join();
        }
    }
}

impl<'a> Member<'a> {
    pub(crate) fn alone() -> Self {
        Member { index: 0, threads: 1, shared: None, opens: Cell::new(0), not_send: PhantomData }
    }

    /// Waits until every member is here. What members wrote before is seen by all after.
    #[inline]
    pub fn barrier(&self) {
        if let Some(shared) = self.shared {
            self.meet(shared);
        }
    }

    fn meet(&self, shared: &Shared) {
        let opens = self.opens.get();
        self.opens.set(opens + self.threads as u64);
        let mut count = shared.barrier.count.fetch_add(1, Ordering::SeqCst) + 1;
        if count == opens {
            shared.wake();
        } else if count < opens {
            shared.wait(self.index, || shared.barrier.count.load(Ordering::SeqCst) >= opens);
            count = shared.barrier.count.load(Ordering::SeqCst);
        }
        if count & POISON != 0 {
            leave();
        }
    }

    /// The run's board, none where the member is alone.
    pub(crate) fn board(&self) -> Option<&'a Board> {
        self.shared.map(|shared| &shared.board)
    }

    /// Waits for `open`, which another member makes true and then calls [`Member::wake`].
    pub(crate) fn wait(&self, open: impl Fn() -> bool) {
        let Some(shared) = self.shared else { return };
        shared.wait(self.index, open);
        if shared.is_poisoned() {
            leave();
        }
    }

    /// As [`Member::wait`], but a worker that would have to sleep gives up: false then, and it has to leave the run.
    pub(crate) fn stays_until(&self, open: impl Fn() -> bool) -> bool {
        match self.shared {
            Some(shared) if self.index > 0 => shared.spin(open),
            _ => {
                self.wait(open);
                true
            }
        }
    }

    /// Wakes members that sleep, and workers that have left the run's board for want of work.
    pub(crate) fn wake(&self) {
        if let Some(shared) = self.shared {
            shared.wake();
        }
    }

    /// Wakes the caller alone.
    pub(crate) fn wake_caller(&self) {
        if let Some(shared) = self.shared {
            shared.caller.wake();
        }
    }
}

/// What leaves a member when another one panicked.
struct Poisoned;

/// Leaves the run: [`Shared::enter`] knows why and is silent about it.
fn leave() -> ! {
    resume_unwind(Box::new(Poisoned))
}

thread_local! {
    /// Whether this thread is a member of a run.
    static IN_A_RUN: Cell<bool> = const { Cell::new(false) };
}

#[derive(Clone, Copy)]
struct Job {
    work: *const Work<'static>,
    threads: usize,
}

/// The door's lowest bits count the workers inside, the highest ones runs.
const INSIDE: u64 = (1 << 16) - 1;
/// Workers may enter.
const OPEN: u64 = 1 << 16;
/// The team is dropped.
const STOP: u64 = 1 << 17;
const RUN: u64 = 1 << 18;

/// In the count of arrivals: a member panicked. It opens every barrier.
const POISON: u64 = 1 << 63;

/// A counter alone on its cache lines (two, for the prefetcher takes pairs).
#[derive(Default)]
#[repr(align(128))]
struct Counter {
    count: AtomicU64,
}

struct Shared {
    /// Who may enter and who is inside.
    door: AtomicU64,
    /// Arrivals at the barriers of a run.
    barrier: Counter,
    /// Where the run in progress is, if its work walks a board.
    board: Board,
    /// The work of the run in progress: written before the door opens, read by those inside.
    job: UnsafeCell<Option<Job>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// Where workers sleep, and where the caller does.
    workers: Bell,
    caller: Bell,
    spin: Duration,
}

// SAFETY: `job` is written only while the door is closed and nobody inside (see `Team::run_steps`), and `work` is `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer in `job` is to a `Sync` function.
unsafe impl Send for Shared {}

impl Shared {
    fn new(spin: Duration) -> Self {
        Shared {
            door: AtomicU64::new(0),
            barrier: Counter::default(),
            board: Board::default(),
            job: UnsafeCell::new(None),
            panic: Mutex::new(None),
            workers: Bell::default(),
            caller: Bell::default(),
            spin,
        }
    }

    /// Lets workers in, for the next run.
    fn open_door(&self) {
        let door = self.door.load(Ordering::Relaxed);
        self.door.store((door & !(RUN - 1)) + RUN + OPEN, Ordering::SeqCst);
        self.workers.wake();
    }

    /// Lets nobody in any more, and waits until all have left.
    fn close_door(&self) {
        self.door.fetch_and(!OPEN, Ordering::SeqCst);
        let is_empty = || self.door.load(Ordering::SeqCst) & INSIDE == 0;
        if !self.spin(is_empty) {
            self.caller.sleep(is_empty);
        }
        self.barrier.count.store(0, Ordering::SeqCst);
    }

    /// The life of a worker.
    fn work(&self, index: usize) {
        IN_A_RUN.set(true);
        let run = |door: u64| door / RUN;
        let (mut last, mut attendance) = (0, Attendance::Done);
        loop {
            let is_wanted = || {
                let door = self.door.load(Ordering::SeqCst);
                let is_new = match attendance {
                    _ if run(door) != last => true,
                    Attendance::Done => false,
                    Attendance::AwayAt(step) => self.board.step() != step,
                };
                door & STOP != 0 || (door & OPEN != 0 && is_new)
            };
            // Whoever was sent away has waited long enough.
            if attendance != Attendance::Done || !self.spin(is_wanted) {
                self.workers.sleep(is_wanted);
            }
            let door = self.door.load(Ordering::SeqCst);
            if door & STOP != 0 {
                return;
            }
            // Closed meanwhile: the caller waits until those who are counted as inside have left.
            let enter = || self.door.compare_exchange(door, door + 1, Ordering::SeqCst, Ordering::SeqCst);
            if door & OPEN == 0 || enter().is_err() {
                continue;
            }
            // SAFETY: the caller wrote the cell before it opened the door, and neither writes it again nor lets go of
            // `work` while somebody is inside.
            let job = unsafe { *self.job.get() };
            // SAFETY: as above.
            attendance =
                job.map_or(Attendance::Done, |job| unsafe { self.enter(index, &*job.work, job.threads) });
            last = run(door);
            if self.door.fetch_sub(1, Ordering::SeqCst) & (OPEN | INSIDE) == 1 {
                self.caller.wake();
            }
        }
    }

    /// One member's part of a run.
    fn enter(&self, index: usize, work: &Work<'_>, threads: usize) -> Attendance {
        // A member that was away has met all barriers before, and is missed at the next.
        let met = self.barrier.count.load(Ordering::SeqCst) & !POISON;
        let opens = (met / threads as u64 + 1) * threads as u64;
        let member =
            Member { index, threads, shared: Some(self), opens: Cell::new(opens), not_send: PhantomData };
        match catch_unwind(AssertUnwindSafe(|| work(member))) {
            Ok(attendance) => attendance,
            Err(panic) => {
                if !panic.is::<Poisoned>() {
                    lock(&self.panic).get_or_insert(panic);
                }
                self.barrier.count.fetch_or(POISON, Ordering::SeqCst);
                self.wake();
                Attendance::Done
            }
        }
    }

    fn is_poisoned(&self) -> bool {
        self.barrier.count.load(Ordering::SeqCst) & POISON != 0
    }

    fn wake(&self) {
        self.workers.wake();
        self.caller.wake();
    }

    /// Waits until `open()` or a panic, for a member inside.
    fn wait(&self, index: usize, open: impl Fn() -> bool) {
        if !self.spin(&open) {
            let bell = if index == 0 { &self.caller } else { &self.workers };
            bell.sleep(|| open() || self.is_poisoned());
        }
    }

    /// Looks at `open()` for a while; gives whether it became true.
    #[inline]
    fn spin(&self, open: impl Fn() -> bool) -> bool {
        const LOOKS: usize = 64;
        let mut since = None;
        loop {
            for _ in 0..LOOKS {
                if open() {
                    return true;
                }
                std::hint::spin_loop();
            }
            if self.spin.is_zero() || since.get_or_insert_with(Instant::now).elapsed() > self.spin {
                return false;
            }
        }
    }
}

/// Where threads sleep until something has become true.
#[derive(Default)]
#[repr(align(128))]
struct Bell {
    sleepers: AtomicU32,
    lock: Mutex<()>,
    condition: Condvar,
}

impl Bell {
    /// Sleeps until `open()`, which looks at what others change by sequentially consistent operations.
    #[cold]
    fn sleep(&self, open: impl Fn() -> bool) {
        let mut guard = lock(&self.lock);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while !open() {
            guard = self.condition.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Wakes those who sleep, after a change. A sleeper registers before it looks for the last time, and the change is
    /// made before `sleepers` is read here, so one of the two sees the other.
    #[inline]
    fn wake(&self) {
        if self.sleepers.load(Ordering::SeqCst) != 0 {
            self.ring();
        }
    }

    #[cold]
    fn ring(&self) {
        // A sleeper holds the lock from its last look until it sleeps: taking it means it sleeps.
        drop(lock(&self.lock));
        self.condition.notify_all();
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
