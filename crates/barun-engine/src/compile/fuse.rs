//! Fusion: which nodes run together.
//!
//! Element-wise nodes of one shape join the loop of the operand they read; a reduction ends a loop, unless what it
//! reduces are short rows: then those join, too, that read the result for its row, and those that compute with the
//! results of rows alone. A loop without reductions that reads a contraction or a pooling nobody else reads becomes
//! its epilogue. Joining never makes two units wait for each other.

use std::collections::HashMap;

use super::lower::Rows;
use super::view::{Viewed, is_inline};
use crate::graph::Primitive;
use crate::tensor::{DType, Shape};

/// What runs as one kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// A node with a kernel of its own (contraction, pooling, scan ...).
    pub anchor: Option<usize>,
    /// The nodes of the loop, operands first; the anchor's epilogue if there is one.
    pub members: Vec<usize>,
}

/// The most nodes a loop takes.
const MAX_MEMBERS: usize = 48;

/// Groups the nodes of a viewed graph into units, operands first. Views, leaves and inlined constants have none.
pub fn fuse(viewed: &Viewed, enabled: bool) -> Vec<Unit> {
    let nodes = &viewed.graph.nodes;
    let mut groups = Groups::new(nodes.len());
    for (index, inst) in nodes.iter().enumerate() {
        if viewed.views[index].source != index || is_leaf(&inst.op) || is_inline(&inst.op) {
            continue;
        }
        let ancestors = inst.operands.iter().map(|&operand| viewed.views[operand].source);
        groups.open(index, ancestors, loop_kind(viewed, index));
        if !enabled || groups.of[index].is_none_or(|own| groups.all[own].kind.is_none()) {
            continue;
        }
        for &operand in &inst.operands {
            groups.try_join(index, viewed.views[operand].source, viewed);
        }
    }
    if enabled {
        groups.join_neighbours(viewed);
    }
    let mut units = groups.into_units();
    if enabled {
        attach_epilogues(viewed, &mut units);
    }
    order(viewed, units)
}

/// Whether the numbers of an operand lie in memory as bf16.
fn is_narrow(operand: usize, viewed: &Viewed) -> bool {
    let source = viewed.views[operand].source;
    viewed.graph.nodes[source].dtype == DType::BF16
}

/// Leaves have their memory elsewhere.
pub fn is_leaf(op: &Primitive) -> bool {
    matches!(op, Primitive::Feed { .. } | Primitive::Slot { .. })
}

/// Whether a node is a reduction a loop can end in.
pub fn is_reduction(op: &Primitive) -> bool {
    matches!(op, Primitive::Sum { .. } | Primitive::Max { .. })
}

/// Whether a node's kernel tells which blocks of its result are finished, so that a loop can be its epilogue.
fn takes_epilogue(op: &Primitive) -> bool {
    op.is_contraction()
        || matches!(
            op,
            Primitive::MaxPool2d(_)
                | Primitive::MaxPool2dScatter(_)
                | Primitive::MaxPool2dPick(_)
                | Primitive::AvgPool2d(_)
                | Primitive::AvgPool2dScatter(_)
        )
}

/// The iteration space of a loop, and the axes its reductions take away.
#[derive(Clone, Debug, PartialEq)]
struct LoopKind {
    shape: Shape,
    reduced: Option<Vec<usize>>,
}

fn loop_kind(viewed: &Viewed, index: usize) -> Option<LoopKind> {
    let inst = &viewed.graph.nodes[index];
    match &inst.op {
        Primitive::Sum { axes } | Primitive::Max { axes } => Some(LoopKind {
            shape: viewed.graph.nodes[inst.operands[0]].shape.clone(),
            reduced: Some(axes.clone()),
        }),
        op if op.is_elementwise() => Some(LoopKind { shape: inst.shape.clone(), reduced: None }),
        _ => None,
    }
}

impl LoopKind {
    /// The rows of the loop, if it reduces several short ones. (A single row would bring together what a whole step
    /// computes with its norms.)
    fn rows(&self) -> Option<Rows> {
        let axes = self.reduced.as_ref()?;
        let is_single = self.shape[..axes[0]].iter().product::<usize>() == 1;
        Rows::of(&self.shape, axes).filter(|_| !is_single)
    }

