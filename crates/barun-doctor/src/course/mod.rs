//! How learning went, for people: how fast the loss fell and where it stood still, and why it rose where it rose.

mod learning_speed;
mod loss_rise;

pub use learning_speed::{LearningSpeed, Phase, learning_speed};
pub use loss_rise::{Cause, LossRise, loss_rise};

use crate::history::History;

/// What there is to say, a sentence each.
pub fn sentences(history: &History) -> Vec<String> {
    let speed = learning_speed(history).map(|speed| speed.to_string());
    let rise = loss_rise(history).map(|rise| rise.to_string());
    speed.into_iter().chain(rise).collect()
}
