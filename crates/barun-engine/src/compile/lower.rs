//! Lowering: a unit's loop as tile code.
//!
//! A bf16 node may have two tile values: the *narrow* one, as memory holds it, and the *wide* one, the same number in f32,
//! which is computed with. Each is made from the other where it is first asked for, so that a value is rounded once,
//! where its node rounds it, whether or not it goes through memory.
//!
//! A loop over short rows ([`Rows`]) also has tile values with one element for each row: what its reductions give, what
//! is computed from them alone, and operands that are the same along a row. Nodes that read such a value at every
//! element of the row read it filled out.

use std::collections::{HashMap, HashSet};

use super::view::{View, Viewed, is_inline};
use crate::cpu::fused::{Access, FusedLoop, Load, Pattern, Reduce, Store};
use crate::cpu::isa::Isa;
use crate::cpu::tile::{Each, Instr, Reduction, TILE, TileOp};
use crate::graph::{Literal, Primitive};
use crate::tensor::{DType, Shape};

/// A loop and the node whose buffer each of its pointers is.
pub struct Lowered {
    pub body: FusedLoop,
    pub pointers: Vec<usize>,
}

/// Short rows that a loop walks, of which a tile holds at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// All elements.
    shape: Shape,
    /// The first axis of a row; a row goes on to the last.
    first_axis: usize,
}

impl Rows {
    /// The rows that a reduction of `shape` over `axes` takes, if they are short.
    pub fn of(shape: &Shape, axes: &[usize]) -> Option<Rows> {
        pattern(shape, axes).short_row()?;
        Some(Rows { shape: shape.clone(), first_axis: axes[0] })
    }

    /// Elements of a row.
    fn length(&self) -> usize {
        self.shape[self.first_axis..].iter().product()
    }

    /// Whether a node of this shape has an element for each row, and not for each element.
    pub fn has_one_each(&self, shape: &Shape) -> bool {
        shape != &self.shape && shape.elements() * self.length() == self.shape.elements()
    }

    /// Whether a view of the shape of all elements is the same along each row, and walks from row to row without gaps.
    pub fn is_same_along(&self, view: &View, shape: &Shape) -> bool {
        let (kept, row) = self.shape.split_at(self.first_axis);
        let mut expected = 1;
        let steps = |(axis, &size): (usize, &usize)| {
            let is_next = size == 1 || view.strides[axis] == expected;
            expected *= size as isize;
            is_next
        };
        *shape == self.shape
            && (0..row.len()).all(|axis| row[axis] == 1 || view.strides[self.first_axis + axis] == 0)
            && kept.iter().enumerate().rev().all(steps)
    }
}

/// The loop over `members`; `stored` says which of them others need.
pub fn lower(viewed: &Viewed, members: &[usize], stored: impl Fn(usize) -> bool, isa: Isa) -> Lowered {
    let nodes = &viewed.graph.nodes;
    let reduced = members.iter().find_map(|&member| match &nodes[member].op {
        Primitive::Sum { axes } | Primitive::Max { axes } => Some((nodes[member].operands[0], axes)),
        _ => None,
    });
    let shape = match reduced {
        Some((operand, _)) => nodes[operand].shape.clone(),
        None => nodes[members[0]].shape.clone(),
    };
    let mut builder = Builder {
        viewed,
        shape: shape.clone(),
        rows: reduced.and_then(|(_, axes)| Rows::of(&shape, axes)),
        values: HashMap::new(),
        row_values: HashMap::new(),
        narrow: HashMap::new(),
        pointers: Vec::new(),
        views: Vec::new(),
        body: FusedLoop {
            sizes: Vec::new(),
            loads: Vec::new(),
            constants: Vec::new(),
            code: Vec::new(),
            stores: Vec::new(),
            reduces: Vec::new(),
            guard: None,
            pattern: reduced.map(|(_, axes)| pattern(&shape, axes)),
            registers: Vec::new(),
            register_count: 0,
            steps: Vec::new(),
            is_one_walk: false,
            repeats: TILE,
            isa,
        },
    };
    for &member in members {
        builder.member(member, stored(member));
    }
    builder.finish()
}

