//! Gradients: one table from primitive to rule, each rule built from primitives again, so that gradients are graph
//! nodes and gradients of gradients need nothing more.
//!
//! The gradient with respect to a bf16 tensor is f32: it is a sum of many small numbers, and is rounded only where a
//! contraction takes it.

mod scan;

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::{Binary, Primitive, Unary, gradient_scope};
use crate::tensor::{Shape, Tensor};

impl Tensor {
    /// The gradients of this scalar with respect to `wrt`, as graph nodes. A tensor it does not depend on gets zeros.
    ///
    /// ```
    /// use barun_engine::{DType, Tensor};
    /// let x = Tensor::from(3.0f64).variable();
    /// let first = (x.square() * &x).grad(&[&x])?.remove(0);     // 3 x^2
    /// let second = first.grad(&[&x])?.remove(0);                // 6 x
    /// assert_eq!((first.item::<f64>()?, second.item::<f64>()?), (27.0, 18.0));
    /// # Ok::<(), barun_engine::Error>(())
    /// ```
    #[track_caller]
    pub fn grad(&self, wrt: &[&Tensor]) -> Result<Vec<Tensor>> {
        let shape = self.shape()?;
        if shape.elements() != 1 {
            let requirement = format!("a gradient starts at a scalar, this has shape {shape}");
            Tensor::error("grad", &[self], requirement, "reduce it with .sum(..) or .mean(..) first")
                .check()?;
        }
        vector_jacobian(std::slice::from_ref(self), &[Some(self.number(1.0))], wrt)
    }

    /// The product of `upstream` (of this tensor's shape) with the Jacobian of this tensor, for each of `wrt`.
    #[track_caller]
    pub fn vjp(&self, upstream: &Tensor, wrt: &[&Tensor]) -> Result<Vec<Tensor>> {
        if self.shape()? != upstream.shape()? {
            Tensor::error("vjp", &[self, upstream], "both must have the same shape", "").check()?;
        }
        let upstream = upstream.cast(upstream.dtype().computed());
        vector_jacobian(std::slice::from_ref(self), &[Some(upstream)], wrt)
    }
}

/// Gradients of `sum_i <outputs_i, upstream_i>` with respect to `wrt`.
pub(crate) fn vector_jacobian(
    outputs: &[Tensor],
    upstream: &[Option<Tensor>],
    wrt: &[&Tensor],
) -> Result<Vec<Tensor>> {
    let _rules = outputs.first().map(|output| gradient_scope(&output.node().origin));
    let wanted: HashMap<u64, usize> =
        wrt.iter().enumerate().map(|(index, tensor)| (tensor.node().id, index)).collect();
    let order = dependent_nodes(outputs, &wanted)?;
    let mut pending: HashMap<u64, Cotangent> = HashMap::new();
    for (output, upstream) in outputs.iter().zip(upstream) {
        if let Some(upstream) = upstream {
            add(&mut pending, output, None, upstream.clone());
        }
    }
    let mut found: HashMap<u64, Tensor> = HashMap::new();
    for tensor in order.iter().rev() {
        let node = tensor.node();
        let Some(cotangent) = pending.remove(&node.id) else { continue };
        let _rule = gradient_scope(&node.origin);
        if let (true, Cotangent::One(gradient)) = (wanted.contains_key(&node.id), &cotangent) {
            found.insert(node.id, gradient.clone());
        }
        let operands = node.operands();
        if let Primitive::Project { index } = node.op {
            if let Cotangent::One(gradient) = cotangent {
                add(&mut pending, &operands[0], Some(index), gradient);
            }
            continue;
        }
        let gradients = match (&node.op, cotangent) {
            (Primitive::Scan(scan), Cotangent::Many(upstream)) => {
                scan::scan_gradients(scan, &operands, &upstream)?
            }
            (_, Cotangent::One(gradient)) => gradients(tensor, &operands, &gradient),
            _ => Vec::new(),
        };
        for (operand, gradient) in operands.iter().zip(gradients) {
            if let Some(gradient) = gradient {
                gradient.check()?;
                add(&mut pending, operand, None, gradient);
            }
        }
    }
    Ok(wrt
        .iter()
        .map(|tensor| found.get(&tensor.node().id).cloned().unwrap_or_else(|| tensor.number(0.0)))
        .collect())
}

