//! The graph: nodes reached through [`Tensor`] handles, and its flat form that the compiler works on.

mod infer;
mod node;
mod primitive;
mod print;

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use infer::{Kind, MAX_RANK, Misfit, infer};
pub use node::{LayerScope, Node, Origin, current_layer, gradient_scope, layer_scope};
pub use primitive::{Binary, Conv2d, Literal, Pool2d, Primitive, Scan, Unary};

use crate::error::{Error, Result};
use crate::tensor::{DType, Shape, Tensor};

/// One node of a flat graph.
#[derive(Clone, Debug)]
pub struct Inst {
    /// What it does.
    pub op: Primitive,
    /// Positions of its operands, all before its own.
    pub operands: Vec<usize>,
    /// The result's shape.
    pub shape: Shape,
    /// The result's type.
    pub dtype: DType,
    /// Where it was built.
    pub origin: Origin,
}

impl PartialEq for Inst {
    fn eq(&self, other: &Self) -> bool {
        self.op == other.op
            && self.operands == other.operands
            && self.shape == other.shape
            && self.dtype == other.dtype
    }
}

impl Eq for Inst {}

impl Hash for Inst {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.op, &self.operands, &self.shape, self.dtype).hash(state);
    }
}

impl Inst {
    /// Type and shape.
    pub fn kind(&self) -> Kind {
        (self.shape.clone(), self.dtype)
    }

    /// Bytes of the result.
    pub fn bytes(&self) -> usize {
        self.shape.elements() * self.dtype.size()
    }
}

/// A closed graph in topological order; equality and hash ignore where nodes were built.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Graph {
    /// Nodes, operands first.
    pub nodes: Vec<Inst>,
    /// Positions of the results.
    pub outputs: Vec<usize>,
}

/// What becomes of leaves when a graph is flattened.
#[derive(Default)]
pub struct Leaves {
    /// Nodes that become feeds at a known position, by node id.
    pub bound: HashMap<u64, usize>,
    /// Nodes that become slots of the state, by node id.
    pub slots: HashMap<u64, usize>,
    /// Whether a node whose value is known becomes a feed (by-run evaluation), or only given data does.
    pub stop_at_values: bool,
}

impl Graph {
    /// Flattens what `outputs` depend on. Feeds bound in `leaves` come first; data met on the way is appended as
    /// further feeds and returned.
    pub fn trace(outputs: &[Tensor], leaves: &Leaves) -> Result<(Graph, Vec<Tensor>)> {
        let first_data = leaves.bound.values().max().map_or(0, |last| last + 1);
        let mut graph = Graph::default();
        let mut data = Vec::new();
        let mut position: HashMap<u64, usize> = HashMap::new();
        let mut stack: Vec<(Tensor, bool)> =
            outputs.iter().rev().map(|tensor| (tensor.clone(), false)).collect();
        while let Some((tensor, operands_done)) = stack.pop() {
            let node = tensor.node();
            if position.contains_key(&node.id) {
                continue;
            }
            if let Some(error) = &node.error {
                return Err(Error::Op(Arc::clone(error)));
            }
            let operands = node.operands();
            let is_data = matches!(node.op, Primitive::Data)
                || (node.value.get().is_some() && (leaves.stop_at_values || operands.is_empty()));
            let leaf = if let Some(&index) = leaves.bound.get(&node.id) {
                Some(Primitive::Feed { index })
            } else if let Some(&index) = leaves.slots.get(&node.id) {
                Some(Primitive::Slot { index })
            } else if is_data {
                data.push(tensor.clone());
                Some(Primitive::Feed { index: first_data + data.len() - 1 })
            } else if let Primitive::Placeholder { name } = &node.op {
                return Err(Error::NotEvaluable(format!("the placeholder `{name}`")));
            } else {
                None
            };
            let inst = |op, operands| Inst {
                op,
                operands,
                shape: node.shape.clone(),
                dtype: node.dtype,
                origin: node.origin.clone(),
            };
            if let Some(op) = leaf {
                graph.nodes.push(inst(op, Vec::new()));
            } else if !operands_done {
                stack.push((tensor.clone(), true));
                stack.extend(operands.into_iter().rev().map(|operand| (operand, false)));
                continue;
            } else {
                let operands = operands.iter().map(|operand| position[&operand.node().id]).collect();
                graph.nodes.push(inst(node.op.clone(), operands));
            }
            position.insert(node.id, graph.nodes.len() - 1);
        }
        graph.outputs = outputs.iter().map(|tensor| position[&tensor.node().id]).collect();
        Ok((graph, data))
    }

    /// Builds the graph again over `feeds`, giving its outputs.
    pub fn replay(&self, feeds: &[Tensor]) -> Vec<Tensor> {
        let built = self.replay_nodes(feeds);
        self.outputs.iter().map(|&index| built[index].clone()).collect()
    }

    /// Builds the graph again over `feeds`, giving all its nodes.
    pub(crate) fn replay_nodes(&self, feeds: &[Tensor]) -> Vec<Tensor> {
        let mut built: Vec<Tensor> = Vec::with_capacity(self.nodes.len());
        for inst in &self.nodes {
            let tensor = match &inst.op {
                Primitive::Feed { index } => feeds[*index].clone(),
                op => {
                    let operands: Vec<&Tensor> = inst.operands.iter().map(|&index| &built[index]).collect();
                    Tensor::build_at(op.clone(), &operands, Some(inst.kind()), inst.origin.clone())
                }
            };
            built.push(tensor);
        }
        built
    }

    /// For each node, the nodes that use it (once per use).
    pub fn users(&self) -> Vec<Vec<usize>> {
        let mut users = vec![Vec::new(); self.nodes.len()];
        for (user, inst) in self.nodes.iter().enumerate() {
            for &operand in &inst.operands {
                users[operand].push(user);
            }
        }
        users
    }
}
