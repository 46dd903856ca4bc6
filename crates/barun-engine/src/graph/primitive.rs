//! The primitives: everything a tensor can be made by.
//!
//! Formulas (ReLU, softmax, Adam ...) are written over these. A new one touches this enum, its shape rule
//! ([`infer`](super::infer())), its gradient rule ([`crate::autodiff`]) and its kernel.

use std::sync::Arc;

use super::Graph;
use crate::bfloat::{narrow_f64, widen};
use crate::tensor::DType;

/// A constant with exact equality: the bits of an `f64`, or an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Literal {
    /// A float, by its bits.
    Float(u64),
    /// An integer or truth value.
    Int(i64),
}

impl Literal {
    /// The literal of `value` for elements of `dtype`.
    pub fn new(value: f64, dtype: DType) -> Self {
        match dtype {
            DType::F32 => Literal::Float(f64::from(value as f32).to_bits()),
            DType::BF16 => Literal::Float(f64::from(widen(narrow_f64(value))).to_bits()),
            DType::F64 => Literal::Float(value.to_bits()),
            DType::I64 => Literal::Int(value as i64),
            DType::U8 => Literal::Int(i64::from(value as u8)),
            DType::Bool => Literal::Int(i64::from(value != 0.0)),
        }
    }

    /// The value as a float.
    pub fn to_f64(self) -> f64 {
        match self {
            Literal::Float(bits) => f64::from_bits(bits),
            Literal::Int(value) => value as f64,
        }
    }
}

/// Element-wise functions of one operand, which keep its type. Of bf16 there is the hyperbolic tangent alone: its
/// gradient reads the result, which is so kept at half the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
pub enum Unary {
    Neg,
    Abs,
    /// -1, 0 or 1.
    Sign,
    Sqrt,
    Exp,
    Ln,
    Sin,
    Cos,
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// The error function.
    Erf,
    Floor,
    /// Logical not, of `bool`.
    Not,
}

/// Element-wise functions of two operands of one type and shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    /// The larger one; NaN if either is.
    Max,
    /// The smaller one; NaN if either is.
    Min,
    /// `bool`.
    Less,
    /// `bool`.
    Equal,
    /// Logical and, of `bool`.
    And,
    /// Logical or, of `bool`.
    Or,
}

/// The geometry of a 2-D convolution: images `[n, h, w, in]`, kernels `[kh, kw, in / groups, out]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv2d {
    /// Rows and columns the kernel moves at a time.
    pub stride: [usize; 2],
    /// Zero rows above and below, zero columns left and right.
    pub padding: [(usize, usize); 2],
    /// Distance between the kernel's taps.
    pub dilation: [usize; 2],
    /// Channel groups that do not see each other.
    pub groups: usize,
}

impl Default for Conv2d {
    fn default() -> Self {
        Conv2d { stride: [1, 1], padding: [(0, 0); 2], dilation: [1, 1], groups: 1 }
    }
}

/// The geometry of 2-D pooling over images `[n, h, w, c]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pool2d {
    /// Rows and columns of the window.
    pub window: [usize; 2],
    /// Rows and columns the window moves at a time.
    pub stride: [usize; 2],
    /// Padding above and below, left and right. It never wins a maximum.
    pub padding: [(usize, usize); 2],
    /// Whether an average counts padded places as zeros (PyTorch's default) or leaves them out.
    pub count_include_pad: bool,
}

/// What a tensor is made by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // fields are described with their variant
pub enum Primitive {
    // Leaves
    /// A value given by the user; in a flat graph, a [`Primitive::Feed`].
    Data,
    /// An input of a program by its name.
    Placeholder {
        name: Arc<str>,
    },
    /// An input of a flat graph by its position.
    Feed {
        index: usize,
    },
    /// A tensor of the state by its position in the layout.
    Slot {
        index: usize,
    },
    /// Every element the same.
    Full {
        value: Literal,
    },
    /// The position along `axis`.
    Iota {
        axis: usize,
    },
    /// Uniform numbers in `[0, 1)`; operands: seed and step, both i64 scalars. `key` tells draws apart.
    Random {
        key: u64,
    },

    // Element by element
    Unary(Unary),
    Binary(Binary),
    /// Operands: condition (bool), value if true, value if false.
    Where,
    /// To another type: floats to integers truncate and saturate, anything to bool is "not zero".
    Cast {
        dtype: DType,
    },

    // Reductions; reduced axes disappear
    Sum {
        axes: Vec<usize>,
    },
    Max {
        axes: Vec<usize>,
    },
    /// The first position of the maximum along `axis`, i64.
    ArgMax {
        axis: usize,
    },

    // Movement
    Reshape,
    /// To the output's shape by the usual rule; the operand has the same rank.
    Broadcast,
    /// Output axis `i` is operand axis `order[i]`.
    Permute {
        order: Vec<usize>,
    },
    /// Per axis `start`, and every `step`-th element from there.
    Slice {
        start: Vec<usize>,
        step: Vec<usize>,
    },
    /// Zeros per axis before, after, and between each two elements.
    Pad {
        low: Vec<usize>,
        high: Vec<usize>,
        interior: Vec<usize>,
    },
    /// Operands one after the other along `axis`.
    Concat {
        axis: usize,
    },
    /// Reversed along `axes`.
    Flip {
        axes: Vec<usize>,
    },
    /// Operands: table, i64 indices. Rows of the table along its first axis: `[n, rest..]`, `[idx..]` to `[idx.., rest..]`.
    Gather,
    /// Operands: rows `[idx.., rest..]`, i64 indices `[idx..]`. Adds rows into zeros `[size, rest..]`; gradient of `Gather`.
    ScatterAdd {
        size: usize,
    },