/// What has flowed back to a node: one gradient, or one per result of a scan.
enum Cotangent {
    One(Tensor),
    Many(HashMap<usize, Tensor>),
}

fn add(pending: &mut HashMap<u64, Cotangent>, to: &Tensor, result: Option<usize>, gradient: Tensor) {
    let id = to.node().id;
    match (result, pending.get_mut(&id)) {
        (None, Some(Cotangent::One(sum))) => *sum = &*sum + gradient,
        (Some(index), Some(Cotangent::Many(sums))) => {
            let sum = sums.remove(&index).map_or(gradient.clone(), |sum| sum + gradient);
            sums.insert(index, sum);
        }
        (None, _) => drop(pending.insert(id, Cotangent::One(gradient))),
        (Some(index), _) => drop(pending.insert(id, Cotangent::Many(HashMap::from([(index, gradient)])))),
    }
}

/// The nodes between `wanted` and `outputs`, operands first.
fn dependent_nodes(outputs: &[Tensor], wanted: &HashMap<u64, usize>) -> Result<Vec<Tensor>> {
    let mut depends: HashMap<u64, bool> = HashMap::new();
    let mut order = Vec::new();
    let mut stack: Vec<(Tensor, bool)> = outputs.iter().rev().map(|tensor| (tensor.clone(), false)).collect();
    while let Some((tensor, operands_done)) = stack.pop() {
        let node = tensor.node();
        if depends.contains_key(&node.id) {
            continue;
        }
        if let Some(error) = &node.error {
            return Err(Error::Op(Arc::clone(error)));
        }
        let operands = node.operands();
        if !operands_done {
            stack.push((tensor.clone(), true));
            stack.extend(operands.into_iter().rev().map(|operand| (operand, false)));
            continue;
        }
        let through = !matches!(node.op, Primitive::Detach)
            && operands.iter().any(|operand| depends[&operand.node().id]);
        let depends_here = through || wanted.contains_key(&node.id);
        depends.insert(node.id, depends_here);
        if depends_here {
            order.push(tensor.clone());
        }
    }
    Ok(order)
}

