//! How much of the input a unit of a convolutional network sees. [CNN-19]
//!
//! Of a chain of windows it is a sum ([`receptive_fields`]). Of a model ([`receptive_fields_of_model`]) it is read off the
//! graph that its forward pass builds, so that ways around, layers called twice and forward passes of one's own count as
//! they are: for each node it is known which stretch of the input a place of it sees.

use std::sync::Arc;

use barun_engine::graph::{Graph, Inst, Leaves, Primitive};

use crate::layers::{AvgPool2d, Conv1d, Conv2d, MaxPool2d};
use crate::{DType, Error, Forward, Inventory, Layout, Mode, Module, Pass, Result, Shape, Tensor};

/// A window that moves over an axis: what convolutions and poolings have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Points it takes in.
    pub size: usize,
    /// How far it moves.
    pub stride: usize,
    /// Distance between its points.
    pub dilation: usize,
}

impl Window {
    /// A convolution that moves by 1.
    pub fn conv(size: usize) -> Window {
        Window { size, stride: 1, dilation: 1 }
    }

    /// A pooling whose windows do not overlap.
    pub fn pool(size: usize) -> Window {
        Window { size, stride: size, dilation: 1 }
    }
}

macro_rules! window_of {
    ($($layer:ty: $at:ident => ($size:expr, $stride:expr, $dilation:expr)),* $(,)?) => { $(
        /// Along the height, where there are two axes.
        impl From<&$layer> for Window {
            fn from($at: &$layer) -> Window {
                Window { size: $size, stride: $stride, dilation: $dilation }
            }
        }
    )* };
}
window_of! {
    Conv1d: layer => (layer.kernel, layer.stride, layer.dilation),
    Conv2d: layer => (layer.kernel[0], layer.stride[0], layer.dilation[0]),
    MaxPool2d: layer => (layer.window[0], layer.stride[0], 1),
    AvgPool2d: layer => (layer.window[0], layer.stride[0], 1),
}

/// What a unit after some layers sees of the input, along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Points of the input that reach it, away from the border.
    pub size: usize,
    /// How many points further its neighbour's field begins.
    pub step: usize,
}

/// The receptive field after each of a chain of windows, first to last, along one axis.
///
/// ```text
/// size <- size + (window - 1) dilation step        step <- step stride        both 1 at the input
/// ```
///
/// What is between - activations, normalisations by channel - sees one point and changes nothing. Padding changes what
/// stands at the border, not the size. Araujo, Norris & Sim, 2019, "Computing receptive fields of convolutional neural
/// networks".
///
/// ```
/// use barun_nn::analysis::{Window, receptive_fields};
/// let fields = receptive_fields([Window::conv(3), Window::conv(3), Window::pool(2)]);
/// assert_eq!(fields.iter().map(|field| field.size).collect::<Vec<_>>(), [3, 5, 6]);
/// ```
pub fn receptive_fields(windows: impl IntoIterator<Item = Window>) -> Vec<Field> {
    let mut reach = Reach::INPUT;
    let after = |window: Window| {
        reach = reach.through(window, 0);
        reach.field()
    };
    windows.into_iter().map(after).collect()
}

/// What a unit of a layer's output sees of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerField {
    /// The layer's path.
    pub path: String,
    /// The layer's kind: `Conv2d`.
    pub kind: &'static str,
    /// Along each axis between rows and channels: height and width of images, the length of sequences. None where a
    /// unit's place is no place along that axis any more: where it sees all, as after a mean over it, and where places are
    /// joined with other axes, as by flattening or by a linear layer on sequences.
    pub along: Vec<Option<Field>>,
}

