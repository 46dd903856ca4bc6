//! The Gaussian error linear unit.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use crate::hyper::named_cases;
use crate::{Hyper, Id, Init, Tensor};

/// How the Gaussian's distribution function is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GeluForm {
    /// By the error function.
    #[default]
    Exact,
    /// By a hyperbolic tangent, off by at most 5e-4.
    Tanh,
}
named_cases!(GeluForm { Exact = "exact", Tanh = "tanh" });

/// Gaussian error linear unit: x times the probability that a standard normal number lies below x.
///
/// ```text
/// f(x) = x (1 + erf(x / sqrt(2))) / 2,     or  x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
/// ```
///
/// Smooth everywhere; the usual choice in transformers. The tanh form is for weights that were trained with it (GPT-2,
/// BERT). Exact as PyTorch unless set. Hendrycks & Gimpel, 2016, "Gaussian error linear units".
#[derive(Clone, Debug, Default, Hyper)]
pub struct Gelu {
    /// The exact form, or the approximation by tanh.
    pub form: GeluForm,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}
activation!(Gelu, Init::HeNormal, of rounded |this, x| gelu(x, this.form));

fn gelu(x: &Tensor, form: GeluForm) -> Tensor {
    let beyond_half = match form {
        GeluForm::Exact => (x * FRAC_1_SQRT_2).erf(),
        GeluForm::Tanh => ((x + x.powf(3.0) * 0.044715) * (FRAC_2_SQRT_PI * FRAC_1_SQRT_2)).tanh(),
    };
    x * 0.5 * (beyond_half + 1.0)
}
