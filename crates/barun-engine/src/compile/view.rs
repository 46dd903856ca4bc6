//! Views: movement that costs nothing. Each node is either computed into a buffer of its own or is a strided view of
//! one that is; where a consumer cannot take a view, a copy is put before it.
//!
//! To widen bf16 to f32 is a view too: a loop that reads it widens what it reads, so that the f32 numbers never lie in
//! memory.

use std::collections::HashMap;

use crate::graph::{Graph, Inst, Primitive};
use crate::tensor::{DType, Shape};

/// Element `i` of a node lies at `offset + sum(i * strides)` of node `source`'s buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The node that owns the buffer.
    pub source: usize,
    /// In elements.
    pub offset: isize,
    /// In elements, one per axis of the node.
    pub strides: Vec<isize>,
}

impl View {
    /// A node's own buffer.
    fn whole(source: usize, shape: &Shape) -> Self {
        View { source, offset: 0, strides: contiguous(shape) }
    }

    /// Whether the elements lie in row-major order from the start of the buffer, with nothing left out.
    pub fn is_whole(&self, shape: &Shape, source: &Shape) -> bool {
        self.offset == 0 && shape.elements() == source.elements() && self.is_contiguous(shape)
    }

    /// Whether all elements are one in memory.
    pub fn is_uniform(&self) -> bool {
        self.strides.iter().all(|&stride| stride == 0)
    }

    /// Whether the elements lie in row-major order without gaps.
    pub fn is_contiguous(&self, shape: &Shape) -> bool {
        let expected = contiguous(shape);
        (0..shape.rank()).all(|axis| shape[axis] == 1 || self.strides[axis] == expected[axis])
    }
}

fn contiguous(shape: &Shape) -> Vec<isize> {
    shape.strides().into_iter().map(|stride| stride as isize).collect()
}

/// A graph in which every view is possible, and the view of each node.
pub struct Viewed {
    /// The graph; [`Primitive::Detach`] now means an element-wise copy.
    pub graph: Graph,
    /// One per node.
    pub views: Vec<View>,
    /// The copy of each node that has one.
    copies: HashMap<usize, usize>,
}

/// Resolves movement into views, adding copies where needed.
pub fn resolve(graph: &Graph) -> Viewed {
    let mut viewed = Viewed { graph: Graph::default(), views: Vec::new(), copies: HashMap::new() };
    let mut position = Vec::with_capacity(graph.nodes.len());
    for inst in &graph.nodes {
        let mut inst = inst.clone();
        inst.operands.iter_mut().for_each(|operand| *operand = position[*operand]);
        position.push(viewed.add(inst));
    }
    viewed.graph.outputs = graph.outputs.iter().map(|&output| viewed.buffered(position[output])).collect();
    viewed
}

impl Viewed {
    fn add(&mut self, mut inst: Inst) -> usize {
        if needs_buffers(&inst.op) {
            for index in 0..inst.operands.len() {
                inst.operands[index] = self.buffered(inst.operands[index]);
            }
        }
        if inst.op == Primitive::MatMul {
            for index in 0..2 {
                let operand = inst.operands[index];
                let inlined = is_inline(&self.graph.nodes[operand].op);
                if inlined
                    || self.is_widened(operand)
                    || matrix_strides(&self.views[operand], &self.graph.nodes[operand].shape).is_none()
                {
                    inst.operands[index] = self.copy(operand);
                }
            }
        }
        if is_movement(&inst.op) && is_inline(&self.graph.nodes[inst.operands[0]].op) {
            inst.operands[0] = self.copy(inst.operands[0]);
        }
        let view = match self.view_of(&inst) {
            Some(view) => view,
            None if inst.op == Primitive::Reshape => {
                inst.operands[0] = self.copy(inst.operands[0]);
                View { source: inst.operands[0], offset: 0, strides: contiguous(&inst.shape) }
            }
            None => View::whole(self.graph.nodes.len(), &inst.shape),
        };
        self.push(inst, view)
    }

    fn push(&mut self, inst: Inst, view: View) -> usize {
        let position = self.graph.nodes.len();
        if inst.op == Primitive::Detach {
            self.copies.insert(inst.operands[0], position);
        }
        self.graph.nodes.push(inst);
        self.views.push(view);
        position
    }

    /// A node with the same elements, contiguous in a buffer of their own from its start.
    fn buffered(&mut self, position: usize) -> usize {
        let inst = &self.graph.nodes[position];
        let view = &self.views[position];
        let source = &self.graph.nodes[view.source];
        let is_whole = view.is_whole(&inst.shape, &source.shape);
        if is_whole && !is_inline(&source.op) && !self.is_widened(position) {
            position
        } else {
            self.copy(position)
        }
    }

    /// Whether the numbers of a node are not of the type that its buffer holds.
    pub fn is_widened(&self, position: usize) -> bool {
        self.graph.nodes[self.views[position].source].dtype != self.graph.nodes[position].dtype
    }

    /// The node whose elements an operand shows in their order: what it widens, or itself.
    pub fn narrow(&self, position: usize) -> usize {
        let inst = &self.graph.nodes[position];
        match inst.operands.first() {
            Some(&operand) if widens(inst, &self.graph.nodes[operand]) => operand,
            _ => position,
        }
    }

