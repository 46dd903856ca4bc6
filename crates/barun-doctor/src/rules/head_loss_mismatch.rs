//! The network's last layer does not give what the loss takes.
//!
//! | last layer | loss | |
//! |---|---|---|
//! | softmax, log-softmax or sigmoid | takes scores (cross entropy, BCE with logits): applies its own | ERROR |
//! | none of them | takes probabilities (nll, bce) | ERROR |
//! | a single output | cross entropy between classes: the softmax of one number is 1 | ERROR |
//! | relu, tanh | takes scores, which must be able to be large in both directions | WARN |
//! | relu, sigmoid, tanh, softmax | numbers, of which more than 1 % lie outside what it can give | ERROR |
//!
//! Dropout after the last layer that has weights sets answers to 0: WARN.
//!
//! A last layer of one's own is known by what it gives: numbers from 0 to 1 whose mean is exactly one over their number, in 5
//! checks in a row, are a softmax: ERROR where the loss takes scores.
//!
//! A loss of one's own that is lower of wrong answers than of a guess, by whatever formula, has its sign turned: ERROR.
//!
//! A loss of one's own that stays the same, to the bit, whatever is answered to the rows of a class, does not look at it: ERROR.
//! One whose weights of classes leave more than nine tenths to the rows of a class that has fewer than two thirds of them hardly looks
//! at the others: WARN.
//!
//! A whole network without anything that bends its values is a linear model, however many layers it has: INFO, and WARN
//! once the loss stands still above a third of the trivial one (over the last third of the steps so far, at least 100, it has
//! improved by less than 5 %).
//!
//! Threshold: none, these are facts; the 1 % is ours. NeuraLint (Nikanjam et al., 2021) and UMLAUT (Schoop et al., 2021) have
//! most of them. Mean squared error on one-hot labels and deep linear networks are legitimate, and are not condemned.
//!
//! Cannot see: a sigmoid written as a formula inside a layer of one's own.

use barun_nn::losses::{Outputs, Task};
use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, percent, short};
use crate::case::{Case, Target, is_nonlinear, is_weighted};
use crate::curve::stretches;
use crate::history::{Check, History};
use crate::known_answers::KnownAnswers;

/// See the [module](self).
pub struct HeadLossMismatch;

/// The share of targets that may lie outside what the last layer can give; the spread leaves out a hundredth at each end.
const MARGIN: f64 = 0.01;

/// A class may have this part of the loss, unless it has this part of the rows.
const MOST_WEIGHT: f64 = 0.9;
const MOST_ROWS: f64 = 2.0 / 3.0;

