//! Tensors: cheap handles to nodes of the graph.
//!
//! Calling an operation builds a node; reading (`to_vec`, `item`, `eval`) runs what is needed. Operations never fail:
//! a mistake turns the result into a tensor that carries the first error, with layer, operation, shapes, requirement,
//! place and suggestion, and every boundary ([`Tensor::check`], [`Tensor::shape`], a read, a compile) returns it.
//!
//! ```
//! use barun_engine::Tensor;
//! let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]).variable();
//! let loss = (&x * &x).sum(..);
//! let gradient = loss.grad(&[&x])?[0].to_vec::<f32>()?;
//! assert_eq!(gradient, [2.0, 4.0, 6.0, 8.0]);
//! # Ok::<(), barun_engine::Error>(())
//! ```

mod buffer;
mod contraction;
mod dtype;
mod elementwise;
mod generator;
mod movement;
mod promote;
mod read;
mod reduce;
mod scan;
mod shape;

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, OnceLock, RwLock};

pub use buffer::Buffer;
pub use dtype::{DType, Element};
pub use generator::Generator;
pub use reduce::Axes;
pub(crate) use scan::project as project_scan;
pub use scan::{ScanOptions, scan};
pub use shape::Shape;

use crate::error::{Error, OpError, Result};
use crate::graph::{Kind, Literal, Misfit, Node, Origin, Primitive, infer};

/// A handle to a node of the graph; see the module docs.
#[derive(Clone)]
pub struct Tensor(Arc<Node>);

/// Unevaluated operations after which a chain that nobody reads is evaluated, so that a loop does not grow.
const MAX_PENDING: u32 = 1000;

impl Tensor {
    /// A tensor of given values.
    #[track_caller]
    pub fn new(value: Buffer) -> Self {
        let kind = (value.shape().clone(), value.dtype());
        let tensor = Tensor::build_at(Primitive::Data, &[], Some(kind), Origin::new(Location::caller()));
        tensor.0.set_value(Arc::new(value));
        tensor
    }

    /// A tensor of `values` in row-major order; their number must be that of `shape`.
    #[track_caller]
    pub fn from_slice<T: Element>(values: &[T], shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        if values.len() != shape.elements() {
            let requirement =
                format!("{} values cannot fill shape {shape} of {} elements", values.len(), shape.elements());
            return Tensor::misfit("from_slice", &[], requirement, "", Origin::new(Location::caller()));
        }
        Tensor::new(Buffer::new(values, shape))
    }

