//! Gradients vanish on their way back to the first layers, which then learn nothing.
//!
//! A sigmoid's slope is at most 1/4, so that ten of them leave a millionth. Compared are root mean squares of gradients, not
//! norms, since those grow with the width of a layer.
//!
//! Threshold: the first weighted layer's gradient is below 1/1000 of the last one's, or the mean absolute gradient of at
//! least half of the layers is below 1e-7; in 3 of 5 checks while the run is in trouble, or, of the former, while the loss is
//! above 0.3 of the trivial one after half of the run: WARN. AutoTrainer (Zhang et al.,
//! 2021) has 1/1000, TheDeepChecker 1e-6.
//!
//! Cannot see: gradients that vanish within a recurrent layer, from step to step of a sequence.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, short};
use crate::history::History;

/// See the [module](self).
pub struct GradVanish;

const RATIO: f64 = 1e-3;
const TINY: f64 = 1e-7;

impl Rule for GradVanish {
    fn about(&self) -> About {
        About {
            id: "R09",
            name: "GRAD_VANISH",
            summary: "Gradients vanish on their way back, so that the first layers do not learn.",
            kind: Kind::Symptom,
            persist: (3, 5),
            explains: &["R06", "R07", "R16", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let check = history.checks.back()?;
        let weights = history.weight_indices();
        let of = |at: usize| check.parameters.get(at).map_or(0.0, |parameter| parameter.gradient);
        let (first, last) = (*weights.first()?, *weights.last()?);
        if weights.len() < 2 || of(last) == 0.0 {
            return None;
        }
        let fading = fades(history);
        let tiny = weights.iter().filter(|at| check.parameters[**at].mean_gradient < TINY).count();
        let (value, threshold, message) = if let Some(ratio) = fading {
            let message = format!(
                "the gradient of the first weights is {} times that of the last ({} against {})",
                short(ratio),
                short(of(first)),
                short(of(last))
            );
            (ratio, RATIO, message)
        } else if 2 * tiny >= weights.len() {
            let message = format!("the mean gradient of {tiny} of {} layers is below {TINY:e}", weights.len());
            (tiny as f64 / weights.len() as f64, 0.5, message)
        } else {
            return None;
        };
        let why = "The layers near the input stay as they were drawn, and what they lose the others cannot get back";
        let found = Found::new(Level::Warn, (value, threshold), message, why).at(history.parameters[first].clone());
        let found = found.cure("Use relu or another activation with slope 1", &["model.activation=relu".to_string()]);
        let found = if fading.is_some() && history.is_poor() { found.certain() } else { found };
        Some(found.cure("Put batch normalisation after each weighted layer, or add each stage's input to its output", &["model.batch_norm=true".to_string()]))
    }
}

/// The gradient of the first weights over that of the last, where it is next to nothing.
pub(super) fn fades(history: &History) -> Option<f64> {
    let check = history.checks.back()?;
    let weights = history.weight_indices();
    let gradient = |at: &usize| check.parameters.get(*at).map(|parameter| parameter.gradient);
    let (first, last) = (gradient(weights.first()?)?, gradient(weights.last()?)?);
    (weights.len() > 1 && first < RATIO * last).then(|| first / last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{history_of_gradients, step};

    #[test]
    fn gradients_that_fade_towards_the_input_are_told() {
        assert!(GradVanish.judge(&history_of_gradients(&[1e-8, 1e-5, 1e-2])).is_some());
        assert!(GradVanish.judge(&history_of_gradients(&[1e-9, 1e-9, 1e-2])).is_some());
        assert_eq!(GradVanish.judge(&history_of_gradients(&[1e-3, 2e-3, 1e-2])), None);
        let mut one = history_of_gradients(&[1e-3]);
        one.add_step(step(1.0));
        assert_eq!(GradVanish.judge(&one), None);
    }
}
