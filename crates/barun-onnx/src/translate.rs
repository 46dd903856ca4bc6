//! From the nodes of a graph to those of ONNX.
//!
//! Element-wise operations of ONNX broadcast by themselves, so a constant or a broadcast tensor stays as small as it is
//! until something needs its whole shape: each value has the shape it stands for and the shape it *has*.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use barun_engine::graph::{Binary, Conv2d, Graph, Inst, Literal, Pool2d, Primitive, Unary};
use barun_engine::{Buffer, DType, Shape, Tensor};

use crate::proto::{self, Attribute, Constant, Node};
use crate::{BATCHES, Source, constants, dtype_number};

/// What cannot be translated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An operation without a counterpart.
    #[error("`{op}`{place} has no counterpart in ONNX, so this network cannot be exported")]
    Operation {
        /// The operation.
        op: &'static str,
        /// In which layer, after a space; empty outside layers.
        place: String,
    },
    /// A shape that depends on the batch in another way than its first axis does.
    #[error("the shape of `{op}`{place} depends on the size of the batch in a way that ONNX cannot be told")]
    Batch {
        /// The operation.
        op: &'static str,
        /// In which layer, after a space; empty outside layers.
        place: String,
    },
    /// A constant cannot be computed.
    #[error(transparent)]
    Engine(#[from] barun_engine::Error),
}

type Result<T> = std::result::Result<T, Error>;

/// A size: fixed, or so many times the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dim {
    Fixed(usize),
    Batch(usize),
}

/// A value of the ONNX graph.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) name: String,
    /// The shape it has; it broadcasts to the shape it stands for.
    pub(crate) has: Vec<Dim>,
}

/// The graph of ONNX that computes what `source` does.
pub fn translate(source: &Source<'_>) -> Result<proto::Graph> {
    let ((small, data), (large, _)) = (source.small, source.large);
    let input = Value { name: source.input.0.to_string(), has: Vec::new() };
    let mut shared = Shared { source, input, constants: Vec::new(), names: 0 };
    Translation::new(small, large, &mut shared, data, |feed| feed != 0)?.run()
}

/// The shape of every node, told from the two sizes of batch.
fn shapes(small: &Graph, large: &Graph) -> Result<Vec<Vec<Dim>>> {
    let (first, second) = BATCHES;
    let of = |(a, b): (&Inst, &Inst)| {
        let dims = a.shape.iter().zip(b.shape.iter()).map(|(&a, &b)| match a == b {
            true => Some(Dim::Fixed(a)),
            false => (a % first == 0 && a / first * second == b).then_some(Dim::Batch(a / first)),
        });
        let dims: Option<Vec<Dim>> = dims.collect();
        dims.filter(|dims| is_same(&a.op, &b.op) && dims.len() == b.shape.rank())
            .ok_or_else(|| batch_error(a))
    };
    if let (Some(inst), true) = (small.nodes.last(), small.nodes.len() != large.nodes.len()) {
        return Err(batch_error(inst));
    }
    small.nodes.iter().zip(&large.nodes).map(of).collect()
}

/// Whether the operation is the same for both sizes of batch. The shapes in a loop's body differ; they are compared when
/// the body is translated.
fn is_same(small: &Primitive, large: &Primitive) -> bool {
    match (small, large) {
        (Primitive::Scan(a), Primitive::Scan(b)) => {
            (a.constants, a.carries, a.length, a.reverse) == (b.constants, b.carries, b.length, b.reverse)
        }
        _ => small == large,
    }
}

/// The node whose elements a broadcast repeats.
fn origin_of(graph: &Graph, mut at: usize) -> usize {
    while matches!(graph.nodes[at].op, Primitive::Broadcast) {
        at = graph.nodes[at].operands[0];
    }
    at
}

fn is_fixed(shape: &[Dim]) -> bool {
    shape.iter().all(|dim| matches!(dim, Dim::Fixed(_)))
}

