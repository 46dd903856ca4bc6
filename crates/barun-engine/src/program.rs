//! Compiled programs: `state', results = program(state, feeds)`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::arenas::{Arenas, Context};
use crate::compile::{self, Account, ArenaUse, Compiled, KernelInfo, ValueInfo};
use crate::cpu::board::Board;
use crate::cpu::execute::{Executable, Frame, Place, Untimed};
use crate::cpu::memory::Memory;
use crate::cpu::team::{Member, Team};
use crate::device::Device;
use crate::error::{Error, NonFinite, Result};
use crate::graph::{Graph, Kind, Leaves, Primitive};
use crate::state::{Layout, State};
use crate::tensor::{Buffer, DType, Shape, Tensor};

mod profile;

use profile::Spent;
pub use profile::{KernelTime, Profile};

/// How a program is compiled.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it runs; by default [`Device::shared`].
    pub device: Option<Device>,
    /// Whether nodes run together. Results have the same bits either way.
    pub fuse: bool,
    /// The debug switch: every node runs alone, and the first NaN or infinity stops the run with an error that names
    /// the layer, the operation and the source line. The state is then left as it was.
    pub check_finite: bool,
    /// Where runs borrow their memory; by default memory of the program's own.
    pub arenas: Arenas,
}

impl Default for Options {
    fn default() -> Self {
        Options { device: None, fuse: true, check_finite: false, arenas: Arenas::default() }
    }
}

/// What to compile.
#[derive(Clone, Copy, Debug)]
pub struct ProgramSpec<'a> {
    /// What the state holds.
    pub layout: &'a Arc<Layout>,
    /// Placeholders, in the order they will be fed.
    pub inputs: &'a [Tensor],
    /// Results.
    pub outputs: &'a [Tensor],
    /// New values of slots, by position.
    pub updates: &'a [(usize, Tensor)],
}

/// An immutable compiled program; see [`Program::compile`]. Many threads may run it at once, each on its own state.
pub struct Program {
    executable: Executable,
    kernels: Vec<KernelInfo>,
    values: Vec<Vec<ValueInfo>>,
    /// The nodes of the results, as the values name them.
    result_nodes: Vec<usize>,
    graph: Graph,
    layout: Arc<Layout>,
    inputs: Vec<(String, Kind)>,
    /// Given data the graph refers to, fed after the inputs.
    data: Vec<Arc<Buffer>>,
    outputs: Vec<Kind>,
    updates: usize,
    device: Device,
    check_finite: bool,
    account: Account,
    arenas: Arenas,
}

/// The memory of a run, byte by byte; see [`Program::memory`]. The sizes are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The state the program runs on.
    pub state_bytes: usize,
    /// The values that are fed.
    pub feed_bytes: usize,
    /// Given data that the graph refers to.
    pub constant_bytes: usize,
    /// The arena: one allocation, in which values that never live together share their place.
    pub arena_bytes: usize,
    /// What fills the arena at its fullest moment. Gaps make up the difference to its size.
    pub peak: ArenaUse,
    /// The most there is of each kind at any moment of the run; not all at the same moment.
    pub most: ArenaUse,
    /// Private memory of each thread.
    pub scratch_bytes: usize,
    /// The threads.
    pub threads: usize,
}

impl MemoryPlan {
    /// All that a run takes.
    pub fn total(&self) -> usize {
        let scratch = self.scratch_bytes * self.threads;
        self.state_bytes + self.feed_bytes + self.constant_bytes + self.arena_bytes + scratch
    }
}

impl ProgramSpec<'_> {
    /// The graph behind the outputs, then the updates, as it is before it is compiled: feeds are the inputs in their order,
    /// then the given data that is returned.
    pub fn trace(&self) -> Result<(Graph, Vec<Arc<Buffer>>)> {
        let bound = self.inputs.iter().enumerate().map(|(index, input)| (input.node().id, index)).collect();
        let leaves = Leaves { bound, ..Leaves::default() };
        let roots: Vec<Tensor> =
            self.outputs.iter().cloned().chain(self.updates.iter().map(|(_, value)| value.clone())).collect();
        let (graph, data) = Graph::trace(&roots, &leaves)?;
        Ok((graph, with_values(data)?))
    }
}

