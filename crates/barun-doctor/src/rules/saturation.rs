//! Sigmoids and tanhs in their flat parts, where hardly any gradient passes.
//!
//! At an input of 10 a sigmoid's slope is 4.5e-5 and a tanh's 8e-9.
//!
//! Threshold: more than half of what a hidden layer gives is in the flat part (|tanh| above 0.99, a sigmoid within 0.0067 of its
//! ends), in 3 of 5 checks, while the run is in trouble: WARN; more than 90 %: ERROR. Between DeepDiagnosis (|x| > 5) and
//! SageMaker Debugger (9.5). The last layer may saturate: it is sure of its answers.
//!
//! - A softmax between layers, while the run is in trouble, or after half of it the loss is above 0.3 of the trivial one: its
//!   numbers sum to 1, so that each of many is small and changes little: WARN.
//!
//! Cannot see: the gates inside recurrent layers.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, percent};
use crate::case::is_weighted;
use crate::history::History;

/// See the [module](self).
pub struct Saturation;

const HALF: f64 = 0.5;
const NEARLY_ALL: f64 = 0.9;

impl Rule for Saturation {
    fn about(&self) -> About {
        About {
            id: "R12",
            name: "SATURATION",
            summary: "Sigmoids or tanhs are in their flat parts, where hardly any gradient passes.",
            kind: Kind::Symptom,
            persist: (3, 5),
            explains: &["R06", "R07", "R09", "R13", "R16", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        flat(history).or_else(|| hidden_softmax(history))
    }
}

/// The layer of which most is in the flat part.
fn flat(history: &History) -> Option<Found> {
        let check = history.checks.back()?;
        let hidden = check.activations.len().saturating_sub(1);
        let shares = check.activations[..hidden].iter().enumerate();
        let (at, share) = shares
            .filter_map(|(at, layer)| Some((at, layer.saturated?)))
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
        if share <= HALF {
            return None;
        }
        let level = if share > NEARLY_ALL { Level::Error } else { Level::Warn };
        let (path, kind) = &history.activations[at];
        let message = format!("{} of what the {kind} gives is in its flat part", percent(share));
        let why = "There its slope is nearly 0, so that the layers before it get hardly any gradient";
        let found = Found::new(level, (share, HALF), message, why).at(path.clone());
        let found = found.cure("Standardise the inputs", &["data.normalize=standard".to_string()]);
        let found = found.cure("Put batch normalisation before the activation", &["model.batch_norm=true".to_string()]);
        Some(found.cure("Use an activation that does not saturate", &["model.activation=relu".to_string()]))
}

/// A softmax that another layer with weights follows.
fn hidden_softmax(history: &History) -> Option<Found> {
    let calls = &history.case.calls;
    let (at, call) = calls.iter().enumerate().find(|(_, call)| call.kind == "Softmax")?;
    if !calls[at..].iter().any(|call| is_weighted(&call.kind)) {
        return None;
    }
    let units = call.output.last().copied().unwrap_or(1);
    let message = format!("a softmax stands between layers: its {units} numbers sum to 1");
    let why = "Each of them is small and changes little, so that hardly any gradient passes; it belongs behind the last layer";
    let found = Found::new(Level::Warn, (units as f64, 1.0), message, why).at(call.path.clone());
    let found = found.cure("Use an activation that does not saturate", &["model.activation=relu".to_string()]);
    Some(if history.is_poor() { found.certain() } else { found })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{layer, step};
    use barun_nn::StepRecord;

    fn judge(shares: &[f64]) -> Option<Found> {
        let mut history = History::default();
        let tanh = |(at, share): (usize, &f64)| {
            barun_nn::ActivationRecord { saturated: Some(*share), ..layer(&at.to_string(), "Tanh", 0.9) }
        };
        let activations = shares.iter().enumerate().map(tanh).collect();
        history.add_check((1, 32), step(1.0), &StepRecord { activations, ..StepRecord::default() });
        Saturation.judge(&history)
    }

    #[test]
    fn a_softmax_between_layers_is_told_and_one_behind_the_last_is_not() {
        let with = |kinds: &[&str]| {
            let calls = crate::testing::calls(kinds, 10);
            History::of(crate::case::Case { calls, ..Default::default() }, None)
        };
        let found = Saturation.judge(&with(&["Linear", "Softmax", "Linear"])).unwrap();
        assert!(found.layer.as_deref() == Some("1") && !found.is_certain);
        assert_eq!(Saturation.judge(&with(&["Linear", "Relu", "Linear", "Softmax"])), None);
    }

    #[test]
    fn hidden_layers_may_not_saturate_and_the_last_may() {
        assert_eq!(judge(&[0.1, 0.95, 0.0]).unwrap().layer.as_deref(), Some("1"));
        assert_eq!(judge(&[0.1, 0.3, 0.99]), None);
    }
}
