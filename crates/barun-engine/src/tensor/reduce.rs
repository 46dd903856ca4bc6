//! Reductions over axes.

use std::ops::RangeFull;

use super::{Shape, Tensor};
use crate::graph::Primitive;

/// Which axes to reduce: `..` for all, a number, or an array; negative numbers count from the last axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Axes {
    /// Every axis.
    All,
    /// These axes.
    Some(Vec<i64>),
}

impl From<RangeFull> for Axes {
    fn from(_: RangeFull) -> Self {
        Axes::All
    }
}

impl From<i64> for Axes {
    fn from(axis: i64) -> Self {
        Axes::Some(vec![axis])
    }
}

impl<const N: usize> From<[i64; N]> for Axes {
    fn from(axes: [i64; N]) -> Self {
        Axes::Some(axes.to_vec())
    }
}

impl From<&[i64]> for Axes {
    fn from(axes: &[i64]) -> Self {
        Axes::Some(axes.to_vec())
    }
}

impl Axes {
    /// The axes as positions, sorted, each once; an axis that does not exist stays out of range for the shape rule to
    /// report.
    fn resolve(&self, shape: &Shape) -> Vec<usize> {
        let mut axes: Vec<usize> = match self {
            Axes::All => (0..shape.rank()).collect(),
            Axes::Some(axes) => axes.iter().map(|&axis| resolve_axis(axis, shape.rank())).collect(),
        };
        axes.sort_unstable();
        axes.dedup();
        axes
    }
}

/// A possibly negative axis as a position; one that does not exist becomes a position out of range.
pub(super) fn resolve_axis(axis: i64, rank: usize) -> usize {
    let resolved = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(resolved).unwrap_or(usize::MAX)
}

impl Tensor {
    #[track_caller]
    fn reduce(&self, make: fn(Vec<usize>) -> Primitive, axes: Axes, keep: bool) -> Tensor {
        let shape = &self.node().shape;
        let axes = axes.resolve(shape);
        if axes.is_empty() && self.check().is_ok() {
            return self.clone();
        }
        let reduced = Tensor::build(make(axes.clone()), &[self], None);
        if keep && reduced.check().is_ok() { reduced.reshape(shape.reduced(&axes, true)) } else { reduced }
    }

    /// The sum over `axes`, which disappear.
    #[track_caller]
    pub fn sum(&self, axes: impl Into<Axes>) -> Tensor {
        self.reduce(|axes| Primitive::Sum { axes }, axes.into(), false)
    }

    /// The sum over `axes`, which stay with size 1.
    #[track_caller]
    pub fn sum_keep(&self, axes: impl Into<Axes>) -> Tensor {
        self.reduce(|axes| Primitive::Sum { axes }, axes.into(), true)
    }

    /// The maximum over `axes`, which disappear. Its gradient is shared equally among equal maxima.
    #[track_caller]
    pub fn max(&self, axes: impl Into<Axes>) -> Tensor {
        self.reduce(|axes| Primitive::Max { axes }, axes.into(), false)
    }

    /// The maximum over `axes`, which stay with size 1.
    #[track_caller]
    pub fn max_keep(&self, axes: impl Into<Axes>) -> Tensor {
        self.reduce(|axes| Primitive::Max { axes }, axes.into(), true)
    }

    /// The mean over `axes`, which disappear.
    #[track_caller]
    pub fn mean(&self, axes: impl Into<Axes>) -> Tensor {
        let axes = axes.into();
        let count = self.count(&axes);
        self.sum(axes) / count
    }

    /// The mean over `axes`, which stay with size 1.
    #[track_caller]
    pub fn mean_keep(&self, axes: impl Into<Axes>) -> Tensor {
        let axes = axes.into();
        let count = self.count(&axes);
        self.sum_keep(axes) / count
    }

    fn count(&self, axes: &Axes) -> f64 {
        let shape = &self.node().shape;
        axes.resolve(shape).iter().map(|&axis| shape.get(axis).copied().unwrap_or(1)).product::<usize>()
            as f64
    }

    /// The first position of the maximum along `axis`, i64. A tie goes to the lowest position. [LOSS-17]
    #[track_caller]
    pub fn argmax(&self, axis: i64) -> Tensor {
        let axis = resolve_axis(axis, self.rank());
        Tensor::build(Primitive::ArgMax { axis }, &[self], None)
    }
}
