//! Several trained models that vote. [ENS-01]

use crate::{Buffer, Error, Forward, Module, Result, State, Step, Tensor};

/// The mean of the softmax outputs of several states under one step: `x [n, ..] -> [n, classes]`, rows that sum to 1.
pub fn average<M: Module + Forward>(step: &Step<M>, states: &[State], x: &Buffer) -> Result<Buffer> {
    let mut sum: Option<Tensor> = None;
    for state in states {
        let probabilities = Tensor::new(step.predict(state, x)?).softmax(-1);
        sum = Some(match sum {
            Some(sum) => sum + probabilities,
            None => probabilities,
        });
    }
    let sum = sum.ok_or_else(|| Error::Model("an ensemble needs at least one state".to_string()))?;
    let mean = (sum / states.len() as f64).eval()?;
    Ok((*mean).clone())
}
