//! Labels that cannot be right, or that have nothing to do with the inputs.
//!
//! - What the checks of the data have found: one input with different labels (WARN; INFO where equal rows are common).
//! - Nothing of what is learned holds for other rows: the validation loss has never been below 0.98 of the trivial one (less by
//!   0.3 over the root of the rows), and over the last half of the evaluations classes are told no better than by always
//!   saying the most frequent one (by more than 0.02 and two standard errors). And either the training rows are learned by
//!   heart - their loss has come down, at steps of a usual size, to below 0.7 of the trivial one, or, after three fifths of the
//!   run, to below it and below the validation loss by more than 0.05 of it - or the run stands still where it began though steps
//!   are of a usual size, the halves of batches do not agree on a direction, and no other rule finds anything. Labels that are
//!   shuffled or belong to other rows look so: WARN.
//!
//! Threshold: ours. Of fewer than 60 training rows, or than twice as many as there are columns, nothing is said: they are learned
//! by heart whatever their labels (Cover, 1965, "Geometrical and statistical properties of systems of linear inequalities").
//!
//! Cannot see: a few wrong labels among right ones; confident learning (Northcutt et al., 2021) needs predictions for all rows.

use barun_train::diagnosis::Level;

use super::input_ignored::mixed_rows;
use super::{
    About, BadInit, DeadUnits, Found, FrozenParam, GradVanish, HeadLossMismatch, InputScale, Kind, OverRegularized, Plateau, Rule,
    Saturation, UpdateRatio, short,
};
use crate::curve::{mean, median};
use crate::data;
use crate::history::{Evaluation, History};

/// See the [module](self).
pub struct LabelErrors;

const EVALUATIONS: usize = 3;
const LEARNED: f64 = 0.7;
const APART: f64 = 0.05;
/// What has been learned has brought the loss down by a fiftieth at least.
const COME_DOWN: f64 = 0.98;
/// In fewer steps than this nothing has been learned by heart.
const SETTLED: usize = 100;
const NOTHING: f64 = 0.98;
const CHANCE: f64 = 0.3;
/// Fewer training rows than this are learned by heart whatever their labels.
const FEW: usize = 60;
/// So many looks tell whether the halves of batches agree, which do where the cosine of their gradients is above this.
const LOOKS: usize = 3;
const AGREEMENT: f64 = 0.3;
/// A loss beyond this many times the trivial one is worse than learning nothing.
const NEAR: f64 = 1.2;
const ACCURACY_MARGIN: f64 = 0.02;

