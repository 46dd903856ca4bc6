//! Where a NaN or an infinity came from. [DIAG-14]

use std::fmt;

use super::{Batch, Key, Purpose, Step};
use crate::pass::position;
use crate::{Buffer, Forward, Module, Result, State};

/// Why a step was not taken: the first thing on the way from the inputs to the loss, and from there back to the
/// gradients, that is not finite though all before it was.
#[derive(Clone, Debug, PartialEq)]
pub enum NonFinite {
    /// The batch itself holds it.
    Batch {
        /// `inputs` or `targets`.
        name: &'static str,
        /// The row in the batch, from 0.
        row: usize,
        /// `NaN`, `inf` or `-inf`.
        value: f64,
    },
    /// A parameter held it before the step.
    Parameter {
        /// The parameter's path.
        path: String,
        /// Flat index of the element.
        index: usize,
        /// `NaN`, `inf` or `-inf`.
        value: f64,
    },
    /// An operation made it of finite numbers, on the way to the loss or, if it is
    /// [in a gradient](barun_engine::NonFinite::in_gradient), on the way back.
    Operation(barun_engine::NonFinite),
    /// Every gradient is finite, but their norm is more than the type of the arithmetic can hold.
    Norm {
        /// The norm.
        norm: f64,
    },
}

impl NonFinite {
    /// The path of the layer or parameter to blame, if there is one.
    pub fn path(&self) -> Option<&str> {
        match self {
            NonFinite::Parameter { path, .. } => Some(path),
            NonFinite::Operation(found) => Some(found.layer.as_str()).filter(|layer| !layer.is_empty()),
            NonFinite::Batch { .. } | NonFinite::Norm { .. } => None,
        }
    }
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NonFinite::Batch { name, row, value } => {
                write!(f, "the {name} of the batch hold {value} in row {row}")
            }
            NonFinite::Parameter { path, index, value } => {
                write!(f, "the parameter `{path}` was {value} at element {index} before the step")
            }
            NonFinite::Operation(found) => {
                let way = if found.in_gradient { "on the way back" } else { "on the way to the loss" };
                write!(f, "{way}, {found}")
            }
            NonFinite::Norm { norm } => {
                write!(
                    f,
                    "every gradient is finite, but together they are too large: f32 cannot hold the square of their norm, {norm:.1e}"
                )
            }
        }
    }
}

impl<M: Module + Forward> Step<M> {
    /// Finds out why [`run`](Step::run) does not take a step with `batch`: goes through the step again, op by op, with the
    /// same random numbers. None if all is finite. Changes nothing.
    ///
    /// ```
    /// use barun_nn::{Batch, Buffer, NonFinite, Step, layers::*, losses::Mse, optimizers::Sgd, sequential};
    /// let step = Step::compile(sequential![Linear::new(2, 1)], &Sgd::default(), &Mse::default())?;
    /// let batch = Batch { x: Buffer::new(&[1.0f32, f32::NAN], [1, 2]), y: Buffer::new(&[1.0f32], [1, 1]) };
    /// let found = step.locate(&step.init(1)?, &batch)?.unwrap();
    /// assert_eq!(found.to_string(), "the inputs of the batch hold NaN in row 0");
    /// # Ok::<(), barun_nn::Error>(())
    /// ```
    pub fn locate(&self, state: &State, batch: &Batch) -> Result<Option<NonFinite>> {
        for (name, buffer) in [("inputs", &batch.x), ("targets", &batch.y)] {
            if let Some((index, value)) = first_wrong(buffer) {
                let rows = buffer.shape().first().copied().unwrap_or(1).max(1);
                let row = index / (buffer.shape().elements() / rows).max(1);
                return Ok(Some(NonFinite::Batch { name, row, value }));
            }
        }
        for entry in &self.inventory.parameters {
            let values = state.read(position(&self.layout, &entry.path)?);
            if let Some((index, value)) = first_wrong(&values) {
                return Ok(Some(NonFinite::Parameter { path: entry.path.clone(), index, value }));
            }
        }
        let kind = |buffer: &Buffer| (buffer.shape().clone(), buffer.dtype());
        let key = Key { purpose: Purpose::Checked, x: kind(&batch.x), y: Some(kind(&batch.y)) };
        let checked = self.build(&key)?.program;
        if let Some(found) = checked.locate(state, &[&batch.x, &batch.y])? {
            return Ok(Some(NonFinite::Operation(found)));
        }
        if self.run(&mut state.clone(), batch, 0.0)?.applied {
            return Ok(None);
        }
        let gradients = self.gradients(state, batch)?;
        let squares = gradients.iter().flat_map(|(_, gradient)| gradient.to_f64()).map(|x| x * x);
        Ok(Some(NonFinite::Norm { norm: squares.sum::<f64>().sqrt() }))
    }
}

/// The first element that is not finite.
fn first_wrong(buffer: &Buffer) -> Option<(usize, f64)> {
    if !buffer.dtype().is_float() {
        return None;
    }
    buffer.to_f64().into_iter().enumerate().find(|(_, value)| !value.is_finite())
}