fn place(inst: &Inst) -> String {
    if inst.origin.layer.is_empty() { String::new() } else { format!(" in {}", inst.origin.layer) }
}

fn batch_error(inst: &Inst) -> Error {
    Error::Batch { op: inst.op.name(), place: place(inst) }
}

pub(crate) fn operation_error(inst: &Inst) -> Error {
    Error::Operation { op: inst.op.name(), place: place(inst) }
}

/// What the main graph and the bodies of its loops have in common: bodies see the values around them by their names.
pub(crate) struct Shared<'a> {
    source: &'a Source<'a>,
    /// The model's input.
    input: Value,
    pub(crate) constants: Vec<Constant>,
    /// How many names have been given.
    names: usize,
}

/// A graph on its way to ONNX: the whole model, or the body of a loop.
pub(crate) struct Translation<'a, 's> {
    pub(crate) graph: &'a Graph,
    /// The same graph for the larger batch.
    pub(crate) large: &'a Graph,
    pub(crate) shapes: Vec<Vec<Dim>>,
    values: HashMap<usize, Arc<Buffer>>,
    pub(crate) made: HashMap<usize, Value>,
    /// The results of loops.
    pub(crate) loops: HashMap<usize, Vec<Value>>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) shared: &'s mut Shared<'a>,
}

impl<'a, 's> Translation<'a, 's> {
    /// Of a graph that refers to `data`; `is_given` are the feeds that are known now.
    pub(crate) fn new(
        graph: &'a Graph,
        large: &'a Graph,
        shared: &'s mut Shared<'a>,
        data: &[Arc<Buffer>],
        is_given: impl Fn(usize) -> bool,
    ) -> Result<Translation<'a, 's>> {
        let shapes = shapes(graph, large)?;
        let known = constants::known(graph, |at| is_fixed(&shapes[at]), is_given);
        let computed = graph.nodes.iter().enumerate().filter(|(at, _)| !known[*at]).map(|(_, inst)| inst);
        let used = computed.flat_map(|inst| &inst.operands).chain(&graph.outputs);
        // What repeats a value broadcasts by itself, and a number needs no computing.
        let used = used.filter(|&&at| known[at]).map(|&at| origin_of(graph, at));
        let mut wanted: Vec<usize> =
            used.filter(|&at| !matches!(graph.nodes[at].op, Primitive::Full { .. })).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let values = constants::values(graph, &wanted, shared.source.state, data)?;
        let (made, loops) = (HashMap::new(), HashMap::new());
        Ok(Translation { graph, large, shapes, values, made, loops, nodes: Vec::new(), shared })
    }

    /// The whole model.
    fn run(mut self) -> Result<proto::Graph> {
        let (source, graph) = (self.shared.source, self.graph);
        let is_input = |inst: &Inst| matches!(inst.op, Primitive::Feed { index: 0 });
        let input = graph.nodes.iter().position(is_input);
        if let Some(at) = input {
            self.shared.input.has = self.shapes[at].clone();
            self.made.insert(at, self.shared.input.clone());
        }
        self.compute()?;
        let outputs = graph.outputs.iter().zip(source.outputs);
        let outputs = outputs.map(|(&at, &named)| self.output(at, named)).collect::<Result<Vec<_>>>()?;
        let inputs = input.into_iter().map(|at| self.outer(source.input, at)).collect();
        let mut constants = std::mem::take(&mut self.shared.constants);
        // Of kernels that were turned, the unturned ones.
        let mut used = HashSet::new();
        collect_inputs(&self.nodes, &mut used);
        constants.retain(|constant| used.contains(constant.name.as_str()));
        Ok(proto::Graph { nodes: self.nodes, name: "barun".to_string(), constants, inputs, outputs })
    }

    /// Translates what the outputs need, after the feeds have been made.
    pub(crate) fn compute(&mut self) -> Result<()> {
        let (needed, graph) = (self.needed(), self.graph);
        for (at, inst) in graph.nodes.iter().enumerate() {
            if needed[at] && !self.made.contains_key(&at) {
                let value = self.node(at, inst)?;
                self.made.insert(at, value);
            }
        }
        Ok(())
    }

