//! How far a run has come: everything beside the state that it needs to go on as if it had never stopped.
//!
//! The order of the rows is a pure function of (seed, epoch), the learning rate of the step, and the random stream and the
//! count of steps are part of the state; so a position is small. Nothing in it depends on the time: the same seed gives the
//! same bytes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::metrics::Metrics;
use crate::objective::{Objective, Tally};

/// How far a run has come; part of every checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Epochs completed.
    pub epochs: usize,
    /// The epoch after them, where some of its steps are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<Unfinished>,
    /// The best epoch so far, from 1; 0 before the first.
    pub best_epoch: usize,
    /// Its figures on the validation part.
    pub best_valid: Option<Metrics>,
    /// The validation loss of each epoch: what a schedule that waits for it to fall goes by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub valid_losses: Vec<f64>,
    /// Lines of the log that tell of this much.
    #[serde(default)]
    pub log_lines: usize,
    /// The steps that had been taken in the states to go back to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<usize>,
    /// How often the run has been mended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mended: usize,
    /// What the callbacks remember.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub callbacks: Value,
    /// Why a callback ended the run here; such a run does not go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// An epoch on its way: the steps taken, and sums over them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unfinished {
    pub batches: usize,
    pub rows: usize,
    pub tally: Tally,
    /// Steps that were not taken, because they were not finite.
    pub skipped: usize,
    /// How many of them have just been in a row.
    pub skipped_in_a_row: usize,
    /// The learning rate of the last step.
    pub lr: f64,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Unfinished {
    /// No step yet.
    pub fn new(objective: Objective) -> Unfinished {
        let tally = Tally::new(objective);
        Unfinished { batches: 0, rows: 0, tally, skipped: 0, skipped_in_a_row: 0, lr: 0.0 }
    }
}

impl Position {
    /// Of the best epoch's state: a model to use, not one to go on from.
    pub fn of_best(epoch: usize, valid: Metrics) -> Position {
        Position { epochs: epoch, best_epoch: epoch, best_valid: Some(valid), ..Position::default() }
    }

    /// Takes the validation loss of an epoch. One that is no number is as good as the worst: JSON has no word for it.
    pub fn add_valid_loss(&mut self, loss: f64) {
        self.valid_losses.push(if loss.is_finite() { loss } else { f64::MAX });
    }

    /// Steps taken of the epoch after the completed ones.
    pub fn batches(&self) -> usize {
        self.unfinished.as_ref().map_or(0, |unfinished| unfinished.batches)
    }

    /// From the text in a checkpoint.
    pub fn from_text(text: &str) -> serde_json::Result<Position> {
        serde_json::from_str(text)
    }

    /// As text for a checkpoint.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
