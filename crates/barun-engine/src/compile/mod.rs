//! The compiler: from a flat graph to kernels, stages and one memory plan.
//!
//! ```text
//! graph -> simplify -> recompute -> resolve views -> fuse into units -> choose kernels -> schedule into stages -> plan memory
//! ```

mod account;
mod fuse;
mod kernels;
mod lower;
mod plan;
mod recompute;
mod registers;
mod schedule;
mod simplify;
mod view;

use std::collections::{HashMap, HashSet};

pub use account::{Account, ArenaUse};
pub use schedule::Mode;
pub use simplify::simplify;

use crate::cpu::execute::{Executable, Place, PlacedLoop, Run, Stage, Work};
use crate::cpu::isa::Isa;
use crate::cpu::memory::ALIGN;
use crate::graph::{Graph, Inst, Origin, Primitive};
use crate::tensor::{DType, Shape};
use account::{Purpose, Purposes};
use fuse::{Unit, is_leaf};
use kernels::Draft;
use plan::Block;
use schedule::Job;
use view::Viewed;

/// What the compiler is given.
pub struct Task<'a> {
    /// The graph. Its outputs are the program's results, then one new value per update.
    pub graph: &'a Graph,
    /// How many of the outputs are results.
    pub results: usize,
    /// The feed from which on there is a place for each result, if the run's caller gives them.
    pub result_feeds: Option<usize>,
    /// How many of the first feeds are the same in all runs that follow the executable's prologue: a loop's constants.
    pub constants: usize,
    /// The slot each update writes.
    pub updates: &'a [usize],
    /// Byte offset of each slot in the state.
    pub slot_offsets: &'a [usize],
    /// Whether nodes may run together.
    pub fuse: bool,
    /// Instruction set.
    pub isa: Isa,
}

/// What it gives: the executable and what is known about it.
pub struct Compiled {
    /// Ready to run.
    pub executable: Executable,
    /// One line per kernel, in the order they first run.
    pub kernels: Vec<KernelInfo>,
    /// The nodes each kernel computes and where their values lie after it: for the debug switch.
    pub values: Vec<Vec<ValueInfo>>,
    /// The nodes of the results.
    pub results: Vec<usize>,
    /// What fills the arena.
    pub account: Account,
}

/// What a kernel does, for people.
#[derive(Clone, Debug)]
pub struct KernelInfo {
    /// What it computes, such as `matmul + add + maximum`.
    pub name: String,
    /// Layer path of its first node, empty outside layers.
    pub layer: String,
    /// Shape of what it iterates over or makes.
    pub shape: String,
    /// Floating-point operations.
    pub flops: f64,
    /// Bytes read and written, each buffer once.
    pub bytes: usize,
    /// Tasks that can run at the same time.
    pub tasks: usize,
    /// Whether its stage is shared among threads.
    pub shared: bool,
}

/// A value a kernel leaves in memory.
#[derive(Clone, Debug)]
pub struct ValueInfo {
    /// Where.
    pub place: Place,
    /// How many elements of which type.
    pub shape: Shape,
    /// Element type.
    pub dtype: DType,
    /// What made it.
    pub op: &'static str,
    /// Where that was built.
    pub origin: Origin,
    /// The node that it is the value of.
    pub node: usize,
    /// The nodes it was computed from.
    pub from: Vec<usize>,
}

/// Compiles a flat graph.
pub fn compile(task: &Task<'_>) -> Compiled {
    let graph = simplify(task.graph);
    let graph = if task.fuse { recompute::recompute(&graph) } else { graph };
    let graph = keep_old_values(graph, task);
    let viewed = view::resolve(&graph);
    let units = fuse::fuse(&viewed, task.fuse);
    Compiler::new(task, viewed, units).run()
}

/// A result or new value that is a slot's old value gets a copy, since the slot may be written before it is read.
fn keep_old_values(mut graph: Graph, task: &Task<'_>) -> Graph {
    for output in 0..graph.outputs.len() {
        let node = graph.outputs[output];
        let own_slot = output.checked_sub(task.results).map(|update| task.updates[update]);
        if let Primitive::Slot { index } = graph.nodes[node].op
            && own_slot != Some(index)
        {
            let copy = Inst { op: Primitive::Detach, operands: vec![node], ..graph.nodes[node].clone() };
            graph.nodes.push(copy);
            graph.outputs[output] = graph.nodes.len() - 1;
        }
    }
    graph
}

