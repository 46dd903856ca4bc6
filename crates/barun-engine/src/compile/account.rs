//! The account of the arena: what each of its blocks is for, what fills it at its fullest moment, and the most there
//! ever is of each kind.
//!
//! The gradient rules mark the nodes they build. What they did not build is the forward pass, unless it depends on
//! something they built: that is the update.

use std::collections::HashSet;

use super::fuse::Unit;
use super::plan::Block;
use super::view::Viewed;
use crate::graph::Primitive;

/// What a block of the arena is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The gradient of a parameter: made by the backward pass, read by the update.
    Gradient,
    /// A value of the forward pass that the backward pass or the update reads.
    Saved,
    /// Any other value: it lives within one pass.
    Passing,
    /// Shared memory of a kernel's tasks; of a loop (`scan`) all that its body needs.
    Workspace,
}

/// Bytes of the arena by purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArenaUse {
    /// Gradients of parameters.
    pub gradients: usize,
    /// Values of the forward pass that the backward pass or the update reads.
    pub saved: usize,
    /// Values that live within one pass.
    pub passing: usize,
    /// Shared memory of kernels' tasks.
    pub workspace: usize,
}

impl ArenaUse {
    /// All of it.
    pub fn total(&self) -> usize {
        self.gradients + self.saved + self.passing + self.workspace
    }

    fn of(&mut self, purpose: Purpose) -> &mut usize {
        match purpose {
            Purpose::Gradient => &mut self.gradients,
            Purpose::Saved => &mut self.saved,
            Purpose::Passing => &mut self.passing,
            Purpose::Workspace => &mut self.workspace,
        }
    }
}

/// What fills the arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// At the moment when most is alive, the first of equals.
    pub peak: ArenaUse,
    /// The most there is of each kind at any moment; not all at the same.
    pub most: ArenaUse,
}

impl Account {
    /// Of blocks with their purposes, over all the stages they live through.
    pub fn of(blocks: &[Block], purposes: &[Purpose]) -> Account {
        let mut account = Account::default();
        let stages = blocks.iter().map(|block| block.last + 1).max().unwrap_or(0);
        let mut begin = vec![Vec::new(); stages + 1];
        let mut end = begin.clone();
        for (index, block) in blocks.iter().enumerate() {
            begin[block.first].push(index);
            end[block.last + 1].push(index);
        }
        let mut now = ArenaUse::default();
        for (ended, begun) in end.iter().zip(&begin).take(stages) {
            ended.iter().for_each(|&index: &usize| *now.of(purposes[index]) -= blocks[index].bytes);
            begun.iter().for_each(|&index: &usize| *now.of(purposes[index]) += blocks[index].bytes);
            if now.total() > account.peak.total() {
                account.peak = now;
            }
            let most = &mut account.most;
            most.gradients = most.gradients.max(now.gradients);
            most.saved = most.saved.max(now.saved);
            most.passing = most.passing.max(now.passing);
            most.workspace = most.workspace.max(now.workspace);
        }
        account
    }
}

/// The part of a training step that a node belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Forward,
    Backward,
    Update,
}

/// What the values of a graph are for.
pub struct Purposes {
    phases: Vec<Phase>,
    /// The latest phase of the nodes of each unit: a loop that holds nodes of several phases runs in the last.
    unit_phases: Vec<Phase>,
    /// The values that nodes of the update read.
    read_by_update: HashSet<usize>,
}

impl Purposes {
    /// Of a graph cut into units.
    pub fn of(viewed: &Viewed, units: &[Unit]) -> Purposes {
        let nodes = &viewed.graph.nodes;
        let mut phases: Vec<Phase> = Vec::with_capacity(nodes.len());
        for inst in nodes {
            let latest = inst.operands.iter().map(|&operand| phases[operand]).max().unwrap_or(Phase::Forward);
            phases.push(match inst.op {
                // What a scan gives belongs to the scan, whoever asks for it.
                Primitive::Project { .. } => latest,
                _ if inst.origin.by_gradient_rule => Phase::Backward,
                _ if latest == Phase::Forward => Phase::Forward,
                _ => Phase::Update,
            });
        }
        let of_unit = |unit: &Unit| unit.anchor.iter().chain(&unit.members).map(|&node| phases[node]).max();
        let unit_phases = units.iter().map(|unit| of_unit(unit).unwrap_or(Phase::Forward)).collect();
        let updating = nodes.iter().zip(&phases).filter(|(_, phase)| **phase == Phase::Update);
        let read = updating.flat_map(|(inst, _)| &inst.operands);
        let read_by_update = read.map(|&operand| viewed.views[operand].source).collect();
        Purposes { phases, unit_phases, read_by_update }
    }

    /// What the value of `node` is for, which `readers` read.
    pub fn purpose(&self, node: usize, readers: &[usize]) -> Purpose {
        match self.phases[node] {
            Phase::Backward if self.read_by_update.contains(&node) => Purpose::Gradient,
            Phase::Forward if readers.iter().any(|&unit| self.unit_phases[unit] > Phase::Forward) => {
                Purpose::Saved
            }
            _ => Purpose::Passing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_the_moment_when_most_is_alive_and_each_kind_has_its_own_most() {
        let block = |bytes, first, last| Block { bytes, first, last };
        let blocks = [block(100, 0, 3), block(40, 1, 1), block(30, 3, 4), block(50, 4, 4)];
        let purposes = [Purpose::Saved, Purpose::Workspace, Purpose::Gradient, Purpose::Passing];
        let account = Account::of(&blocks, &purposes);
        assert_eq!(account.peak, ArenaUse { saved: 100, workspace: 40, ..ArenaUse::default() });
        assert_eq!(account.most, ArenaUse { gradients: 30, saved: 100, passing: 50, workspace: 40 });
        assert_eq!(Account::of(&[], &[]), Account::default());
    }
}
