//! Values: elements of one type in row-major order.

use std::fmt;

use half::bf16;

use super::{DType, Element, Shape};
use crate::cpu::memory::{Lives, Memory};
use crate::error::{Error, Result};

/// The elements of a tensor in memory.
#[derive(Clone)]
pub struct Buffer {
    memory: Memory,
    shape: Shape,
    dtype: DType,
}

impl Buffer {
    /// Zeros (`false` for bool).
    pub fn zeros(shape: impl Into<Shape>, dtype: DType) -> Self {
        let shape = shape.into();
        Buffer { memory: Memory::zeroed(shape.elements() * dtype.size(), Lives::Briefly), shape, dtype }
    }

    /// `values` in row-major order. Panics if their number is not that of `shape` (a mistake of the caller, not of data).
    pub fn new<T: Element>(values: &[T], shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        assert_eq!(values.len(), shape.elements(), "a buffer of shape {shape} needs as many values");
        Buffer { memory: Memory::from_slice(values, Lives::Briefly), shape, dtype: T::DTYPE }
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The elements; `bool` reads as `u8`. An error if `T` is not the buffer's type.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        self.check::<T>()?;
        Ok(self.memory.slice(0, self.shape.elements()))
    }

    /// The elements, for writing.
    pub fn as_mut_slice<T: Element>(&mut self) -> Result<&mut [T]> {
        self.check::<T>()?;
        Ok(self.memory.slice_mut(0, self.shape.elements()))
    }

    /// Every element as a float.
    pub fn to_f64(&self) -> Vec<f64> {
        let count = self.shape.elements();
        match self.dtype {
            DType::F32 => self.memory.slice::<f32>(0, count).iter().map(|x| x.to_f64()).collect(),
            DType::BF16 => self.memory.slice::<bf16>(0, count).iter().map(|x| Element::to_f64(*x)).collect(),
            DType::F64 => self.memory.slice::<f64>(0, count).to_vec(),
            DType::I64 => self.memory.slice::<i64>(0, count).iter().map(|x| x.to_f64()).collect(),
            DType::U8 | DType::Bool => self.memory.slice::<u8>(0, count).iter().map(|x| x.to_f64()).collect(),
        }
    }

    /// The raw bytes in the machine's order.
    pub fn bytes(&self) -> &[u8] {
        self.memory.slice(0, self.memory.bytes())
    }

    /// The raw bytes, for writing.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.slice_mut(0, self.memory.bytes())
    }

    fn check<T: Element>(&self) -> Result<()> {
        let fits = self.dtype == T::DTYPE || (self.dtype == DType::Bool && T::DTYPE == DType::U8);
        if fits { Ok(()) } else { Err(Error::WrongType { actual: self.dtype, requested: T::DTYPE }) }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} ", self.dtype, self.shape)?;
        let values = self.to_f64();
        if values.len() > 16 { write!(f, "{:?}..", &values[..16]) } else { write!(f, "{values:?}") }
    }
}
