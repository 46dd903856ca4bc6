//! The gradient of a scan: a scan in the other direction, whose turn goes from what a turn of the first was given, and
//! the gradients of what it gave, to the gradients of what it was given.
//!
//! Two things stay out of the turns, because one large piece of work outside is cheaper than many small ones inside:
//!
//! * **What is computed already.** The scan runs with further output sequences: the carries each turn began with and the
//!   results of the body's contractions. A turn backwards reads these, and computes again only what is cheap.
//! * **Sums of contractions.** The gradient of a constant is a sum over the turns. Where a turn adds a contraction, such
//!   as `h_t^T dg_t` to the gradient of a recurrent weight, the loop gives the sequences `h` and `dg` instead, and one
//!   contraction over `[length * batch]` after it adds up everything. Any other summand is added to a carry turn by turn.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::vector_jacobian;
use crate::error::Result;
use crate::graph::{Binary, Graph, Inst, Leaves, Primitive, Scan, Unary};
use crate::tensor::{Shape, Tensor, project_scan};

/// The gradients to a scan's `operands`, of `upstream` to its results by their position.
pub(super) fn scan_gradients(
    scan: &Scan,
    operands: &[Tensor],
    upstream: &HashMap<usize, Tensor>,
) -> Result<Vec<Option<Tensor>>> {
    // Forward again, giving also what is kept. Simplification merges it with the first.
    let saving = Saving::of(scan);
    let results = project_scan(saving.scan, &operands.iter().collect::<Vec<_>>());
    let given = |index: usize| upstream.get(&index).cloned().unwrap_or_else(|| results[index].number(0.0));

    // One turn forward again, of which only what the gradients read is computed in the end.
    let inputs: Vec<Tensor> = operands
        .iter()
        .enumerate()
        .map(|(index, operand)| part_of_turn(operand, index >= scan.constants + scan.carries))
        .collect();
    let values = scan.body.replay_nodes(&inputs);
    let outputs: Vec<Tensor> = scan.body.outputs.iter().map(|&output| values[output].clone()).collect();
    let outputs_upstream: Vec<Option<Tensor>> = outputs
        .iter()
        .map(|output| is_float(output).then(|| placeholder(output.node().shape.clone(), output)))
        .collect();
    let (constants, carries) = (0..scan.constants, scan.constants..scan.constants + scan.carries);
    let elements = carries.end..inputs.len();
    let wanted: Vec<usize> = (0..inputs.len()).filter(|&index| is_float(&inputs[index])).collect();
    let gradients = vector_jacobian(
        &outputs,
        &outputs_upstream,
        &wanted.iter().map(|&index| &inputs[index]).collect::<Vec<_>>(),
    )?;
    let of = |range: &std::ops::Range<usize>| -> Vec<(usize, Tensor)> {
        let found = wanted.iter().copied().zip(gradients.iter().cloned());
        found.filter(|(index, _)| range.contains(index)).collect()
    };

    // What a turn backwards reads: `inner` of each turn, taken from `outer`.
    let input = |inner: &Tensor, outer: &Tensor| Input { inner: inner.clone(), outer: outer.clone() };
    let same = |index: usize| input(&inputs[index], &operands[index]);
    let mut read_constants: Vec<Input> = constants.clone().map(same).collect();
    let mut read_elements: Vec<Input> =
        carries.clone().zip(&saving.carries).map(|(at, &kept)| input(&inputs[at], &results[kept])).collect();
    read_elements.extend(elements.clone().map(same));
    let upstream_of =
        |index: usize| outputs_upstream[index].as_ref().map(|inner| input(inner, &given(index)));
    read_elements.extend((scan.carries..outputs.len()).filter_map(upstream_of));
    read_elements.extend(saving.contractions.iter().map(|&(at, kept)| input(&values[at], &results[kept])));

    let to_elements = of(&elements);
    let mut stack = Stack::new(scan.length, &read_constants, &read_elements);
    to_elements.iter().for_each(|(_, gradient)| drop(stack.of(gradient)));
    let sums: Vec<Sum> =
        of(&constants).into_iter().map(|(index, gradient)| Sum::new(index, &gradient, &mut stack)).collect();

    let mut carried: Vec<Input> = Vec::new();
    let mut next: Vec<Tensor> = Vec::new();
    for sum in &sums {
        if let Some(added) = &sum.carried {
            let before = placeholder(added.node().shape.clone(), added);
            next.push(&before + added);
            carried.push(input(&before, &added.number(0.0)));
        }
    }
    let sums_carried = carried.len();
    for (index, gradient) in of(&carries) {
        let output = index - scan.constants;
        carried.extend(upstream_of(output));
        next.push(gradient);
    }
    next.extend(stack.wanted.iter().cloned());
    let body = trace_body(&mut read_constants, &carried, &mut read_elements, &next)?;
    let backward = Scan {
        body,
        constants: read_constants.len(),
        carries: carried.len(),
        length: scan.length,
        reverse: !scan.reverse,
    };
    let backward_operands: Vec<&Tensor> =
        read_constants.iter().chain(&carried).chain(&read_elements).map(|input| &input.outer).collect();
    let mut backward = project_scan(Arc::new(backward), &backward_operands);

    stack.fill(backward.split_off(carried.len()));
    let to_carries = backward.split_off(sums_carried);
    let mut found = vec![None; operands.len()];
    of(&carries).iter().zip(to_carries).for_each(|((index, _), gradient)| found[*index] = Some(gradient));
    to_elements.iter().for_each(|(index, gradient)| found[*index] = Some(stack.of(gradient)));
    let mut carried = backward.into_iter();
    for sum in &sums {
        let last = sum.carried.as_ref().and_then(|_| carried.next());
        found[sum.constant] = sum.total(last, &mut stack);
    }
    Ok(found)
}