    /// The loop that does what both do, neither for the other: over the same elements, and the same reduction, if any. What is
    /// reduced to one number is shared among threads as well as what is not reduced, so the two go together; a sum over rows
    /// is not.
    fn beside(&self, other: &LoopKind) -> Option<LoopKind> {
        let is_whole =
            |kind: &LoopKind| kind.reduced.as_ref().is_some_and(|axes| axes.len() == kind.shape.rank());
        match (self.shape == other.shape, &self.reduced, &other.reduced) {
            (false, ..) => None,
            (true, own, others) if own == others => Some(self.clone()),
            (true, Some(_), None) if is_whole(self) => Some(self.clone()),
            (true, None, Some(_)) if is_whole(other) => Some(other.clone()),
            _ => None,
        }
    }

    /// The loop that does what both do, if there is one: over the same elements, or one over the rows of the other.
    fn with(&self, other: &LoopKind) -> Option<LoopKind> {
        let reduced = match (&self.reduced, &other.reduced) {
            (Some(a), Some(b)) if a != b => return None,
            (Some(axes), _) | (None, Some(axes)) => Some(axes.clone()),
            (None, None) => None,
        };
        if self.shape == other.shape {
            return Some(LoopKind { shape: self.shape.clone(), reduced });
        }
        let (whole, part) = if self.reduced.is_some() { (self, other) } else { (other, self) };
        let is_of_rows = part.reduced.is_none() && whole.rows()?.has_one_each(&part.shape);
        is_of_rows.then(|| whole.clone())
    }
}

struct Group {
    members: Vec<usize>,
    kind: Option<LoopKind>,
    /// Groups that must run before, as a bit set.
    before: Vec<u64>,
    /// Whether it may be in such a set.
    is_awaited: bool,
}

struct Groups {
    all: Vec<Group>,
    of: Vec<Option<usize>>,
}

fn contains(set: &[u64], group: usize) -> bool {
    set.get(group / 64).is_some_and(|word| word >> (group % 64) & 1 == 1)
}

fn insert(set: &mut Vec<u64>, group: usize) {
    if set.len() <= group / 64 {
        set.resize(group / 64 + 1, 0);
    }
    set[group / 64] |= 1 << (group % 64);
}

fn unite(set: &mut Vec<u64>, other: &[u64]) {
    if set.len() < other.len() {
        set.resize(other.len(), 0);
    }
    set.iter_mut().zip(other).for_each(|(word, other)| *word |= other);
}

fn is_within(set: &[u64], other: &[u64]) -> bool {
    set.iter().enumerate().all(|(word, &bits)| bits & !other.get(word).copied().unwrap_or(0) == 0)
}

impl Groups {
    fn new(nodes: usize) -> Self {
        Groups { all: Vec::new(), of: vec![None; nodes] }
    }

    /// A group for one node.
    fn open(&mut self, node: usize, operands: impl Iterator<Item = usize>, kind: Option<LoopKind>) {
        let mut before = Vec::new();
        for group in operands.filter_map(|operand| self.of[operand]) {
            insert(&mut before, group);
            unite(&mut before, &self.all[group].before);
            self.all[group].is_awaited = true;
        }
        self.of[node] = Some(self.all.len());
        self.all.push(Group { members: vec![node], kind, before, is_awaited: false });
    }

    /// Joins the loop of `node` with that of its operand, if both walk the same space and nobody stands between.
    fn try_join(&mut self, node: usize, operand: usize, viewed: &Viewed) {
        let (Some(own), Some(other)) = (self.of[node], self.of[operand]) else { return };
        if own == other {
            return;
        }
        let (Some(a), Some(b)) = (&self.all[own].kind, &self.all[other].kind) else { return };
        let Some(kind) = a.with(b) else { return };
        let too_big = self.all[own].members.len() + self.all[other].members.len() > MAX_MEMBERS;
        if too_big || !self.read_in_step(own, other, &kind, viewed) {
            return;
        }
        // Someone who runs after `other` and before `own`? Then one of those that `own` reads is, or waits for such a one.
        let members = self.all[own].members.iter().flat_map(|&member| &viewed.graph.nodes[member].operands);
        let mut read = members.filter_map(|&operand| self.of[viewed.views[operand].source]);
        if read.any(|group| group != own && group != other && contains(&self.all[group].before, other)) {
            return;
        }
        if contains(&self.all[other].before, own) {
            return;
        }
        self.join(other, own, kind);
    }

