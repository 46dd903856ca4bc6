//! Arithmetic on bf16 is arithmetic in f32 on the same numbers: the operation's operands are widened first.
//!
//! What only moves, chooses or compares stays in bf16, where that is exact. A contraction takes bf16 as it is.

use super::{DType, Tensor};
use crate::graph::{Binary, Origin, Primitive, Unary};

/// The operands of `op` in the type it computes in, if that is not the one they have.
pub(super) fn promoted(op: &Primitive, operands: &[&Tensor], origin: &Origin) -> Option<Vec<Tensor>> {
    let is = |dtype: DType| move |operand: &&Tensor| operand.dtype() == dtype;
    if !operands.iter().any(is(DType::BF16)) {
        return None;
    }
    let computes = match op {
        Primitive::Unary(op) => !matches!(op, Unary::Tanh),
        Primitive::Binary(Binary::Max | Binary::Min | Binary::Less | Binary::Equal)
        | Primitive::Where
        | Primitive::Concat { .. } => operands.iter().any(is(DType::F32)),
        Primitive::Binary(_)
        | Primitive::Sum { .. }
        | Primitive::Max { .. }
        | Primitive::ArgMax { .. }
        | Primitive::ScatterAdd { .. } => true,
        _ => false,
    };
    // With any other type the shape rule refuses, and shows the operands as they were given.
    let fits =
        |operand: &&Tensor| matches!(operand.dtype(), DType::F32 | DType::BF16 | DType::Bool | DType::I64);
    if !computes || !operands.iter().all(fits) {
        return None;
    }
    let widened = |operand: &&Tensor| match operand.dtype() {
        DType::BF16 => {
            Tensor::build_at(Primitive::Cast { dtype: DType::F32 }, &[operand], None, origin.clone())
        }
        _ => (*operand).clone(),
    };
    Some(operands.iter().map(widened).collect())
}