/// The receptive field after each call of a layer in eval mode, in their order, for an input of this shape: rows, then axes
/// of places, then channels, such as `[1, 28, 28, 1]`.
///
/// Where ways join, as around a residual block, a unit sees what either sees. What looks at all places of an axis - a mean
/// over the image, statistics over it, attention, a recurrent layer - sees all of it.
///
/// ```
/// use barun_nn::{analysis::{Field, receptive_fields_of_model}, layers::*, sequential};
/// let model = sequential![Conv2d::new(1, 4, 3), Relu::default(), MaxPool2d::new(2), Flatten::default(), Linear::new(676, 10)];
/// let fields = receptive_fields_of_model(&model, [1, 28, 28, 1])?;
/// assert_eq!(fields[2].along, [Some(Field { size: 4, step: 2 }); 2]); // the pooling
/// assert_eq!(fields[4].along, [None, None]); // the head sees all
/// # Ok::<(), barun_nn::Error>(())
/// ```
///
/// # Errors
/// When the input has no axis between rows and channels, or the model does not take it.
pub fn receptive_fields_of_model<M: Module + Forward + ?Sized>(
    model: &M,
    input: impl Into<Shape>,
) -> Result<Vec<LayerField>> {
    let input = input.into();
    if input.rank() < 3 {
        return Err(Error::Model(format!(
            "a receptive field is along an axis between rows and channels, and an input of shape {input} has none; give \
             a shape such as [1, 28, 28, 1] for images or [1, 100, 3] for sequences"
        )));
    }
    let (calls, graph) = traced(model, &input)?;
    let sights: Vec<Vec<Sight>> = (1..input.rank() - 1).map(|axis| sights(&graph, axis)).collect();
    let of_call = |((path, kind), node): ((String, &'static str), &usize)| {
        let along = sights.iter().map(|sights| sights[*node].field()).collect();
        LayerField { path, kind, along }
    };
    Ok(calls.into_iter().zip(&graph.outputs).map(of_call).collect())
}

/// The slot of a state that stands for the input; parameters follow it.
const INPUT_SLOT: usize = 0;

/// Path and kind of each call of a layer, and the graph with their outputs.
fn traced<M: Module + Forward + ?Sized>(
    model: &M,
    input: &Shape,
) -> Result<(Vec<(String, &'static str)>, Graph)> {
    let inventory = Arc::new(Inventory::of(model)?);
    let parameters = inventory.parameters.iter().map(|entry| (&entry.path, &entry.shape));
    let kept = parameters.chain(inventory.stats.iter().map(|entry| (&entry.path, &entry.shape)));
    let slots = kept.map(|(path, shape)| (path.clone(), shape.clone(), DType::F32));
    // Two rows, so that their axis is never taken for one of places.
    let input = ("the input".to_string(), [&[2], &input[1..]].concat().into(), DType::F32);
    let layout = Layout::new(std::iter::once(input).chain(slots).collect())?;
    let counter = || Tensor::scalar(0.0, DType::I64);
    let lookup = |path: &str| Ok(layout.tensor(crate::pass::position(&layout, path)?));
    let mut pass = Pass::new(&inventory, Mode::Eval, counter(), counter(), lookup)?;
    model.forward(&layout.tensor(INPUT_SLOT), &mut pass)?;
    let outputs: Vec<Tensor> = pass.calls().iter().map(|call| call.output.clone()).collect();
    let calls = pass.calls().iter().map(|call| (call.path.to_string(), call.kind)).collect();
    Ok((calls, Graph::trace(&outputs, &Leaves::default())?.0))
}

/// Place `i` sees the points from `low + i step` to `high + i step` of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reach {
    low: isize,
    high: isize,
    step: usize,
}

impl Reach {
    /// A point of the input sees itself.
    const INPUT: Reach = Reach { low: 0, high: 0, step: 1 };

    /// After a window, before whose first place stand so many points of padding.
    fn through(self, window: Window, padding: usize) -> Reach {
        let step = self.step as isize;
        let before = padding as isize * step;
        let across = (window.size.saturating_sub(1) * window.dilation) as isize * step;
        Reach { low: self.low - before, high: self.high - before + across, step: self.step * window.stride }
    }

    fn field(self) -> Field {
        Field { size: (self.high - self.low) as usize + 1, step: self.step }
    }
}

/// What the places of a node see of one axis of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    /// Nothing of it.
    Nothing,
    /// Each place along this axis of the node a stretch.
    Stretch(usize, Reach),
    /// All of it, or a stretch that is no matter of the place.
    All,
}

impl Sight {
    /// What is seen by who sees both.
    fn and(self, other: Sight) -> Sight {
        match (self, other) {
            (Sight::Nothing, sight) | (sight, Sight::Nothing) => sight,
            (Sight::Stretch(axis, a), Sight::Stretch(at, b)) if axis == at && a.step == b.step => {
                Sight::Stretch(axis, Reach { low: a.low.min(b.low), high: a.high.max(b.high), step: a.step })
            }
            _ => Sight::All,
        }
    }

    /// What is seen where the places along the axis move to another axis, or, with none, get lost.
    fn moved(self, to: impl FnOnce(usize) -> Option<usize>) -> Sight {
        match self {
            Sight::Stretch(axis, reach) => to(axis).map_or(Sight::All, |axis| Sight::Stretch(axis, reach)),
            sight => sight,
        }
    }

    /// What is seen where something happens to the stretches of an axis.
    fn changed(self, change: impl FnOnce(usize, Reach) -> Sight) -> Sight {
        match self {
            Sight::Stretch(axis, reach) => change(axis, reach),
            sight => sight,
        }
    }

    fn field(self) -> Option<Field> {
        match self {
            Sight::Stretch(_, reach) => Some(reach.field()),
            Sight::Nothing | Sight::All => None,
        }
    }
}

