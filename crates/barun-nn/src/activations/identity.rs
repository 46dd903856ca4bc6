//! No activation.

use crate::{Hyper, Id, Init};

/// The identity, for comparisons: `f(x) = x`. [ACT-25]
#[derive(Clone, Debug, Default, Hyper)]
pub struct Identity {
    /// The identity of the layer.
    #[hyper(skip)]
    pub id: Id,
}
activation!(Identity, Init::LecunNormal, |_this, x| x.clone());