impl Program {
    /// Compiles the graph behind `outputs` and `updates` for the shapes it has.
    pub fn compile(spec: &ProgramSpec<'_>, options: &Options) -> Result<Program> {
        let inputs = spec
            .inputs
            .iter()
            .map(|input| {
                input.check()?;
                let name = match &input.node().op {
                    Primitive::Placeholder { name } => name.to_string(),
                    op => op.name().to_string(),
                };
                Ok((name, input.kind()))
            })
            .collect::<Result<Vec<_>>>()?;
        for (slot, value) in spec.updates {
            let slot = &spec.layout.slots()[*slot];
            if (value.shape()?, value.dtype()) != (&slot.shape, slot.dtype) {
                let message = format!(
                    "`{}` is {}{}, its update is {}",
                    slot.name,
                    slot.dtype,
                    slot.shape,
                    value.describe()
                );
                return Err(Error::State(message));
            }
        }
        let (graph, data) = spec.trace()?;
        let updates: Vec<usize> = spec.updates.iter().map(|(slot, _)| *slot).collect();
        Program::from_graph(
            graph,
            Arc::clone(spec.layout),
            inputs,
            data,
            spec.outputs.len(),
            &updates,
            options,
        )
    }

    pub(crate) fn from_graph(
        graph: Graph,
        layout: Arc<Layout>,
        inputs: Vec<(String, Kind)>,
        data: Vec<Arc<Buffer>>,
        results: usize,
        updates: &[usize],
        options: &Options,
    ) -> Result<Program> {
        let device = match &options.device {
            Some(device) => device.clone(),
            None => Device::shared()?,
        };
        let slot_offsets: Vec<usize> = layout.slots().iter().map(|slot| slot.offset).collect();
        let Compiled { executable, kernels, values, results: result_nodes, account } =
            compile::compile(&compile::Task {
                graph: &graph,
                results,
                result_feeds: None,
                constants: 0,
                updates,
                slot_offsets: &slot_offsets,
                fuse: options.fuse && !options.check_finite,
                isa: device.isa(),
            });
        let outputs = graph.outputs[..results].iter().map(|&output| graph.nodes[output].kind()).collect();
        Ok(Program {
            executable,
            kernels,
            values,
            result_nodes,
            graph,
            layout,
            inputs,
            data,
            outputs,
            updates: updates.len(),
            device,
            check_finite: options.check_finite,
            account,
            arenas: options.arenas.clone(),
        })
    }

    /// Runs once: updates `state` and gives the results. `feeds` are in the order of the inputs.
    pub fn run(&self, state: &mut State, feeds: &[&Buffer]) -> Result<Vec<Buffer>> {
        self.run_on(self.device.team(), state, feeds)
    }

    /// Runs a program that updates nothing.
    pub fn evaluate(&self, state: &State, feeds: &[&Buffer]) -> Result<Vec<Buffer>> {
        if self.updates > 0 {
            return Err(Error::State("this program changes its state; call run() with a mutable one".into()));
        }
        self.check(state, feeds)?;
        // Nothing writes to the state of a program without updates.
        self.execute(self.device.team(), state.memory.as_ptr().cast_mut(), feeds, None)
    }

    /// As [`Program::run`], by another team of threads.
    pub(crate) fn run_on(&self, team: &Team, state: &mut State, feeds: &[&Buffer]) -> Result<Vec<Buffer>> {
        self.check(state, feeds)?;
        if self.check_finite {
            // A run that meets a NaN leaves the state as it was.
            let mut tried = state.clone();
            let results = self.execute(team, tried.memory.as_mut_ptr(), feeds, None)?;
            *state = tried;
            return Ok(results);
        }
        self.execute(team, state.memory.as_mut_ptr(), feeds, None)
    }

    fn check(&self, state: &State, feeds: &[&Buffer]) -> Result<()> {
        if !Arc::ptr_eq(state.layout(), &self.layout) && **state.layout() != *self.layout {
            return Err(Error::State("this state was made for another program: their layouts differ".into()));
        }
        if feeds.len() != self.inputs.len() {
            let names: Vec<&str> = self.inputs.iter().map(|(name, _)| name.as_str()).collect();
            return Err(Error::Feed {
                name: names.join(", "),
                expected: format!("{} values", self.inputs.len()),
                actual: format!("{}", feeds.len()),
            });
        }
        for (feed, (name, (shape, dtype))) in feeds.iter().zip(&self.inputs) {
            if (feed.shape(), feed.dtype()) != (shape, *dtype) {
                return Err(Error::Feed {
                    name: name.clone(),
                    expected: format!("{dtype}{shape}"),
                    actual: format!("{}{}", feed.dtype(), feed.shape()),
                });
            }
        }
        Ok(())
    }