struct Compiler<'a> {
    task: &'a Task<'a>,
    viewed: Viewed,
    units: Vec<Unit>,
    /// The unit that computes each node.
    unit_of: Vec<Option<usize>>,
    /// For each node's buffer, the units that read it.
    readers: Vec<Vec<usize>>,
    /// Whether others than its own unit need a node's buffer.
    stored: Vec<bool>,
    /// Places that are not the planner's to choose: feeds, slots, and new values written straight into their slot.
    fixed: HashMap<usize, Place>,
    /// Nodes that share the buffer of another node.
    alias: HashMap<usize, usize>,
}

impl<'a> Compiler<'a> {
    fn new(task: &'a Task<'a>, viewed: Viewed, units: Vec<Unit>) -> Self {
        let nodes = &viewed.graph.nodes;
        let mut unit_of = vec![None; nodes.len()];
        for (index, unit) in units.iter().enumerate() {
            unit.anchor.iter().chain(&unit.members).for_each(|&node| unit_of[node] = Some(index));
        }
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
        let mut stored = vec![false; nodes.len()];
        for (user, inst) in nodes.iter().enumerate() {
            let Some(unit) = unit_of[user] else { continue };
            for &operand in &inst.operands {
                let source = viewed.views[operand].source;
                if readers[source].last() != Some(&unit) {
                    readers[source].push(unit);
                }
                // What a loop makes and reads itself stays in registers; an anchor's result goes through memory.
                stored[source] |= unit_of[source] != Some(unit) || units[unit].anchor == Some(source);
            }
        }
        for &output in &viewed.graph.outputs {
            stored[viewed.views[output].source] = true;
        }
        let mut fixed = HashMap::new();
        for (index, inst) in nodes.iter().enumerate() {
            match inst.op {
                Primitive::Feed { index: feed } => drop(fixed.insert(index, Place::Feed(feed))),
                Primitive::Slot { index: slot } => {
                    fixed.insert(index, Place::State(task.slot_offsets[slot]));
                }
                _ => {}
            }
        }
        if let Some(first) = task.result_feeds {
            for (index, &output) in viewed.graph.outputs[..task.results].iter().enumerate() {
                let source = viewed.views[output].source;
                if unit_of[source].is_some() {
                    fixed.entry(source).or_insert(Place::Feed(first + index));
                }
            }
        }
        Compiler { task, viewed, units, unit_of, readers, stored, fixed, alias: HashMap::new() }
    }