    /// Gives a value away as an output of the graph, under a name of its own.
    pub(crate) fn output(&mut self, at: usize, named: (&str, &str)) -> Result<proto::Value> {
        let inputs = vec![self.whole(at)?];
        let (outputs, name) = (vec![named.0.to_string()], named.0.to_string());
        self.nodes.push(Node { inputs, outputs, name, op: "Identity".to_string(), attributes: Vec::new() });
        Ok(self.outer(named, at))
    }

    /// Which nodes are computed by the model: those that the outputs depend on, up to the constants.
    fn needed(&self) -> Vec<bool> {
        let mut needed = vec![false; self.graph.nodes.len()];
        let mut stack = self.graph.outputs.clone();
        while let Some(at) = stack.pop() {
            if !std::mem::replace(&mut needed[at], true) && !self.values.contains_key(&at) {
                stack.extend(&self.graph.nodes[at].operands);
            }
        }
        needed
    }

    /// A value that stands for what `at` computes, under another name.
    fn outer(&self, named: (&str, &str), at: usize) -> proto::Value {
        outer(named, &self.shapes[at], self.graph.nodes[at].dtype)
    }

    fn node(&mut self, at: usize, inst: &'a Inst) -> Result<Value> {
        if let Some(value) = self.values.get(&at).cloned() {
            let name = match &inst.op {
                Primitive::Slot { index } => self.shared.source.state.layout().slots()[*index].name.clone(),
                op => self.name(inst, op.name()),
            };
            return Ok(self.constant(name, &value));
        }
        Ok(match &inst.op {
            Primitive::Full { value } => self.full(inst, *value),
            Primitive::Iota { axis } => self.iota(at, inst, *axis)?,
            Primitive::Detach => self.value(inst.operands[0]).clone(),
            Primitive::Broadcast => self.value(inst.operands[0]).clone(),
            Primitive::Unary(op) => self.elementwise(inst, unary(*op), Vec::new()),
            Primitive::Binary(op) => self.binary(inst, *op),
            Primitive::Where => self.elementwise(inst, "Where", Vec::new()),
            Primitive::Cast { dtype } => {
                let to = Attribute::int("to", i64::from(dtype_number(*dtype)));
                self.elementwise(inst, "Cast", vec![to])
            }
            Primitive::Sum { axes } => {
                let axes = self.integers(axes.iter().map(|&axis| axis as i64));
                self.whole_with(at, "ReduceSum", vec![axes], vec![Attribute::int("keepdims", 0)])?
            }
            Primitive::Max { axes } => {
                let axes = Attribute::ints("axes", axes.iter().copied());
                self.whole_with(at, "ReduceMax", Vec::new(), vec![axes, Attribute::int("keepdims", 0)])?
            }
            Primitive::ArgMax { axis } => {
                let axis = Attribute::int("axis", *axis as i64);
                self.whole_with(at, "ArgMax", Vec::new(), vec![axis, Attribute::int("keepdims", 0)])?
            }
            Primitive::Reshape => self.reshape(at, inst)?,
            Primitive::Permute { order } => {
                let order = Attribute::ints("perm", order.iter().copied());
                self.whole_with(at, "Transpose", Vec::new(), vec![order])?
            }
            Primitive::Slice { start, step } => self.slice(at, inst, start, step)?,
            Primitive::Pad { low, high, interior } => {
                if interior.iter().any(|&zeros| zeros > 0) {
                    return Err(operation_error(inst));
                }
                let pads = self.integers(low.iter().chain(high).map(|&zeros| zeros as i64));
                self.whole_with(at, "Pad", vec![pads], Vec::new())?
            }
            Primitive::Concat { axis } => {
                self.whole_with(at, "Concat", Vec::new(), vec![Attribute::int("axis", *axis as i64)])?
            }
            Primitive::Flip { axes } => {
                let all = |value: i64| axes.iter().map(move |_| value);
                let inputs = vec![
                    self.integers(all(-1)),
                    self.integers(all(i64::MIN)),
                    self.integers(axes.iter().map(|&axis| axis as i64)),
                    self.integers(all(-1)),
                ];
                self.whole_with(at, "Slice", inputs, Vec::new())?
            }
            Primitive::Gather => {
                self.whole_with(at, "Gather", Vec::new(), vec![Attribute::int("axis", 0)])?
            }
            Primitive::MatMul => self.whole_with(at, "MatMul", Vec::new(), Vec::new())?,
            Primitive::Conv2d(geometry) => self.conv2d(at, inst, geometry)?,
            Primitive::MaxPool2d(geometry) => self.pool2d(at, inst, "MaxPool", geometry)?,
            Primitive::AvgPool2d(geometry) => self.pool2d(at, inst, "AveragePool", geometry)?,
            Primitive::Scan(scan) => self.scan(at, inst, scan)?,
            Primitive::Project { index } => self.loops[&inst.operands[0]][*index].clone(),
            Primitive::Data
            | Primitive::Placeholder { .. }
            | Primitive::Feed { .. }
            | Primitive::Slot { .. }
            | Primitive::Random { .. }
            | Primitive::ScatterAdd { .. }
            | Primitive::Conv2dInputGrad(_)
            | Primitive::Conv2dWeightGrad(_)
            | Primitive::MaxPool2dScatter(_)
            | Primitive::MaxPool2dPick(_)
            | Primitive::AvgPool2dScatter(_) => return Err(operation_error(inst)),
        })
    }

