//! Random tensors by run.

use super::{DType, Shape, Tensor};

/// A source of random tensors: each draw is a function of the seed and of how many came before.
///
/// ```
/// use barun_engine::{DType, Generator};
/// let draw = || Generator::new(7).normal([3], DType::F64).to_vec::<f64>();
/// assert_eq!(draw()?, draw()?);
/// # Ok::<(), barun_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Generator {
    seed: u64,
    draws: u64,
}

impl Generator {
    /// A source for `seed`.
    pub fn new(seed: u64) -> Self {
        Generator { seed, draws: 0 }
    }

    /// Uniform numbers in `[0, 1)`.
    #[track_caller]
    pub fn uniform(&mut self, shape: impl Into<Shape>, dtype: DType) -> Tensor {
        self.draws += 1;
        let seed = Tensor::from(self.seed as i64);
        let step = Tensor::scalar(0.0, DType::I64);
        Tensor::random(self.draws, shape, dtype, &seed, &step)
    }

    /// Standard normal numbers (Box and Muller, 1958).
    #[track_caller]
    pub fn normal(&mut self, shape: impl Into<Shape>, dtype: DType) -> Tensor {
        let shape = shape.into();
        let radius = ((1.0 - self.uniform(shape.clone(), dtype)).ln() * -2.0).sqrt();
        radius * (self.uniform(shape, dtype) * std::f64::consts::TAU).cos()
    }
}
