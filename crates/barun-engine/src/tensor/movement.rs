//! Operations that move elements and compute nothing.

use super::reduce::resolve_axis;
use super::{Shape, Tensor};
use crate::graph::Primitive;

impl Tensor {
    /// The same elements in row-major order under another shape of as many elements.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        if self.check().is_ok() && self.node().shape == shape {
            return self.clone();
        }
        Tensor::build(Primitive::Reshape, &[self], Some((shape, self.dtype())))
    }

    /// Joins all axes from `axis` on: `flatten(1)` takes `[n, h, w, c]` to `[n, h * w * c]`. [DATA-27]
    #[track_caller]
    pub fn flatten(&self, axis: i64) -> Tensor {
        let shape = &self.node().shape;
        let axis = resolve_axis(axis, shape.rank());
        if axis > shape.rank() {
            return Tensor::error("flatten", &[self], format!("there is no axis {axis} in {shape}"), "");
        }
        let joined = shape[axis..].iter().product();
        self.reshape(shape[..axis].iter().copied().chain([joined]).collect::<Shape>())
    }

    /// Inserts an axis of size 1 before position `axis` (negative: counted from the end of the result).
    #[track_caller]
    pub fn unsqueeze(&self, axis: i64) -> Tensor {
        let mut sizes = self.node().shape.to_vec();
        let axis = resolve_axis(axis, sizes.len() + 1);
        if axis > sizes.len() {
            return Tensor::error("unsqueeze", &[self], format!("there is no place {axis} for an axis"), "");
        }
        sizes.insert(axis, 1);
        self.reshape(sizes)
    }

    /// Repeats along axes of size 1, and along new leading axes, until the shape is `shape`.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        let own = &self.node().shape;
        if *own == shape || self.check().is_err() {
            return self.clone();
        }
        let missing = shape.rank().saturating_sub(own.rank());
        let aligned =
            self.reshape(std::iter::repeat_n(1, missing).chain(own.iter().copied()).collect::<Shape>());
        Tensor::build(Primitive::Broadcast, &[&aligned], Some((shape, self.dtype())))
    }

    /// Axis `i` of the result is axis `order[i]` of this tensor.
    #[track_caller]
    pub fn permute(&self, order: &[usize]) -> Tensor {
        if order.iter().copied().eq(0..self.rank()) {
            return self.clone();
        }
        Tensor::build(Primitive::Permute { order: order.to_vec() }, &[self], None)
    }

    /// Swaps the last two axes.
    #[track_caller]
    pub fn transpose(&self) -> Tensor {
        let rank = self.rank();
        if rank < 2 {
            return Tensor::error("transpose", &[self], "a transpose needs at least two axes", "");
        }
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(rank - 2, rank - 1);
        self.permute(&order)
    }

    /// Per axis `count[i]` elements from `start[i]` on, each `step[i]` apart.
    #[track_caller]
    pub fn slice(&self, start: &[usize], count: &[usize], step: &[usize]) -> Tensor {
        let op = Primitive::Slice { start: start.to_vec(), step: step.to_vec() };
        Tensor::build(op, &[self], Some((Shape::from(count), self.dtype())))
    }

    /// Elements `from..to` along `axis`.
    #[track_caller]
    pub fn narrow(&self, axis: i64, from: usize, to: usize) -> Tensor {
        let shape = &self.node().shape;
        let axis = resolve_axis(axis, shape.rank());
        if axis >= shape.rank() || from > to || to > shape[axis] {
            let requirement = format!("{from}..{to} does not lie inside axis {axis} of {shape}");
            return Tensor::error("narrow", &[self], requirement, "");
        }
        let mut start = vec![0; shape.rank()];
        let mut count = shape.to_vec();
        start[axis] = from;
        count[axis] = to - from;
        self.slice(&start, &count, &vec![1; shape.rank()])
    }

    /// Zeros before, after and between the elements of each axis.
    #[track_caller]
    pub fn pad(&self, low: &[usize], high: &[usize], interior: &[usize]) -> Tensor {
        let op = Primitive::Pad { low: low.to_vec(), high: high.to_vec(), interior: interior.to_vec() };
        Tensor::build(op, &[self], None)
    }

    /// `tensors` one after the other along `axis`.
    #[track_caller]
    pub fn concat(tensors: &[&Tensor], axis: i64) -> Tensor {
        match tensors {
            [] => Tensor::error("concat", &[], "there is nothing to concatenate", ""),
            [only] => (*only).clone(),
            [first, ..] => {
                Tensor::build(Primitive::Concat { axis: resolve_axis(axis, first.rank()) }, tensors, None)
            }
        }
    }

    /// Reversed along `axes`.
    #[track_caller]
    pub fn flip(&self, axes: &[usize]) -> Tensor {
        Tensor::build(Primitive::Flip { axes: axes.to_vec() }, &[self], None)
    }

    /// Rows of this table along its first axis: `[n, rest..]` by i64 `[idx..]` gives `[idx.., rest..]`.
    /// An index outside `0..n` reads as the nearest row inside.
    #[track_caller]
    pub fn gather(&self, indices: &Tensor) -> Tensor {
        Tensor::build(Primitive::Gather, &[self, indices], None)
    }

    /// Adds these rows `[idx.., rest..]` into zeros `[size, rest..]` at i64 `indices`; the adjoint of [`Tensor::gather`].
    #[track_caller]
    pub fn scatter_add(&self, indices: &Tensor, size: usize) -> Tensor {
        Tensor::build(Primitive::ScatterAdd { size }, &[self, indices], None)
    }

    /// i64 class labels `[..]` as `[.., classes]` with a 1 at the label. [DATA-12]
    #[track_caller]
    pub fn one_hot(&self, classes: usize, dtype: super::DType) -> Tensor {
        if self.dtype() != super::DType::I64 {
            return Tensor::error(
                "one_hot",
                &[self],
                "labels must be i64",
                "cast them with .cast(DType::I64)",
            );
        }
        let shape: Shape = self.node().shape.iter().copied().chain([classes]).collect();
        let axis = shape.rank() - 1;
        let positions = Tensor::iota(shape, axis, super::DType::I64);
        self.unsqueeze(-1).equal(&positions).cast(dtype)
    }
}
