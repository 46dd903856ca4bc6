//! Muon.

use super::adam::AdamSlots;
use super::{AdamW, Context, DecayForm, Optimizer, ema};
use crate::hyper::named_cases;
use crate::{Hyper, Shape, Slots, Tensor};

/// How a step's size follows from the shape of its matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MuonScale {
    /// As large as AdamW's steps: `0.2 sqrt(max(in, out))`. So AdamW's rates and decay can be taken over. Liu et al.,
    /// 2025, "Muon is scalable for LLM training".
    #[default]
    MatchAdamW,
    /// `sqrt(max(1, out / in))`, as the author's.
    Original,
}
named_cases!(MuonScale { MatchAdamW = "match_adamw", Original = "original" });

/// Muon: momentum whose matrices are made orthogonal, so every direction of a layer learns at the same pace.
///
/// ```text
/// m <- momentum m + (1 - momentum) g;      u = (1 - momentum) g + momentum m
/// p <- p - lr weight_decay p - lr scale orthogonal(u)
/// orthogonal(X): X / |X|, then five times  X <- 3.4445 X - 4.775 (X X') X + 2.0315 (X X')^2 X
/// ```
///
/// The five steps of Newton and Schulz bring all singular values near 1. For the weights of hidden layers, `[in, out]` or
/// kernels as such a matrix; biases, scales and other vectors get AdamW's update at the same rate. Defaults follow PyTorch
/// (lr 1e-3, momentum 0.95, decay 0.1, Nesterov's form), but for the scale, which is chosen so that one rate suits both.
/// Jordan et al., 2024, "Muon: an optimizer for hidden layers in neural networks".
#[derive(Clone, Debug, Hyper)]
pub struct Muon {
    /// Learning rate.
    #[hyper(positive)]
    pub lr: f64,
    /// The part of the momentum that is kept.
    #[hyper(below_one)]
    pub momentum: f64,
    /// Look ahead as Nesterov does.
    pub nesterov: bool,
    /// Steps of Newton and Schulz.
    #[hyper(at_least_one)]
    pub iterations: usize,
    /// The size of a step for a matrix's shape.
    pub scale: MuonScale,
    /// The part of the weights, times the learning rate, that each step takes away; biases and normalisations are
    /// exempt.
    #[hyper(not_negative)]
    pub weight_decay: f64,
}

impl Default for Muon {
    fn default() -> Self {
        Muon {
            lr: 1e-3,
            momentum: 0.95,
            nesterov: true,
            iterations: 5,
            scale: MuonScale::MatchAdamW,
            weight_decay: 0.1,
        }
    }
}

/// What Muon remembers.
#[derive(Clone, Debug, Slots)]
pub struct MuonSlots {
    /// The average of gradients.
    pub mean: Tensor,
    /// The average of squared gradients, of what is no matrix; one unused number for a matrix.
    pub mean_square: Tensor,
}

/// The quintic's coefficients: steep at 0, and near 1 for all that comes out.
const QUINTIC: [f64; 3] = [3.4445, -4.7750, 2.0315];
/// Keeps a matrix of zeros.
const EPS: f64 = 1e-7;

fn is_matrix(shape: &Shape) -> bool {
    shape.rank() >= 2
}

/// Newton and Schulz' steps to the orthogonal matrix nearest to `matrix [rows, columns]`.
fn orthogonal(matrix: &Tensor, iterations: usize) -> Tensor {
    let norm = matrix.square().sum(..).sqrt();
    let mut x = matrix / norm.maximum(&norm.like(EPS));
    let is_tall = x.shape().is_ok_and(|shape| shape[0] > shape[1]);
    // Of X X' and X' X the smaller one.
    if is_tall {
        x = x.transpose();
    }
    let [a, b, c] = QUINTIC;
    for _ in 0..iterations {
        let gram = x.matmul(&x.transpose());
        let polynomial = &gram * b + gram.matmul(&gram) * c;
        x = &x * a + polynomial.matmul(&x);
    }
    if is_tall { x.transpose() } else { x }
}

impl Optimizer for Muon {
    type Slots = MuonSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn slot_shape(&self, slot: &str, parameter: &Shape) -> Shape {
        if slot == "mean_square" && is_matrix(parameter) { [].into() } else { parameter.clone() }
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: MuonSlots, context: &Context) -> (Tensor, MuonSlots) {
        let MuonSlots { mean, mean_square } = slots;
        let Some(shape) = p.shape().ok().filter(|shape| is_matrix(shape)).cloned() else {
            let adamw = AdamW { lr: self.lr, weight_decay: self.weight_decay, ..AdamW::default() };
            let (p, slots) = adamw.update(p, g, AdamSlots { mean, mean_square }, context);
            return (p, MuonSlots { mean: slots.mean, mean_square: slots.mean_square });
        };
        let (p, g) = context.decayed(DecayForm::Decoupled, self.weight_decay, p, g);
        let mean = ema(self.momentum, &mean, &g);
        let step = if self.nesterov { ema(self.momentum, &mean, &g, ) } else { mean.clone() };
        let outputs = shape[shape.rank() - 1];
        let inputs = shape.elements() / outputs.max(1);
        let step = orthogonal(&step.reshape([inputs, outputs]), self.iterations).reshape(shape);
        let (inputs, outputs) = (inputs as f64, outputs as f64);
        let scale = match self.scale {
            MuonScale::MatchAdamW => 0.2 * inputs.max(outputs).sqrt(),
            MuonScale::Original => (outputs / inputs).max(1.0).sqrt(),
        };
        (p - (&context.lr * scale) * step, MuonSlots { mean, mean_square })
    }
}
