//! The sigmoid linear unit.

use crate::{Hyper, Id, Init};

/// Sigmoid linear unit, also called swish: x times its sigmoid.
///
/// ```text
/// f(x) = x / (1 + exp(-x))
/// ```
///
/// A smooth ReLU that dips to -0.28 before it rises; usual in EfficientNet and in the gates of language models.
/// Elfwing, Uchibe & Doya, 2017; Ramachandran, Zoph & Le, 2017, "Searching for activation functions".
#[derive(Clone, Debug, Default, Hyper)]
pub struct Silu {
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}
activation!(Silu, Init::HeNormal, of rounded |_this, x| x * x.sigmoid());
