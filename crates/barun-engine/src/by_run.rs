//! By-run evaluation.
use crate::error::Result;
use crate::tensor::Tensor;
pub(crate) fn evaluate(_tensors: &[Tensor]) -> Result<()> {
    Ok(())
}
