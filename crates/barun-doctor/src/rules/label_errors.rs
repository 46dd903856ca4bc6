//! Labels that cannot be right, or that have nothing to do with the inputs.
//!
//! - What the checks of the data have found: one input with different labels (WARN; INFO where equal rows are common).
//! - In one stretch of the training rows, in the order of the data, the answers follow from the inputs, and in the other not, by the
//!   baseline of `BELOW_BASELINE` (see there): WARN.
//! - Nothing of what is learned holds for other rows: the validation loss has never been below 0.98 of the trivial one (less by
//!   0.3 over the root of the rows), and over the last half of the evaluations classes are told no better than by always
//!   saying the most frequent one (by more than 0.02 and two standard errors). And either the training rows are learned by
//!   heart - their loss has come down, at steps of a usual size, to below 0.7 of the trivial one, or, after three fifths of the
//!   run, to below it and below the validation loss by more than 0.05 of it - or the run stands still where it began though steps
//!   are of a usual size, the halves of batches do not agree on a direction, and no other rule finds anything; or three fifths of
//!   the run are over, no other rule finds anything, and the baseline of `BELOW_BASELINE` knows nothing either. Labels that are
//!   shuffled or belong to other rows look so: WARN. Where the baseline learns something, it is not the labels.
//! - Some labels are wrong, by confident learning on the answers of the best epoch to the validation rows (see below): WARN.
//!
//! Confident learning (Northcutt, Jiang, Chuang, 2021, "Confident learning: estimating uncertainty in dataset labels") calls a
//! row surely of class j if its probability of j is at least the mean one of the rows labelled j, and doubts the label of a row
//! that is surely of another class. Classes that are hard to tell apart are doubted as well; wrong labels are those that,
//! given what a row is, do not depend on what it looks like (Angluin and Laird, 1988):
//! - *at random*: of the rows that are sure, those whose label is among the less likely half of the other classes, over the
//!   share of classes that this half is, are surely (19 of 20) more than 3 % of all, or 30 % over the number of the other
//!   classes - as many labels are random, for among hard classes a doubtful label is the runner-up. They are a third of the
//!   doubtful ones or more, and look no less like their class than other rows do (the area under the curve that tells them
//!   apart is not above 0.7);
//! - *one class by another's name*: of the rows that look like one of two classes and bear one of their names, surely more than
//!   18 % bear the wrong one, and are mixed with the others: the area under the curve that tells the two apart, 0.5 where they look
//!   the same, and the rows between both classes, as a part of the fewer, come to no more than 0.85 (0.75 where there
//!   are only two classes). The network tells both classes apart - the middle rows by 0.2 of the probability that they share - and
//!   is wrong in no more than a quarter of all other rows;
//! - *one class of two names*: of three classes or more, rows of two share a quarter of their probability at least, and which of the two
//!   names they bear is told no better than by chance (an area within 0.15 of 0.5, and three standard errors), while no more
//!   than a quarter of all other rows is told wrong.
//!
//! Asked once half of the run is over, or the best epoch is three behind; where classes are told better than by guessing, or the
//! validation loss was below 0.9 of the trivial one; of 60 training rows or more; and not where another rule finds a reason to
//! doubt the network itself, or it falls short of the baseline of `BELOW_BASELINE`.
//!
//! Threshold: 3 % is the usual one of confident learning, the others are ours, from healthy runs. That nothing holds for other
//! rows is not said of fewer than 60 training rows, or than twice as many as there are columns: they are learned by heart
//! whatever their labels (Cover, 1965, "Geometrical and statistical properties of systems of linear inequalities").
//!
//! Cannot see: single wrong labels among hundreds of right ones; random ones where there are two classes, so that every
//! doubtful label is the runner-up; wrong labels that follow the looks, as those of a person who mistakes what is alike;
//! anything in a validation part with only a handful of rows of a class, or in more than 1000 classes or four million
//! probabilities.

use barun_train::diagnosis::Level;

use super::below_baseline::shortfall;
use super::input_ignored::mixed_rows;
use super::update_ratio::has_died;
use super::{
    About, BadInit, BatchNormMisuse, DeadUnits, Found, FrozenParam, GradVanish, HeadLossMismatch, InputScale, Kind, NoiseScale,
    OverRegularized, Plateau, Rule, Saturation, UpdateRatio, percent, short,
};
use crate::baseline::{STRETCH_DEVIATIONS, Stretches};
use crate::curve::{mean, median};
use crate::data;
use crate::history::{Evaluation, History};
use crate::labels::{LabelCheck, Pair, Suspect};

/// See the [module](self).
pub struct LabelErrors;

