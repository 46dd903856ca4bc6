//! The network says the same whatever it is given.
//!
//! A look taken while the run is in trouble measures the loss of a batch once as it is and once with the inputs exchanged
//! among its rows. Where both are equal, the answers do not depend on the inputs.
//!
//! Threshold: the two differ by less than 1 % and the loss is above 0.9 of the trivial one, in 2 of 3 looks: WARN. After
//! Karpathy's recipe (train on zeroed inputs) and TheDeepChecker.
//!
//! Cannot see: a network that uses a few inputs and ignores the others.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, short};
use crate::history::History;

/// See the [module](self).
pub struct InputIgnored;

const SAME: f64 = 0.01;
const NO_PROGRESS: f64 = 0.9;

impl Rule for InputIgnored {
    fn about(&self) -> About {
        About {
            id: "R07",
            name: "INPUT_IGNORED",
            summary: "The network says the same whatever it is given.",
            kind: Kind::Symptom,
            persist: (2, 3),
            explains: &["R16"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let probe = history.probes.back()?;
        let (own, exchanged) = (probe.eval_loss?, probe.exchanged_loss?);
        let trivial = history.case.trivial_loss()?;
        let difference = (exchanged - own).abs() / own.abs().max(f64::MIN_POSITIVE);
        if difference >= SAME || own < NO_PROGRESS * trivial {
            return None;
        }
        let message = format!("with the inputs of the rows exchanged the loss is {} and not {}", short(exchanged), short(own));
        let why = "What does not look at its inputs knows no more than how frequent each answer is";
        let found = Found::new(Level::Warn, (difference, SAME), message, why);
        Some(found.cure("Look at the first layers: units that are dead, saturated, or whose gradients vanish", &[]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Probe;
    use crate::testing::ten_classes;

    #[test]
    fn a_loss_that_does_not_mind_other_inputs_is_told() {
        let judge = |own: f64, exchanged: f64| {
            let mut history = History::of(ten_classes(), None);
            history.add_probe(Probe { eval_loss: Some(own), exchanged_loss: Some(exchanged), ..Probe::default() });
            InputIgnored.judge(&history).is_some()
        };
        assert!(judge(2.3, 2.3));
        assert!(!judge(2.3, 2.9) && !judge(0.5, 0.5));
    }
}
