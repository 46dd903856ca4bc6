//! The executor: walks the stages of a compiled program with all members of a team.

use std::time::{Duration, Instant};

use super::board::Board;
use super::fused::FusedLoop;
use super::kernel::{Io, Kernel};
use super::memory::ALIGN;
use super::team::{Attendance, Member};
use crate::compile::Mode;

/// Where a buffer lies during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// Byte offset in the run's arena.
    Arena(usize),
    /// Byte offset in the state.
    State(usize),
    /// A feed by its position.
    Feed(usize),
    /// Byte offset in a feed.
    FeedAt(usize, usize),
    /// Nowhere: a result nobody needs.
    Nowhere,
}

/// The memory of a run.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// The arena.
    pub arena: *mut u8,
    /// The state.
    pub state: *mut u8,
    /// The feeds.
    pub feeds: &'a [*const u8],
}

impl Frame<'_> {
    /// The address of a place.
    ///
    /// # Safety
    /// The place belongs to the program the frame was made for.
    pub unsafe fn at(&self, place: Place) -> *mut u8 {
        // SAFETY: the planner keeps offsets inside the arena and the state.
        unsafe {
            match place {
                Place::Arena(offset) => self.arena.add(offset),
                Place::State(offset) => self.state.add(offset),
                Place::Feed(index) => self.feeds[index].cast_mut(),
                Place::FeedAt(index, offset) => self.feeds[index].add(offset).cast_mut(),
                Place::Nowhere => std::ptr::null_mut(),
            }
        }
    }
}

/// A loop and where its pointers point.
pub struct PlacedLoop {
    /// The loop.
    pub body: FusedLoop,
    /// One per pointer of the loop.
    pub pointers: Vec<Place>,
}

/// One kernel of a program.
pub enum Work {
    /// A fused loop.
    Loop {
        /// The loop.
        body: PlacedLoop,
        /// Partial results of split reductions.
        workspace: Place,
    },
    /// A hand-written kernel.
    Kernel {
        /// The kernel.
        kernel: Box<dyn Kernel>,
        /// Its operands.
        inputs: Vec<Place>,
        /// Its result.
        output: Place,
        /// Shared memory of its tasks.
        workspace: Place,
        /// A loop run on each finished block, and the columns of the result seen as a matrix.
        epilogue: Option<(PlacedLoop, usize)>,
    },
    /// A loop of programs.
    Scan(Box<ScanWork>),
    /// A plain copy.
    Copy {
        /// From here.
        from: Place,
        /// To there.
        to: Place,
        /// So much.
        bytes: usize,
    },
}

/// A scan: its body is a program of its own whose arena lies in the workspace.
///
/// The body's feeds are the constants, the carries, an element of each sequence, and then the places of its results:
/// the next carries and an element of each output sequence, which its kernels write where they are to lie. A carry has
/// two places, of which a turn reads one and writes the other; so nothing is copied from turn to turn.
pub struct ScanWork {
    /// The body.
    pub body: Executable,
    /// Turns.
    pub length: usize,
    /// Sequences are walked from the end.
    pub reverse: bool,
    /// Operands that stay the same.
    pub constants: Vec<Place>,
    /// Carries.
    pub carries: Vec<Carry>,
    /// Sequences with the bytes of an element.
    pub sequences: Vec<(Place, usize)>,
    /// Output sequences with the bytes of an element.
    pub outputs: Vec<(Place, usize)>,
    /// The body's arena, followed by two places for each carry.
    pub workspace: Place,
    /// First of the body's boards among the run's.
    pub boards: usize,
}

/// What is handed from turn to turn.
pub struct Carry {
    /// What the first turn is given.
    pub first: Place,
    /// Where the last turn's goes.
    pub last: Place,
    /// Its size.
    pub bytes: usize,
}

/// One phase of one kernel within a stage.
pub struct Run {
    /// Position in [`Executable::works`].
    pub work: usize,
    /// Phase of that work.
    pub phase: usize,
    /// Tasks of that phase.
    pub tasks: usize,
}

/// A stage; see `compile`.
pub struct Stage {
    /// What runs.
    pub runs: Vec<Run>,
    /// How.
    pub mode: Mode,
}

impl Stage {
    /// In how many pieces `threads` members may take it.
    fn tasks(&self, threads: usize) -> usize {
        match self.mode {
            Mode::Single => 1,
            Mode::Shared => self.runs.iter().map(|run| run.tasks).sum(),
            Mode::Together => threads,
        }
    }
}

/// Told before and after a member runs a task of a kernel.
pub trait Clock {
    /// Runs `task`, which belongs to the kernel at `work` in [`Executable::works`].
    fn time(&mut self, work: usize, task: impl FnOnce());
}