const UNRELATED: &str = "So it is where the labels have nothing to do with the inputs, or the inputs say nothing";
const LOOK: &str = "Look at some rows with their labels: were they shuffled apart, or joined to the wrong rows?";
/// Classes look the same where an area no farther from 0.5 than this is under the curve that tells them apart.
const MOST_ORDER: f64 = 0.15;
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
/// A validation loss below this part of the trivial one is that of a network that knows something.
const KNOWS: f64 = 0.9;
/// An epoch that is so many behind was the best.
const BEHIND: usize = 3;
/// More random labels than this are told, or than that over the number of other classes: among few of them an unlikely one says little.
const RANDOM: f64 = 0.03;
const RANDOM_AMONG_FEW: f64 = 0.3;
/// And only if they are at least this share of the doubtful ones.
const OF_DOUBTFUL: f64 = 1.0 / 3.0;
/// Strays look like other rows where an area of 0.5 to this is under the curve that tells them apart.
const ORDERED: f64 = 0.7;
/// More of a class than this are called by another's name.
const CALLED: f64 = 0.18;
/// The names of two classes are mixed where this area and the share of rows between the two come to no more than this. Two
/// classes alone that are hard to tell apart look so more often than two among many that are well told.
const MIXED: f64 = 0.85;
const MIXED_OF_TWO: f64 = 0.75;
/// More wrong answers than this elsewhere, and the network is not good enough to doubt labels.
const ELSEWHERE: f64 = 0.25;

