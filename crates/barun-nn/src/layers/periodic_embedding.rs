//! Numbers as periodic features.

use std::f64::consts::PI;

use crate::param::{Parameter, Role};
use crate::{Forward, Hyper, Id, Init, Module, Pass, Result, Tensor, Visitor};

/// Numbers as periodic features: each column becomes itself and a few learned mixtures of cosines of it.
///
/// ```text
/// v_cf = cos(2 pi (frequency_cf x_c + phase_cf))
/// y_c  = [x_c, sum_f weight_c1f v_cf + bias_c1, ..]                  [n, columns] -> [n, columns size]
/// ```
///
/// A network of ReLUs bends slowly: what jumps or goes up and down along one column (an hour of the day, a latitude)
/// takes it many units. Cosines hand it the bends; training moves frequencies and phases. Frequencies begin normal with
/// deviation `sigma`: small ones give a smooth curve, large ones can follow every row, noise too.
///
/// Gorishniy et al., 2022, "On embeddings for numerical features in tabular deep learning" (PL); with phases and the
/// column itself in place of sines and a ReLU, as Holzmueller et al., 2024, "Better by default: strong pre-tuned MLPs
/// and boosted trees on tabular data" (PBLD), whose 16 frequencies, size 4 and sigma 0.1 these are.
#[derive(Clone, Debug, Hyper)]
pub struct PeriodicEmbedding {
    /// Columns in.
    pub columns: usize,
    /// Cosines of each column.
    pub frequencies: usize,
    /// Values that stand for a column afterwards: itself, and `size - 1` mixtures.
    pub size: usize,
    /// The standard deviation of the first frequencies.
    pub sigma: f64,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl PeriodicEmbedding {
    /// Four values for each of `columns` columns, of 16 cosines, sigma 0.1.
    pub fn new(columns: usize) -> Self {
        PeriodicEmbedding { columns, frequencies: 16, size: 4, sigma: 0.1, id: Id::new() }
    }

    fn mixtures(&self) -> usize {
        self.size.saturating_sub(1)
    }
}

impl Module for PeriodicEmbedding {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
        let (columns, frequencies, mixtures) = (self.columns, self.frequencies, self.mixtures());
        if mixtures == 0 {
            return;
        }
        // Frequencies have no reason to be 0: decay leaves them alone.
        let free = |shape: &[usize], init| Parameter { shape: shape.into(), init, role: Role::Bias };
        visitor.parameter(&self.id, "frequency", &free(&[columns, 1, frequencies], Init::Normal(self.sigma)));
        visitor.parameter(&self.id, "phase", &free(&[columns, 1, frequencies], Init::Uniform(0.5)));
        let bound = Init::Uniform(1.0 / (frequencies.max(1) as f64).sqrt());
        visitor.parameter(&self.id, "weight", &Parameter::weight([columns, mixtures, frequencies], bound));
        visitor.parameter(&self.id, "bias", &Parameter::bias([columns, mixtures], bound));
    }
}

impl Forward for PeriodicEmbedding {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "PeriodicEmbedding", |pass| {
            let shape = x.shape()?;
            if shape.rank() != 2 || shape[1] != self.columns || self.size == 0 {
                let requirement = format!(
                    "the input must be rows of the layer's {} columns, its size {} at least 1",
                    self.columns, self.size
                );
                let help = "set the layer's columns to fit, and put it first";
                return Ok(Tensor::error("periodic_embedding", &[x], requirement, help));
            }
            if self.mixtures() == 0 {
                return Ok(x.clone());
            }
            let parameter = |name| pass.parameter(&self.id, name);
            let turns =
                x.reshape([shape[0], self.columns, 1, 1]) * parameter("frequency")? + parameter("phase")?;
            let mixed = ((turns * (2.0 * PI)).cos() * parameter("weight")?).sum(-1) + parameter("bias")?;
            Ok(Tensor::concat(&[&x.unsqueeze(-1), &mixed], -1).flatten(1))
        })
    }
}
