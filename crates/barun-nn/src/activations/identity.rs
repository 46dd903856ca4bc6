//! No activation.

use crate::{Hyper, Id, Init};

/// The identity, for comparisons.
///
/// ```text
/// f(x) = x
/// ```
///
/// Layers with it between them are one linear map, however many there are. PyTorch's Identity.
/// [ACT-11, ACT-25]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Identity {
    /// The identity of the layer.
    #[hyper(skip)]
    pub id: Id,
}
activation!(Identity, Init::LecunNormal, |_this, x| x.clone());