    fn execute(
        &self,
        team: &Team,
        state: *mut u8,
        feeds: &[&Buffer],
        spent: Option<&Spent>,
    ) -> Result<Vec<Buffer>> {
        let mut context = self.arenas.borrow(&self.executable, team.threads());
        let memory = self.pointers(&mut context, state, feeds);
        let mut found = Ok(());
        if self.check_finite {
            found = self.run_checked(&memory, &context.boards);
        } else {
            let work = |member: Member<'_>| {
                let frame = memory.frame();
                let scratch = memory.scratch[member.index];
                let boards = &context.boards;
                // SAFETY: the context was made for this program, the state has its layout (checked), feeds have the
                // shapes it was compiled for (checked); members get a scratch each.
                unsafe {
                    match spent {
                        None => self.executable.run(frame, &member, scratch, boards, &mut Untimed),
                        Some(spent) => {
                            let mut watch = spent.stopwatch();
                            let attendance = self.executable.run(frame, &member, scratch, boards, &mut watch);
                            spent.add(&watch);
                            attendance
                        }
                    }
                }
            };
            if self.executable.is_shared() {
                team.run_steps(&work);
            } else {
                work(Member::alone());
            }
        }
        let results = self.outputs.iter().zip(&self.executable.outputs).map(|(kind, &place)| {
            // SAFETY: the place holds a value of this kind until the context is used again.
            unsafe { read(memory.frame(), place, kind) }
        });
        let results = results.collect();
        self.arenas.give_back(context);
        found.map(|()| results)
    }

    /// Where everything lies in a run: what is fed, then the given data.
    fn pointers(&self, context: &mut Context, state: *mut u8, feeds: &[&Buffer]) -> Pointers {
        let data = self.data.iter().map(|buffer| &**buffer);
        Pointers {
            arena: context.arena.as_mut_ptr(),
            state,
            feeds: feeds.iter().copied().chain(data).map(|buffer| buffer.bytes().as_ptr()).collect(),
            scratch: context.scratch.iter_mut().map(Memory::as_mut_ptr).collect(),
        }
    }

    /// Op by op on one thread, looking at every value until one is not finite.
    fn run_checked(&self, memory: &Pointers, boards: &[Board]) -> Result<()> {
        let mut found = None;
        self.run_looking(memory, boards, |value, buffer| {
            found = non_finite(value, buffer);
            found.is_none()
        });
        found.map_or(Ok(()), |found| Err(Error::NonFinite(Arc::new(found))))
    }

    /// Op by op on one thread; `look` sees every value and says whether to go on.
    fn run_looking(
        &self,
        memory: &Pointers,
        boards: &[Board],
        mut look: impl FnMut(&ValueInfo, &Buffer) -> bool,
    ) {
        let frame = memory.frame();
        let member = Member::alone();
        // SAFETY: as in `execute`.
        unsafe {
            self.executable.run_one_by_one(frame, &member, memory.scratch[0], boards, |work| {
                let mut values = self.values.get(work).into_iter().flatten();
                values.all(|value| {
                    let buffer = read(frame, value.place, &(value.shape.clone(), value.dtype));
                    look(value, &buffer)
                })
            });
        }
    }

    /// What made the first result that is not finite so: the operation that made a NaN or an infinity of finite operands,
    /// found by going back from the result. What comes and goes again on the way, such as a mask of infinities before a
    /// softmax, is not to blame. None if all results are finite. Changes nothing.
    ///
    /// What was fed and the state are not looked at: of what they hold, the first operation that meets it is blamed.
    ///
    /// # Errors
    /// A program that is not compiled with [`check_finite`](Options::check_finite), or that updates its state.
    pub fn locate(&self, state: &State, feeds: &[&Buffer]) -> Result<Option<NonFinite>> {
        if !self.check_finite || self.updates > 0 {
            let message =
                "to locate what is not finite, compile a program without updates and with `check_finite`";
            return Err(Error::Option(message.into()));
        }
        self.check(state, feeds)?;
        let mut context = self.arenas.borrow(&self.executable, 1);
        // Nothing writes to the state of a program without updates.
        let memory = self.pointers(&mut context, state.memory.as_ptr().cast_mut(), feeds);
        let mut found: HashMap<usize, (NonFinite, &[usize])> = HashMap::new();
        let values = self.values.iter().flatten().map(|value| (value.node, value));
        let values: HashMap<usize, &ValueInfo> = values.collect();
        self.run_looking(&memory, &context.boards, |value, buffer| {
            if let (Some(wrong), Some(value)) = (non_finite(value, buffer), values.get(&value.node)) {
                found.insert(value.node, (wrong, &value.from));
            }
            true
        });
        self.arenas.give_back(context);
        let mut blamed = self.result_nodes.iter().copied().find(|result| found.contains_key(result));
        while let Some((_, from)) = blamed.and_then(|node| found.get(&node)) {
            let Some(before) = from.iter().copied().find(|node| found.contains_key(node)) else { break };
            blamed = Some(before);
        }
        Ok(blamed.and_then(|node| found.remove(&node)).map(|(wrong, _)| wrong))
    }

    /// The graph the program was compiled from, as text in topological order. [TENSOR-11]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The state it runs on.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Name, shape and type of each input.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &Shape, DType)> {
        self.inputs.iter().map(|(name, (shape, dtype))| (name.as_str(), shape, *dtype))
    }

    /// What each kernel does, how many floating-point operations and bytes it takes; in the order they first run.
    pub fn kernels(&self) -> &[KernelInfo] {
        &self.kernels
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// What a run takes, by its parts.
    pub fn memory(&self) -> MemoryPlan {
        let bytes = |(shape, dtype): &Kind| shape.elements() * dtype.size();
        MemoryPlan {
            state_bytes: self.layout.bytes(),
            feed_bytes: self.inputs.iter().map(|(_, kind)| bytes(kind)).sum(),
            constant_bytes: self.data.iter().map(|buffer| buffer.bytes().len()).sum(),
            arena_bytes: self.executable.arena_bytes,
            peak: self.account.peak,
            most: self.account.most,
            scratch_bytes: self.executable.scratch_bytes,
            threads: self.device.threads(),
        }
    }

    /// A table of the kernels with their FLOPs and bytes.
    pub fn describe(&self) -> String {
        let mut text = format!(
            "{:<44} {:<22} {:>18} {:>12} {:>12} {:>6}\n",
            "kernel", "layer", "shape", "MFLOP", "kB", "tasks"
        );
        let cut = |name: &str, width: usize| match name.char_indices().nth(width) {
            Some((end, _)) => format!("{}..", &name[..end.saturating_sub(2)]),
            None => name.to_string(),
        };
        for kernel in &self.kernels {
            text.push_str(&format!(
                "{:<44} {:<22} {:>18} {:>12.3} {:>12.1} {:>6}\n",
                cut(&kernel.name, 43),
                cut(&kernel.layer, 21),
                kernel.shape,
                kernel.flops / 1e6,
                kernel.bytes as f64 / 1e3,
                kernel.tasks,
            ));
        }
        let flops: f64 = self.kernels.iter().map(|kernel| kernel.flops).sum();
        let bytes: usize = self.kernels.iter().map(|kernel| kernel.bytes).sum();
        text.push_str(&format!(
            "{} kernels, {:.3} MFLOP, {:.1} kB moved, state {:.1} kB, arena {:.1} kB\n",
            self.kernels.len(),
            flops / 1e6,
            bytes as f64 / 1e3,
            self.layout.bytes() as f64 / 1e3,
            self.executable.arena_bytes as f64 / 1e3,
        ));
        text
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

/// The addresses of a run, to be handed to every member of the team.
struct Pointers {
    arena: *mut u8,
    state: *mut u8,
    feeds: Vec<*const u8>,
    scratch: Vec<*mut u8>,
}

// SAFETY: the memory behind the pointers outlives the run; the schedule keeps threads off each other's bytes.
unsafe impl Sync for Pointers {}

impl Pointers {
    fn frame(&self) -> Frame<'_> {
        Frame { arena: self.arena, state: self.state, feeds: &self.feeds }
    }
}

/// What a value has that is not finite, the first of it.
fn non_finite(value: &ValueInfo, buffer: &Buffer) -> Option<NonFinite> {
    let elements = buffer.to_f64();
    let (index, &wrong) = elements.iter().enumerate().find(|(_, element)| !element.is_finite())?;
    Some(NonFinite {
        layer: value.origin.layer.to_string(),
        op: value.op.to_string(),
        shape: format!("{}{}", value.dtype, value.shape),
        location: value.origin.place(),
        in_gradient: value.origin.by_gradient_rule,
        value: wrong,
        index,
    })
}

/// Copies a value out.
///
/// # Safety
/// `place` holds a value of this kind.
unsafe fn read(frame: Frame<'_>, place: Place, kind: &Kind) -> Buffer {
    let mut buffer = Buffer::zeros(kind.0.clone(), kind.1);
    let bytes = buffer.bytes_mut();
    // SAFETY: the caller's; the buffer is fresh and of the value's size.
    unsafe { std::ptr::copy_nonoverlapping(frame.at(place), bytes.as_mut_ptr(), bytes.len()) }
    buffer
}

/// The values of data leaves.
pub(crate) fn with_values(data: Vec<Tensor>) -> Result<Vec<Arc<Buffer>>> {
    data.iter().map(Tensor::eval).collect()
}
