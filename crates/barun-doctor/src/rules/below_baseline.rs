//! A network that learns less than a simple model does.
//!
//! Before the first step a baseline is fitted to some of the training rows: ridge regression on random features, in closed
//! form. It has no first weights, rate or schedule that could be wrong. A network that in the end knows far less of the validation
//! rows than the baseline was held back by something, whatever that is. So this counts as trouble: WARN, and what else is found is told as its
//! cause.
//!
//! Looked at once two thirds of the run are over, or the best epoch is ten behind: the network's best figure - the accuracy,
//! or the share of the variance that is explained - above that of knowing nothing is less than 0.7 of the baseline's, the two differ by
//! more than two and a half standard errors, and the baseline itself is above knowing nothing by 0.1.
//!
//! Threshold: ours. That a network has to beat a simple model is Karpathy's (2019, "A Recipe for Training Neural Networks") and
//! scikit-learn's dummies'; 0.7 leaves room for networks that suit the data less and for runs that are only short.
//!
//! Cannot see: what holds the baseline back as well, as wrong labels do; anything in data that random features find nothing in, such
//! as the order of a sequence; fewer than 50 training or 30 validation rows.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, percent, short};
use crate::baseline::Baseline;
use crate::history::History;

/// See the [module](self).
pub struct BelowBaseline;

const LEARNED: f64 = 0.7;
const HEADROOM: f64 = 0.1;
const BEHIND: usize = 10;

impl Rule for BelowBaseline {
    fn about(&self) -> About {
        About {
            id: "R27",
            name: "BELOW_BASELINE",
            summary: "The network learns less than a baseline that is solved in closed form: something holds it back.",
            kind: Kind::Outcome,
            persist: (1, 1),
            explains: &[],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let Shortfall { baseline, own, behind, learned } = shortfall(history)?;
        let is_late = 3 * history.steps >= 2 * history.case.total_steps() && history.case.total_steps() > 0;
        let of_classes = history.case.classes() > 0;
        if !(is_late || behind >= BEHIND) {
            return None;
        }
        let of = |figure: f64| match of_classes {
            true => format!("{} of the validation rows right", percent(figure)),
            false => format!("an R2 of {} on the validation rows", short(figure)),
        };
        let message = format!(
            "the network gets {}, at best; a ridge regression on random features, solved without training, {}",
            of(own),
            if of_classes { percent(baseline.figure) } else { short(baseline.figure) }
        );
        let why = "The data give away more than the network has learned: something in its training holds it back";
        let found = Found::new(Level::Warn, (learned, LEARNED), message, why)
            .evidence(format!("the simple model learned from {} rows; knowing nothing gets {}", baseline.trained, of(baseline.of_guessing)))
            .cure("Search the learning rate: `barun check RECIPE --lr-find`", &[])
            .cure("Look whether it can learn a few rows by heart: `barun check RECIPE --overfit-batch`", &[])
            .cure("If the loss is still falling, train longer", &[]);
        Some(found)
    }
}

/// By how much a network falls short of the baseline.
pub(super) struct Shortfall {
    baseline: Baseline,
    /// The network's best figure, and how many evaluations ago it was.
    own: f64,
    behind: usize,
    /// What it has learned, as a part of what the baseline has.
    learned: f64,
}

/// None where it does not, so far.
pub(super) fn shortfall(history: &History) -> Option<Shortfall> {
    let baseline = history.case.baseline?;
    let (own, behind) = history.best_figure()?;
    let headroom = baseline.figure - baseline.of_guessing;
    let learned = (own - baseline.of_guessing) / headroom;
    let is_below = headroom > HEADROOM
        && learned < LEARNED
        && baseline.figure - own > baseline.chance(own, history.case.classes() > 0);
    is_below.then_some(Shortfall { baseline, own, behind, learned })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use crate::testing::{evaluation, step, ten_classes};

    fn judge(own: f64, of_baseline: f64, rows: usize, steps: usize) -> Option<Found> {
        let baseline = Baseline { figure: of_baseline, of_guessing: 0.1, rows, trained: 800, stretches: None };
        let mut history = History::of(Case { baseline: Some(baseline), ..ten_classes() }, None);
        (0..steps).for_each(|_| history.add_step(step(1.0)));
        (1..=steps / 100).for_each(|epoch| history.add_evaluation(evaluation(epoch, (1.0, own), (1.0, own))));
        BelowBaseline.judge(&history)
    }

    #[test]
    fn a_network_that_learns_far_less_than_a_simple_model_is_told() {
        let found = judge(0.4, 0.9, 500, 1500).unwrap();
        assert!(found.message.contains("40 %") && found.message.contains("90 %"), "{}", found.message);
        assert_eq!(judge(0.7, 0.9, 500, 1500), None, "it has learned most of it");
        assert_eq!(judge(0.4, 0.9, 500, 500), None, "it is early");
        assert!(judge(0.4, 0.9, 500, 1100).is_some(), "nothing has become better for ten epochs");
    }

    #[test]
    fn a_weak_baseline_and_a_few_rows_say_nothing() {
        assert_eq!(judge(0.11, 0.19, 5000, 2000), None);
        assert_eq!(judge(0.25, 0.4, 40, 2000), None);
    }
}