fn is_float(tensor: &Tensor) -> bool {
    tensor.dtype().is_float()
}

/// What a turn is given of `operand`: an element if it is a sequence, all of it otherwise.
fn part_of_turn(operand: &Tensor, is_sequence: bool) -> Tensor {
    let shape = &operand.node().shape;
    Tensor::placeholder("scan", Shape::from(&shape[usize::from(is_sequence)..]), operand.dtype())
}

/// A gradient with respect to `like`.
fn placeholder(shape: Shape, like: &Tensor) -> Tensor {
    Tensor::placeholder("scan", shape, like.dtype().computed())
}

/// A value of a turn, and what the loop takes it from.
struct Input {
    inner: Tensor,
    outer: Tensor,
}

/// The body that computes `results`. Of the constants and elements those that it does not read are dropped.
fn trace_body(
    constants: &mut Vec<Input>,
    carried: &[Input],
    elements: &mut Vec<Input>,
    results: &[Tensor],
) -> Result<Graph> {
    let trace = |constants: &[Input], elements: &[Input]| {
        let all = constants.iter().chain(carried).chain(elements).enumerate();
        let bound = all.map(|(index, input)| (input.inner.node().id, index)).collect();
        Ok(Graph::trace(results, &Leaves { bound, ..Leaves::default() })?.0)
    };
    let body = trace(constants, elements)?;
    let read: HashSet<usize> = body.nodes.iter().filter_map(feed).collect();
    let mut index = constants.len() + carried.len()..;
    elements.retain(|_| index.next().is_some_and(|index| read.contains(&index)));
    let mut index = 0..;
    constants.retain(|_| index.next().is_some_and(|index| read.contains(&index)));
    trace(constants, elements)
}

fn feed(inst: &Inst) -> Option<usize> {
    match inst.op {
        Primitive::Feed { index } => Some(index),
        _ => None,
    }
}

/// A scan with what its gradient reads as further output sequences.
struct Saving {
    scan: Arc<Scan>,
    /// The result that has the carries each turn began with, for each carry.
    carries: Vec<usize>,
    /// The results of the body's contractions, as positions of its nodes, with the result that has their values.
    contractions: Vec<(usize, usize)>,
}

impl Saving {
    fn of(scan: &Scan) -> Saving {
        let mut body = scan.body.clone();
        let carries = (0..scan.carries).map(|carry| {
            let position = position_of_carry(&mut body, scan, carry);
            sequence_of(&mut body, scan.carries, position)
        });
        let carries = carries.collect();
        let contractions = contractions(&scan.body)
            .into_iter()
            .map(|at| (at, sequence_of(&mut body, scan.carries, at)))
            .collect();
        let scan = Scan { body, ..Scan { body: Graph::default(), ..*scan } };
        Saving { scan: Arc::new(scan), carries, contractions }
    }
}