    /// Whether a loop of this kind can read at the element being computed all that `own` reads of `other`: not through
    /// a view, and not the result of a reduction, which is known only after the loop - or, of short rows, after the row.
    fn read_in_step(&self, own: usize, other: usize, kind: &LoopKind, viewed: &Viewed) -> bool {
        let nodes = &viewed.graph.nodes;
        let rows = kind.rows();
        let is_of_rows = |node: usize| {
            let inst = &nodes[node];
            !is_reduction(&inst.op) && rows.as_ref().is_some_and(|rows| rows.has_one_each(&inst.shape))
        };
        let reads = |member: usize, operand: usize| {
            let (view, shape) = (&viewed.views[operand], &nodes[operand].shape);
            let source = view.source;
            let is_read_of_other = self.of[source] == Some(other);
            let is_given_by_row = is_reduction(&nodes[source].op) || is_of_rows(source);
            let is_whole = || view.is_whole(shape, &nodes[source].shape);
            match &rows {
                Some(_) if is_of_rows(member) => {
                    let is_even = view.is_contiguous(shape) || view.is_uniform();
                    !is_narrow(operand, viewed)
                        && shape.elements() == nodes[member].shape.elements()
                        && if is_read_of_other { is_given_by_row && is_whole() } else { is_even }
                }
                Some(rows) if is_read_of_other && is_given_by_row => {
                    view.offset == 0 && rows.is_same_along(view, shape)
                }
                _ => {
                    !is_read_of_other
                        || (source == viewed.narrow(operand) && !is_reduction(&nodes[source].op))
                }
            }
        };
        let both = [own, other].into_iter().flat_map(|group| &self.all[group].members);
        both.into_iter().all(|&member| {
            !(is_of_rows(member) && nodes[member].dtype == DType::BF16)
                && nodes[member].operands.iter().all(|&operand| reads(member, operand))
        })
    }

    /// Puts group `from` into `into`.
    fn join(&mut self, into: usize, from: usize, kind: LoopKind) {
        let mut before = std::mem::take(&mut self.all[from].before);
        unite(&mut before, &self.all[into].before);
        if let Some(word) = before.get_mut(into / 64) {
            *word &= !(1 << (into % 64));
        }
        for &member in &self.all[from].members {
            self.of[member] = Some(into);
        }
        let moved = std::mem::take(&mut self.all[from].members);
        self.all[into].members.extend(moved);
        self.all[into].members.sort_unstable();
        self.all[into].kind = Some(kind);
        // Whoever waits for `into` already waits for all that it waited for.
        let waits_longer = self.all[into].is_awaited && !is_within(&before, &self.all[into].before);
        let is_awaited = self.all[from].is_awaited;
        if waits_longer || is_awaited {
            for group in self.all.iter_mut().filter(|group| !group.members.is_empty()) {
                if contains(&group.before, from) || (waits_longer && contains(&group.before, into)) {
                    insert(&mut group.before, into);
                    unite(&mut group.before, &before);
                }
            }
        }
        self.all[into].is_awaited |= is_awaited;
        self.all[into].before = before;
    }

    /// Joins loops over one space that read the same operand and do not wait for each other, so that it is read once:
    /// the update of a parameter and of its optimiser slots become one loop with several results.
    fn join_neighbours(&mut self, viewed: &Viewed) {
        let nodes = &viewed.graph.nodes;
        let mut readers: HashMap<usize, Vec<usize>> = HashMap::new();
        for node in 0..nodes.len() {
            for &operand in &nodes[node].operands {
                let Some(own) = self.of[node] else { continue };
                let source = viewed.views[operand].source;
                if self.all[own].kind.is_none()
                    || nodes[source].shape.elements() < 2
                    || self.of[source] == Some(own)
                {
                    continue;
                }
                let before = readers.entry(source).or_default();
                let neighbour = before
                    .iter()
                    .rev()
                    .filter_map(|&reader| self.of[reader])
                    .find_map(|other| Some((other, self.neighbour_kind(own, other)?)));
                if let Some((other, kind)) = neighbour {
                    self.join(other, own, kind);
                }
                before.push(node);
            }
        }
    }

    /// The kind of the loop that does what two loops do of which neither waits for the other, if it can.
    fn neighbour_kind(&self, own: usize, other: usize) -> Option<LoopKind> {
        let (a, b) = (&self.all[own], &self.all[other]);
        let is_apart = own != other
            && a.members.len() + b.members.len() <= MAX_MEMBERS
            && !contains(&a.before, other)
            && !contains(&b.before, own);
        a.kind.as_ref().filter(|_| is_apart)?.beside(b.kind.as_ref()?)
    }

