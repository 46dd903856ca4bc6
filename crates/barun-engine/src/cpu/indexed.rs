//! Kernels that move elements by index: gather, scatter-add, argmax, pad, concatenate.

use super::kernel::{Block, Io, Kernel};
use super::tile::Number;
use crate::tensor::{DType, Shape};

/// What one of these kernels does.
#[derive(Clone, Debug)]
pub enum Indexed {
    /// Rows of a table; inputs: table, indices.
    Gather {
        /// Rows of the table.
        rows: usize,
        /// Bytes of a row.
        row_bytes: usize,
        /// How many indices.
        indices: usize,
    },
    /// Adds rows into zeros; inputs: rows, indices.
    ScatterAdd {
        /// Rows of the result.
        rows: usize,
        /// Elements of a row.
        row: usize,
        /// How many indices.
        indices: usize,
        /// Element type.
        dtype: DType,
    },
    /// The first position of the maximum of the middle axis of `[outer, size, inner]`.
    ArgMax {
        /// Product of the axes before.
        outer: usize,
        /// The axis.
        size: usize,
        /// Product of the axes after.
        inner: usize,
        /// Element type.
        dtype: DType,
    },
    /// Zeros around and between.
    Pad {
        /// Sizes of the operand.
        from: Shape,
        /// Sizes of the result.
        to: Shape,
        /// Zeros before, per axis.
        low: Vec<usize>,
        /// Zeros between, per axis.
        interior: Vec<usize>,
        /// Bytes of an element.
        element: usize,
    },
    /// Operands one after the other: `outer` times each one's `bytes`.
    Concat {
        /// Product of the axes before.
        outer: usize,
        /// Bytes of the rest of each operand.
        bytes: Vec<usize>,
    },
}

impl Kernel for Indexed {
    fn phases(&self) -> &[usize] {
        &[1]
    }

    fn workspace_bytes(&self) -> usize {
        0
    }

    fn scratch_bytes(&self) -> usize {
        0
    }

    fn flops(&self) -> f64 {
        match self {
            Indexed::ScatterAdd { row, indices, .. } => (row * indices) as f64,
            _ => 0.0,
        }
    }

    unsafe fn run(
        &self,
        _phase: usize,
        _task: usize,
        io: &Io<'_>,
        _scratch: *mut u8,
        _finished: &mut dyn FnMut(Block),
    ) {
        // SAFETY: the caller's contract gives operands and result of the shapes this was built for.
        unsafe {
            match self {
                Indexed::Gather { rows, row_bytes, indices } => {
                    for (place, &index) in slice::<i64>(io.inputs[1], *indices).iter().enumerate() {
                        let from = io.inputs[0].add(clamp(index, *rows) * row_bytes);
                        std::ptr::copy_nonoverlapping(from, io.output.add(place * row_bytes), *row_bytes);
                    }
                }
                Indexed::ScatterAdd { rows, row, indices, dtype: DType::F64 } => {
                    scatter_add::<f64>(io, *rows, *row, *indices);
                }
                Indexed::ScatterAdd { rows, row, indices, .. } => {
                    scatter_add::<f32>(io, *rows, *row, *indices)
                }
                Indexed::ArgMax { outer, size, inner, dtype: DType::F64 } => {
                    arg_max::<f64>(io, *outer, *size, *inner);
                }
                Indexed::ArgMax { outer, size, inner, .. } => arg_max::<f32>(io, *outer, *size, *inner),
                Indexed::Pad { from, to, low, interior, element } => {
                    pad(io, from, to, low, interior, *element)
                }
                Indexed::Concat { outer, bytes } => {
                    let total: usize = bytes.iter().sum();
                    let mut at = 0;
                    for (input, &bytes) in io.inputs.iter().zip(bytes) {
                        for index in 0..*outer {
                            let to = io.output.add(index * total + at);
                            std::ptr::copy_nonoverlapping(input.add(index * bytes), to, bytes);
                        }
                        at += bytes;
                    }
                }
            }
        }
    }
}

/// An index outside reads as the nearest row inside.
fn clamp(index: i64, rows: usize) -> usize {
    index.clamp(0, rows as i64 - 1) as usize
}

unsafe fn slice<'a, T>(pointer: *const u8, count: usize) -> &'a [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(pointer.cast(), count) }
}

unsafe fn scatter_add<T: Number>(io: &Io<'_>, rows: usize, row: usize, indices: usize) {
    // SAFETY: the kernel's contract.
    unsafe {
        let result = std::slice::from_raw_parts_mut(io.output.cast::<T>(), rows * row);
        result.fill(T::ZERO);
        let added = slice::<T>(io.inputs[0], indices * row);
        for (place, &index) in slice::<i64>(io.inputs[1], indices).iter().enumerate() {
            let to = &mut result[clamp(index, rows) * row..][..row];
            for (to, &value) in to.iter_mut().zip(&added[place * row..]) {
                *to = to.plus(value);
            }
        }
    }
}

unsafe fn arg_max<T: Number>(io: &Io<'_>, outer: usize, size: usize, inner: usize) {
    // SAFETY: the kernel's contract.
    unsafe {
        let values = slice::<T>(io.inputs[0], outer * size * inner);
        let result = std::slice::from_raw_parts_mut(io.output.cast::<i64>(), outer * inner);
        for (place, result) in result.iter_mut().enumerate() {
            let at = |index: usize| values[(place / inner * size + index) * inner + place % inner];
            let mut best = 0;
            for index in 1..size {
                // A NaN wins over numbers, and the first one stays.
                let (value, most) = (at(index), at(best));
                if value > most || (value.is_nan() && !most.is_nan()) {
                    best = index;
                }
            }
            *result = best as i64;
        }
    }
}

unsafe fn pad(io: &Io<'_>, from: &Shape, to: &Shape, low: &[usize], interior: &[usize], element: usize) {
    // SAFETY: the kernel's contract; every element's place lies inside the result by the shape rule.
    unsafe {
        std::ptr::write_bytes(io.output, 0, to.elements() * element);
        if from.elements() == 0 {
            return;
        }
        let rank = from.rank();
        let strides = to.strides();
        // The last axis in runs, if nothing is put between its elements.
        let run = if rank > 0 && interior[rank - 1] == 0 { from[rank - 1] } else { 1 };
        for flat in (0..from.elements()).step_by(run) {
            let (mut rest, mut place) = (flat, 0);
            for axis in (0..rank).rev() {
                place += (low[axis] + rest % from[axis] * (interior[axis] + 1)) * strides[axis];
                rest /= from[axis];
            }
            std::ptr::copy_nonoverlapping(
                io.inputs[0].add(flat * element),
                io.output.add(place * element),
                run * element,
            );
        }
    }
}