/// `[outer, reduced, inner]` of a reduction whose axes are neighbours.
fn pattern(shape: &Shape, axes: &[usize]) -> Pattern {
    let (first, last) = (axes[0], axes[axes.len() - 1]);
    Pattern {
        outer: shape[..first].iter().product(),
        reduced: shape[first..=last].iter().product(),
        inner: shape[last + 1..].iter().product(),
    }
}

struct Builder<'a> {
    viewed: &'a Viewed,
    shape: Shape,
    /// The rows that are reduced, if they are short.
    rows: Option<Rows>,
    /// The tile value of each node, as an operand; of bf16 the wide one.
    values: HashMap<usize, u16>,
    /// The tile value of nodes that have one element for each row.
    row_values: HashMap<usize, u16>,
    /// The narrow tile value of bf16 nodes.
    narrow: HashMap<usize, u16>,
    pointers: Vec<usize>,
    /// The view of each load for every element, until the axes are joined.
    views: Vec<View>,
    body: FusedLoop,
}

impl Builder<'_> {
    fn member(&mut self, member: usize, stored: bool) {
        let inst = &self.viewed.graph.nodes[member];
        if let Primitive::Sum { .. } | Primitive::Max { .. } = inst.op {
            let reduction =
                if matches!(inst.op, Primitive::Sum { .. }) { Reduction::Sum } else { Reduction::Max };
            let value = self.operand(inst.operands[0]);
            let Some(rows) = &self.rows else {
                let pointer = self.pointer(member);
                self.body.reduces.push(Reduce { pointer, dtype: inst.dtype, value, reduction });
                return;
            };
            let op = TileOp::ReduceRows { reduction, row: rows.length() };
            let value = self.emit(op, inst.dtype, Each::Element, &[value]);
            return self.row_member(member, value, stored);
        }
        if self.rows.as_ref().is_some_and(|rows| rows.has_one_each(&inst.shape)) {
            let operands: Vec<u16> = inst.operands.iter().map(|&operand| self.row_operand(operand)).collect();
            let value = self.compute(member, Each::Row, &operands);
            return self.row_member(member, value, stored);
        }
        if inst.dtype == DType::BF16 {
            self.narrow_member(member);
        } else {
            let operands: Vec<u16> = inst.operands.iter().map(|&operand| self.operand(operand)).collect();
            let value = self.compute(member, Each::Element, &operands);
            self.values.insert(member, value);
        }
        if stored {
            let value = if inst.dtype == DType::BF16 { self.narrow(member) } else { self.values[&member] };
            self.store(member, Each::Element, value);
        }
    }

    /// Takes note of the value of a node that has one element for each row.
    fn row_member(&mut self, member: usize, value: u16, stored: bool) {
        self.row_values.insert(member, value);
        if stored {
            self.store(member, Each::Row, value);
        }
    }

    fn store(&mut self, member: usize, each: Each, value: u16) {
        let pointer = self.pointer(member);
        let dtype = self.viewed.graph.nodes[member].dtype;
        self.body.stores.push(Store { pointer, dtype, each, value, direct: false });
    }

    /// Computes a bf16 node: choices of bf16 numbers stay wide, what rounds becomes narrow.
    fn narrow_member(&mut self, member: usize) {
        let inst = &self.viewed.graph.nodes[member];
        let from = inst.operands.first().map(|&operand| self.viewed.graph.nodes[operand].dtype);
        match (&inst.op, from) {
            (Primitive::Where | Primitive::Binary(_), _) => {
                let operands: Vec<u16> = inst.operands.iter().map(|&operand| self.operand(operand)).collect();
                let value = self.compute(member, Each::Element, &operands);
                self.values.insert(member, value);
            }
            (Primitive::Cast { .. }, Some(from)) if from != DType::BF16 => {
                let operand = self.operand(inst.operands[0]);
                let value = self.emit(TileOp::Cast(DType::BF16), from, Each::Element, &[operand]);
                self.narrow.insert(member, value);
            }
            (Primitive::Unary(_), _) => {
                let operand = self.operand(inst.operands[0]);
                let value = self.compute(member, Each::Element, &[operand]);
                let value = self.emit(TileOp::Cast(DType::BF16), DType::F32, Each::Element, &[value]);
                self.narrow.insert(member, value);
            }
            _ => {
                let operand = self.narrow(inst.operands[0]);
                let value = self.emit(TileOp::Copy, DType::BF16, Each::Element, &[operand]);
                self.narrow.insert(member, value);
            }
        }
    }

    /// The instruction of a node over the wide values of its operands.
    fn compute(&mut self, node: usize, each: Each, operands: &[u16]) -> u16 {
        let nodes = &self.viewed.graph.nodes;
        let inst = &nodes[node];
        let operand_dtype = |index: usize| nodes[inst.operands[index]].dtype;
        let (op, dtype) = match &inst.op {
            Primitive::Unary(op) => (TileOp::Unary(*op), inst.dtype),
            Primitive::Binary(op) => (TileOp::Binary(*op), operand_dtype(0)),
            Primitive::Where => (TileOp::Where, inst.dtype),
            Primitive::Cast { dtype } => (TileOp::Cast(*dtype), operand_dtype(0)),
            Primitive::Random { key } => (TileOp::Random { key: *key }, inst.dtype),
            Primitive::Iota { axis } => {
                let stride = inst.shape[axis + 1..].iter().product::<usize>().max(1);
                (TileOp::Iota { stride, size: inst.shape[*axis].max(1) }, inst.dtype)
            }
            _ => (TileOp::Copy, inst.dtype),
        };
        self.emit(op, dtype.computed(), each, operands)
    }

    /// Adds an instruction and gives its value; if an earlier one computes the same (chains that several nodes
    /// recompute), that one's.
    fn emit(&mut self, op: TileOp, dtype: DType, each: Each, operands: &[u16]) -> u16 {
        let mut slots = [0; 3];
        slots[..operands.len()].copy_from_slice(operands);
        let is_same = |instr: &&Instr| {
            (&instr.op, instr.dtype, instr.each, instr.operands) == (&op, dtype, each, slots)
        };
        if !matches!(op, TileOp::Random { .. })
            && let Some(same) = self.body.code.iter().find(is_same)
        {
            return same.result;
        }
        let result = self.value();
        self.body.code.push(Instr { op, dtype, each, result, operands: slots });
        result
    }

    fn value(&mut self) -> u16 {
        self.body.registers.push(None);
        (self.body.registers.len() - 1) as u16
    }

    fn pointer(&mut self, node: usize) -> usize {
        if let Some(index) = self.pointers.iter().position(|&known| known == node) {
            return index;
        }
        self.pointers.push(node);
        self.pointers.len() - 1
    }

    /// The tile value of an operand, of bf16 the wide one: of a member, a constant, or a load.
    fn operand(&mut self, node: usize) -> u16 {
        if let Some(&value) = self.values.get(&node) {
            return value;
        }
        let inst = &self.viewed.graph.nodes[node];
        let value = match inst.op {
            Primitive::Full { value: literal } => self.constant(inst.dtype, literal),
            _ if is_inline(&inst.op) => self.compute(node, Each::Element, &[]),
            _ if self.viewed.narrow(node) != node => self.operand(self.viewed.narrow(node)),
            _ if inst.dtype == DType::BF16 || self.viewed.is_widened(node) => {
                let narrow = self.narrow(node);
                self.emit(TileOp::Cast(DType::F32), DType::BF16, Each::Element, &[narrow])
            }
            _ => self.filled(node).unwrap_or_else(|| self.load(node)),
        };
        self.values.insert(node, value);
        value
    }

    /// The value of an operand that is the same along each row, filled out.
    fn filled(&mut self, node: usize) -> Option<u16> {
        let inst = &self.viewed.graph.nodes[node];
        let view = &self.viewed.views[node];
        let rows = self.rows.as_ref().filter(|rows| rows.is_same_along(view, &inst.shape))?;
        let row = rows.length();
        let value = match self.row_values.get(&view.source) {
            Some(&value) if view.offset == 0 => value,
            _ if view.is_uniform() || row == 1 => return None,
            _ => self.row_load(node),
        };
        Some(self.emit(TileOp::FillRows { row }, inst.dtype, Each::Element, &[value]))
    }

    /// The value of an operand of a node that has one element for each row.
    fn row_operand(&mut self, node: usize) -> u16 {
        let inst = &self.viewed.graph.nodes[node];
        let view = &self.viewed.views[node];
        let is_whole = view.is_whole(&inst.shape, &self.viewed.graph.nodes[view.source].shape);
        let node = if is_whole { view.source } else { node };
        if let Some(&value) = self.row_values.get(&node) {
            return value;
        }
        let value = match inst.op {
            Primitive::Full { value: literal } => self.constant(inst.dtype, literal),
            _ if is_inline(&inst.op) => self.compute(node, Each::Row, &[]),
            _ => self.row_load(node),
        };
        self.row_values.insert(node, value);
        value
    }

    fn constant(&mut self, dtype: DType, literal: Literal) -> u16 {
        let value = self.value();
        self.body.constants.push((value, dtype.computed(), literal));
        value
    }

    /// Reads what has one element for each row, or one for all.
    fn row_load(&mut self, node: usize) -> u16 {
        let view = &self.viewed.views[node];
        let (offset, dtype) = (view.offset, self.viewed.graph.nodes[view.source].dtype);
        let access =
            if view.is_uniform() { Access::Uniform { offset } } else { Access::Contiguous { offset } };
        let pointer = self.pointer(view.source);
        let value = self.value();
        self.body.loads.push(Load { pointer, dtype, access, each: Each::Row, value });
        value
    }

    /// The narrow tile value of a bf16 node, or of one that shows the numbers of such a node widened.
    fn narrow(&mut self, node: usize) -> u16 {
        if let Some(&value) = self.narrow.get(&node) {
            return value;
        }
        let in_loop = self.values.contains_key(&node) || is_inline(&self.viewed.graph.nodes[node].op);
        let value = if in_loop {
            let wide = self.operand(node);
            self.emit(TileOp::Cast(DType::BF16), DType::F32, Each::Element, &[wide])
        } else {
            self.load(node)
        };
        self.narrow.insert(node, value);
        value
    }

    /// Reads a node as it lies in memory.
    fn load(&mut self, node: usize) -> u16 {
        let inst = &self.viewed.graph.nodes[node];
        let mut view = self.viewed.views[node].clone();
        let dtype = self.viewed.graph.nodes[view.source].dtype;
        let pointer = self.pointer(view.source);
        // A scalar operand of a draw is the same for the whole loop.
        view.strides = if inst.shape == self.shape { view.strides } else { vec![0; self.shape.rank()] };
        self.views.push(view);
        let value = self.value();
        let access = Access::Uniform { offset: 0 };
        self.body.loads.push(Load { pointer, dtype, access, each: Each::Element, value });
        value
    }

    /// Joins axes that all loads walk as one, and settles how each load reads.
    fn finish(mut self) -> Lowered {
        let mut sizes: Vec<usize> = Vec::new();
        let mut strides: Vec<Vec<isize>> = vec![Vec::new(); self.views.len()];
        for axis in (0..self.shape.rank()).filter(|&axis| self.shape[axis] != 1) {
            let size = self.shape[axis];
            let joins = !sizes.is_empty()
                && self
                    .views
                    .iter()
                    .zip(&strides)
                    .all(|(view, joined)| joined.last() == Some(&(view.strides[axis] * size as isize)));
            if joins {
                *sizes.last_mut().unwrap_or(&mut 1) *= size;
            } else {
                sizes.push(size);
            }
            for (view, joined) in self.views.iter().zip(&mut strides) {
                if joins {
                    joined.pop();
                }
                joined.push(view.strides[axis]);
            }
        }
        if sizes.is_empty() {
            sizes.push(1);
            strides.iter_mut().for_each(|joined| joined.push(1));
        }
        let contiguous: Vec<isize> =
            Shape::from(&sizes[..]).strides().iter().map(|&stride| stride as isize).collect();
        let loads = self.body.loads.iter_mut().filter(|load| load.each == Each::Element);
        for ((load, view), strides) in loads.zip(&self.views).zip(strides) {
            let offset = view.offset;
            load.access = if strides == contiguous {
                Access::Contiguous { offset }
            } else if strides.iter().all(|&stride| stride == 0) {
                Access::Uniform { offset }
            } else if let Some(period) = period(&sizes, &strides, &contiguous)
                && period <= Access::longest_period(load.dtype)
            {
                Access::Periodic { offset, period }
            } else {
                Access::Strided { offset, strides }
            };
        }
        self.body.sizes = sizes;
        Lowered { body: self.body, pointers: self.pointers }
    }
}