/// Looks at no clock.
pub struct Untimed;

impl Clock for Untimed {
    #[inline(always)]
    fn time(&mut self, _: usize, task: impl FnOnce()) {
        task();
    }
}

/// Adds up the time that one member spends in each kernel.
pub struct Stopwatch {
    /// By position in [`Executable::works`].
    pub spent: Vec<Duration>,
}

impl Clock for Stopwatch {
    fn time(&mut self, work: usize, task: impl FnOnce()) {
        let start = Instant::now();
        task();
        self.spent[work] += start.elapsed();
    }
}

/// A program ready to run.
pub struct Executable {
    /// Kernels.
    pub works: Vec<Work>,
    /// What runs once, before the first of several runs over the same constants, such as the turns of a loop.
    pub prologue: Vec<Stage>,
    /// The order in which their phases run.
    pub stages: Vec<Stage>,
    /// Bytes of the arena.
    pub arena_bytes: usize,
    /// Bytes of private memory of a thread.
    pub scratch_bytes: usize,
    /// Boards of the bodies of its scans, those in them included.
    pub boards: usize,
    /// Where the results lie.
    pub outputs: Vec<Place>,
}

impl Executable {
    /// Whether any stage is for more than one thread.
    pub fn is_shared(&self) -> bool {
        self.stages.iter().any(|stage| stage.mode != Mode::Single)
    }

    /// Runs all stages as one member of a team. A worker may come back before the end, and is to call this again then.
    ///
    /// # Safety
    /// The frame's memory has the sizes the program was compiled for; every member of the team calls this with the
    /// same arguments but its own `member` and `scratch` (of `scratch_bytes`); nobody else touches the memory. There
    /// are as many `boards` as the program wants.
    pub(crate) unsafe fn run(
        &self,
        frame: Frame<'_>,
        member: &Member<'_>,
        scratch: *mut u8,
        boards: &[Board],
        clock: &mut impl Clock,
    ) -> Attendance {
        // SAFETY: the caller's.
        unsafe {
            match member.board() {
                Some(board) => {
                    let run = |_, stage: &Stage, task| {
                        self.run_task(stage, task, frame, member, scratch, boards, clock);
                    };
                    walk(board, member, |step| self.stages.get(step), run, |open| member.stays_until(open))
                }
                None => {
                    self.run_alone(&self.stages, frame, member, scratch, boards, clock);
                    Attendance::Done
                }
            }
        }
    }

    unsafe fn run_alone(
        &self,
        stages: &[Stage],
        frame: Frame<'_>,
        member: &Member<'_>,
        scratch: *mut u8,
        boards: &[Board],
        clock: &mut impl Clock,
    ) {
        for run in stages.iter().flat_map(|stage| &stage.runs) {
            for task in 0..run.tasks {
                // SAFETY: the caller's; stages and their runs come in an order that respects what waits for what.
                clock.time(run.work, || unsafe {
                    self.works[run.work].run(run.phase, task, frame, member, scratch, boards);
                });
            }
        }
    }

    #[allow(clippy::too_many_arguments)] // the run's context, handed through
    unsafe fn run_task(
        &self,
        stage: &Stage,
        mut task: usize,
        frame: Frame<'_>,
        member: &Member<'_>,
        scratch: *mut u8,
        boards: &[Board],
        clock: &mut impl Clock,
    ) {
        let mut one = |run: &Run, task: usize| {
            clock.time(run.work, || {
                // SAFETY: the caller's.
                unsafe { self.works[run.work].run(run.phase, task, frame, member, scratch, boards) }
            });
        };
        match stage.mode {
            Mode::Single => stage.runs.iter().for_each(|run| (0..run.tasks).for_each(|task| one(run, task))),
            Mode::Together => stage.runs.iter().for_each(|run| one(run, 0)),
            Mode::Shared => {
                for run in &stage.runs {
                    if task < run.tasks {
                        return one(run, task);
                    }
                    task -= run.tasks;
                }
            }
        }
    }
}