    fn run(mut self) -> Compiled {
        let drafts: Vec<Draft> = self.units.iter().map(|unit| self.draft(unit)).collect();
        let mut after: Vec<Vec<usize>> = (0..self.units.len()).map(|unit| self.needs(unit)).collect();
        let copies = self.place_updates(&drafts, &mut after);
        self.share_epilogue_buffers();

        // Updates that could not be written in place are copied when everything else is done.
        let mut jobs: Vec<Job> = Vec::with_capacity(drafts.len());
        let order = topological(&after);
        let position = positions(&order);
        for &unit in &order {
            let after = after[unit].iter().map(|&before| position[before]).collect();
            jobs.push(drafts[unit].job(after));
        }
        let mut schedule = schedule::schedule(&jobs);
        let end = schedule.stages.len();
        let span = |unit: usize, schedule: &schedule::Schedule| schedule.span[position[unit]];

        let (mut places, arena_bytes, account) = self.plan(&drafts, |unit| span(unit, &schedule), end);
        places.extend(self.fixed.iter().map(|(&node, &place)| (node, place)));
        let place_of = |node: usize| {
            let node = self.alias.get(&node).copied().unwrap_or(node);
            places.get(&node).copied().unwrap_or(Place::Nowhere)
        };
        let workspace_of = |unit: usize| {
            places.get(&(self.viewed.graph.nodes.len() + unit)).copied().unwrap_or(Place::Nowhere)
        };

        let prologues: Vec<Option<usize>> = drafts.iter().map(Draft::prologue).collect();
        let mut kernels = Vec::new();
        let mut values = Vec::new();
        let mut works = Vec::new();
        let mut scratch_bytes = 0;
        let mut boards = 0;
        let mut work_of: Vec<Option<usize>> = vec![None; self.units.len()];
        let mut drafted: Vec<Option<Draft>> = drafts.into_iter().map(Some).collect();
        for &unit in &order {
            let Some(draft) = drafted[unit].take() else { continue };
            if matches!(draft, Draft::Nothing) {
                continue;
            }
            let shared = {
                let (first, last) = span(unit, &schedule);
                schedule.stages[first..=last].iter().any(|stage| stage.mode != Mode::Single)
            };
            kernels.push(self.info(unit, &draft, shared));
            values.push(self.value_infos(unit, &place_of));
            let (work, scratch) = self.finish(unit, draft, &place_of, workspace_of(unit), &mut boards);
            scratch_bytes = scratch_bytes.max(scratch);
            work_of[unit] = Some(works.len());
            works.push(work);
        }
        let mut stages: Vec<Stage> = schedule
            .stages
            .drain(..)
            .map(|stage| Stage {
                mode: stage.mode,
                runs: stage
                    .runs
                    .iter()
                    .filter_map(|&(job, phase)| {
                        let work = work_of[order[job]]?;
                        let first = usize::from(prologues[order[job]].is_some());
                        Some(Run { work, phase: first + phase, tasks: jobs[job].phases[phase] })
                    })
                    .collect(),
            })
            .collect();
        let prologue = prologue(&prologues, &work_of, &stages);
        let outputs: Vec<Place> = self.viewed.graph.outputs[..self.task.results]
            .iter()
            .map(|&output| place_of(self.viewed.views[output].source))
            .collect();
        let copies: Vec<(usize, Place)> = copies
            .into_iter()
            .map(|(output, slot)| (output, Place::State(self.task.slot_offsets[slot])))
            .chain(self.results_to_copy(&outputs))
            .collect();
        if !copies.is_empty() {
            let mut runs = Vec::new();
            for (output, to) in copies {
                let node = self.viewed.graph.outputs[output];
                let bytes = self.viewed.graph.nodes[node].bytes();
                runs.push(Run { work: works.len(), phase: 0, tasks: 1 });
                works.push(Work::Copy { from: place_of(self.viewed.views[node].source), to, bytes });
                kernels.push(KernelInfo {
                    name: "copy".into(),
                    layer: String::new(),
                    shape: self.viewed.graph.nodes[node].shape.to_string(),
                    flops: 0.0,
                    bytes: 2 * bytes,
                    tasks: 1,
                    shared: false,
                });
                values.push(Vec::new());
            }
            stages.push(Stage { mode: Mode::Single, runs });
        }
        let results = self.viewed.graph.outputs[..self.task.results].iter();
        let results = results.map(|&output| self.viewed.views[output].source).collect();
        let stages = joined(stages);
        let executable = Executable { works, prologue, stages, arena_bytes, scratch_bytes, boards, outputs };
        Compiled { executable, kernels, values, results, account }
    }

    /// Results that no kernel can write where the caller wants them, since they lie elsewhere: what goes through the
    /// program unchanged, and what is given twice.
    fn results_to_copy(&self, outputs: &[Place]) -> Vec<(usize, Place)> {
        let Some(first) = self.task.result_feeds else { return Vec::new() };
        let wanted = (0..outputs.len()).map(|index| (index, Place::Feed(first + index)));
        wanted.filter(|&(index, place)| outputs[index] != place).collect()
    }

