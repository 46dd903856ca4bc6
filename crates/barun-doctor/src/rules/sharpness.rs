//! Steps that are longer than the valley is wide.
//!
//! Along the direction in which the loss bends most, with curvature lambda, gradient descent with rate lr comes down only if lr
//! lambda < 2; with momentum b, if lr lambda < 2 (1 + b). A look taken while the run is in trouble measures lambda by power
//! iteration on differences of gradients.
//!
//! Threshold: lr lambda above 2 (1 + b), in 2 of 3 looks: WARN. Only for plain gradient descent and momentum: what divides by
//! the gradient's size has another lambda. Healthy runs hover around 2 (Cohen et al., 2021, "Gradient descent on neural networks
//! typically occurs at the edge of stability"), so that it is a symptom, and half as much again is allowed.
//!
//! Cannot see: the curvature of the whole data; it measures that of a batch.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, lr_times, short};
use crate::history::History;

/// See the [module](self).
pub struct Sharpness;

const MARGIN: f64 = 1.5;

impl Rule for Sharpness {
    fn about(&self) -> About {
        About {
            id: "R21",
            name: "SHARPNESS",
            summary: "Steps are longer than the valley is wide.",
            kind: Kind::Symptom,
            persist: (2, 3),
            explains: &["R06", "R08", "R10", "R15", "R16", "R17", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let optimizer = &history.case.optimizer;
        if optimizer.is_adaptive() {
            return None;
        }
        let lambda = history.probes.back()?.sharpness?;
        let lr = history.recent.back()?.lr;
        let most = 2.0 * (1.0 + optimizer.momentum);
        let value = lr * lambda;
        if value <= MARGIN * most {
            return None;
        }
        let message = format!(
            "the loss bends by {} along its steepest direction; times the learning rate that is {}, and steps come down only \
             below {most}",
            short(lambda),
            short(value)
        );
        let why = "Each step lands higher on the other side";
        let found = Found::new(Level::Warn, (value, most), message, why);
        let found = found.cure("Lower the learning rate to 1 / lambda", &lr_times(history, 1.0 / (lambda * optimizer.lr)));
        Some(found.cure("Let the learning rate rise over the first epoch", &["train.schedule.warmup=1 epoch".to_string()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Case, Optimizer};
    use crate::history::Probe;
    use crate::testing::{step, ten_classes};

    #[test]
    fn a_rate_beyond_two_over_lambda_is_told_for_gradient_descent_alone() {
        let judge = |is_plain: bool, momentum: f64, lambda: f64| {
            let optimizer = Optimizer { lr: 0.01, momentum, is_plain, ..Optimizer::default() };
            let mut history = History::of(Case { optimizer, ..ten_classes() }, None);
            history.add_step(step(1.0));
            history.add_probe(Probe { sharpness: Some(lambda), ..Probe::default() });
            Sharpness.judge(&history)
        };
        let found = judge(true, 0.0, 500.0).unwrap();
        assert_eq!(found.cure[0].set, ["train.lr=0.002"]);
        assert_eq!(judge(true, 0.0, 200.0), None, "the edge of stability");
        assert_eq!(judge(true, 0.9, 500.0), None);
        assert_eq!(judge(false, 0.0, 500.0), None);
    }
}