/// The number of elements a view walks over and over: those of its last axes, if it stands still on the others.
fn period(sizes: &[usize], strides: &[isize], contiguous: &[isize]) -> Option<usize> {
    let first = strides.iter().position(|&stride| stride != 0)?;
    (strides[first..] == contiguous[first..]).then(|| sizes[first..].iter().product())
}

/// Turns a loop of which every store keeps the old value unless one condition holds into a loop that runs only if it
/// holds: `slot <- where(ok, new, slot)` in place becomes `if ok { slot <- new }`.
pub fn guard_updates(body: &mut FusedLoop, same_memory: impl Fn(usize, usize) -> bool) {
    if body.stores.is_empty() || body.pattern.is_some() {
        return;
    }
    let load_of = |value: u16| body.loads.iter().find(|load| load.value == value);
    let mut condition = None;
    let mut chosen = Vec::new();
    for store in &body.stores {
        let Some(choice) =
            body.code.iter().find(|instr| instr.result == store.value && instr.op == TileOp::Where)
        else {
            return;
        };
        let [asked, new, old] = choice.operands;
        let keeps_old = load_of(old).is_some_and(|load| {
            load.access == (Access::Contiguous { offset: 0 }) && same_memory(load.pointer, store.pointer)
        });
        let is_uniform = load_of(asked).is_some_and(|load| matches!(load.access, Access::Uniform { .. }));
        // A new value that is itself read from memory would need an instruction to copy it.
        let is_computed = body.code.iter().any(|instr| instr.result == new);
        if !keeps_old || !is_uniform || !is_computed || *condition.get_or_insert(asked) != asked {
            return;
        }
        chosen.push(new);
    }
    let Some(load) = condition.and_then(load_of) else { return };
    let Access::Uniform { offset } = load.access else { return };
    body.guard = Some((load.pointer, offset));
    for (store, new) in body.stores.iter_mut().zip(chosen) {
        store.value = new;
    }
    drop_unused(body);
}

/// Drops instructions, loads and constants whose values nobody reads.
fn drop_unused(body: &mut FusedLoop) {
    let mut used: HashSet<u16> = body.stores.iter().map(|store| store.value).collect();
    used.extend(body.reduces.iter().map(|reduce| reduce.value));
    let mut kept: Vec<Instr> = Vec::with_capacity(body.code.len());
    for instr in body.code.drain(..).rev() {
        if used.contains(&instr.result) {
            used.extend(&instr.operands[..operand_count(&instr.op)]);
            kept.push(instr);
        }
    }
    kept.reverse();
    body.code = kept;
    body.loads.retain(|load| used.contains(&load.value));
    body.constants.retain(|(value, ..)| used.contains(value));
}

pub fn operand_count(op: &TileOp) -> usize {
    match op {
        TileOp::Unary(_) | TileOp::Cast(_) | TileOp::Copy => 1,
        TileOp::ReduceRows { .. } | TileOp::FillRows { .. } => 1,
        TileOp::Binary(_) | TileOp::Random { .. } => 2,
        TileOp::Where => 3,
        TileOp::Iota { .. } => 0,
    }
}