    fn copy(&mut self, position: usize) -> usize {
        // The same copy may have been made for another consumer.
        if let Some(&copy) = self.copies.get(&position) {
            return copy;
        }
        let inst =
            Inst { op: Primitive::Detach, operands: vec![position], ..self.graph.nodes[position].clone() };
        let view = View::whole(self.graph.nodes.len(), &inst.shape);
        self.push(inst, view)
    }

    /// The view a movement node is, or `None` if it has to be computed.
    fn view_of(&self, inst: &Inst) -> Option<View> {
        let operand = *inst.operands.first()?;
        let source = &self.graph.nodes[operand];
        let view = &self.views[operand];
        let mut result = View { source: view.source, offset: view.offset, strides: view.strides.clone() };
        match &inst.op {
            Primitive::Cast { .. } if widens(inst, source) && !is_inline(&source.op) => {}
            Primitive::Reshape => {
                result.strides = reshape_strides(&source.shape, &view.strides, &inst.shape)?;
            }
            Primitive::Broadcast => {
                for axis in 0..inst.shape.rank() {
                    if source.shape[axis] != inst.shape[axis] {
                        result.strides[axis] = 0;
                    }
                }
            }
            Primitive::Permute { order } => {
                result.strides = order.iter().map(|&axis| view.strides[axis]).collect();
            }
            Primitive::Slice { start, step } => {
                for axis in 0..inst.shape.rank() {
                    result.offset += start[axis] as isize * view.strides[axis];
                    result.strides[axis] *= step[axis] as isize;
                }
            }
            Primitive::Flip { axes } => {
                for &axis in axes {
                    result.offset += (source.shape[axis].max(1) - 1) as isize * view.strides[axis];
                    result.strides[axis] = -view.strides[axis];
                }
            }
            _ => return None,
        }
        Some(result)
    }
}

fn widens(inst: &Inst, operand: &Inst) -> bool {
    inst.op == (Primitive::Cast { dtype: DType::F32 }) && operand.dtype == DType::BF16
}

/// Whether a node has no buffer but is written into each loop that uses it.
pub fn is_inline(op: &Primitive) -> bool {
    op.is_constant()
}

/// Whether a kernel takes its operands only as whole buffers.
fn needs_buffers(op: &Primitive) -> bool {
    let takes_views = op.is_elementwise()
        || is_movement(op)
        || matches!(
            op,
            Primitive::Sum { .. } | Primitive::Max { .. } | Primitive::MatMul | Primitive::Project { .. }
        );
    !takes_views
}

fn is_movement(op: &Primitive) -> bool {
    matches!(
        op,
        Primitive::Reshape
            | Primitive::Broadcast
            | Primitive::Permute { .. }
            | Primitive::Slice { .. }
            | Primitive::Flip { .. }
    )
}

/// Strides of `(batch, row, column)` of a view as a stack of matrices, if its batch axes can be walked with one.
pub fn matrix_strides(view: &View, shape: &Shape) -> Option<[isize; 3]> {
    let rank = shape.rank();
    let batch = reshape_strides(
        &Shape::from(&shape[..rank - 2]),
        &view.strides[..rank - 2],
        &Shape::from([shape[..rank - 2].iter().product::<usize>()]),
    )?;
    let strides = [batch[0], view.strides[rank - 2], view.strides[rank - 1]];
    strides.iter().all(|&stride| stride >= 0).then_some(strides)
}

/// Strides under a new shape without moving an element, if there are any.
pub fn reshape_strides(from: &Shape, strides: &[isize], to: &Shape) -> Option<Vec<isize>> {
    if from.elements() == 0 {
        return Some(contiguous(to));
    }
    // Axes of size 1 do not matter; neighbours that walk as one are joined; the new axes must cut the joined ones.
    let mut joined: Vec<(usize, isize)> = Vec::new();
    for (&size, &stride) in from.iter().zip(strides).filter(|(size, _)| **size != 1) {
        match joined.last_mut() {
            Some((total, inner)) if *inner == stride * size as isize => {
                *total *= size;
                *inner = stride;
            }
            _ => joined.push((size, stride)),
        }
    }
    let mut result = vec![0; to.rank()];
    let mut axes = (0..to.rank()).rev().filter(|&axis| to[axis] != 1);
    for &(size, stride) in joined.iter().rev() {
        let mut covered = 1;
        while covered < size {
            let axis = axes.next()?;
            result[axis] = stride * covered as isize;
            covered *= to[axis];
        }
        if covered != size {
            return None;
        }
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reshape_of_a_view_moves_nothing_where_it_can() {
        let strides = |from: &[usize], strides: &[isize], to: &[usize]| {
            reshape_strides(&Shape::from(from), strides, &Shape::from(to))
        };
        assert_eq!(strides(&[2, 3, 4], &[12, 4, 1], &[6, 4]), Some(vec![4, 1]));
        assert_eq!(strides(&[6], &[1], &[2, 1, 3]), Some(vec![3, 0, 1]));
        assert_eq!(strides(&[3, 2], &[1, 3], &[6]), None);
        assert_eq!(strides(&[4, 3], &[0, 1], &[2, 2, 3]), Some(vec![0, 0, 1]));
        assert_eq!(strides(&[1], &[1], &[]), Some(vec![]));
    }
}