impl Rule for LabelErrors {
    fn about(&self) -> About {
        About {
            id: "R26",
            name: "LABEL_ERRORS",
            summary: "Labels contradict each other, are partly wrong, or have nothing to do with the inputs.",
            kind: Kind::Evaluation,
            persist: (1, 1),
            explains: &["R06", "R07", "R15", "R16", "R17", "R18", "R20", "R23", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let found = stretched(history).or_else(|| unrelated(history)).or_else(|| confused(history)).or_else(|| random(history)).or_else(|| twins(history));
        found.or_else(|| data::worst(history, self.about().id))
    }
}

/// Rows that were put together rightly in one stretch of the data and wrongly in the other.
fn stretched(history: &History) -> Option<Found> {
    let Stretches { row, figures, of_guessing, deviations } = history.case.baseline?.stretches?;
    let figure = if history.case.classes() > 0 { "accuracy" } else { "R2" };
    let (good, bad) = if figures[0] - of_guessing[0] > figures[1] - of_guessing[1] { (0, 1) } else { (1, 0) };
    let [good_rows, bad_rows] = [good, bad].map(|side| if side == 0 { format!("before row {row}") } else { format!("from about row {row} on") });
    let message = format!(
        "{bad_rows} of the data the answers do not follow from the inputs ({figure} of a simple model {}, of guessing {}), {good_rows} they do ({} and {})",
        short(figures[bad]),
        short(of_guessing[bad]),
        short(figures[good]),
        short(of_guessing[good])
    );
    let why = "So it is where a part of the rows was joined to the wrong answers, shifted by one, or is of another source";
    let found = Found::new(Level::Warn, (deviations, STRETCH_DEVIATIONS), message, why);
    Some(found.cure("Look at the rows about this one, counted from 0, with their answers, and join these rows anew, or leave them out", &[]))
}

/// What the answers to the validation rows say of their labels, once there is something to say.
fn answered(history: &History) -> Option<&LabelCheck> {
    let labels = history.labels.as_ref()?;
    let epoch = history.evaluations.back()?.epoch;
    let is_settled = 2 * history.steps >= history.case.total_steps() || epoch >= labels.epoch + BEHIND;
    let best = history.evaluations.iter().filter_map(|evaluation| Some(evaluation.valid?.loss));
    let best = best.fold(f64::INFINITY, f64::min);
    let knows = tells_classes(history, history.case.valid_rows.max(1) as f64)
        || history.case.trivial_loss().is_some_and(|trivial| best < KNOWS * trivial);
    let is_badly_trained = history.case.rows < FEW
        || has_died(history)
        || shortfall(history).is_some()
        || is_any(&[&BatchNormMisuse, &NoiseScale], history)
        || is_unwell(history);
    (is_settled && knows && !is_badly_trained).then_some(labels)
}

/// Labels at random.
fn random(history: &History) -> Option<Found> {
    let labels = answered(history)?;
    let share = labels.random_share()?;
    let of_doubtful = share * labels.sure as f64 / labels.doubtful.max(1) as f64;
    let order = labels.strays.order?;
    let most = RANDOM.max(RANDOM_AMONG_FEW / (history.case.classes().max(2) - 1) as f64);
    if share <= most || of_doubtful < OF_DOUBTFUL || order > ORDERED {
        return None;
    }
    let least = labels.least_random_share().filter(|least| *least > most)?;
    let message = format!(
        "about {} of the labels are of another class at random: of {} validation rows that surely are of a class {} have \
         another label, {} of them one that is not even likely",
        percent(share),
        labels.sure,
        labels.doubtful,
        labels.strays.rows
    );
    let why = "What the network learns of such rows is wrong, and it ends by learning them by heart";
    let found = Found::new(Level::Warn, (least, most), message, why);
    Some(with_suspects(found, history, &labels.suspects))
}

/// A class called by the name of another.
fn confused(history: &History) -> Option<Found> {
    let labels = answered(history)?;
    let mixed = if history.case.classes() > 2 { MIXED } else { MIXED_OF_TWO };
    let is_called_otherwise = |pair: &&Pair| {
        pair.least > CALLED && pair.order + pair.between <= mixed && pair.wrong_elsewhere <= ELSEWHERE
    };
    let pair = labels.pairs.iter().find(is_called_otherwise)?;
    let message = format!(
        "'{}' is often called '{}': of {} validation rows that look like '{}' {} are called so, and look no less like it",
        pair.class, pair.called, pair.of, pair.class, pair.rows
    );
    let why = "No network can tell two classes apart whose rows are named at random";
    let found = Found::new(Level::Warn, (pair.least, CALLED), message, why);
    Some(with_suspects(found, history, &pair.suspects))
}

/// One class with two names.
fn twins(history: &History) -> Option<Found> {
    let twins = answered(history)?.twins.as_ref()?;
    let is_alike = (twins.order - 0.5).abs() < twins.chance.min(MOST_ORDER) && twins.wrong_elsewhere <= ELSEWHERE;
    if !is_alike {
        return None;
    }
    let (one, other) = &twins.names;
    let message = format!(
        "'{one}' and '{other}' look the same: of {} validation rows that are called one or the other, which is chance, and {} of \
         all other rows are told",
        twins.rows,
        percent(1.0 - twins.wrong_elsewhere)
    );
    let why = "Half of these answers will be wrong, whatever the network: is it one class that has two names?";
    let found = Found::new(Level::Warn, (twins.order, 0.5), message, why);
    Some(found.cure("Give both one name, or find the columns that tell them apart", &[]))
}

/// The rows to look at, and what to do about them.
fn with_suspects(found: Found, history: &History, suspects: &[Suspect]) -> Found {
    let row = |suspect: &Suspect| format!("{} ('{}', looks like '{}')", suspect.row, suspect.label, suspect.class);
    let rows: Vec<String> = suspects.iter().map(row).collect();
    let found = found
        .evidence(format!("the rows whose label is wrong most surely, in the order of the data: {}", rows.join(", ")))
        .cure("Look at these rows, and label anew, or leave out, what is wrong, in all parts of the data", &[]);
    let loss = &history.case.loss;
    if loss.name != "cross_entropy" || loss.label_smoothing > 0.0 {
        return found;
    }
    let smoothed = "train.loss={ name = \"cross_entropy\", label_smoothing = 0.1 }".to_string();
    found.cure("If they cannot be had right, smooth them: no single label is then learned as if it were sure", &[smoothed])
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
    let baseline = history.case.baseline;
    let of_classes = history.case.classes() > 0;
    // What a simple model learns of the same rows their labels do tell.
    if baseline.is_some_and(|baseline| baseline.knows(of_classes)) {
        return None;
    }
    if has_few || has_died(history) || !best.is_finite() || best < nothing * trivial || tells_classes(history, rows) {
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
        (message, UNRELATED)
    } else if let Some(baseline) = baseline.filter(|baseline| {
        is_late && baseline.knows_nothing(of_classes) && is_flat(history) && mixed_rows(history).is_none() && !is_unwell(history)
    }) {
        let message = format!(
            "of the validation rows the network knows nothing (at best a loss of {}, where knowing nothing costs {}), and a ridge \
             regression on random features, solved without training, neither",
            short(best),
            short(trivial)
        );
        let evidence = format!("the simple model learned from {} rows", baseline.trained);
        let found = Found::new(Level::Warn, (best / trivial, nothing), message, UNRELATED).evidence(evidence);
        return Some(found.cure(LOOK, &[]));
    } else {
        return None;
    };
    let found = Found::new(Level::Warn, (best / trivial, nothing), message, why);
    Some(found.cure(LOOK, &[]))
}

/// Whether inputs are rows of numbers or images: of the order of a sequence a simple model knows nothing.
fn is_flat(history: &History) -> bool {
    history.case.inputs.shape.len() != 2
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
    let (loss, trivial) = (history.smooth_loss(), history.case.trivial_loss());
    let is_near_trivial = loss.zip(trivial).is_some_and(|(loss, trivial)| loss < NEAR * trivial);
    is_near_trivial
        && Plateau.judge(history).is_some()
        && cosines.len() >= LOOKS
        && median(&cosines) < AGREEMENT
        && mixed_rows(history).is_none()
        && !is_unwell(history)
}

/// Whether a rule finds what is a reason to doubt the network and not its labels.
fn is_unwell(history: &History) -> bool {
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
    is_any(&others, history)
}

/// Whether one of these rules finds more than what is worth knowing.
fn is_any(rules: &[&dyn Rule], history: &History) -> bool {
    rules.iter().any(|rule| rule.judge(history).is_some_and(|found| found.level > Level::Info))
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