impl Rule for LabelErrors {
    fn about(&self) -> About {
        About {
            id: "R26",
            name: "LABEL_ERRORS",
            summary: "Labels contradict each other, or have nothing to do with the inputs.",
            kind: Kind::Evaluation,
            persist: (1, 1),
            explains: &["R06", "R07", "R15", "R16", "R17", "R18", "R20", "R23"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        unrelated(history).or_else(|| data::worst(history, self.about().id))
    }
}

fn unrelated(history: &History) -> Option<Found> {
    let trivial = history.case.trivial_loss()?;
    let skip = history.evaluations.len().checked_sub(EVALUATIONS)?;
    let rows = history.case.valid_rows.max(1) as f64;
    let valid = || history.evaluations.iter().filter_map(|evaluation| evaluation.valid);
    let best = valid().map(|valid| valid.loss).fold(f64::INFINITY, f64::min);
    let nothing = NOTHING - CHANCE / rows.sqrt();
    // With half as many columns as rows even a linear model learns any labels by heart: Cover, 1965.
    let columns = if history.case.inputs.shape.len() == 1 { history.case.inputs.shape[0] } else { 0 };
    let has_few = history.case.rows < FEW.max(2 * columns);
    if has_few || !best.is_finite() || best < nothing * trivial || tells_classes(history, rows) {
        return None;
    }
    let is_late = history.steps >= SETTLED && 5 * history.steps > 3 * history.case.total_steps();
    let is_learned = |evaluation: &Evaluation| {
        let train = evaluation.train.loss;
        let apart = evaluation.valid.map_or(0.0, |valid| valid.loss - train);
        train < LEARNED * trivial || is_late && train < trivial && apart > APART * trivial
    };
    let train = history.evaluations.back()?.train.loss;
    let has_come_down = train < COME_DOWN * history.evaluations.front()?.train.loss || train < LEARNED * trivial;
    let is_by_heart = has_come_down && UpdateRatio.judge(history).is_none();
    let (message, why) = if is_by_heart && history.evaluations.iter().skip(skip).all(is_learned) {
        let message = format!(
            "the training rows are learned (loss {}), and of other rows nothing is known (at best {}, where knowing nothing costs {})",
            short(train),
            short(best),
            short(trivial)
        );
        (message, "Labels that have nothing to do with the inputs can be learned by heart, and by no other way")
    } else if is_aimless(history) {
        let message = format!(
            "nothing is learned (loss {}, where knowing nothing costs {}) though steps are of a usual size: the halves of a batch \
             do not agree on where to go",
            short(train),
            short(trivial)
        );
        (message, "So it is where the labels have nothing to do with the inputs, or the inputs say nothing")
    } else {
        return None;
    };
    let found = Found::new(Level::Warn, (best / trivial, nothing), message, why);
    Some(found.cure("Look at some rows with their labels: were they shuffled apart, or joined to the wrong rows?", &[]))
}

/// Whether classes are told better than by always saying the most frequent one, beyond chance.
fn tells_classes(history: &History, rows: f64) -> bool {
    let accuracies: Vec<f64> =
        history.evaluations.iter().filter_map(|evaluation| evaluation.valid?.accuracy).collect();
    let guessed = history.case.trivial_accuracy().unwrap_or(1.0);
    let error = (guessed * (1.0 - guessed) / rows).sqrt();
    !accuracies.is_empty() && mean(&accuracies[accuracies.len() / 2..]) > guessed + ACCURACY_MARGIN + 2.0 * error
}

/// Whether the run stands still though steps are taken and nothing else is wrong.
fn is_aimless(history: &History) -> bool {
    let cosines: Vec<f64> = history.probes.iter().filter_map(|probe| probe.half_cosine).collect();
    let others: [&dyn Rule; 9] = [
        &InputScale,
        &BadInit,
        &DeadUnits,
        &Saturation,
        &GradVanish,
        &UpdateRatio,
        &FrozenParam,
        &OverRegularized,
        &HeadLossMismatch,
    ];
    let (loss, trivial) = (history.smooth_loss(), history.case.trivial_loss());
    let is_near_trivial = loss.zip(trivial).is_some_and(|(loss, trivial)| loss < NEAR * trivial);
    is_near_trivial
        && Plateau.judge(history).is_some()
        && cosines.len() >= LOOKS
        && median(&cosines) < AGREEMENT
        && mixed_rows(history).is_none()
        && others.iter().all(|rule| rule.judge(history).is_none_or(|found| found.level == Level::Info))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{evaluation, ten_classes};

    #[test]
    fn labels_that_only_training_rows_can_teach_are_told() {
        let judge = |valid: (f64, f64)| {
            let mut history = History::of(ten_classes(), None);
            (1..=5).for_each(|epoch| history.add_evaluation(evaluation(epoch, (0.8, 0.8), valid)));
            LabelErrors.judge(&history).is_some()
        };
        assert!(judge((4.0, 0.1)));
        assert!(!judge((2.0, 0.3)) && !judge((4.0, 0.5)));
    }

    #[test]
    fn steps_of_a_usual_size_in_no_direction_are_told() {
        let judge = |cosine: f64, update: f64| {
            let mut history = crate::testing::history_of_updates(&[update, update]);
            (0..600).for_each(|at| history.add_step(crate::testing::step(2.31 + 0.05 * crate::testing::noise(at))));
            (1..=6).for_each(|epoch| history.add_evaluation(evaluation(epoch, (2.31, 0.1), (2.33, 0.1))));
            let probe = crate::history::Probe { half_cosine: Some(cosine), ..Default::default() };
            (0..3).for_each(|_| history.add_probe(probe));
            LabelErrors.judge(&history).is_some()
        };
        assert!(judge(0.0, 1e-3));
        assert!(!judge(0.9, 1e-3), "there is a direction to go");
        assert!(!judge(0.0, 1e-7), "steps are too small to get anywhere");
    }

    #[test]
    fn a_few_rows_say_nothing_of_labels() {
        let mut history = History::of(crate::case::Case { rows: 24, ..ten_classes() }, None);
        (1..=5).for_each(|epoch| history.add_evaluation(evaluation(epoch, (0.1, 1.0), (4.0, 0.1))));
        assert_eq!(LabelErrors.judge(&history), None);
    }
}
