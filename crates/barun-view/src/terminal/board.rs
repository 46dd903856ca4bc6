//! What the terminal shows.

use crate::scale::Scale;

/// A run on its way. Texts are written as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    /// What is trained: `mlp on digits`.
    pub title: String,
    /// What it is made of, in a line.
    pub lead: String,
    /// The curves, beside each other.
    pub charts: Vec<Curves>,
    /// What the bar counts: `epoch 3/10`.
    pub progress: String,
    /// How full the bar is, from 0 to 1.
    pub share: f64,
    /// What stands at its end: speed and time left.
    pub pace: String,
    /// Names and what is said of them: the figures of each part, the best so far, the learning rate.
    pub figures: Vec<(String, String)>,
    /// What happened on the way, the latest last.
    pub messages: Vec<String>,
}

/// Curves on one pair of axes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// What they show: `loss`.
    pub title: String,
    /// How far the horizontal axis goes, from 0: the epochs of the whole run.
    pub width: f64,
    /// Whether the vertical axis may be logarithmic.
    pub scale: Scale,
    /// The curves. The first is drawn below all others.
    pub curves: Vec<Curve>,
}

/// One curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// What it shows: `valid`.
    pub name: String,
    /// Its points from left to right; what is not finite is not drawn.
    pub points: Vec<(f64, f64)>,
    /// Whether it is only the background of others, as the losses of single batches are.
    pub is_faint: bool,
}
