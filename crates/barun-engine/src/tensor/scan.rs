//! Loops with a fixed number of turns, as one node: compile time does not grow with their length.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Shape, Tensor};
use crate::error::Result;
use crate::graph::{Graph, Leaves, Primitive, Scan};

/// How a [`scan`] walks.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScanOptions {
    /// Turns; needed if there are no sequences to take it from.
    pub length: Option<usize>,
    /// From the last element of the sequences to the first.
    pub reverse: bool,
}

/// Runs `body` once per element of `sequences`, handing `carries` from turn to turn.
///
/// `body` takes the carries and one element of each sequence (leading axis gone), and gives the next carries (same
/// shapes) and the elements of any number of output sequences. Returns the last carries and the stacked outputs.
/// What the body uses from outside is found by itself. [LAYER-15]
///
/// ```
/// use barun_engine::{DType, ScanOptions, Tensor, scan};
/// // a running sum
/// let zero = Tensor::scalar(0.0, DType::F32);
/// let (last, sums) = scan(&[&zero], &[&Tensor::from([1.0f32, 2.0, 3.0])], ScanOptions::default(), |carry, x| {
///     let sum = &carry[0] + &x[0];
///     Ok((vec![sum.clone()], vec![sum]))
/// })?;
/// assert_eq!(sums[0].to_vec::<f32>()?, [1.0, 3.0, 6.0]);
/// assert_eq!(last[0].item::<f32>()?, 6.0);
/// # Ok::<(), barun_engine::Error>(())
/// ```
#[track_caller]
pub fn scan(
    carries: &[&Tensor],
    sequences: &[&Tensor],
    options: ScanOptions,
    body: impl FnOnce(&[Tensor], &[Tensor]) -> Result<(Vec<Tensor>, Vec<Tensor>)>,
) -> Result<(Vec<Tensor>, Vec<Tensor>)> {
    for tensor in carries.iter().chain(sequences) {
        tensor.check()?;
    }
    let lengths = sequences.iter().map(|sequence| sequence.node().shape.first().copied());
    let length = match options.length.or_else(|| lengths.clone().next().flatten()) {
        Some(length) if lengths.clone().all(|own| own == Some(length)) => length,
        _ => {
            let requirement = "all sequences need one leading size, the number of turns";
            Tensor::error(
                "scan",
                sequences,
                requirement,
                "give ScanOptions::length if there are no sequences",
            )
            .check()?;
            0
        }
    };
    let input = |kind: (Shape, super::DType)| Tensor::placeholder("scan", kind.0, kind.1);
    let carry_inputs: Vec<Tensor> = carries.iter().map(|carry| input(carry.kind())).collect();
    let element_inputs: Vec<Tensor> = sequences
        .iter()
        .map(|sequence| input((Shape::from(&sequence.node().shape[1..]), sequence.dtype())))
        .collect();
    let (next, outputs) = body(&carry_inputs, &element_inputs)?;
    let fits = next.len() == carries.len()
        && next.iter().zip(carries).all(|(next, carry)| next.check().is_err() || next.kind() == carry.kind());
    if !fits {
        let found: Vec<String> = next.iter().map(Tensor::describe).collect();
        let requirement =
            format!("the body must give back carries of the shapes it took, it gave {}", found.join(", "));
        Tensor::error("scan", carries, requirement, "").check()?;
    }
    let results: Vec<Tensor> = next.into_iter().chain(outputs).collect();
    let inputs: Vec<Tensor> = carry_inputs.into_iter().chain(element_inputs).collect();
    let outside = captured(&results, &inputs)?;
    let bound = |position: usize, tensor: &Tensor| (tensor.node().id, position);
    let leaves = Leaves {
        bound: outside
            .iter()
            .chain(&inputs)
            .enumerate()
            .map(|(index, tensor)| bound(index, tensor))
            .collect(),
        ..Leaves::default()
    };
    let (body, data) = Graph::trace(&results, &leaves)?;
    debug_assert!(data.is_empty(), "data is captured as a constant");
    let operands: Vec<&Tensor> =
        outside.iter().chain(carries.iter().copied()).chain(sequences.iter().copied()).collect();
    let scan =
        Scan { body, constants: outside.len(), carries: carries.len(), length, reverse: options.reverse };
    let mut projected = project(Arc::new(scan), &operands);
    let stacked = projected.split_off(carries.len());
    Ok((projected, stacked))
}

/// Builds a scan node and takes out all its results.
#[track_caller]
pub(crate) fn project(scan: Arc<Scan>, operands: &[&Tensor]) -> Vec<Tensor> {
    let kinds: Vec<_> = scan.body.outputs.iter().map(|&output| scan.body.nodes[output].kind()).collect();
    let node = Tensor::build(Primitive::Scan(Arc::clone(&scan)), operands, None);
    let stacked = |(shape, dtype): (Shape, super::DType)| {
        (std::iter::once(scan.length).chain(shape.iter().copied()).collect::<Shape>(), dtype)
    };
    kinds
        .into_iter()
        .enumerate()
        .map(|(index, kind)| {
            let kind = if index < scan.carries { kind } else { stacked(kind) };
            Tensor::build(Primitive::Project { index }, &[&node], Some(kind))
        })
        .collect()
}

/// What `results` use that does not depend on `inputs`: the nodes at the border, each once, in order of first use.
fn captured(results: &[Tensor], inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let mut depends: HashMap<u64, bool> = inputs.iter().map(|input| (input.node().id, true)).collect();
    let mut order = Vec::new();
    let mut stack: Vec<(Tensor, bool)> = results.iter().rev().map(|tensor| (tensor.clone(), false)).collect();
    while let Some((tensor, operands_done)) = stack.pop() {
        let id = tensor.node().id;
        if depends.contains_key(&id) {
            continue;
        }
        tensor.check()?;
        let operands = tensor.node().operands();
        if operands_done {
            depends.insert(id, operands.iter().any(|operand| depends[&operand.node().id]));
            order.push(tensor);
        } else {
            stack.push((tensor, true));
            stack.extend(operands.into_iter().rev().map(|operand| (operand, false)));
        }
    }
    // Constants that need no memory are cheaper inside the body than handed in.
    let mut border = Vec::new();
    let mut taken = std::collections::HashSet::new();
    let mut take = |tensor: &Tensor, border: &mut Vec<Tensor>| {
        if !depends[&tensor.node().id] && !tensor.node().op.is_constant() && taken.insert(tensor.node().id) {
            border.push(tensor.clone());
        }
    };
    for tensor in &order {
        if depends[&tensor.node().id] {
            tensor.node().operands().iter().for_each(|operand| take(operand, &mut border));
        }
    }
    results.iter().for_each(|result| take(result, &mut border));
    Ok(border)
}