/// The results of a body's contractions, each with what is added to it and no other use: so the contraction itself
/// need not be kept, and what is added need not be added again.
fn contractions(body: &Graph) -> Vec<usize> {
    let users = body.users();
    let sum = |mut at: usize| {
        while let [user] = users[at][..] {
            if body.outputs.contains(&at) || body.nodes[user].op != Primitive::Binary(Binary::Add) {
                break;
            }
            at = user;
        }
        at
    };
    let mut found: Vec<usize> =
        (0..body.nodes.len()).filter(|&at| body.nodes[at].op.is_contraction()).map(sum).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The node by which the body reads a carry.
fn position_of_carry(body: &mut Graph, scan: &Scan, carry: usize) -> usize {
    let index = scan.constants + carry;
    body.nodes.iter().position(|inst| feed(inst) == Some(index)).unwrap_or_else(|| {
        // A carry the body does not read: give it a node so that it can be an output.
        let output = body.nodes[body.outputs[carry]].clone();
        body.nodes.push(Inst { op: Primitive::Feed { index }, operands: Vec::new(), ..output });
        body.nodes.len() - 1
    })
}

/// The result of a scan that has the values of a node of its body as a sequence.
fn sequence_of(body: &mut Graph, carries: usize, position: usize) -> usize {
    let known = body.outputs[carries..].iter().position(|&output| output == position);
    known.map(|index| carries + index).unwrap_or_else(|| {
        body.outputs.push(position);
        body.outputs.len() - 1
    })
}

/// The values of a turn as sequences over all turns.
struct Stack {
    length: usize,
    known: HashMap<u64, Tensor>,
    /// Values that the loop has to give as output sequences.
    wanted: Vec<Tensor>,
}

impl Stack {
    fn new(length: usize, constants: &[Input], elements: &[Input]) -> Stack {
        let constants = constants.iter().map(|input| {
            let every_turn = with_turns(length, &input.inner.node().shape);
            (input.inner.node().id, input.outer.unsqueeze(0).broadcast_to(every_turn))
        });
        let elements = elements.iter().map(|input| (input.inner.node().id, input.outer.clone()));
        Stack { length, known: constants.chain(elements).collect(), wanted: Vec::new() }
    }

    /// The sequence of `value`: `[length, shape..]`. Before [`Stack::fill`] a placeholder may stand for it.
    fn of(&mut self, value: &Tensor) -> Tensor {
        let node = value.node();
        if let Some(known) = self.known.get(&node.id) {
            return known.clone();
        }
        let shape = with_turns(self.length, &node.shape);
        match &node.op {
            Primitive::Permute { order } => {
                let order: Vec<usize> = std::iter::once(0).chain(order.iter().map(|axis| axis + 1)).collect();
                self.of(&node.operands()[0]).permute(&order)
            }
            Primitive::Reshape => self.of(&node.operands()[0]).reshape(shape),
            Primitive::Full { .. } => value.unsqueeze(0).broadcast_to(shape),
            _ => {
                let sequence = Tensor::placeholder("scan", shape, value.dtype());
                self.wanted.push(value.clone());
                self.known.insert(node.id, sequence.clone());
                sequence
            }
        }
    }

    /// Whether the sequence of `value` is there without the loop giving more.
    fn has(&self, value: &Tensor) -> bool {
        let node = value.node();
        self.known.contains_key(&node.id)
            || matches!(node.op, Primitive::Permute { .. } | Primitive::Reshape)
                && self.has(&node.operands()[0])
    }

    /// The sequences of what is wanted.
    fn fill(&mut self, sequences: Vec<Tensor>) {
        self.known.extend(self.wanted.iter().map(|value| value.node().id).zip(sequences));
    }

    /// The sum of `summand` over all turns, if it comes of one contraction, or is one sum, of values of the turns.
    fn total(&mut self, summand: &Tensor) -> Option<Tensor> {
        let node = summand.node();
        let operands = node.operands();
        match &node.op {
            Primitive::Full { value } if value.to_f64() == 0.0 => Some(summand.number(0.0)),
            Primitive::MatMul => {
                let left = self.of(&operands[0].transpose());
                let right = self.of(&operands[1]);
                Some(rows_of_all_turns(&left).transpose().matmul(&rows_of_all_turns(&right)))
            }
            Primitive::Conv2dWeightGrad(conv) => {
                let [images, gradients] = [0, 1].map(|index| images_of_all_turns(&self.of(&operands[index])));
                let op = Primitive::Conv2dWeightGrad(*conv);
                Some(Tensor::build(op, &[&images, &gradients], Some(summand.kind())))
            }
            Primitive::Unary(Unary::Neg) => Some(-self.total(&operands[0])?),
            Primitive::Reshape => Some(self.total(&operands[0])?.reshape(node.shape.clone())),
            Primitive::Permute { order } => Some(self.total(&operands[0])?.permute(order)),
            // Each turn adds up what it has at hand; only what lies in memory anyway is better added up at once.
            Primitive::Sum { axes } if self.has(&operands[0]) => {
                let axes: Vec<i64> =
                    std::iter::once(0).chain(axes.iter().map(|&axis| axis as i64 + 1)).collect();
                Some(self.of(&operands[0]).sum(&*axes))
            }
            Primitive::Sum { axes } => {
                let axes: Vec<i64> = axes.iter().map(|&axis| axis as i64).collect();
                Some(self.total(&operands[0])?.sum(&*axes))
            }
            _ => None,
        }
    }
}

fn with_turns(length: usize, shape: &Shape) -> Shape {
    std::iter::once(length).chain(shape.iter().copied()).collect()
}

/// `[length, batch.., rows, columns]` to `[batch.., length * rows, columns]`.
fn rows_of_all_turns(sequence: &Tensor) -> Tensor {
    let shape = &sequence.node().shape;
    let batch = 1..shape.rank() - 2;
    let order: Vec<usize> = batch.clone().chain([0, shape.rank() - 2, shape.rank() - 1]).collect();
    let merged = [shape[0] * shape[shape.rank() - 2], shape[shape.rank() - 1]];
    sequence.permute(&order).reshape(shape[batch].iter().copied().chain(merged).collect::<Shape>())
}

/// `[length, n, h, w, c]` to `[length * n, h, w, c]`.
fn images_of_all_turns(sequence: &Tensor) -> Tensor {
    let shape = &sequence.node().shape;
    let images = std::iter::once(shape[0] * shape[1]).chain(shape[2..].iter().copied());
    sequence.reshape(images.collect::<Shape>())
}

/// The gradient of a constant: a sum over the turns.
struct Sum {
    /// The constant's position among the operands.
    constant: usize,
    /// Summands that are added up after the loop.
    outside: Vec<Tensor>,
    /// The rest of what a turn adds.
    carried: Option<Tensor>,
}

impl Sum {
    fn new(constant: usize, gradient: &Tensor, stack: &mut Stack) -> Sum {
        let (mut outside, mut carried) = (Vec::new(), None);
        for summand in summands(gradient) {
            if stack.total(&summand).is_some() {
                outside.push(summand);
            } else {
                carried = Some(carried.map_or(summand.clone(), |sum: Tensor| sum + &summand));
            }
        }
        Sum { constant, outside, carried }
    }

    /// The sum over all turns; `carried` is what the loop has added up.
    fn total(&self, carried: Option<Tensor>, stack: &mut Stack) -> Option<Tensor> {
        let outside = self.outside.iter().filter_map(|summand| stack.total(summand));
        outside.chain(carried).reduce(|sum, part| sum + part)
    }
}

/// What is added up to `gradient`, in order.
fn summands(gradient: &Tensor) -> Vec<Tensor> {
    let mut found = Vec::new();
    let mut open = vec![gradient.clone()];
    while let Some(tensor) = open.pop() {
        match tensor.node().op {
            Primitive::Binary(Binary::Add) => open.extend(tensor.node().operands().into_iter().rev()),
            _ => found.push(tensor),
        }
    }
    found
}