/// The gradient rules: `gradient` of `output` to each of its operands, or `None` where none flows.
fn gradients(output: &Tensor, operands: &[Tensor], gradient: &Tensor) -> Vec<Option<Tensor>> {
    let g = gradient;
    let shape_of = |index: usize| operands[index].node().shape.clone();
    let none = || vec![None; operands.len()];
    let float = |index: usize| operands[index].dtype().is_float();
    // As a contraction takes it with this operand.
    let rounded = |index: usize| g.cast(operands[index].dtype());
    match &output.node().op {
        Primitive::Data
        | Primitive::Placeholder { .. }
        | Primitive::Feed { .. }
        | Primitive::Slot { .. }
        | Primitive::Full { .. }
        | Primitive::Iota { .. }
        | Primitive::Random { .. }
        | Primitive::ArgMax { .. }
        | Primitive::Detach => none(),
        // Taken care of by the caller.
        Primitive::Scan(_) | Primitive::Project { .. } => none(),

        Primitive::Unary(op) => {
            let x = &operands[0];
            let local = match op {
                Unary::Not | Unary::Sign | Unary::Floor => return none(),
                Unary::Neg => return vec![Some(-g)],
                Unary::Abs => g * x.sign(),
                Unary::Sqrt => g / (output * 2.0),
                Unary::Exp => g * output,
                Unary::Ln => g / x,
                Unary::Sin => g * x.cos(),
                Unary::Cos => -(g * x.sin()),
                Unary::Tanh => g * (1.0 - output.square()),
                Unary::Sigmoid => g * (output * (1.0 - output)),
                Unary::Erf => g * ((-x.square()).exp() * std::f64::consts::FRAC_2_SQRT_PI),
            };
            vec![Some(local)]
        }
        Primitive::Binary(op) => {
            let (a, b) = (&operands[0], &operands[1]);
            match op {
                Binary::Add => vec![Some(g.clone()), Some(g.clone())],
                Binary::Sub => vec![Some(g.clone()), Some(-g)],
                Binary::Mul => vec![Some(g * b), Some(g * a)],
                Binary::Div => vec![Some(g / b), Some(-(g * output / b))],
                Binary::Pow => vec![Some(g * b * a.pow(&(b - 1.0))), Some(g * output * a.ln())],
                // Read off the result, so that the operands need not be kept: at a tie all goes to `b`. [ACT-04]
                Binary::Max => route(&b.less(output), g),
                Binary::Min => route(&output.less(b), g),
                Binary::Less | Binary::Equal | Binary::And | Binary::Or => none(),
            }
        }
        Primitive::Where => {
            let zero = g.like(0.0);
            vec![None, Some(operands[0].where_(g, &zero)), Some(operands[0].where_(&zero, g))]
        }
        Primitive::Cast { .. } if float(0) && output.dtype().is_float() => {
            vec![Some(g.cast(operands[0].dtype().computed()))]
        }
        Primitive::Cast { .. } => none(),

        Primitive::Sum { axes } => vec![Some(spread(g, axes, &shape_of(0)))],
        Primitive::Max { axes } => {
            let is_max = operands[0].equal(&spread(output, axes, &shape_of(0))).cast(g.dtype());
            let ties = is_max.sum(&*axes.iter().map(|&axis| axis as i64).collect::<Vec<_>>());
            vec![Some(is_max * spread(&(g / ties), axes, &shape_of(0)))]
        }

        Primitive::Reshape => vec![Some(g.reshape(shape_of(0)))],
        Primitive::Broadcast => {
            let own = shape_of(0);
            let axes: Vec<i64> = (0..own.rank())
                .filter(|&axis| own[axis] != output.node().shape[axis])
                .map(|axis| axis as i64)
                .collect();
            vec![Some(g.sum_keep(&*axes))]
        }
        Primitive::Permute { order } => {
            let mut inverse = vec![0; order.len()];
            order.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);
            vec![Some(g.permute(&inverse))]
        }
        Primitive::Slice { start, step } => {
            let (own, taken) = (shape_of(0), &output.node().shape);
            let interior: Vec<usize> = step.iter().map(|step| step - 1).collect();
            let high: Vec<usize> = (0..own.rank())
                .map(|axis| {
                    own[axis]
                        - start[axis]
                        - if taken[axis] == 0 { 0 } else { (taken[axis] - 1) * step[axis] + 1 }
                })
                .collect();
            vec![Some(g.pad(start, &high, &interior))]
        }
        Primitive::Pad { low, interior, .. } => {
            let step: Vec<usize> = interior.iter().map(|gap| gap + 1).collect();
            vec![Some(g.slice(low, &shape_of(0), &step))]
        }
        Primitive::Concat { axis } => {
            let mut from = 0;
            let mut part = |operand: &Tensor| {
                let to = from + operand.node().shape[*axis];
                let piece = g.narrow(*axis as i64, from, to);
                from = to;
                Some(piece)
            };
            operands.iter().map(&mut part).collect()
        }
        Primitive::Flip { axes } => vec![Some(g.flip(axes))],
        Primitive::Gather => vec![float(0).then(|| g.scatter_add(&operands[1], shape_of(0)[0])), None],
        Primitive::ScatterAdd { .. } => vec![Some(g.gather(&operands[1])), None],

        Primitive::MatMul => {
            let g = &rounded(0);
            vec![Some(g.matmul(&operands[1].transpose())), Some(operands[0].transpose().matmul(g))]
        }
        Primitive::Conv2d(conv) => {
            let (x, w, g) = (&operands[0], &operands[1], &rounded(0));
            vec![
                Some(Tensor::build(Primitive::Conv2dInputGrad(*conv), &[g, w], Some(x.kind()))),
                Some(Tensor::build(Primitive::Conv2dWeightGrad(*conv), &[x, g], Some(w.kind()))),
            ]
        }
        Primitive::Conv2dInputGrad(conv) => {
            let (dy, w, g) = (&operands[0], &operands[1], &rounded(0));
            vec![
                Some(g.conv2d(w, *conv)),
                Some(Tensor::build(Primitive::Conv2dWeightGrad(*conv), &[g, dy], Some(w.kind()))),
            ]
        }
        Primitive::Conv2dWeightGrad(conv) => {
            let (x, dy, g) = (&operands[0], &operands[1], &rounded(0));
            vec![
                Some(Tensor::build(Primitive::Conv2dInputGrad(*conv), &[dy, g], Some(x.kind()))),
                Some(x.conv2d(g, *conv)),
            ]
        }
        Primitive::MaxPool2d(pool) => {
            vec![Some(Tensor::build(Primitive::MaxPool2dScatter(*pool), &[&operands[0], g], None))]
        }
        Primitive::MaxPool2dScatter(pool) => {
            vec![None, Some(Tensor::build(Primitive::MaxPool2dPick(*pool), &[&operands[0], g], None))]
        }
        Primitive::MaxPool2dPick(pool) => {
            vec![None, Some(Tensor::build(Primitive::MaxPool2dScatter(*pool), &[&operands[0], g], None))]
        }
        Primitive::AvgPool2d(pool) => {
            let images = Some((shape_of(0), g.dtype()));
            vec![Some(Tensor::build(Primitive::AvgPool2dScatter(*pool), &[g], images))]
        }
        Primitive::AvgPool2dScatter(pool) => vec![Some(g.avg_pool2d(*pool))],
    }
}