impl Rule for HeadLossMismatch {
    fn about(&self) -> About {
        About {
            id: "R02",
            name: "HEAD_LOSS_MISMATCH",
            summary: "The network's last layer does not give what the loss takes.",
            kind: Kind::Static,
            persist: (1, 1),
            explains: &["R03", "R06", "R07", "R08", "R09", "R10", "R12", "R13", "R14", "R15", "R16", "R19", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let case = &history.case;
        if let Some(found) = turned(case).or_else(|| blind(case)).or_else(|| lopsided(case)) {
            return Some(found);
        }
        let last = case.last_call()?;
        let task = case.loss.task?;
        let (kind, loss) = (last.kind.as_str(), case.loss.name.as_str());
        let width = last.output.last().copied().unwrap_or(0);
        let found = match task {
            Task::Classes(Outputs::Scores) if width == 1 => Some(one_output(loss)),
            Task::Classes(outputs) | Task::TwoClasses(outputs) => of_classes(kind, loss, outputs, case),
            Task::Numbers => of_numbers(kind, case),
            Task::Similarity => None,
        };
        let found = found.or_else(|| dropped(case)).or_else(|| own_softmax(history, (task, kind, loss), width));
        found.map(|found| found.at(last.path.clone())).or_else(|| linear(history))
    }
}

/// Answers of which some are set to 0 at random.
fn dropped(case: &Case) -> Option<Found> {
    let after_last = case.calls.iter().rev().take_while(|call| !is_weighted(&call.kind) && call.kind != "BatchNorm");
    let dropout = after_last.filter(|call| call.kind == "Dropout").last()?;
    case.weighted_calls().next()?;
    let message = format!("dropout stands after the last layer ({}): it sets answers of the network to 0", dropout.path);
    let why = "The others are made larger for it, so that what is right on average is never right for a row";
    let found = Found::new(Level::Warn, (1.0, 0.0), message, why);
    Some(found.cure("Let dropout stand between hidden layers only", &[]))
}

const TWICE: &str = "Of scores between 0 and 1 a second one makes nearly equal probabilities: learning is slow, and the loss \
                     cannot come near 0";

/// A loss that falls the more, the worse the answers are.
fn turned(case: &Case) -> Option<Found> {
    let known = case.known_answers.filter(KnownAnswers::likes_wrong_ones)?;
    let (wrong, guess) = (short(known.wrong), short(known.guess));
    let message = format!("the loss is {wrong} of wrong answers and {guess} of a guess: it is lowest where answers are worst");
    let why = "What makes the loss smaller makes the network worse";
    let found = Found::new(Level::Error, (known.wrong, known.guess), message, why);
    Some(found.cure("Turn the sign of the loss", &[]))
}

/// A loss that does not look at a class.
fn blind(case: &Case) -> Option<Found> {
    let known = case.known_answers.as_ref()?;
    let class = known.ignored?;
    let message = format!(
        "the loss is {} whatever is answered to the rows of class {class} (counted from 0): it does not look at that output",
        short(known.guess)
    );
    let why = "An output that the loss does not look at learns nothing, and its class is never told from the others";
    let found = Found::new(Level::Error, (0.0, 0.0), message, why);
    Some(found.cure("Let the loss take all outputs: `[rows, classes]`", &[]))
}

/// Weights of classes that leave the loss to one of them.
fn lopsided(case: &Case) -> Option<Found> {
    let Target::Classes(counts) = &case.target else { return None };
    if case.loss.class_weights.len() != counts.len() {
        return None;
    }
    let rows = counts.iter().sum::<usize>() as f64;
    let weighed = || counts.iter().zip(&case.loss.class_weights).map(|(count, weight)| *count as f64 * weight);
    let (class, most) = weighed().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let (share, of_rows) = (most / weighed().sum::<f64>(), counts[class] as f64 / rows);
    if share <= MOST_WEIGHT || of_rows >= MOST_ROWS {
        return None;
    }
    let message = format!(
        "the rows of class {class} (counted from 0) are {} of all, and by the weights of the classes they have {} of the loss",
        percent(of_rows),
        percent(share)
    );
    let why = "Weights are to make up for classes that are rare; these leave hardly anything to the others";
    let found = Found::new(Level::Warn, (share, MOST_WEIGHT), message, why);
    Some(found.cure("Take the weights away, or one over how frequent each class is", &[]))
}

fn one_output(loss: &str) -> Found {
    let message = format!("the network has a single output and {loss} takes a softmax over it, which is always 1");
    Found::new(Level::Error, (1.0, 2.0), message, "The loss is 0 from the start, and nothing is learned")
        .cure("Use binary cross entropy for a single output", &["train.loss=bce_with_logits".into()])
}

fn of_classes(kind: &str, loss: &str, outputs: Outputs, case: &Case) -> Option<Found> {
    let squashes = matches!(kind, "Softmax" | "LogSoftmax" | "Sigmoid" | "HardSigmoid");
    match outputs {
        Outputs::Scores if squashes => {
            let message = format!("the network ends with {kind} and {loss} applies its own on top");
            let found = Found::new(Level::Error, (1.0, 0.0), message, TWICE);
            Some(found.cure(format!("Take the {kind} away; predictions apply it by themselves"), &[]))
        }
        Outputs::Scores if matches!(kind, "Relu" | "Tanh" | "HardTanh") => {
            let message = format!("the network ends with {kind}, so its scores cannot be large in both directions");
            let why = "Scores say by their size how sure the network is; what is cut off cannot be learned";
            let found = Found::new(Level::Warn, (1.0, 0.0), message, why);
            Some(found.cure(format!("Take the {kind} after the last layer away"), &[]))
        }
        Outputs::Probabilities => {
            let fits = match (case.loss.of_logarithms, loss) {
                (true, _) => kind == "LogSoftmax",
                (false, "bce") => matches!(kind, "Sigmoid" | "HardSigmoid" | "Softmax"),
                (false, _) => matches!(kind, "Softmax" | "Sigmoid"),
            };
            let message = format!("{loss} takes probabilities, and the network ends with {kind}");
            let why = "Logarithms of what are no probabilities are no losses: clipped, they have no gradient";
            let better = if loss == "bce" { "bce_with_logits" } else { "cross_entropy" };
            let found = Found::new(Level::Error, (1.0, 0.0), message, why)
                .cure("Use the loss that takes scores", &[format!("train.loss={better}")]);
            (!fits).then_some(found)
        }
        Outputs::Scores => None,
    }
}

/// So many checks in a row tell what a last layer of one's own gives.
const CHECKS: usize = 5;

fn own_softmax(history: &History, (task, kind, loss): (Task, &str, &str), width: usize) -> Option<Found> {
    let takes_scores = matches!(task, Task::Classes(Outputs::Scores));
    if !takes_scores || width < 2 || is_weighted(kind) {
        return None;
    }
    let checks = history.last_checks(CHECKS)?;
    // The mean of shares is one over their number, but for rounding; that of scores is so by no accident.
    let gives_shares = |check: &&Check| {
        check.activations.last().is_some_and(|last| {
            (last.mean * width as f64 - 1.0).abs() < 1e-5 && last.std > 0.0 && last.max_abs <= 1.0 + 1e-6
        })
    };
    checks.iter().all(gives_shares).then(|| {
        let message = format!("what {kind} gives sums to 1 in each row, and {loss} applies its own softmax on top");
        let found = Found::new(Level::Error, (1.0, 0.0), message, TWICE);
        found.cure(format!("Take the {kind} away; predictions apply a softmax by themselves"), &[])
    })
}

fn of_numbers(kind: &str, case: &Case) -> Option<Found> {
    let Target::Numbers { spread, .. } = &case.target else { return None };
    let (low, high) = match kind {
        "Relu" => (0.0, f64::INFINITY),
        "Sigmoid" | "HardSigmoid" | "Softmax" => (0.0, 1.0),
        "Tanh" | "HardTanh" => (-1.0, 1.0),
        _ => return None,
    };
    let beyond = (low - spread.low).max(spread.high - high);
    if beyond <= 1e-6 {
        return None;
    }
    let message = format!(
        "the network ends with {kind}, which gives {low} to {high}, and more than {} of the numbers to predict lie outside",
        percent(MARGIN)
    );
    let why = "What the last layer cannot give cannot be learned";
    Some(Found::new(Level::Error, (beyond, 0.0), message, why).cure(format!("Take the {kind} at the end away"), &[]))
}

const STILL: f64 = 0.05;
const HIGH: f64 = 1.0 / 3.0;
const LEAST_STEPS: usize = 100;

/// Whether the loss has come to where it stays, and that is high.
fn stands_still(history: &History) -> bool {
    let steps = history.steps / 3;
    let Some(scale) = history.loss_scale().filter(|_| steps >= LEAST_STEPS) else { return false };
    let halves = stretches(history.losses.last(steps), 2);
    let [before, now] = halves[..] else { return false };
    before - now < STILL * before && now > HIGH * scale
}

fn linear(history: &History) -> Option<Found> {
    let case = &history.case;
    let weighted = case.weighted_calls().count();
    if weighted < 2 || case.calls.iter().any(|call| is_nonlinear(&call.kind)) {
        return None;
    }
    let level = if stands_still(history) { Level::Warn } else { Level::Info };
    let message = format!("nothing in the {weighted} layers bends what it gets, so all together are one linear layer");
    let why = "A linear model cannot learn what is not linear, however deep it is";
    let found = Found::new(level, (weighted as f64, 1.0), message, why);
    Some(found.cure("Put an activation such as relu between the layers", &["model.activation=relu".into()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Loss;
    use crate::testing::{calls, layer, step};
    use barun_nn::{ActivationRecord, StepRecord};

    fn judge(kinds: &[&str], width: usize, loss: &str, task: Task, target: Target) -> Option<Found> {
        let loss = Loss { name: loss.into(), task: Some(task), ..Loss::default() };
        let case = Case { calls: calls(kinds, width), loss, target, ..Case::default() };
        HeadLossMismatch.judge(&History::of(case, None))
    }

    const SCORES: Task = Task::Classes(Outputs::Scores);
    const PROBABILITIES: Task = Task::Classes(Outputs::Probabilities);

    #[test]
    fn a_loss_with_its_sign_turned_is_told_before_the_first_step() {
        let mut history = History::default();
        history.case.known_answers = Some(KnownAnswers { guess: -1.6, right: -1.5, wrong: -1.7, ignored: None });
        assert_eq!(HeadLossMismatch.judge(&history).unwrap().level, Level::Error);
    }

    #[test]
    fn dropout_behind_the_last_layer_is_told_and_before_it_is_not() {
        let numbers = || Target::of_numbers(vec![-1.0, 0.0, 1.0]);
        let found = judge(&["Linear", "Relu", "Linear", "Dropout"], 1, "mse", Task::Numbers, numbers()).unwrap();
        assert!(found.message.starts_with("dropout stands after the last layer (3)"), "{}", found.message);
        assert_eq!(judge(&["Linear", "Relu", "Dropout", "Linear"], 1, "mse", Task::Numbers, numbers()), None);
        assert!(judge(&["Linear", "Relu", "Linear", "Dropout"], 10, "cross_entropy", SCORES, Target::Unknown).is_some());
    }

    #[test]
    fn weights_that_leave_the_loss_to_one_class_are_told_and_those_that_make_up_for_rare_ones_not() {
        let judge = |class_weights: Vec<f64>| {
            let loss = Loss { class_weights, ..Loss::default() };
            let target = Target::Classes(vec![10, 500, 490]);
            HeadLossMismatch.judge(&History::of(Case { loss, target, ..Case::default() }, None))
        };
        assert!(judge(vec![10_000.0, 1.0, 1.0]).unwrap().message.contains("class 0"));
        assert_eq!(judge(vec![50.0, 1.0, 1.0]), None);
    }

    #[test]
    fn a_loss_that_does_not_look_at_a_class_is_an_error() {
        let mut history = History::default();
        history.case.known_answers = Some(KnownAnswers { guess: 1.6, right: 1.5, wrong: 1.7, ignored: Some(2) });
        let found = HeadLossMismatch.judge(&history).unwrap();
        assert!(found.level == Level::Error && found.message.contains("class 2"), "{}", found.message);
    }

    #[test]
    fn a_softmax_under_another_and_scores_taken_for_probabilities_are_errors() {
        let classes = || Target::Classes(vec![5, 5, 5]);
        let twice = judge(&["Linear", "Relu", "Linear", "Softmax"], 3, "cross_entropy", SCORES, classes()).unwrap();
        assert_eq!((twice.level, twice.layer.as_deref()), (Level::Error, Some("3")));
        let raw = judge(&["Linear", "Relu", "Linear"], 3, "nll", PROBABILITIES, classes()).unwrap();
        assert_eq!(raw.cure[0].set, ["train.loss=cross_entropy"]);
        assert!(judge(&["Linear", "Relu", "Linear"], 1, "cross_entropy", SCORES, classes()).is_some());
        assert!(judge(&["Linear", "Relu", "Linear", "Relu"], 3, "cross_entropy", SCORES, classes()).is_some());
    }

    #[test]
    fn what_fits_is_left_in_peace() {
        let classes = || Target::Classes(vec![5, 5, 5]);
        assert_eq!(judge(&["Linear", "Relu", "Linear"], 3, "cross_entropy", SCORES, classes()), None);
        assert_eq!(judge(&["Linear", "Relu", "Linear", "Softmax"], 3, "nll", PROBABILITIES, classes()), None);
        let positive = Target::of_numbers((0..100).map(f64::from).collect());
        assert_eq!(judge(&["Linear", "Relu", "Linear", "Relu"], 1, "mse", Task::Numbers, positive), None);
    }

    #[test]
    fn numbers_beyond_what_the_last_layer_gives_are_an_error() {
        let both_signs = Target::of_numbers((0..100).map(|at| f64::from(at) / 25.0 - 2.0).collect());
        let found = judge(&["Linear", "Relu", "Linear", "Tanh"], 1, "mse", Task::Numbers, both_signs).unwrap();
        assert!(found.message.contains("-1 to 1"), "{}", found.message);
    }

    #[test]
    fn a_softmax_of_ones_own_is_known_by_what_it_gives() {
        let judge = |mean: f64, max_abs: f64| {
            let loss = Loss { name: "cross_entropy".into(), task: Some(SCORES), ..Loss::default() };
            let calls = calls(&["Linear", "Relu", "Linear", "Shares"], 4);
            let case = Case { calls, loss, target: Target::Classes(vec![5; 4]), ..Case::default() };
            let mut history = History::of(case, None);
            let last = ActivationRecord { mean, max_abs, ..layer("3", "Shares", 0.2) };
            let record = StepRecord { activations: vec![last], ..StepRecord::default() };
            (1..=5).for_each(|number| history.add_check((number, 32), step(1.0), &record));
            HeadLossMismatch.judge(&history)
        };
        assert_eq!(judge(0.25, 0.9).unwrap().level, Level::Error);
        assert_eq!(judge(0.21, 0.9), None, "a sigmoid, or scores that happen to be small");
        assert_eq!(judge(0.25, 3.0), None);
    }

    #[test]
    fn a_linear_network_that_stands_still_far_from_the_answer_is_told() {
        let judge = |loss: f64| {
            let mut history = crate::testing::course(600, |_| loss);
            history.case.calls = calls(&["Linear", "Linear"], 10);
            history.case.loss.task = Some(SCORES);
            HeadLossMismatch.judge(&history).unwrap().level
        };
        assert_eq!((judge(1.5), judge(0.3)), (Level::Warn, Level::Info));
    }

    #[test]
    fn a_deep_linear_network_is_only_worth_knowing() {
        let target = Target::Classes(vec![5, 5]);
        let found = judge(&["Linear", "BatchNorm", "Linear"], 2, "cross_entropy", SCORES, target).unwrap();
        assert_eq!(found.level, Level::Info);
    }
}