    // Contractions
    /// `[batch.., m, k]` times `[batch.., k, n]`.
    MatMul,
    /// Operands: images, kernels.
    Conv2d(Conv2d),
    /// Operands: gradient of the output, kernels. Makes images of the output's shape.
    Conv2dInputGrad(Conv2d),
    /// Operands: images, gradient of the output. Makes kernels of the output's shape.
    Conv2dWeightGrad(Conv2d),

    // Pooling
    MaxPool2d(Pool2d),
    /// Operands: images `x`, values per window. Puts each value at its window's first maximum in `x`, adding.
    MaxPool2dScatter(Pool2d),
    /// Operands: images `x`, images `u`. Takes `u` at each window's first maximum in `x`.
    MaxPool2dPick(Pool2d),
    AvgPool2d(Pool2d),
    /// Operand: values per window; spreads each over its window.
    AvgPool2dScatter(Pool2d),

    // Control
    /// The operand, through which no gradient flows.
    Detach,
    /// A loop; see [`Scan`]. Its results are taken out by [`Primitive::Project`].
    Scan(Arc<Scan>),
    /// One result of a scan.
    Project {
        index: usize,
    },
}

/// A loop with a fixed number of turns.
///
/// Operands: constants, first carries, sequences (leading axis `length`). The body takes constants, carries and one
/// element of each sequence; it gives the next carries and one element of each output sequence. Results: last carries,
/// then output sequences.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Scan {
    /// The body, a closed flat graph over feeds.
    pub body: Graph,
    /// How many operands are the same in each turn.
    pub constants: usize,
    /// How many values are handed from turn to turn.
    pub carries: usize,
    /// Turns.
    pub length: usize,
    /// Whether sequences are walked, and output sequences filled, from the last element to the first.
    pub reverse: bool,
}

impl Primitive {
    /// The operation's name as users know it.
    pub fn name(&self) -> &'static str {
        match self {
            Primitive::Data => "data",
            Primitive::Placeholder { .. } => "placeholder",
            Primitive::Feed { .. } => "feed",
            Primitive::Slot { .. } => "slot",
            Primitive::Full { .. } => "full",
            Primitive::Iota { .. } => "iota",
            Primitive::Random { .. } => "random",
            Primitive::Unary(op) => match op {
                Unary::Neg => "neg",
                Unary::Abs => "abs",
                Unary::Sign => "sign",
                Unary::Sqrt => "sqrt",
                Unary::Exp => "exp",
                Unary::Ln => "ln",
                Unary::Sin => "sin",
                Unary::Cos => "cos",
                Unary::Tanh => "tanh",
                Unary::Sigmoid => "sigmoid",
                Unary::Erf => "erf",
                Unary::Floor => "floor",
                Unary::Not => "not",
            },
            Primitive::Binary(op) => match op {
                Binary::Add => "add",
                Binary::Sub => "sub",
                Binary::Mul => "mul",
                Binary::Div => "div",
                Binary::Pow => "pow",
                Binary::Max => "maximum",
                Binary::Min => "minimum",
                Binary::Less => "less",
                Binary::Equal => "equal",
                Binary::And => "and",
                Binary::Or => "or",
            },
            Primitive::Where => "where",
            Primitive::Cast { .. } => "cast",
            Primitive::Sum { .. } => "sum",
            Primitive::Max { .. } => "max",
            Primitive::ArgMax { .. } => "argmax",
            Primitive::Reshape => "reshape",
            Primitive::Broadcast => "broadcast",
            Primitive::Permute { .. } => "permute",
            Primitive::Slice { .. } => "slice",
            Primitive::Pad { .. } => "pad",
            Primitive::Concat { .. } => "concat",
            Primitive::Flip { .. } => "flip",
            Primitive::Gather => "gather",
            Primitive::ScatterAdd { .. } => "scatter_add",
            Primitive::MatMul => "matmul",
            Primitive::Conv2d(_) => "conv2d",
            Primitive::Conv2dInputGrad(_) => "conv2d_input_grad",
            Primitive::Conv2dWeightGrad(_) => "conv2d_weight_grad",
            Primitive::MaxPool2d(_) => "max_pool2d",
            Primitive::MaxPool2dScatter(_) => "max_pool2d_scatter",
            Primitive::MaxPool2dPick(_) => "max_pool2d_pick",
            Primitive::AvgPool2d(_) => "avg_pool2d",
            Primitive::AvgPool2dScatter(_) => "avg_pool2d_scatter",
            Primitive::Detach => "detach",
            Primitive::Scan(_) => "scan",
            Primitive::Project { .. } => "project",
        }
    }

    /// Whether it has neither operands nor memory.
    pub fn is_constant(&self) -> bool {
        matches!(self, Primitive::Full { .. } | Primitive::Iota { .. })
    }

    /// Whether it is a sum of products.
    pub fn is_contraction(&self) -> bool {
        matches!(
            self,
            Primitive::MatMul
                | Primitive::Conv2d(_)
                | Primitive::Conv2dInputGrad(_)
                | Primitive::Conv2dWeightGrad(_)
        )
    }

    /// Whether each element of the result depends on the same element of the operands alone.
    pub fn is_elementwise(&self) -> bool {
        matches!(
            self,
            Primitive::Unary(_)
                | Primitive::Binary(_)
                | Primitive::Where
                | Primitive::Cast { .. }
                | Primitive::Full { .. }
                | Primitive::Iota { .. }
                | Primitive::Random { .. }
                | Primitive::Detach
        )
    }
}
