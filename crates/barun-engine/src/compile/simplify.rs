//! Simplification: constants fold, movement composes, identities vanish, and equal nodes become one.
//!
//! A factor that all terms of a sum have in common is taken out of it: `sum(g * scale)` over the rows becomes `sum(g) * scale`.
//! So the gradient of a batch norm sums `g` and `g (x - mean)` alone, and does not pass over them again for the sum of their
//! multiples. It is the one rule that rounds differently: once where each term was rounded.

use std::collections::HashMap;
use std::sync::Arc;

use crate::graph::{Binary, Graph, Inst, Literal, Primitive, Scan, Unary};
use crate::tensor::DType;

/// The same results with fewer nodes. Nodes that no output needs are gone.
pub fn simplify(graph: &Graph) -> Graph {
    let mut pass = Pass { nodes: Vec::with_capacity(graph.nodes.len()), known: HashMap::new() };
    let longer = longer_scans(graph);
    let mut position = Vec::with_capacity(graph.nodes.len());
    for (index, inst) in graph.nodes.iter().enumerate() {
        let mut inst = inst.clone();
        inst.operands.iter_mut().for_each(|operand| *operand = position[*operand]);
        if let Some(scan) = longer.get(&index) {
            inst.op = Primitive::Scan(Arc::clone(scan));
        }
        position.push(pass.add(inst));
    }
    let outputs = graph.outputs.iter().map(|&output| position[output]).collect();
    let graph = without_dead_nodes(&Graph { nodes: pass.nodes, outputs });
    without_dead_nodes(&without_unread_sequences(graph))
}

/// Scans without the output sequences that nobody reads.
fn without_unread_sequences(mut graph: Graph) -> Graph {
    let mut read: HashMap<usize, Vec<usize>> = HashMap::new();
    for inst in &graph.nodes {
        match (&inst.op, inst.operands.first()) {
            (Primitive::Project { index }, Some(&scan)) => read.entry(scan).or_default().push(*index),
            _ => continue,
        }
    }
    let mut kept: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, inst) in graph.nodes.iter_mut().enumerate() {
        if let Primitive::Scan(scan) = &inst.op {
            let read = read.get(&at).map_or(&[][..], Vec::as_slice);
            let is_read = |index: &usize| *index < scan.carries || read.contains(index);
            let results: Vec<usize> = (0..scan.body.outputs.len()).filter(is_read).collect();
            if results.len() < scan.body.outputs.len() {
                let outputs = results.iter().map(|&index| scan.body.outputs[index]).collect();
                let body = without_dead_nodes(&Graph { outputs, nodes: scan.body.nodes.clone() });
                inst.op =
                    Primitive::Scan(Arc::new(Scan { body, ..Scan { body: Graph::default(), ..**scan } }));
            }
            kept.insert(at, results);
        } else if let Primitive::Project { index } = &mut inst.op {
            let results = &kept[&inst.operands[0]];
            *index = results.iter().position(|result| result == index).unwrap_or(*index);
        }
    }
    graph
}

/// Scans for which another scan over the same operands computes the same and more (the gradient runs a scan again to
/// save its carries): they become the longer one, and so one node.
fn longer_scans(graph: &Graph) -> HashMap<usize, Arc<Scan>> {
    let scans: Vec<(usize, &Arc<Scan>)> = graph
        .nodes
        .iter()
        .enumerate()
        .filter_map(|(index, inst)| match &inst.op {
            Primitive::Scan(scan) => Some((index, scan)),
            _ => None,
        })
        .collect();
    let mut longer = HashMap::new();
    for &(index, short) in &scans {
        let extends = |other: &Scan| {
            (other.constants, other.carries, other.length, other.reverse)
                == (short.constants, short.carries, short.length, short.reverse)
                && other.body.outputs.starts_with(&short.body.outputs)
                && other.body.nodes.starts_with(&short.body.nodes)
        };
        let best = scans
            .iter()
            .filter(|(other, scan)| {
                graph.nodes[*other].operands == graph.nodes[index].operands && extends(scan)
            })
            .max_by_key(|(_, scan)| scan.body.outputs.len());
        if let Some((_, scan)) = best {
            longer.insert(index, Arc::clone(scan));
        }
    }
    longer
}

