//! Reading tensors: the boundary where by-run evaluation happens.

use std::sync::Arc;

use super::{Buffer, Element, Tensor};
use crate::by_run;
use crate::error::{Error, Result};

impl Tensor {
    /// Computes the value, once; later reads find it.
    pub fn eval(&self) -> Result<Arc<Buffer>> {
        self.check()?;
        if self.node().value.get().is_none() {
            by_run::evaluate(std::slice::from_ref(self))?;
        }
        match self.node().value.get() {
            Some(value) => Ok(Arc::clone(value)),
            None => Err(Error::NotEvaluable("something that was not evaluated".into())),
        }
    }

    /// Computes several values in one program, so that what they share is computed once.
    ///
    /// ```
    /// use barun_engine::{Tensor, DType};
    /// let x = Tensor::from([1.0f32, 2.0]).variable();
    /// let loss = x.square().sum(..);
    /// let gradient = loss.grad(&[&x])?.remove(0);
    /// Tensor::eval_all(&[&loss, &gradient])?;
    /// assert_eq!(loss.item::<f32>()?, 5.0);
    /// # Ok::<(), barun_engine::Error>(())
    /// ```
    pub fn eval_all(tensors: &[&Tensor]) -> Result<()> {
        let mut pending = Vec::new();
        for tensor in tensors {
            tensor.check()?;
            if tensor.node().value.get().is_none() {
                pending.push((*tensor).clone());
            }
        }
        by_run::evaluate(&pending)
    }

    /// The elements in row-major order; `bool` reads as `u8`. An error if `T` is not the tensor's type.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        Ok(self.eval()?.as_slice::<T>()?.to_vec())
    }

    /// The only element.
    pub fn item<T: Element>(&self) -> Result<T> {
        match self.eval()?.as_slice::<T>()? {
            [only] => Ok(*only),
            _ => Err(Error::NotScalar(self.node().shape.to_string())),
        }
    }
}