/// The gradient to the first operand where `to_first`, to the second elsewhere.
fn route(to_first: &Tensor, g: &Tensor) -> Vec<Option<Tensor>> {
    let zero = g.like(0.0);
    vec![Some(to_first.where_(g, &zero)), Some(to_first.where_(&zero, g))]
}

/// A reduced value back over the axes that were reduced.
fn spread(reduced: &Tensor, axes: &[usize], shape: &Shape) -> Tensor {
    reduced.reshape(shape.reduced(axes, true)).broadcast_to(shape.clone())
}

/// Gradients that add up over several backward passes until cleared, as in the define-by-run frameworks. [TENSOR-13]
///
/// ```
/// use barun_engine::{Gradients, Tensor};
/// let w = Tensor::from([1.0f32, 2.0]).variable();
/// let mut gradients = Gradients::new(&[&w]);
/// gradients.backward(&w.square().sum(..))?;
/// gradients.backward(&w.square().sum(..))?;
/// assert_eq!(gradients.get(&w).unwrap().to_vec::<f32>()?, [4.0, 8.0]);
/// gradients.zero();
/// assert!(gradients.get(&w).is_none());
/// # Ok::<(), barun_engine::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    wrt: Vec<Tensor>,
    sums: HashMap<u64, Tensor>,
}

impl Gradients {
    /// For these leaves; anything else stays without a gradient. [TENSOR-14]
    pub fn new(wrt: &[&Tensor]) -> Self {
        Gradients { wrt: wrt.iter().map(|&tensor| tensor.clone()).collect(), sums: HashMap::new() }
    }

    /// Adds the gradients of `loss`.
    #[track_caller]
    pub fn backward(&mut self, loss: &Tensor) -> Result<()> {
        let gradients = loss.grad(&self.wrt.iter().collect::<Vec<_>>())?;
        for (tensor, gradient) in self.wrt.iter().zip(gradients) {
            let id = tensor.node().id;
            let sum = match self.sums.remove(&id) {
                Some(sum) => sum + gradient,
                None => gradient,
            };
            self.sums.insert(id, sum);
        }
        Ok(())
    }

    /// The sum so far, or `None` before the first backward pass and for tensors not asked for.
    pub fn get(&self, tensor: &Tensor) -> Option<&Tensor> {
        self.sums.get(&tensor.node().id)
    }

    /// Forgets the sums.
    pub fn zero(&mut self) {
        self.sums.clear();
    }
}