/// Drops what no output depends on.
pub fn without_dead_nodes(graph: &Graph) -> Graph {
    let mut live = vec![false; graph.nodes.len()];
    graph.outputs.iter().for_each(|&output| live[output] = true);
    for index in (0..graph.nodes.len()).rev() {
        if live[index] {
            graph.nodes[index].operands.iter().for_each(|&operand| live[operand] = true);
        }
    }
    let mut position = vec![usize::MAX; graph.nodes.len()];
    let mut nodes = Vec::new();
    for (index, inst) in graph.nodes.iter().enumerate().filter(|(index, _)| live[*index]) {
        let mut inst = inst.clone();
        inst.operands.iter_mut().for_each(|operand| *operand = position[*operand]);
        position[index] = nodes.len();
        nodes.push(inst);
    }
    Graph { nodes, outputs: graph.outputs.iter().map(|&output| position[output]).collect() }
}

struct Pass {
    nodes: Vec<Inst>,
    known: HashMap<Inst, usize>,
}

impl Pass {
    /// The position of a node equal to `inst`, simplified.
    fn add(&mut self, mut inst: Inst) -> usize {
        loop {
            match self.rewrite(&inst) {
                Rewrite::None => break,
                Rewrite::Same(position) => return position,
                Rewrite::To(simpler) => inst = simpler,
                Rewrite::Split(run) => inst = self.split_reduction(&inst, &run),
                Rewrite::RoundLater => inst = self.round_later(&inst),
                Rewrite::TakeOut(summed, factor) => inst = self.take_out(&inst, summed, factor),
            }
        }
        // Random nodes are told apart by their key, and never merged.
        if matches!(inst.op, Primitive::Random { .. }) {
            self.nodes.push(inst);
            return self.nodes.len() - 1;
        }
        if let Some(&position) = self.known.get(&inst) {
            return position;
        }
        self.nodes.push(inst.clone());
        self.known.insert(inst, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    /// Reduces `run` first; gives the reduction of the other axes that remains.
    fn split_reduction(&mut self, inst: &Inst, run: &[usize]) -> Inst {
        let (Primitive::Sum { axes } | Primitive::Max { axes }) = &inst.op else { return inst.clone() };
        let make = |axes: Vec<usize>| match inst.op {
            Primitive::Sum { .. } => Primitive::Sum { axes },
            _ => Primitive::Max { axes },
        };
        let shape = self.nodes[inst.operands[0]].shape.reduced(run, false);
        let inner = self.add(Inst { op: make(run.to_vec()), shape, ..inst.clone() });
        // The run lies behind the other axes, so their positions stay.
        let rest = axes.iter().copied().filter(|axis| !run.contains(axis)).collect();
        Inst { op: make(rest), operands: vec![inner], ..inst.clone() }
    }

    /// What is the same for all that a sum adds up, and so can multiply the sum instead: the node that is left to sum, and
    /// the factor.
    fn common_factor(&self, axes: &[usize], operand: usize) -> Option<(usize, Factor)> {
        let inst = &self.nodes[operand];
        let factor = |position: usize| match &self.nodes[position] {
            Inst { op: Primitive::Full { value }, .. } => Some(Factor::Number(*value)),
            Inst { op: Primitive::Broadcast, operands, .. } => {
                let is_same = axes.iter().all(|&axis| self.nodes[operands[0]].shape[axis] == 1);
                is_same.then_some(Factor::Node(operands[0]))
            }
            _ => None,
        };
        match (&inst.op, &inst.operands[..]) {
            (Primitive::Unary(Unary::Neg), &[x]) => Some((x, Factor::MinusOne)),
            (Primitive::Binary(Binary::Add), &[a, b]) if a == b => {
                Some((a, Factor::Number(Literal::new(2.0, inst.dtype))))
            }
            (Primitive::Binary(Binary::Mul), &[a, b]) => {
                factor(b).map(|factor| (a, factor)).or_else(|| factor(a).map(|factor| (b, factor)))
            }
            _ => None,
        }
    }

    /// Multiplies the sum of `summed` by the factor, in the shape of the sum.
    fn take_out(&mut self, inst: &Inst, summed: usize, factor: Factor) -> Inst {
        let sum = self.add(Inst { operands: vec![summed], ..inst.clone() });
        let factor = match factor {
            Factor::MinusOne => {
                return Inst { op: Primitive::Unary(Unary::Neg), operands: vec![sum], ..inst.clone() };
            }
            Factor::Number(value) => {
                self.add(Inst { op: Primitive::Full { value }, operands: vec![], ..inst.clone() })
            }
            Factor::Node(node) => {
                let Primitive::Sum { axes } = &inst.op else { return inst.clone() };
                let shape = self.nodes[node].shape.reduced(axes, false);
                let node =
                    self.add(Inst { op: Primitive::Reshape, operands: vec![node], shape, ..inst.clone() });
                self.add(Inst { op: Primitive::Broadcast, operands: vec![node], ..inst.clone() })
            }
        };
        binary(Binary::Mul, sum, factor, inst)
    }

    /// A choice between a rounded number and a constant rounds what is chosen instead: rounding keeps the order.
    fn round_later(&mut self, inst: &Inst) -> Inst {
        let [rounded, constant] = [0, 1].map(|index| self.nodes[inst.operands[index]].clone());
        let constant = self.add(Inst { dtype: DType::F32, ..constant });
        let operands = vec![rounded.operands[0], constant];
        let chosen = self.add(Inst { operands, dtype: DType::F32, ..inst.clone() });
        Inst { op: rounded.op, operands: vec![chosen], ..inst.clone() }
    }

    fn constant(&self, position: usize) -> Option<Literal> {
        match self.nodes[position].op {
            Primitive::Full { value } => Some(value),
            _ => None,
        }
    }

    fn is(&self, position: usize, number: f64) -> bool {
        self.constant(position).is_some_and(|value| value.to_f64() == number)
    }

    fn rewrite(&self, inst: &Inst) -> Rewrite {
        let operand = |index: usize| inst.operands[index];
        let node = |index: usize| &self.nodes[inst.operands[index]];
        let same_kind = |index: usize| node(index).shape == inst.shape && node(index).dtype == inst.dtype;
        let with = |op: Primitive, operands: Vec<usize>| Rewrite::To(Inst { op, operands, ..inst.clone() });
        let is_leaf = inst.operands.is_empty() || matches!(inst.op, Primitive::Scan(_));
        let sums_nothing = inst.op.is_contraction() && (0..2).any(|index| node(index).shape.elements() == 0);
        if !is_leaf && (inst.shape.elements() == 0 || sums_nothing) {
            return with(Primitive::Full { value: Literal::new(0.0, inst.dtype) }, vec![]);
        }
        match &inst.op {
            Primitive::Detach => Rewrite::Same(operand(0)),
            Primitive::Cast { .. } if same_kind(0) => Rewrite::Same(operand(0)),
            Primitive::Cast { dtype: DType::BF16 } if self.widened(operand(0)).is_some() => {
                Rewrite::Same(self.widened(operand(0)).unwrap_or(operand(0)))
            }
            Primitive::Cast { dtype } => match self.constant(operand(0)) {
                Some(value) if self.exact_cast(value, *dtype) => {
                    with(Primitive::Full { value: Literal::new(value.to_f64(), *dtype) }, vec![])
                }
                _ => Rewrite::None,
            },
            Primitive::Reshape | Primitive::Broadcast if same_kind(0) => Rewrite::Same(operand(0)),
            Primitive::Reshape
            | Primitive::Broadcast
            | Primitive::Permute { .. }
            | Primitive::Slice { .. }
            | Primitive::Flip { .. }
                if self.constant(operand(0)).is_some() =>
            {
                match self.constant(operand(0)) {
                    Some(value) => with(Primitive::Full { value }, vec![]),
                    None => Rewrite::None,
                }
            }
            Primitive::Reshape if node(0).op == Primitive::Reshape => {
                with(Primitive::Reshape, node(0).operands.clone())
            }
            Primitive::Broadcast if node(0).op == Primitive::Broadcast => {
                with(Primitive::Broadcast, node(0).operands.clone())
            }
            Primitive::Permute { order } if order.iter().copied().eq(0..order.len()) => {
                Rewrite::Same(operand(0))
            }
            Primitive::Permute { order } => match &node(0).op {
                Primitive::Permute { order: inner } => {
                    let order = order.iter().map(|&axis| inner[axis]).collect();
                    with(Primitive::Permute { order }, node(0).operands.clone())
                }
                _ => Rewrite::None,
            },
            Primitive::Sum { axes } | Primitive::Max { axes }
                if axes.iter().all(|&axis| node(0).shape[axis] == 1) =>
            {
                with(Primitive::Reshape, inst.operands.clone())
            }
            Primitive::Sum { axes }
                if matches!(inst.dtype, DType::F32 | DType::F64)
                    && self.common_factor(axes, operand(0)).is_some() =>
            {
                match self.common_factor(axes, operand(0)) {
                    Some((summed, factor)) => Rewrite::TakeOut(summed, factor),
                    None => Rewrite::None,
                }
            }
            Primitive::Sum { axes } | Primitive::Max { axes } => match last_run(axes, &node(0).shape) {
                run if run.len() == axes.len() => Rewrite::None,
                run => Rewrite::Split(run),
            },
            Primitive::Concat { .. } if inst.operands.len() == 1 => Rewrite::Same(operand(0)),
            Primitive::Pad { low, high, interior }
                if same_kind(0)
                    && [low, high, interior].iter().all(|sizes| sizes.iter().all(|&size| size == 0)) =>
            {
                Rewrite::Same(operand(0))
            }
            Primitive::Unary(Unary::Neg) => match &node(0).op {
                Primitive::Unary(Unary::Neg) => Rewrite::Same(node(0).operands[0]),
                Primitive::Full { value } if inst.dtype.is_float() => {
                    with(Primitive::Full { value: Literal::new(-value.to_f64(), inst.dtype) }, vec![])
                }
                _ => Rewrite::None,
            },
            Primitive::Binary(Binary::Max | Binary::Min)
                if node(0).op == (Primitive::Cast { dtype: DType::BF16 })
                    && self.nodes[node(0).operands[0]].dtype == DType::F32
                    && self.constant(operand(1)).is_some() =>
            {
                Rewrite::RoundLater
            }
            Primitive::Where if operand(1) == operand(2) => Rewrite::Same(operand(1)),
            Primitive::Binary(op) => self.rewrite_binary(*op, inst),
            _ => Rewrite::None,
        }
    }

    /// What `position` widens from bf16, if that is what it does.
    fn widened(&self, position: usize) -> Option<usize> {
        let inst = &self.nodes[position];
        let from = *inst.operands.first()?;
        let widens =
            inst.op == (Primitive::Cast { dtype: DType::F32 }) && self.nodes[from].dtype == DType::BF16;
        widens.then_some(from)
    }

    /// Only what keeps every bit (up to the sign of a zero).
    fn rewrite_binary(&self, op: Binary, inst: &Inst) -> Rewrite {
        let (a, b) = (inst.operands[0], inst.operands[1]);
        let negated = |position: usize| match &self.nodes[position].op {
            Primitive::Unary(Unary::Neg) => Some(self.nodes[position].operands[0]),
            _ => None,
        };
        if let (Some(x), Some(y)) = (self.constant(a), self.constant(b))
            && let Some(value) = fold(op, x.to_f64(), y.to_f64(), inst.dtype)
        {
            let value = Literal::new(value, inst.dtype);
            return Rewrite::To(Inst { op: Primitive::Full { value }, operands: vec![], ..inst.clone() });
        }
        if op == Binary::Add
            && let Some((axis, parts)) = self.side_by_side(a, b)
        {
            return Rewrite::To(Inst { op: Primitive::Concat { axis }, operands: parts, ..inst.clone() });
        }
        match op {
            Binary::Add if self.is(b, 0.0) => Rewrite::Same(a),
            Binary::Add if self.is(a, 0.0) => Rewrite::Same(b),
            Binary::Sub if self.is(b, 0.0) => Rewrite::Same(a),
            Binary::Mul if self.is(b, 1.0) => Rewrite::Same(a),
            Binary::Mul if self.is(a, 1.0) => Rewrite::Same(b),
            Binary::Div if self.is(b, 1.0) => Rewrite::Same(a),
            Binary::Add => match (negated(a), negated(b)) {
                (_, Some(y)) => Rewrite::To(binary(Binary::Sub, a, y, inst)),
                (Some(x), None) => Rewrite::To(binary(Binary::Sub, b, x, inst)),
                _ => Rewrite::None,
            },
            Binary::Sub => match negated(b) {
                Some(y) => Rewrite::To(binary(Binary::Add, a, y, inst)),
                None => Rewrite::None,
            },
            _ => Rewrite::None,
        }
    }

    /// The axis and the parts along it, if `a + b` adds up parts with zeros around them that leave nothing out and lie
    /// nowhere over each other: the gradient of slices.
    fn side_by_side(&self, a: usize, b: usize) -> Option<(usize, Vec<usize>)> {
        const MOST: usize = 64;
        let mut open = vec![b, a];
        let mut parts = Vec::new();
        while let Some(position) = open.pop() {
            let inst = &self.nodes[position];
            match &inst.op {
                Primitive::Binary(Binary::Add) => open.extend(&inst.operands),
                Primitive::Pad { low, high, interior } if interior.iter().all(|&gap| gap == 0) => {
                    let mut axes = (0..low.len()).filter(|&axis| low[axis] + high[axis] > 0);
                    let (Some(axis), None) = (axes.next(), axes.next()) else { return None };
                    parts.push((axis, low[axis], inst.operands[0]));
                }
                _ => return None,
            }
            if open.len() + parts.len() > MOST {
                return None;
            }
        }
        parts.sort_unstable();
        let axis = parts.first()?.0;
        let mut end = 0;
        for &(own, start, part) in &parts {
            if (own, start) != (axis, end) {
                return None;
            }
            end += self.nodes[part].shape[axis];
        }
        let is_all = end == self.nodes[a].shape[axis];
        is_all.then(|| (axis, parts.into_iter().map(|(_, _, part)| part).collect()))
    }

    fn exact_cast(&self, value: Literal, dtype: DType) -> bool {
        Literal::new(value.to_f64(), dtype).to_f64() == value.to_f64()
    }
}

fn binary(op: Binary, a: usize, b: usize, inst: &Inst) -> Inst {
    Inst { op: Primitive::Binary(op), operands: vec![a, b], ..inst.clone() }
}

/// The constant that the kernel would compute, or `None` where folding is not worth a rule.
fn fold(op: Binary, a: f64, b: f64, dtype: DType) -> Option<f64> {
    let in_f32 = |f: fn(f32, f32) -> f32| f64::from(f(a as f32, b as f32));
    match (op, dtype) {
        (Binary::Add, DType::F32) => Some(in_f32(|a, b| a + b)),
        (Binary::Sub, DType::F32) => Some(in_f32(|a, b| a - b)),
        (Binary::Mul, DType::F32) => Some(in_f32(|a, b| a * b)),
        (Binary::Div, DType::F32) => Some(in_f32(|a, b| a / b)),
        (Binary::Add, DType::F64) => Some(a + b),
        (Binary::Sub, DType::F64) => Some(a - b),
        (Binary::Mul, DType::F64) => Some(a * b),
        (Binary::Div, DType::F64) => Some(a / b),
        _ => None,
    }
}

/// The last of the reduced axes that are neighbours (axes of size 1 between them do not count).
fn last_run(axes: &[usize], shape: &[usize]) -> Vec<usize> {
    let mut run: Vec<usize> = Vec::new();
    for &axis in axes.iter().rev() {
        if run.last().is_some_and(|&next| shape[axis + 1..next].iter().any(|&size| size != 1)) {
            break;
        }
        run.push(axis);
    }
    run.reverse();
    run
}

/// What all terms of a sum are multiplied by.
enum Factor {
    MinusOne,
    Number(Literal),
    /// A node with size 1 along the axes of the sum.
    Node(usize),
}

enum Rewrite {
    None,
    /// A reduction whose last run of axes is to be reduced first: a loop reduces neighbours only.
    Split(Vec<usize>),
    /// See [`Pass::round_later`].
    RoundLater,
    /// A sum of what has a common factor: see [`Pass::common_factor`].
    TakeOut(usize, Factor),
    Same(usize),
    To(Inst),
}