    fn value(&self, at: usize) -> &Value {
        &self.made[&at]
    }

    /// A name that no other value has: the layer and the operation.
    pub(crate) fn name(&mut self, inst: &Inst, op: &str) -> String {
        let number = self.shared.next();
        match &*inst.origin.layer {
            "" => format!("{op}_{number}"),
            layer => format!("{layer}/{op}_{number}"),
        }
    }

    pub(crate) fn constant(&mut self, name: String, value: &Buffer) -> Value {
        self.shared.constants.push(Constant {
            dims: value.shape().iter().map(|&size| size as i64).collect(),
            dtype: dtype_number(value.dtype()),
            name: name.clone(),
            bytes: value.bytes()[..value.shape().elements() * value.dtype().size()].to_vec(),
        });
        Value { name, has: value.shape().iter().map(|&size| Dim::Fixed(size)).collect() }
    }

    /// A list of numbers that an operation takes as an input.
    fn integers(&mut self, numbers: impl Iterator<Item = i64>) -> String {
        let numbers: Vec<i64> = numbers.collect();
        let name = format!("sizes_{}", self.shared.next());
        self.constant(name, &Buffer::new(&numbers, [numbers.len()])).name
    }

    fn full(&mut self, inst: &Inst, value: Literal) -> Value {
        let mut buffer = Buffer::zeros([], inst.dtype);
        match (value, inst.dtype) {
            (Literal::Float(bits), DType::F64) => {
                buffer.bytes_mut()[..8].copy_from_slice(&f64::from_bits(bits).to_le_bytes());
            }
            (Literal::Float(bits), DType::BF16) => {
                // A literal of bf16 is one already: its f32 ends in zeros.
                let bytes = (f64::from_bits(bits) as f32).to_le_bytes();
                buffer.bytes_mut()[..2].copy_from_slice(&bytes[2..]);
            }
            (Literal::Float(bits), _) => {
                buffer.bytes_mut()[..4].copy_from_slice(&(f64::from_bits(bits) as f32).to_le_bytes());
            }
            (Literal::Int(value), dtype) => {
                let size = dtype.size();
                buffer.bytes_mut()[..size].copy_from_slice(&value.to_le_bytes()[..size]);
            }
        }
        let name = self.name(inst, "full");
        self.constant(name, &buffer)
    }