/// What each node of the graph sees of this axis of the input.
fn sights(graph: &Graph, axis: usize) -> Vec<Sight> {
    let mut sights: Vec<Sight> = Vec::with_capacity(graph.nodes.len());
    for inst in &graph.nodes {
        let operands: Vec<Sight> = inst.operands.iter().map(|&operand| sights[operand]).collect();
        sights.push(match inst.op {
            Primitive::Slot { index: INPUT_SLOT } => Sight::Stretch(axis, Reach::INPUT),
            _ => sight(graph, inst, &operands),
        });
    }
    sights
}

fn sight(graph: &Graph, inst: &Inst, operands: &[Sight]) -> Sight {
    let together = || operands.iter().fold(Sight::Nothing, |all, sight| all.and(*sight));
    let shape = |operand: usize| &graph.nodes[inst.operands[operand]].shape;
    match &inst.op {
        op if op.is_elementwise() => together(),
        Primitive::Sum { axes } | Primitive::Max { axes } => reduced(operands[0], axes),
        Primitive::ArgMax { axis } => reduced(operands[0], &[*axis]),
        Primitive::Reshape => operands[0].moved(|axis| same_axis(shape(0), axis, &inst.shape)),
        Primitive::Broadcast => {
            operands[0].moved(|axis| (shape(0)[axis] == inst.shape[axis]).then_some(axis))
        }
        Primitive::Permute { order } => operands[0].moved(|axis| order.iter().position(|from| *from == axis)),
        Primitive::Slice { start, step } => operands[0].changed(|axis, reach| {
            let by = (start[axis] * reach.step) as isize;
            let (low, high) = (reach.low + by, reach.high + by);
            Sight::Stretch(axis, Reach { low, high, step: reach.step * step[axis] })
        }),
        Primitive::Pad { low, interior, .. } => operands[0].changed(|axis, reach| match interior[axis] {
            0 => Sight::Stretch(axis, reach.through(Window::conv(1), low[axis])),
            // Places between places see another stretch than their neighbours.
            _ => Sight::All,
        }),
        Primitive::Concat { axis } => together().moved(|along| (along != *axis).then_some(along)),
        Primitive::Flip { axes } => operands[0].moved(|axis| (!axes.contains(&axis)).then_some(axis)),
        Primitive::MatMul => {
            // What is multiplied runs along the last axis of the one and the last but one of the other.
            let (rank, other) = (shape(0).rank(), shape(1).rank());
            let left = operands[0].moved(|axis| (axis + 1 != rank).then_some(axis));
            left.and(operands[1].moved(|axis| (axis + 2 != other).then_some(axis)))
        }
        Primitive::Conv2d(geometry) => {
            let kernel = shape(1);
            let window = |at: usize| Window {
                size: kernel[at],
                stride: geometry.stride[at],
                dilation: geometry.dilation[at],
            };
            windowed(operands[0], window, geometry.padding).and(blind(&operands[1..]))
        }
        Primitive::MaxPool2d(pool) | Primitive::AvgPool2d(pool) => {
            let window = |at: usize| Window { size: pool.window[at], stride: pool.stride[at], dilation: 1 };
            windowed(operands[0], window, pool.padding)
        }
        _ => blind(operands),
    }
}

/// Of what keeps no place: nothing of nothing, else all.
fn blind(operands: &[Sight]) -> Sight {
    if operands.iter().all(|sight| *sight == Sight::Nothing) { Sight::Nothing } else { Sight::All }
}

/// Without the reduced axes.
fn reduced(sight: Sight, axes: &[usize]) -> Sight {
    sight.moved(|axis| {
        let gone = axes.iter().filter(|reduced| **reduced < axis).count();
        (!axes.contains(&axis)).then(|| axis - gone)
    })
}

/// The axis of `to` that is `axis` of `from`: as long, and with as many elements before it.
fn same_axis(from: &Shape, axis: usize, to: &Shape) -> Option<usize> {
    let before = |shape: &Shape, axis: usize| shape[..axis].iter().product::<usize>();
    let is_same = |at: &usize| to[*at] == from[axis] && before(to, *at) == before(from, axis);
    // Axes of length 1 can be told apart by their number alone.
    Some(axis).filter(|at| *at < to.rank()).filter(is_same).or_else(|| (0..to.rank()).find(is_same))
}

/// After windows over height and width of images.
fn windowed(sight: Sight, window: impl Fn(usize) -> Window, padding: [(usize, usize); 2]) -> Sight {
    sight.changed(|axis, reach| match axis {
        0 => Sight::Stretch(axis, reach),
        1 | 2 => Sight::Stretch(axis, reach.through(window(axis - 1), padding[axis - 1].0)),
        _ => Sight::All,
    })
}
