//! Softsign.

use crate::{Hyper, Id, Init};

/// Softsign: x over one more than its size, from -1 to 1.
///
/// ```text
/// f(x) = x / (1 + |x|)        f'(x) = 1 / (1 + |x|)^2
/// ```
///
/// Like tanh, but it nears its limits as `1 / x` does instead of exponentially, so it saturates later. As in PyTorch. Bergstra
/// et al., 2009, "Quadratic polynomials learn better image features"; Glorot & Bengio, 2010, "Understanding the difficulty of
/// training deep feedforward neural networks".
#[derive(Clone, Debug, Default, Hyper)]
pub struct Softsign {
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

activation!(Softsign, Init::XavierNormal, of rounded |_this, x| x / (x.abs() + 1.0));