    /// Positions along an axis whose size is fixed; along the others they are all the same.
    fn iota(&mut self, at: usize, inst: &Inst, axis: usize) -> Result<Value> {
        let Dim::Fixed(size) = self.shapes[at][axis] else { return Err(batch_error(inst)) };
        let mut shape = vec![1; self.shapes[at].len()];
        shape[axis] = size;
        let value = Tensor::iota(Shape::from(shape), axis, inst.dtype).eval()?;
        let name = self.name(inst, "iota");
        Ok(self.constant(name, &value))
    }

    fn push(&mut self, inst: &Inst, op: &str, inputs: Vec<String>, attributes: Vec<Attribute>) -> String {
        let name = self.name(inst, op);
        let outputs = vec![name.clone()];
        self.nodes.push(Node { inputs, outputs, name: name.clone(), op: op.to_string(), attributes });
        name
    }

    fn elementwise(&mut self, inst: &Inst, op: &str, attributes: Vec<Attribute>) -> Value {
        let operands: Vec<Value> = inst.operands.iter().map(|&operand| self.value(operand).clone()).collect();
        let has = operands.iter().map(|operand| operand.has.clone()).reduce(broadcast).unwrap_or_default();
        let inputs = operands.into_iter().map(|operand| operand.name).collect();
        Value { name: self.push(inst, op, inputs, attributes), has }
    }

    /// `max(x, 0)` is known by a name of its own.
    fn binary(&mut self, inst: &Inst, op: Binary) -> Value {
        let is_zero = |&at: &usize| match self.graph.nodes[origin_of(self.graph, at)].op {
            Primitive::Full { value } => value.to_f64() == 0.0,
            _ => false,
        };
        if op == Binary::Max
            && inst.dtype.is_float()
            && let Some(zero) = inst.operands.iter().position(is_zero)
        {
            let operand = self.value(inst.operands[1 - zero]).clone();
            return Value { name: self.push(inst, "Relu", vec![operand.name], Vec::new()), ..operand };
        }
        self.elementwise(inst, binary(op), Vec::new())
    }

    /// An operation on whole operands, then `further` inputs.
    fn whole_with(
        &mut self,
        at: usize,
        op: &str,
        further: Vec<String>,
        attributes: Vec<Attribute>,
    ) -> Result<Value> {
        let inst = &self.graph.nodes[at];
        let mut inputs =
            inst.operands.iter().map(|&operand| self.whole(operand)).collect::<Result<Vec<_>>>()?;
        inputs.extend(further);
        Ok(Value { name: self.push(inst, op, inputs, attributes), has: self.shapes[at].clone() })
    }

    /// The name of a value that has its whole shape.
    pub(crate) fn whole(&mut self, at: usize) -> Result<String> {
        let (value, shape) = (self.value(at).clone(), &self.shapes[at]);
        if value.has == *shape {
            return Ok(value.name);
        }
        let inst = &self.graph.nodes[at];
        let missing = shape.len() - value.has.len();
        let mut sizes = Vec::with_capacity(shape.len());
        for (axis, dim) in shape.iter().enumerate() {
            // Where it has the size already, 1 leaves it as it is.
            let has = axis.checked_sub(missing).map(|axis| value.has[axis]);
            sizes.push(match dim {
                _ if has == Some(*dim) => Some(1),
                Dim::Fixed(size) => Some(*size as i64),
                Dim::Batch(1) => None,
                Dim::Batch(_) => return Err(batch_error(inst)),
            });
        }
        let mut parts = Vec::new();
        for run in sizes.chunk_by(|a, b| a.is_some() == b.is_some()) {
            let known: Vec<i64> = run.iter().copied().flatten().collect();
            parts.push(match known.is_empty() {
                false => self.integers(known.into_iter()),
                true => self.batch(inst)?,
            });
        }
        let sizes = match &parts[..] {
            [only] => only.clone(),
            _ => self.push(inst, "Concat", parts, vec![Attribute::int("axis", 0)]),
        };
        let name = self.push(inst, "Expand", vec![value.name, sizes], Vec::new());
        self.made.insert(at, Value { name: name.clone(), has: self.shapes[at].clone() });
        Ok(name)
    }

