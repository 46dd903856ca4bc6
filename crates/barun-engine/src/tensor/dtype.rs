//! Element types.

use std::fmt;

use half::bf16;

use crate::bfloat::{narrow_f64, widen};

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// 32-bit float: the default for training.
    F32,
    /// The upper half of an f32: to keep weights and activations in, and for the operands of contractions, which sum in
    /// f32. Arithmetic on it is arithmetic on the same numbers in f32.
    BF16,
    /// 64-bit float: for gradient checks.
    F64,
    /// 64-bit signed integer: labels, indices, counters.
    I64,
    /// 8-bit unsigned integer: images as they come.
    U8,
    /// Truth values, one byte each.
    Bool,
}

impl DType {
    /// Every type.
    pub const ALL: [DType; 6] = [DType::F32, DType::BF16, DType::F64, DType::I64, DType::U8, DType::Bool];

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            DType::BF16 => 2,
            DType::F32 => 4,
            DType::F64 | DType::I64 => 8,
            DType::U8 | DType::Bool => 1,
        }
    }

    /// Whether gradients flow through it.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::BF16 | DType::F64)
    }

    /// The type of what is computed with numbers of this type, and of their gradients: f32 for bf16, else the same.
    pub fn computed(self) -> DType {
        if self == DType::BF16 { DType::F32 } else { self }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::BF16 => "bf16",
            DType::F64 => "f64",
            DType::I64 => "i64",
            DType::U8 => "u8",
            DType::Bool => "bool",
        })
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that tensor elements can be read as and made from.
pub trait Element: sealed::Sealed + Copy + Send + Sync + PartialEq + fmt::Debug + 'static {
    /// The tensor type it stands for. `bool` tensors are read as `u8` 0 or 1.
    const DTYPE: DType;
    /// As a float, for messages and scalars.
    fn to_f64(self) -> f64;
    /// From a float, truncating where the type is whole.
    fn from_f64(value: f64) -> Self;
    /// Little-endian bytes appended to `out`.
    fn write_le(self, out: &mut Vec<u8>);
    /// From little-endian bytes; `bytes` has exactly the type's size.
    fn read_le(bytes: &[u8]) -> Self;
}

macro_rules! little_endian {
    ($type:ty) => {
        fn write_le(self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.to_le_bytes())
        }
        fn read_le(bytes: &[u8]) -> Self {
            let mut array = [0; size_of::<$type>()];
            array.copy_from_slice(bytes);
            <$type>::from_le_bytes(array)
        }
    };
}

macro_rules! element {
    ($($type:ty => $dtype:expr),*) => { $(
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const DTYPE: DType = $dtype;
            fn to_f64(self) -> f64 { self as f64 }
            fn from_f64(value: f64) -> Self { value as $type }
            little_endian!($type);
        }
    )* };
}
element!(f32 => DType::F32, f64 => DType::F64, i64 => DType::I64, u8 => DType::U8);

impl sealed::Sealed for bf16 {}
impl Element for bf16 {
    const DTYPE: DType = DType::BF16;
    fn to_f64(self) -> f64 {
        f64::from(widen(self))
    }
    fn from_f64(value: f64) -> Self {
        narrow_f64(value)
    }
    little_endian!(bf16);
}