/// Takes tasks of `board`'s steps and runs them; each step is a stage. Where there is nothing to do `stays_until` the
/// board moves on, or leaves.
fn walk<'a>(
    board: &Board,
    member: &Member<'_>,
    stage_at: impl Fn(usize) -> Option<&'a Stage>,
    mut run: impl FnMut(usize, &Stage, usize),
    stays_until: impl Fn(&dyn Fn() -> bool) -> bool,
) -> Attendance {
    let mut claim = board.claim();
    while let Some(stage) = stage_at(claim.step) {
        let step = claim.step;
        let tasks = stage.tasks(member.threads);
        let mut done = 0;
        while claim.task < tasks {
            run(step, stage, claim.task);
            done += 1;
            // Everybody has one task of what all do together.
            if claim.task + 1 == tasks || stage.mode == Mode::Together {
                break;
            }
            claim = board.claim();
        }
        if done > 0 && board.report(done, tasks) {
            claim = board.open(step + 1);
            match stage_at(step + 1).map(|next| next.mode) {
                None => member.wake_caller(),
                Some(Mode::Single) => {}
                Some(Mode::Shared | Mode::Together) => member.wake(),
            }
            continue;
        }
        if !stays_until(&|| board.step() != step) {
            return Attendance::AwayAt(step);
        }
        claim = board.claim();
    }
    Attendance::Done
}

impl Executable {
    /// Runs everything on one thread, and after each kernel asks `go_on` whether to.
    ///
    /// # Safety
    /// As `Executable::run`.
    pub unsafe fn run_one_by_one(
        &self,
        frame: Frame<'_>,
        member: &Member<'_>,
        scratch: *mut u8,
        boards: &[Board],
        mut go_on: impl FnMut(usize) -> bool,
    ) {
        let mut phases_left: Vec<usize> = vec![0; self.works.len()];
        self.stages.iter().flat_map(|stage| &stage.runs).for_each(|run| phases_left[run.work] += 1);
        for run in self.stages.iter().flat_map(|stage| &stage.runs) {
            for task in 0..run.tasks {
                // SAFETY: the caller's; stages and their runs come in an order that respects what waits for what.
                unsafe { self.works[run.work].run(run.phase, task, frame, member, scratch, boards) }
            }
            phases_left[run.work] -= 1;
            if phases_left[run.work] == 0 && !go_on(run.work) {
                return;
            }
        }
    }
}

impl Work {
    unsafe fn run(
        &self,
        phase: usize,
        task: usize,
        frame: Frame<'_>,
        member: &Member<'_>,
        scratch: *mut u8,
        boards: &[Board],
    ) {
        // SAFETY: places belong to the frame; the rest is the caller's.
        unsafe {
            match self {
                Work::Loop { body, workspace } => {
                    body.with_pointers(frame, |pointers| {
                        body.body.run(phase, task, pointers, scratch, frame.at(*workspace));
                    });
                }
                Work::Kernel { kernel, inputs, output, workspace, epilogue } => {
                    let mut operands = [std::ptr::null(); 4];
                    let many: Vec<*const u8>;
                    let inputs: &[*const u8] = if inputs.len() <= operands.len() {
                        inputs
                            .iter()
                            .zip(&mut operands)
                            .for_each(|(&place, operand)| *operand = frame.at(place));
                        &operands[..inputs.len()]
                    } else {
                        many = inputs.iter().map(|&place| frame.at(place).cast_const()).collect();
                        &many
                    };
                    let io = Io { inputs, output: frame.at(*output), workspace: frame.at(*workspace) };
                    match epilogue {
                        None => kernel.run(phase, task, &io, scratch, &mut |_| {}),
                        Some((after, columns)) => after.with_pointers(frame, |pointers| {
                            let registers = scratch.add(kernel.scratch_bytes().next_multiple_of(ALIGN));
                            let mut tile = None;
                            kernel.run(phase, task, &io, scratch, &mut |block| {
                                let tile = tile.get_or_insert_with(|| after.body.begin(pointers, registers));
                                if block.columns.len() == *columns {
                                    tile.run_range(block.rows.start * columns, block.rows.end * columns);
                                    return;
                                }
                                for row in block.rows {
                                    let start = row * columns;
                                    tile.run_range(start + block.columns.start, start + block.columns.end);
                                }
                            });
                        }),
                    }
                }
                Work::Scan(scan) => scan.run(frame, member, scratch, boards),
                Work::Copy { from, to, bytes } => {
                    std::ptr::copy(frame.at(*from), frame.at(*to), *bytes);
                }
            }
        }
    }
}

impl PlacedLoop {
    /// Resolves the pointers on the stack where they are few.
    unsafe fn with_pointers(&self, frame: Frame<'_>, run: impl FnOnce(&[*mut u8])) {
        // SAFETY: places belong to the frame.
        unsafe {
            let mut few = [std::ptr::null_mut(); 32];
            if self.pointers.len() <= few.len() {
                self.pointers.iter().zip(&mut few).for_each(|(&place, pointer)| *pointer = frame.at(place));
                run(&few[..self.pointers.len()]);
            } else {
                run(&self.pointers.iter().map(|&place| frame.at(place)).collect::<Vec<_>>());
            }
        }
    }
}