    /// Every element `value`.
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: f64, dtype: DType) -> Self {
        Tensor::leaf(Primitive::Full { value: Literal::new(value, dtype) }, shape.into(), dtype)
    }

    /// Every element 0.
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>, dtype: DType) -> Self {
        Tensor::full(shape, 0.0, dtype)
    }

    /// Every element 1.
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>, dtype: DType) -> Self {
        Tensor::full(shape, 1.0, dtype)
    }

    /// A scalar.
    #[track_caller]
    pub fn scalar(value: f64, dtype: DType) -> Self {
        Tensor::full([], value, dtype)
    }

    /// The position along `axis` at each place.
    #[track_caller]
    pub fn iota(shape: impl Into<Shape>, axis: usize, dtype: DType) -> Self {
        Tensor::leaf(Primitive::Iota { axis }, shape.into(), dtype)
    }

    /// `0, 1, .. count - 1`.
    #[track_caller]
    pub fn arange(count: usize, dtype: DType) -> Self {
        Tensor::iota([count], 0, dtype)
    }

    /// An input that gets its value each time a [`Session`](crate::Session) runs.
    #[track_caller]
    pub fn placeholder(name: &str, shape: impl Into<Shape>, dtype: DType) -> Self {
        Tensor::leaf(Primitive::Placeholder { name: name.into() }, shape.into(), dtype)
    }

    /// A tensor of a program's state, by its position in the [`Layout`](crate::Layout).
    #[track_caller]
    pub fn slot(index: usize, shape: impl Into<Shape>, dtype: DType) -> Self {
        Tensor::leaf(Primitive::Slot { index }, shape.into(), dtype)
    }

    /// Uniform numbers in `[0, 1)` that are a function of `seed` and `step` (i64 scalars), `key` and the position alone.
    #[track_caller]
    pub fn random(key: u64, shape: impl Into<Shape>, dtype: DType, seed: &Tensor, step: &Tensor) -> Self {
        Tensor::build(Primitive::Random { key }, &[seed, step], Some((shape.into(), dtype)))
    }

    /// This value as a tracked leaf: gradients with respect to it will be asked for, so what is built from it is kept.
    ///
    /// Evaluates the tensor; its past is forgotten.
    #[track_caller]
    pub fn variable(&self) -> Self {
        let origin = Origin::new(Location::caller());
        if self.0.evaluable
            && let Ok(value) = self.eval()
        {
            let kind = (self.0.shape.clone(), self.0.dtype);
            let mut node = Self::make(Primitive::Data, Vec::new(), kind, None, origin);
            node.tracked = true;
            let tensor = Tensor(Arc::new(node));
            tensor.0.set_value(value);
            return tensor;
        }
        self.clone()
    }

    /// The error this tensor carries, if any.
    pub fn check(&self) -> Result<&Self> {
        match &self.0.error {
            Some(error) => Err(Error::Op(Arc::clone(error))),
            None => Ok(self),
        }
    }

    /// The shape, or the error this tensor carries.
    pub fn shape(&self) -> Result<&Shape> {
        self.check()?;
        Ok(&self.0.shape)
    }

    /// The element type. A tensor that carries an error says `F32`.
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// The number of axes. A tensor that carries an error says 0.
    pub fn rank(&self) -> usize {
        self.0.shape.rank()
    }

    /// A tensor that carries an error of a layer or formula, with its place in the source.
    #[track_caller]
    pub fn error(op: &str, operands: &[&Tensor], requirement: impl Into<String>, suggestion: &str) -> Self {
        Tensor::misfit(op, operands, requirement, suggestion, Origin::new(Location::caller()))
    }

    pub(crate) fn node(&self) -> &Node {
        &self.0
    }

    /// How many handles and users this node has.
    pub(crate) fn handles(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    #[track_caller]
    fn leaf(op: Primitive, shape: Shape, dtype: DType) -> Self {
        Tensor::build(op, &[], Some((shape, dtype)))
    }

    #[track_caller]
    pub(crate) fn build(op: Primitive, operands: &[&Tensor], wanted: Option<Kind>) -> Self {
        Tensor::build_at(op, operands, wanted, Origin::new(Location::caller()))
    }

    /// Builds the node of `op`; the one way nodes come to be.
    pub(crate) fn build_at(
        op: Primitive,
        operands: &[&Tensor],
        wanted: Option<Kind>,
        origin: Origin,
    ) -> Self {
        if let Some(failed) = operands.iter().find(|operand| operand.0.error.is_some()) {
            return (*failed).clone();
        }
        let promoted = promote::promoted(&op, operands, &origin);
        let promoted: Vec<&Tensor> = promoted.iter().flatten().collect();
        let operands = if promoted.is_empty() { operands } else { &promoted };
        let kinds: Vec<Kind> = operands.iter().map(|operand| operand.kind()).collect();
        let tensor = match infer(&op, &kinds.iter().collect::<Vec<_>>(), wanted.as_ref()) {
            Ok(kind) => {
                let operands = operands.iter().map(|&operand| operand.clone()).collect();
                Tensor(Arc::new(Self::make(op, operands, kind, None, origin)))
            }
            Err(Misfit { requirement, suggestion }) => {
                return Tensor::misfit(op.name(), operands, requirement, &suggestion, origin);
            }
        };
        if tensor.0.depth > MAX_PENDING && tensor.0.evaluable {
            // An error here will be met again, and reported, by the read that asks for the value.
            let _ = tensor.eval();
        }
        tensor
    }

    fn misfit(
        op: &str,
        operands: &[&Tensor],
        requirement: impl Into<String>,
        suggestion: &str,
        origin: Origin,
    ) -> Self {
        if let Some(failed) = operands.iter().find(|operand| operand.0.error.is_some()) {
            return (*failed).clone();
        }
        let error = OpError {
            layer: origin.layer.to_string(),
            op: op.to_string(),
            operands: operands.iter().map(|operand| operand.describe()).collect(),
            requirement: requirement.into(),
            location: origin.place(),
            suggestion: suggestion.to_string(),
        };
        let kind = (Shape::from([]), DType::F32);
        Tensor(Arc::new(Self::make(Primitive::Data, Vec::new(), kind, Some(Arc::new(error)), origin)))
    }

    fn make(
        op: Primitive,
        operands: Vec<Tensor>,
        kind: Kind,
        error: Option<Arc<OpError>>,
        origin: Origin,
    ) -> Node {
        let is_program_leaf =
            matches!(op, Primitive::Placeholder { .. } | Primitive::Slot { .. } | Primitive::Feed { .. });
        let blocks_gradients = matches!(op, Primitive::Detach);
        let pending = |operand: &Tensor| if operand.0.value.get().is_some() { 0 } else { operand.0.depth };
        Node {
            id: Node::next_id(),
            tracked: is_program_leaf
                || (!blocks_gradients && operands.iter().any(|operand| operand.0.tracked)),
            evaluable: !is_program_leaf
                && error.is_none()
                && operands.iter().all(|operand| operand.0.evaluable),
            depth: operands.iter().map(pending).max().map_or(0, |depth| depth + 1),
            op,
            shape: kind.0,
            dtype: kind.1,
            operands: RwLock::new(operands),
            value: OnceLock::new(),
            error,
            origin,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        (self.0.shape.clone(), self.0.dtype)
    }

    /// Type and shape as messages show them: `f32[128, 784]`.
    pub fn describe(&self) -> String {
        format!("{}{}", self.0.dtype, self.0.shape)
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(error) = &self.0.error {
            return write!(f, "error: {error}");
        }
        match self.0.value.get() {
            Some(value) => write!(f, "{value:?}"),
            None => write!(f, "{} of {}", self.describe(), self.0.op.name()),
        }
    }
}

impl<T: Element> From<T> for Tensor {
    #[track_caller]
    fn from(value: T) -> Self {
        Tensor::new(Buffer::new(&[value], []))
    }
}

impl<T: Element, const N: usize> From<[T; N]> for Tensor {
    #[track_caller]
    fn from(values: [T; N]) -> Self {
        Tensor::new(Buffer::new(&values, [N]))
    }
}

impl<T: Element, const M: usize, const N: usize> From<[[T; N]; M]> for Tensor {
    #[track_caller]
    fn from(values: [[T; N]; M]) -> Self {
        Tensor::new(Buffer::new(values.as_flattened(), [M, N]))
    }
}