    /// The units whose results `unit` reads.
    fn needs(&self, unit: usize) -> Vec<usize> {
        let nodes = &self.viewed.graph.nodes;
        let own = &self.units[unit];
        let sources = own.anchor.iter().chain(&own.members).flat_map(|&node| &nodes[node].operands);
        let mut needs: Vec<usize> = sources
            .filter_map(|&operand| self.unit_of[self.viewed.views[operand].source])
            .filter(|&other| other != unit)
            .collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// Lets new values of slots be written straight into their slot where nobody still needs the old one afterwards;
    /// readers of the old value then come before. Returns the updates (output, slot) that must be copied at the end.
    fn place_updates(&mut self, drafts: &[Draft], after: &mut [Vec<usize>]) -> Vec<(usize, usize)> {
        let nodes = &self.viewed.graph.nodes;
        let slot_nodes: HashMap<usize, Vec<usize>> = {
            let mut map: HashMap<usize, Vec<usize>> = HashMap::new();
            for (index, inst) in nodes.iter().enumerate() {
                if let Primitive::Slot { index: slot } = inst.op {
                    map.entry(slot).or_default().push(index);
                }
            }
            map
        };
        let mut copies = Vec::new();
        // An order of the units that respects `after`. Almost always readers stand before the writer in it already.
        let mut position = positions(&topological(after));
        for (update, &slot) in self.task.updates.iter().enumerate() {
            let output = self.task.results + update;
            let source = self.viewed.views[self.viewed.graph.outputs[output]].source;
            if nodes[source].op == (Primitive::Slot { index: slot }) {
                continue;
            }
            let readers: HashSet<usize> = slot_nodes
                .get(&slot)
                .into_iter()
                .flatten()
                .flat_map(|&node| self.readers[node].iter().copied())
                .collect();
            let writer = self.writer_of(source);
            let is_later =
                |writer: usize, reader: &usize| *reader != writer && position[*reader] > position[writer];
            let in_place = writer.is_some_and(|writer| {
                !self.fixed.contains_key(&source)
                    && (!readers.contains(&writer)
                        || drafts[writer].reads_in_step(source, slot, &self.viewed))
                    && !readers
                        .iter()
                        .filter(|reader| is_later(writer, reader))
                        .any(|&reader| reaches(after, &position, writer, reader))
            });
            match writer {
                Some(writer) if in_place => {
                    let turns_round = readers.iter().any(|reader| is_later(writer, reader));
                    after[writer].extend(readers.into_iter().filter(|&reader| reader != writer));
                    after[writer].sort_unstable();
                    after[writer].dedup();
                    if turns_round {
                        position = positions(&topological(after));
                    }
                    self.fixed.insert(source, Place::State(self.task.slot_offsets[slot]));
                }
                _ => copies.push((output, slot)),
            }
        }
        copies
    }

    /// The unit that writes a node's buffer: what a scan gives is written by the scan.
    fn writer_of(&self, node: usize) -> Option<usize> {
        let inst = &self.viewed.graph.nodes[node];
        match inst.op {
            Primitive::Project { .. } => self.unit_of[inst.operands[0]],
            _ => self.unit_of[node],
        }
    }

    /// A contraction whose result only its epilogue reads shares the buffer of one of the epilogue's results.
    fn share_epilogue_buffers(&mut self) {
        for unit in &self.units {
            let (Some(anchor), false) = (unit.anchor, unit.members.is_empty()) else { continue };
            let nodes = &self.viewed.graph.nodes;
            let fits = |member: &&usize| {
                self.stored[**member]
                    && nodes[**member].bytes() == nodes[anchor].bytes()
                    && !matches!(self.fixed.get(*member), Some(Place::State(_)))
            };
            if let Some(&member) = unit.members.iter().find(fits) {
                self.alias.insert(anchor, member);
            }
        }
    }

    /// Places for all buffers of the arena, by node; workspaces by number of nodes plus unit. Its size, and what fills
    /// it.
    fn plan(
        &self,
        drafts: &[Draft],
        span: impl Fn(usize) -> (usize, usize),
        end: usize,
    ) -> (HashMap<usize, Place>, usize, Account) {
        let nodes = &self.viewed.graph.nodes;
        let values = Purposes::of(&self.viewed, &self.units);
        let outputs: HashSet<usize> =
            self.viewed.graph.outputs.iter().map(|&output| self.viewed.views[output].source).collect();
        let mut keys = Vec::new();
        let mut blocks = Vec::new();
        let mut purposes = Vec::new();
        for (node, inst) in nodes.iter().enumerate() {
            let Some(unit) = self.unit_of[node] else { continue };
            let is_anchor = self.units[unit].anchor == Some(node);
            let has_buffer = (self.stored[node] || is_anchor)
                && !matches!(inst.op, Primitive::Scan(_))
                && !self.fixed.contains_key(&node)
                && !self.alias.contains_key(&node);
            if !has_buffer {
                continue;
            }
            let writer = self.writer_of(node).unwrap_or(unit);
            let last_read = self.readers[node].iter().map(|&reader| span(reader).1).max().unwrap_or(0);
            let last = if outputs.contains(&node) { end } else { last_read.max(span(writer).1) };
            keys.push(node);
            blocks.push(Block { bytes: inst.bytes(), first: span(writer).0, last });
            purposes.push(values.purpose(node, &self.readers[node]));
        }
        for (unit, draft) in drafts.iter().enumerate() {
            let bytes = draft.workspace_bytes();
            if bytes > 0 {
                keys.push(nodes.len() + unit);
                // What the prologue makes is there from run to run.
                let (first, last) = if draft.prologue().is_some() { (0, end) } else { span(unit) };
                blocks.push(Block { bytes, first, last });
                purposes.push(Purpose::Workspace);
            }
        }
        let (offsets, arena) = plan::plan(&blocks);
        let places = keys.into_iter().zip(offsets).map(|(key, offset)| (key, Place::Arena(offset)));
        (places.collect(), arena, Account::of(&blocks, &purposes))
    }

    fn info(&self, unit: usize, draft: &Draft, shared: bool) -> KernelInfo {
        let nodes = &self.viewed.graph.nodes;
        let own = &self.units[unit];
        let all: Vec<usize> = own.anchor.iter().chain(&own.members).copied().collect();
        let mut names: Vec<&str> = Vec::new();
        for &node in &all {
            let name = if nodes[node].op == Primitive::Detach { "copy" } else { nodes[node].op.name() };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let reads: HashSet<usize> = all
            .iter()
            .flat_map(|&node| &nodes[node].operands)
            .map(|&operand| self.viewed.views[operand].source)
            .filter(|source| {
                !all.contains(source) && (self.unit_of[*source].is_some() || is_leaf(&nodes[*source].op))
            })
            .collect();
        let read: usize = reads.iter().map(|&node| nodes[node].bytes()).sum();
        let written: usize = all
            .iter()
            .filter(|&&node| self.stored[node] && !self.alias.contains_key(&node))
            .map(|&node| nodes[node].bytes())
            .sum();
        let elementwise = own.members.iter().map(|&member| match nodes[member].op {
            Primitive::Sum { .. } | Primitive::Max { .. } => {
                nodes[nodes[member].operands[0]].shape.elements()
            }
            _ => nodes[member].shape.elements(),
        });
        KernelInfo {
            name: names.join(" + "),
            layer: all
                .iter()
                .map(|&node| nodes[node].origin.layer.to_string())
                .find(|layer| !layer.is_empty())
                .unwrap_or_default(),
            shape: nodes[all[0]].shape.to_string(),
            flops: draft.flops() + elementwise.sum::<usize>() as f64,
            bytes: read + written,
            tasks: draft.phases().into_iter().max().unwrap_or(1),
            shared,
        }
    }

    fn value_infos(&self, unit: usize, place_of: &impl Fn(usize) -> Place) -> Vec<ValueInfo> {
        let nodes = &self.viewed.graph.nodes;
        let own = &self.units[unit];
        let is_result_of = |node: usize| {
            let is_one = matches!(nodes[node].op, Primitive::Project { .. });
            is_one && Some(nodes[node].operands[0]) == own.anchor
        };
        let is_scan = own.anchor.is_some_and(|anchor| matches!(nodes[anchor].op, Primitive::Scan(_)));
        let results = if is_scan { 0..nodes.len() } else { 0..0 }.filter(|&node| is_result_of(node));
        let computed = own.anchor.iter().chain(&own.members).copied().chain(results);
        let kept = computed.filter(|&node| self.stored[node] && nodes[node].dtype.is_float());
        let info = |node: usize| {
            // A result of a loop was made by the loop.
            let maker = match nodes[node].op {
                Primitive::Project { .. } => nodes[node].operands[0],
                _ => node,
            };
            let from = nodes[maker].operands.iter().map(|&operand| self.viewed.views[operand].source);
            ValueInfo {
                place: place_of(node),
                shape: nodes[node].shape.clone(),
                dtype: nodes[node].dtype,
                op: nodes[maker].op.name(),
                origin: nodes[maker].origin.clone(),
                node,
                from: from.collect(),
            }
        };
        kept.filter(|&node| !matches!(nodes[node].op, Primitive::Scan(_))).map(info).collect()
    }
}

/// The stage of all kernels that prepare something, shared if any stage of a run is; `tasks` by unit.
fn prologue(tasks: &[Option<usize>], work_of: &[Option<usize>], stages: &[Stage]) -> Vec<Stage> {
    let run = |(tasks, work): (&Option<usize>, &Option<usize>)| {
        Some(Run { work: (*work)?, phase: 0, tasks: (*tasks)? })
    };
    let runs: Vec<Run> = tasks.iter().zip(work_of).filter_map(run).collect();
    let is_shared = stages.iter().any(|stage| stage.mode != Mode::Single);
    let mode = if is_shared { Mode::Shared } else { Mode::Single };
    if runs.is_empty() { Vec::new() } else { vec![Stage { mode, runs }] }
}

/// Stages of one thread that follow each other are one: nobody has to wait between them.
fn joined(stages: Vec<Stage>) -> Vec<Stage> {
    let mut joined: Vec<Stage> = Vec::with_capacity(stages.len());
    for stage in stages {
        match joined.last_mut() {
            Some(last) if [last.mode, stage.mode] == [Mode::Single; 2] => last.runs.extend(stage.runs),
            _ => joined.push(stage),
        }
    }
    joined
}

/// Whether `to` must wait for `from`. Units wait for such with a smaller `position` alone.
fn reaches(after: &[Vec<usize>], position: &[usize], from: usize, to: usize) -> bool {
    let mut seen = HashSet::new();
    let mut stack = vec![to];
    while let Some(unit) = stack.pop() {
        if unit == from {
            return true;
        }
        if position[unit] > position[from] && seen.insert(unit) {
            stack.extend(&after[unit]);
        }
    }
    false
}

/// Where each unit stands in an order of all.
fn positions(order: &[usize]) -> Vec<usize> {
    let mut positions = vec![0; order.len()];
    order.iter().enumerate().for_each(|(position, &unit)| positions[unit] = position);
    positions
}

/// An order in which every unit comes after those it waits for, as near to the given one as possible.
fn topological(after: &[Vec<usize>]) -> Vec<usize> {
    let mut waiting: Vec<usize> = after.iter().map(Vec::len).collect();
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); after.len()];
    for (unit, before) in after.iter().enumerate() {
        before.iter().for_each(|&before| next[before].push(unit));
    }
    let mut ready: std::collections::BinaryHeap<std::cmp::Reverse<usize>> =
        (0..after.len()).filter(|&unit| waiting[unit] == 0).map(std::cmp::Reverse).collect();
    let mut order = Vec::with_capacity(after.len());
    while let Some(std::cmp::Reverse(unit)) = ready.pop() {
        order.push(unit);
        for &following in &next[unit] {
            waiting[following] -= 1;
            if waiting[following] == 0 {
                ready.push(std::cmp::Reverse(following));
            }
        }
    }
    order
}

/// Bytes rounded up to where the next buffer may begin.
fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGN)
}

/// A lowered loop with its pointers resolved and its registers given out.
fn place_loop(lowered: lower::Lowered, place_of: &impl Fn(usize) -> Place) -> PlacedLoop {
    let lower::Lowered { mut body, pointers } = lowered;
    let pointers: Vec<Place> = pointers.into_iter().map(place_of).collect();
    registers::assign(&mut body, |a, b| pointers[a] == pointers[b]);
    PlacedLoop { body, pointers }
}
