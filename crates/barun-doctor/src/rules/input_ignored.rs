//! The network says the same whatever it is given, or answers a row by what another is.
//!
//! A look taken while the run is in trouble measures the loss of a batch once as it is and once with the inputs exchanged
//! among its rows. Where both are equal, the answers do not depend on the inputs.
//!
//! The answers to the rows in another order must be the same answers in that order. Where they are not, a layer mixes the rows
//! of a batch - a transposition, a reshape, a mean over the wrong axis - in eval mode too: ERROR.
//!
//! Threshold: the losses differ by less than 1 % and are above 0.9 of the trivial one, in 2 of 3 looks: WARN; the answers differ
//! by more than a tenth of their own deviation: ERROR. After Karpathy's recipe (train on zeroed inputs; see on which rows an
//! answer depends) and TheDeepChecker.
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
            summary: "The network says the same whatever it is given, or answers a row by what another is.",
            kind: Kind::Symptom,
            persist: (2, 3),
            explains: &["R06", "R16", "R20", "R23", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let probe = history.probes.back()?;
        if let Some(found) = mixed_rows(history) {
            return Some(found);
        }
        let (own, exchanged) = (probe.eval_loss?, probe.exchanged_loss?);
        let trivial = history.case.trivial_loss()?;
        let difference = (exchanged - own).abs() / own.abs().max(f64::MIN_POSITIVE);
        if difference >= SAME || own < NO_PROGRESS * trivial {
            return None;
        }
        let message = format!("the loss stays {} when the rows of a batch exchange their inputs", short(own));
        let why = "What does not look at its inputs knows no more than how frequent each answer is";
        let found = Found::new(Level::Warn, (difference, SAME), message, why);
        Some(found.cure("Look at the first layers: units that are dead, saturated, or whose gradients vanish", &[]))
    }
}

const MIXED: f64 = 0.1;

/// Where the answer to a row depends on the rows beside it.
pub(super) fn mixed_rows(history: &History) -> Option<Found> {
    let apart = history.probes.back()?.order_matters.filter(|apart| *apart > MIXED)?;
    let message = "the answers to the rows of a batch change when the rows come in another order".to_string();
    let why = "A layer mixes the rows, so that each is answered by what others are";
    let found = Found::new(Level::Error, (apart, MIXED), message, why);
    let advice = "Look at the axes of reshapes, transpositions, sums and products in layers of your own: the first is the batch's";
    Some(found.cure(advice, &[]))
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

    #[test]
    fn answers_that_depend_on_the_order_of_rows_are_an_error() {
        let judge = |apart: f64| {
            let mut history = History::of(ten_classes(), None);
            history.add_probe(Probe { order_matters: Some(apart), ..Probe::default() });
            InputIgnored.judge(&history)
        };
        assert_eq!(judge(1.4).unwrap().level, Level::Error);
        assert_eq!(judge(1e-6), None, "rounding");
    }
}
