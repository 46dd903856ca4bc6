//! Cross entropy of probabilities.

use super::{Loss, Outputs, PROBABILITY_EPS, Task, class_rows, mean_row_entropy};
use crate::hyper::named_cases;
use crate::{Hyper, Result, Tensor};

/// What the network's last layer gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NllOf {
    /// Probabilities, from a softmax.
    #[default]
    Probabilities,
    /// Their logarithms, from a log-softmax; what PyTorch's NLLLoss takes.
    LogProbabilities,
}
named_cases!(NllOf { Probabilities = "probabilities", LogProbabilities = "log_probabilities" });

/// Negative log-likelihood: cross entropy of probabilities that the network already gave.
///
/// ```text
/// loss = mean over rows of -sum_k t_k log max(p_k, eps)
/// ```
///
/// For a network that ends with a softmax, or, with `of = log_probabilities`, with a log-softmax. A probability of 0
/// gives a large finite loss, and no gradient below eps. [`CrossEntropy`](super::CrossEntropy) on logits has no such
/// edge; prefer it. On log-probabilities as PyTorch's NLLLoss. [LOSS-08, LOSS-19]
#[derive(Clone, Debug, Hyper)]
pub struct Nll {
    /// The smallest probability whose logarithm is taken; 1e-7 unless set.
    #[hyper(positive)]
    pub eps: f64,
    /// Whether the network gives probabilities or their logarithms.
    pub of: NllOf,
}

impl Default for Nll {
    fn default() -> Self {
        Nll { eps: PROBABILITY_EPS, of: NllOf::default() }
    }
}

impl Loss for Nll {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let rows = class_rows("nll", prediction, target)?;
        let log_probability = match self.of {
            NllOf::Probabilities => prediction.maximum(&prediction.like(self.eps)).ln(),
            NllOf::LogProbabilities => prediction.clone(),
        };
        Ok(mean_row_entropy(&rows, &log_probability, !target.dtype().is_float()))
    }

    fn task(&self) -> Task {
        Task::Classes(Outputs::Probabilities)
    }
}
