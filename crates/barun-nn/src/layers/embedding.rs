//! Vectors for things that have no size: words, categories, products.

use crate::param::Parameter;
use crate::{DType, Forward, Hyper, Id, Init, Module, Pass, Result, Tensor, Visitor};

/// Embedding: a learned vector for each of a number of things, looked up by its number.
///
/// ```text
/// y = W[x]        whole numbers [..] -> [.., size],  W [count, size]
/// ```
///
/// The same as a linear layer on one-hot vectors, without the multiplications by 0; only the vectors that were looked up get
/// a gradient. A number below 0 or from `count` on stands for the nearest one there is. Vectors start standard normal, as
/// in PyTorch. Bengio et al., 2003, "A neural probabilistic language model".
#[derive(Clone, Debug, Hyper)]
pub struct Embedding {
    /// How many things there are.
    #[hyper(at_least_one)]
    pub count: usize,
    /// Numbers of a vector.
    #[hyper(at_least_one)]
    pub size: usize,
    /// First values of the vectors.
    pub init: Init,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Embedding {
    /// Vectors of `size` numbers for `count` things.
    pub fn new(count: usize, size: usize) -> Self {
        Embedding { count, size, init: Init::Normal(1.0), id: Id::new() }
    }
}

impl Module for Embedding {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
        visitor.parameter(&self.id, "weight", &Parameter::weight([self.count, self.size], self.init));
    }
}

impl Forward for Embedding {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "Embedding", |pass| {
            if x.check().is_ok() && x.dtype() != DType::I64 {
                let requirement = "it looks up whole numbers (i64)";
                let help = "feed i64 numbers, or cast them with .cast(DType::I64)";
                return Ok(Tensor::error("embedding", &[x], requirement, help));
            }
            Ok(pass.rounded(&pass.parameter(&self.id, "weight")?).gather(x))
        })
    }
}