    /// The size of the batch, as a list of one number.
    fn batch(&mut self, inst: &Inst) -> Result<String> {
        let axis = self
            .shared
            .input
            .has
            .iter()
            .position(|dim| *dim == Dim::Batch(1))
            .ok_or_else(|| batch_error(inst))?;
        let shape = self.push(inst, "Shape", vec![self.shared.input.name.clone()], Vec::new());
        let [from, to] = [axis as i64, axis as i64 + 1].map(|end| self.integers(std::iter::once(end)));
        Ok(self.push(inst, "Slice", vec![shape, from, to], Vec::new()))
    }

    fn reshape(&mut self, at: usize, inst: &Inst) -> Result<Value> {
        let free = self.shapes[at].iter().filter(|dim| matches!(dim, Dim::Batch(_))).count();
        if free > 1 {
            return Err(batch_error(inst));
        }
        let size = |dim: &Dim| match dim {
            Dim::Fixed(size) => *size as i64,
            Dim::Batch(_) => -1,
        };
        let sizes: Vec<i64> = self.shapes[at].iter().map(size).collect();
        let sizes = self.integers(sizes.into_iter());
        self.whole_with(at, "Reshape", vec![sizes], Vec::new())
    }

    fn slice(&mut self, at: usize, inst: &Inst, start: &[usize], step: &[usize]) -> Result<Value> {
        let (mut axes, mut ranges) = (Vec::new(), Vec::new());
        let from = &self.shapes[inst.operands[0]];
        for (axis, (dim, before)) in self.shapes[at].iter().zip(from).enumerate() {
            match dim {
                _ if dim == before && start[axis] == 0 && step[axis] == 1 => {}
                Dim::Batch(_) => return Err(batch_error(inst)),
                Dim::Fixed(count) => {
                    let end = start[axis] + count.saturating_sub(1) * step[axis] + usize::from(*count > 0);
                    axes.push(axis as i64);
                    ranges.push([start[axis] as i64, end as i64, step[axis] as i64]);
                }
            }
        }
        let [starts, ends, steps] = [0, 1, 2].map(|part| {
            let numbers: Vec<i64> = ranges.iter().map(|range| range[part]).collect();
            self.integers(numbers.into_iter())
        });
        let axes = self.integers(axes.into_iter());
        self.whole_with(at, "Slice", vec![starts, ends, axes, steps], Vec::new())
    }

    fn conv2d(&mut self, at: usize, inst: &Inst, geometry: &Conv2d) -> Result<Value> {
        let images = self.whole(inst.operands[0])?;
        let images = self.permuted(inst, images, [0, 3, 1, 2]);
        let kernels = match self.values.get(&inst.operands[1]) {
            Some(value) => {
                let turned = Tensor::new((**value).clone()).permute(&[3, 2, 0, 1]).eval()?;
                let name = format!("{}:oihw", self.value(inst.operands[1]).name);
                match self.shared.constants.iter().any(|constant| constant.name == name) {
                    true => name,
                    false => self.constant(name, &turned).name,
                }
            }
            None => {
                let kernels = self.whole(inst.operands[1])?;
                self.permuted(inst, kernels, [3, 2, 0, 1])
            }
        };
        let attributes = vec![
            Attribute::ints("strides", geometry.stride),
            Attribute::ints("pads", pads(geometry.padding)),
            Attribute::ints("dilations", geometry.dilation),
            Attribute::int("group", geometry.groups as i64),
        ];
        let made = self.push(inst, "Conv", vec![images, kernels], attributes);
        Ok(Value { name: self.permuted(inst, made, [0, 2, 3, 1]), has: self.shapes[at].clone() })
    }

