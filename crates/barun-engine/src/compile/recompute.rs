//! Recomputation: cheap element-wise nodes of operands that lie in memory anyway are computed again by each loop that
//! uses them, instead of once for all, stored and read. It also keeps loops apart that share nothing else: the squared
//! gradient of the clipping norm must not tie the update to it.
//!
//! What was rounded to bf16 is what lies in memory: it is widened again by whoever reads it, and never computed again
//! from the f32 numbers behind it, which would have to be kept instead.

use std::collections::HashMap;

use crate::graph::{Binary, Graph, Inst, Primitive, Unary};
use crate::tensor::DType;

/// The longest chain that is computed again.
const MAX_CHAIN: u32 = 3;

/// The graph with a copy of each cheap chain per loop that uses it.
pub fn recompute(graph: &Graph) -> Graph {
    let chains = chains(graph);
    let mut pass = Pass { graph, chains, nodes: Vec::new(), position: vec![None; graph.nodes.len()] };
    for (index, inst) in graph.nodes.iter().enumerate() {
        if pass.chains[index].is_none() {
            let inst = pass.with_operands(inst);
            pass.nodes.push(inst);
            pass.position[index] = Some(pass.nodes.len() - 1);
        }
    }
    let outputs = graph.outputs.iter().map(|&output| pass.shared(output)).collect();
    Graph { nodes: pass.nodes, outputs }
}

/// The length of the chain each node would be computed again with, or `None` where it is computed once.
fn chains(graph: &Graph) -> Vec<Option<u32>> {
    let users = graph.users();
    let mut chains: Vec<Option<u32>> = Vec::with_capacity(graph.nodes.len());
    for inst in &graph.nodes {
        let operand = |index: usize| {
            let source = through_views(graph, index);
            let op = &graph.nodes[source].op;
            let is_used_elsewhere = users[source].len() > 1 || source != index;
            match chains[index] {
                Some(length) => Some(length),
                // Repeated over a larger shape, it was computed in a loop of its own and lies in memory.
                None if graph.nodes[source].shape.elements() < graph.nodes[index].shape.elements() => Some(0),
                None if op.is_elementwise() && !op.is_constant() => None,
                None => (op.is_constant() || is_leaf(op) || is_used_elsewhere).then_some(0),
            }
        };
        if widens(graph, inst) {
            chains.push(Some(chains[inst.operands[0]].unwrap_or(0)));
            continue;
        }
        let longest = inst
            .operands
            .iter()
            .map(|&index| operand(index))
            .try_fold(0, |longest, length| Some(length?.max(longest)));
        let chain =
            longest.map(|length| length + 1).filter(|&length| length <= MAX_CHAIN && is_cheap(&inst.op));
        chains.push(chain);
    }
    chains
}

fn is_leaf(op: &Primitive) -> bool {
    matches!(op, Primitive::Feed { .. } | Primitive::Slot { .. })
}

fn is_cheap(op: &Primitive) -> bool {
    match op {
        Primitive::Unary(op) => matches!(op, Unary::Neg | Unary::Abs | Unary::Sign | Unary::Not),
        Primitive::Binary(op) => !matches!(op, Binary::Pow | Binary::Div),
        Primitive::Cast { dtype } => *dtype != DType::BF16,
        _ => false,
    }
}

/// Whether `inst` makes f32 of bf16.
fn widens(graph: &Graph, inst: &Inst) -> bool {
    inst.op == (Primitive::Cast { dtype: DType::F32 }) && graph.nodes[inst.operands[0]].dtype == DType::BF16
}

/// The node whose elements a chain of movement shows.
fn through_views(graph: &Graph, mut index: usize) -> usize {
    while let Primitive::Reshape | Primitive::Broadcast | Primitive::Permute { .. } = graph.nodes[index].op {
        index = graph.nodes[index].operands[0];
    }
    index
}

struct Pass<'a> {
    graph: &'a Graph,
    chains: Vec<Option<u32>>,
    nodes: Vec<Inst>,
    /// Where each node is for those who do not compute it themselves.
    position: Vec<Option<usize>>,
}

impl Pass<'_> {
    /// `inst` over new operands: computed again if it is part of a loop, shared otherwise.
    fn with_operands(&mut self, inst: &Inst) -> Inst {
        let in_a_loop =
            inst.op.is_elementwise() || matches!(inst.op, Primitive::Sum { .. } | Primitive::Max { .. });
        let mut own: HashMap<usize, usize> = HashMap::new();
        let operands = inst
            .operands
            .iter()
            .map(|&operand| if in_a_loop { self.again(operand, &mut own) } else { self.shared(operand) })
            .collect();
        Inst { operands, ..inst.clone() }
    }

    /// A copy of a cheap chain for one user; `own` remembers what that user has already.
    fn again(&mut self, index: usize, own: &mut HashMap<usize, usize>) -> usize {
        if self.chains[index].is_none() {
            return self.shared(index);
        }
        if let Some(&copy) = own.get(&index) {
            return copy;
        }
        let graph = self.graph;
        let inst = &graph.nodes[index];
        let operands = inst.operands.iter().map(|&operand| self.again(operand, own)).collect();
        self.nodes.push(Inst { operands, ..inst.clone() });
        own.insert(index, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    /// The one copy for those who need the value in memory.
    fn shared(&mut self, index: usize) -> usize {
        if let Some(position) = self.position[index] {
            return position;
        }
        let copy = self.again(index, &mut HashMap::new());
        self.position[index] = Some(copy);
        copy
    }
}
