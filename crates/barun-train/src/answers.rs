//! What the network says of the rows of the validation part, row by row, for those who look for more than a figure.
//!
//! A callback that wants them says so before an evaluation ([`Callback::wants_answers`](crate::callback::Callback::wants_answers));
//! they come from the very pass that gives the figures, which stay as they are, bit for bit.

use barun_data::Targets;

use crate::metrics::{Metrics, Predictions};
use crate::objective::Objective;

/// What the network says of the validation rows after an epoch.
#[derive(Clone, Copy, Debug)]
pub struct Answers<'a> {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The figures of the same evaluation.
    pub valid: &'a Metrics,
    /// Where each row stands in the data set, from 0.
    pub rows: &'a [usize],
    pub(crate) objective: Objective,
    pub(crate) targets: &'a Targets,
    /// `[rows, outputs]`.
    pub(crate) outputs: &'a [f64],
}

impl Answers<'_> {
    /// The probability of each class for each row, beside the labels. None where it is no class that is learned.
    pub fn of_classes(&self) -> Option<Predictions> {
        let Targets::Classes { labels, classes, .. } = self.targets else { return None };
        let width = self.outputs.len() / self.rows.len().max(1);
        let is_answered = width == self.objective.outputs(self.targets, &[]) && width > 0;
        if !self.objective.is_classes() || !is_answered {
            return None;
        }
        let probabilities =
            self.outputs.chunks_exact(width).flat_map(|row| self.objective.probabilities(row)).collect();
        let labels = self.rows.iter().map(|&row| labels[row] as usize).collect();
        Some(Predictions::Classes { probabilities, labels, classes: classes.clone() })
    }
}