    fn pool2d(&mut self, at: usize, inst: &Inst, op: &str, geometry: &Pool2d) -> Result<Value> {
        let images = self.whole(inst.operands[0])?;
        let images = self.permuted(inst, images, [0, 3, 1, 2]);
        let mut attributes = vec![
            Attribute::ints("kernel_shape", geometry.window),
            Attribute::ints("strides", geometry.stride),
            Attribute::ints("pads", pads(geometry.padding)),
        ];
        if op == "AveragePool" {
            attributes.push(Attribute::int("count_include_pad", i64::from(geometry.count_include_pad)));
        }
        let made = self.push(inst, op, vec![images], attributes);
        Ok(Value { name: self.permuted(inst, made, [0, 2, 3, 1]), has: self.shapes[at].clone() })
    }

    fn permuted(&mut self, inst: &Inst, name: String, order: [usize; 4]) -> String {
        self.push(inst, "Transpose", vec![name], vec![Attribute::ints("perm", order)])
    }
}

impl Shared<'_> {
    /// A number that no other name has.
    fn next(&mut self) -> usize {
        self.names += 1;
        self.names - 1
    }
}

/// An input or output of a graph.
pub(crate) fn outer((name, doc): (&str, &str), shape: &[Dim], dtype: DType) -> proto::Value {
    let size = |dim: &Dim| match dim {
        Dim::Fixed(size) => proto::Size::Fixed(*size as i64),
        Dim::Batch(1) => proto::Size::Free("batch".to_string()),
        Dim::Batch(times) => proto::Size::Free(format!("{times}*batch")),
    };
    let dims = shape.iter().map(|dim| proto::Dim { size: Some(size(dim)) }).collect();
    let tensor = proto::TensorKind { dtype: dtype_number(dtype), shape: Some(proto::Shape { dims }) };
    let kind = Some(proto::Kind { tensor: Some(tensor) });
    proto::Value { name: name.to_string(), kind, doc: doc.to_string() }
}

/// The names of what `nodes` take, those in the bodies of loops too.
fn collect_inputs<'n>(nodes: &'n [Node], names: &mut HashSet<&'n str>) {
    for node in nodes {
        names.extend(node.inputs.iter().map(String::as_str));
        node.attributes.iter().filter_map(|attribute| attribute.graph.as_ref()).for_each(|body| {
            collect_inputs(&body.nodes, names);
        });
    }
}

/// Above, left, below, right.
fn pads([rows, columns]: [(usize, usize); 2]) -> [usize; 4] {
    [rows.0, columns.0, rows.1, columns.1]
}

/// The shape of an element-wise result.
fn broadcast(a: Vec<Dim>, b: Vec<Dim>) -> Vec<Dim> {
    let (longer, shorter) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let missing = longer.len() - shorter.len();
    let dim = |(axis, &dim): (usize, &Dim)| match (dim, axis.checked_sub(missing).map(|axis| shorter[axis])) {
        (Dim::Fixed(1), Some(other)) => other,
        (dim, _) => dim,
    };
    longer.iter().enumerate().map(dim).collect()
}

fn unary(op: Unary) -> &'static str {
    match op {
        Unary::Neg => "Neg",
        Unary::Abs => "Abs",
        Unary::Sign => "Sign",
        Unary::Sqrt => "Sqrt",
        Unary::Exp => "Exp",
        Unary::Ln => "Log",
        Unary::Sin => "Sin",
        Unary::Cos => "Cos",
        Unary::Tanh => "Tanh",
        Unary::Sigmoid => "Sigmoid",
        Unary::Erf => "Erf",
        Unary::Floor => "Floor",
        Unary::Not => "Not",
    }
}

fn binary(op: Binary) -> &'static str {
    match op {
        Binary::Add => "Add",
        Binary::Sub => "Sub",
        Binary::Mul => "Mul",
        Binary::Div => "Div",
        Binary::Pow => "Pow",
        Binary::Max => "Max",
        Binary::Min => "Min",
        Binary::Less => "Less",
        Binary::Equal => "Equal",
        Binary::And => "And",
        Binary::Or => "Or",
    }
}