impl ScanWork {
    /// All members walk the stages of all turns together if the body is shared; otherwise only one calls this. The
    /// body's prologue comes before the first turn.
    ///
    /// A turn begins when the one before is done, and who ends it opens the next: nobody waits for all to arrive.
    unsafe fn run(&self, frame: Frame<'_>, member: &Member<'_>, scratch: *mut u8, boards: &[Board]) {
        let alone = Member::alone();
        let member = if self.body.is_shared() { member } else { &alone };
        let (board, boards) = (&boards[self.boards], &boards[self.boards + 1..]);
        let (prologue, stages) = (&self.body.prologue, &self.body.stages);
        let mut feeds: Vec<*const u8> = Vec::new();
        // SAFETY: the caller's; feeds are set for the turn before its tasks run.
        unsafe {
            let workspace = frame.at(self.workspace);
            if member.threads == 1 {
                for turn in 0..self.length {
                    self.set_feeds(turn, frame, &mut feeds);
                    let frame = Frame { arena: workspace, state: frame.state, feeds: &feeds };
                    if turn == 0 {
                        self.body.run_alone(prologue, frame, member, scratch, boards, &mut Untimed);
                    }
                    self.body.run_alone(stages, frame, member, scratch, boards, &mut Untimed);
                }
            } else {
                if member.index == 0 {
                    board.reset();
                }
                member.barrier();
                let stage_at = |step: usize| match step.checked_sub(prologue.len()) {
                    None => prologue.get(step).filter(|_| self.length > 0),
                    Some(step) => (step < self.length * stages.len()).then(|| &stages[step % stages.len()]),
                };
                let mut set_for = None;
                let run = |step: usize, stage: &Stage, task: usize| {
                    let turn = step.saturating_sub(prologue.len()) / stages.len();
                    if set_for != Some(turn) {
                        self.set_feeds(turn, frame, &mut feeds);
                        set_for = Some(turn);
                    }
                    let frame = Frame { arena: workspace, state: frame.state, feeds: &feeds };
                    self.body.run_task(stage, task, frame, member, scratch, boards, &mut Untimed);
                };
                walk(board, member, stage_at, run, |open| {
                    // Nobody leaves: what follows a loop all do together.
                    member.wait(open);
                    true
                });
                // Whoever ends the last step calls the team's caller alone, and here the others are awaited too.
                member.wake();
            }
            if member.index == 0 {
                for (index, carry) in self.carries.iter().enumerate() {
                    let to = frame.at(carry.last);
                    if !to.is_null() {
                        let from = self.carry_before(self.length, index, frame);
                        std::ptr::copy(from, to, carry.bytes);
                    }
                }
            }
        }
    }

    /// The body's feeds in a turn.
    ///
    /// # Safety
    /// The frame is the run's, and `turn` one of the loop's.
    unsafe fn set_feeds(&self, turn: usize, frame: Frame<'_>, feeds: &mut Vec<*const u8>) {
        let element = if self.reverse { self.length - 1 - turn } else { turn };
        let carries = 0..self.carries.len();
        feeds.clear();
        // SAFETY: places belong to the frame; elements lie inside their sequences.
        unsafe {
            let element =
                |(place, bytes): &(Place, usize)| frame.at(*place).add(element * bytes).cast_const();
            feeds.extend(self.constants.iter().map(|&place| frame.at(place).cast_const()));
            feeds.extend(carries.clone().map(|index| self.carry_before(turn, index, frame)));
            feeds.extend(self.sequences.iter().map(element));
            feeds.extend(carries.map(|index| self.carry_place(turn, index, frame).cast_const()));
            feeds.extend(self.outputs.iter().map(element));
        }
    }

    /// Where a carry lies when `turn` begins.
    ///
    /// # Safety
    /// The frame is the run's.
    unsafe fn carry_before(&self, turn: usize, index: usize, frame: Frame<'_>) -> *const u8 {
        let carry = &self.carries[index];
        // SAFETY: the caller's.
        unsafe {
            match turn {
                0 => frame.at(carry.first),
                _ => self.carry_place(turn - 1, index, frame),
            }
        }
    }

    /// Where `turn` puts a carry.
    ///
    /// # Safety
    /// The frame is the run's.
    unsafe fn carry_place(&self, turn: usize, index: usize, frame: Frame<'_>) -> *mut u8 {
        let before = self.carries[..index].iter().map(|carry| 2 * carry.bytes.next_multiple_of(ALIGN));
        let own = turn % 2 * self.carries[index].bytes.next_multiple_of(ALIGN);
        let at = self.body.arena_bytes.next_multiple_of(ALIGN) + before.sum::<usize>() + own;
        // SAFETY: the workspace holds the body's arena and two places for each carry.
        unsafe { frame.at(self.workspace).add(at) }
    }
}
