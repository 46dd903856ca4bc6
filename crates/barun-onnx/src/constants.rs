//! What a graph computes without looking at its input, evaluated once.

use std::collections::HashMap;
use std::sync::Arc;

use barun_engine::graph::{Graph, Inst, Primitive};
use barun_engine::{Buffer, State, Tensor};

use crate::translate::Error;

/// Whether each node can be known without the feeds that are not given and without the size of the batch, which `is_fixed`
/// tells. Of what only repeats a known value, that value is.
pub fn known(graph: &Graph, is_fixed: impl Fn(usize) -> bool, is_given: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut known: Vec<bool> = Vec::with_capacity(graph.nodes.len());
    for (at, inst) in graph.nodes.iter().enumerate() {
        let is_known = match &inst.op {
            Primitive::Feed { index } => is_given(*index),
            Primitive::Random { .. } => false,
            Primitive::Full { .. } => true,
            Primitive::Broadcast => known[inst.operands[0]],
            _ => is_fixed(at) && inst.operands.iter().all(|&operand| known[operand] && is_fixed(operand)),
        };
        known.push(is_known);
    }
    known
}

/// The values of the `wanted` nodes, all of them known.
pub fn values(
    graph: &Graph,
    wanted: &[usize],
    state: &State,
    data: &[Arc<Buffer>],
) -> Result<HashMap<usize, Arc<Buffer>>, Error> {
    let mut feeds: Vec<Tensor> = Vec::new();
    let mut needed = vec![false; graph.nodes.len()];
    let mut stack = wanted.to_vec();
    while let Some(at) = stack.pop() {
        if !std::mem::replace(&mut needed[at], true) {
            stack.extend(&graph.nodes[at].operands);
        }
    }
    // Leaves become feeds of a graph of its own; nodes that are not needed stay as zeros that nothing reads.
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for (at, inst) in graph.nodes.iter().enumerate() {
        let value = match &inst.op {
            _ if !needed[at] => Some(Tensor::zeros([], inst.dtype)),
            Primitive::Slot { index } => Some(Tensor::new(state.read(*index))),
            Primitive::Feed { index } => Some(Tensor::new((*data[index - 1]).clone())),
            _ => None,
        };
        let inst = match value {
            Some(value) => {
                feeds.push(value);
                Inst { op: Primitive::Feed { index: feeds.len() - 1 }, operands: Vec::new(), ..inst.clone() }
            }
            None => inst.clone(),
        };
        nodes.push(inst);
    }
    let tensors = Graph { nodes, outputs: wanted.to_vec() }.replay(&feeds);
    let evaluated = wanted.iter().zip(&tensors).map(|(&node, tensor)| Ok((node, tensor.eval()?)));
    evaluated.collect()
}