    fn into_units(self) -> Vec<Unit> {
        let unit = |group: Group| match group.kind {
            None => Unit { anchor: group.members.first().copied(), members: Vec::new() },
            Some(_) => Unit { anchor: None, members: group.members },
        };
        self.all.into_iter().filter(|group| !group.members.is_empty()).map(unit).collect()
    }
}

/// Makes loops epilogues of the kernels whose results only they read. Reductions at the end of such a loop become a
/// loop of their own if what they read is stored anyway.
fn attach_epilogues(viewed: &Viewed, units: &mut Vec<Unit>) {
    let nodes = &viewed.graph.nodes;
    let users = viewed.graph.users();
    let mut is_output = vec![false; nodes.len()];
    viewed.graph.outputs.iter().for_each(|&output| is_output[output] = true);
    let mut unit_of = vec![usize::MAX; nodes.len()];
    for (index, unit) in units.iter().enumerate() {
        unit.anchor.iter().chain(&unit.members).for_each(|&node| unit_of[node] = index);
    }
    for loop_index in 0..units.len() {
        let unit = &units[loop_index];
        let is_own = |node: usize| unit_of[node] == loop_index;
        let is_stored = |node: usize| {
            let leaves = |user: usize| match viewed.narrow(user) {
                narrow if narrow == user => !is_own(user),
                _ => users[user].iter().any(|&reader| !is_own(reader)),
            };
            is_output[node] || users[node].iter().any(|&user| leaves(user))
        };
        let reads_reductions = unit.members.iter().any(|&member| {
            let mut sources = nodes[member].operands.iter().map(|&operand| viewed.views[operand].source);
            sources.any(|source| is_own(source) && is_reduction(&nodes[source].op))
        });
        let (reductions, chain): (Vec<usize>, Vec<usize>) =
            unit.members.iter().copied().partition(|&member| is_reduction(&nodes[member].op));
        let can_split = reductions.iter().all(|&member| {
            let operand = viewed.narrow(nodes[member].operands[0]);
            is_own(operand) && is_stored(operand)
        });
        if unit.anchor.is_some() || chain.is_empty() || !can_split || reads_reductions {
            continue;
        }
        let operands = unit
            .members
            .iter()
            .flat_map(|&member| nodes[member].operands.iter().map(move |&operand| (member, operand)));
        let anchor = operands
            .filter(|&(member, operand)| {
                takes_epilogue(&nodes[operand].op)
                    && nodes[operand].shape == nodes[member].shape
                    && !is_output[operand]
                    && users[operand]
                        .iter()
                        .all(|&user| viewed.views[user].source == user && unit_of[user] == loop_index)
            })
            .map(|(_, operand)| operand)
            .max();
        if let Some(anchor) = anchor {
            let epilogue = chain;
            units[loop_index].members = reductions;
            let home = unit_of[anchor];
            epilogue.iter().for_each(|&member| unit_of[member] = home);
            units[home].members = epilogue;
        }
    }
    units.retain(|unit| unit.anchor.is_some() || !unit.members.is_empty());
}

/// The units that make each node's operands come first.
fn order(viewed: &Viewed, units: Vec<Unit>) -> Vec<Unit> {
    let nodes = &viewed.graph.nodes;
    let mut unit_of = vec![usize::MAX; nodes.len()];
    for (index, unit) in units.iter().enumerate() {
        unit.anchor.iter().chain(&unit.members).for_each(|&node| unit_of[node] = index);
    }
    let needs = |unit: &Unit| -> Vec<usize> {
        let own = unit.anchor.iter().chain(&unit.members);
        let mut needs: Vec<usize> = own
            .flat_map(|&node| &nodes[node].operands)
            .map(|&operand| unit_of[viewed.views[operand].source])
            .filter(|&other| other != usize::MAX)
            .collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    };
    let mut ordered = Vec::with_capacity(units.len());
    let mut state = vec![0u8; units.len()];
    for root in 0..units.len() {
        let mut stack = vec![(root, false)];
        while let Some((index, done)) = stack.pop() {
            if done {
                ordered.push(index);
            } else if state[index] == 0 {
                state[index] = 1;
                stack.push((index, true));
                stack.extend(
                    needs(&units[index])
                        .into_iter()
                        .rev()
                        .filter(|&need| need != index)
                        .map(|need| (need, false)),
                );
            }
        }
    }
    let mut units: Vec<Option<Unit>> = units.into_iter().map(Some).collect();
    ordered.into_iter().filter_map(|index| units[index].take()).collect()
}
