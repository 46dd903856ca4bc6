//! Element types.

use std::fmt;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// 32-bit float: the default for training.
    F32,
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
    pub const ALL: [DType; 5] = [DType::F32, DType::F64, DType::I64, DType::U8, DType::Bool];

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::F64 | DType::I64 => 8,
            DType::U8 | DType::Bool => 1,
        }
    }

    /// Whether gradients flow through it.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
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

macro_rules! element {
    ($($type:ty => $dtype:expr),*) => { $(
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const DTYPE: DType = $dtype;
            fn to_f64(self) -> f64 { self as f64 }
            fn from_f64(value: f64) -> Self { value as $type }
            fn write_le(self, out: &mut Vec<u8>) { out.extend_from_slice(&self.to_le_bytes()) }
            fn read_le(bytes: &[u8]) -> Self {
                let mut array = [0; size_of::<$type>()];
                array.copy_from_slice(bytes);
                <$type>::from_le_bytes(array)
            }
        }
    )* };
}
element!(f32 => DType::F32, f64 => DType::F64, i64 => DType::I64, u8 => DType::U8);
