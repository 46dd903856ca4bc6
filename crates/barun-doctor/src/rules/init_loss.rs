//! The loss of the first step is not what it must be for a network that knows nothing.
//!
//! Before it has learned, a network should say every class is equally likely, or the mean: then its loss is the logarithm of
//! the number of classes or the variance of the numbers. A first loss many times as large means a last layer that shouts, a target
//! that is not centred, or a loss that sums over the batch instead of taking its mean; one far below means that the answer
//! is in the input, or that the loss is divided once too often.
//!
//! - more than 6 times the trivial loss for classes, 20 times for numbers: WARN; 20 and 100 times: ERROR;
//! - less than a tenth of it: WARN;
//! - a loss without a usual name costs a guess so little - the same answer for every row - that plain descent moves by less than a
//!   thousandth of what it would with a usual loss, cross-entropy or squared error, at a rate of 1: WARN.
//!
//! Threshold: ours, on healthy runs: networks with He's first weights begin 20 to 45 % above the entropy, small convolutional
//! ones at up to 3 times it, and on numbers, with residual stages, at more than 6 times the variance, so that the 30 % of
//! Karpathy's recipe would be wrong of many.
//!
//! Cannot see: losses whose trivial value is not known (focal, hinge, huber, weighted classes, penalties).

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, short};
use crate::case::Target;
use crate::history::History;

/// See the [module](self).
pub struct InitLoss;

const FAR_FOR_CLASSES: (f64, f64) = (6.0, 20.0);
const FAR_FOR_NUMBERS: (f64, f64) = (20.0, 100.0);
const LOW: f64 = 0.1;
const SLIGHT: f64 = 1e-3;

impl Rule for InitLoss {
    fn about(&self) -> About {
        About {
            id: "R03",
            name: "INIT_LOSS",
            summary: "The first loss is not that of a network that knows nothing.",
            kind: Kind::FirstStep,
            persist: (1, 1),
            explains: &["R10", "R13", "R15", "R16", "R17", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        if let Some(found) = slight(history) {
            return Some(found);
        }
        let (first, trivial) = (history.first_loss()?, history.case.first_loss()?);
        let ratio = first / trivial;
        // What weights cost is part of the loss, and nobody can say how much it is.
        if history.case.is_penalised {
            return None;
        }
        let is_numbers = matches!(history.case.target, Target::Numbers { .. });
        let (warn, error) = if is_numbers { FAR_FOR_NUMBERS } else { FAR_FOR_CLASSES };
        let batch = history.case.batch_size as f64;
        let told = format!("the first loss is {}, and knowing nothing costs {}", short(first), short(trivial));
        if ratio > warn {
            let level = if ratio > error { Level::Error } else { Level::Warn };
            let why = "The first steps go into unlearning what the network says so loudly";
            let mut found = Found::new(level, (ratio, warn), told, why);
            if batch > 4.0 && (0.5..2.0).contains(&(ratio / batch)) {
                found = found.evidence(format!("it is as many times too large as the batch has rows ({batch})"));
                found = found.cure("Take the mean over the batch, not the sum", &[]);
            }
            return Some(found.cure("Draw smaller first weights for the last layer, and start its bias at the base rates", &[]));
        }
        if ratio < LOW {
            let why = "A network that has learned nothing cannot know the answer, unless it is given away";
            let found = Found::new(Level::Warn, (ratio, LOW), told, why);
            return Some(found.cure("Look whether an input gives the target away, and how the loss is averaged", &[]));
        }
        None
    }
}

/// A loss that is small by itself, and with it all gradients.
fn slight(history: &History) -> Option<Found> {
    let case = &history.case;
    let guess = case.known_answers?.guess;
    let usual = match &case.target {
        Target::Classes(counts) => (counts.len().max(2) as f64).ln(),
        Target::Numbers { std, mean_distance, .. } => (std * std).min(*mean_distance),
        Target::Unknown => return None,
    };
    let share = guess / usual;
    if case.first_loss().is_some() || case.optimizer.is_adaptive() || usual <= 0.0 || share <= 0.0 || case.optimizer.lr * share >= SLIGHT {
        return None;
    }
    let message = format!("the loss of a guess is {}, where usual losses are {}", short(guess), short(usual));
    let why = "Gradients are as much smaller, and so are the steps of plain descent";
    let found = Found::new(Level::Warn, (case.optimizer.lr * share, SLIGHT), message, why);
    let found = found.cure("Divide the loss by the rows of the batch once, and by nothing else", &[]);
    Some(found.cure("Use Adam, whose steps do not depend on the size of the loss", &["train.optimizer.name=adam".to_string()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Case, Loss};
    use crate::testing::step;

    fn judge(loss: f64) -> Option<Found> {
        let case = Case {
            target: Target::Classes(vec![10; 10]),
            loss: Loss { name: "cross_entropy".into(), ..Loss::default() },
            batch_size: 64,
            ..Case::default()
        };
        let mut history = History::of(case, None);
        history.add_step(step(loss));
        InitLoss.judge(&history)
    }

    #[test]
    fn a_first_loss_near_the_entropy_is_well_and_a_sum_is_told_from_a_mean() {
        for healthy in [2.2, 2.303, 3.3, 9.0] {
            assert_eq!(judge(healthy), None, "{healthy}");
        }
        let summed = judge(2.4 * 64.0).unwrap();
        assert_eq!(summed.level, Level::Error);
        assert!(summed.cure[0].advice.contains("mean"));
        assert_eq!(judge(20.0).unwrap().level, Level::Warn);
        assert_eq!(judge(0.01).unwrap().level, Level::Warn);
    }

    #[test]
    fn a_loss_divided_once_too_often_is_told_where_steps_depend_on_it() {
        let judge = |guess: f64, is_plain: bool| {
            let known_answers = Some(crate::KnownAnswers { guess, right: 0.9 * guess, wrong: 1.1 * guess, ignored: None });
            let optimizer = crate::case::Optimizer { name: "sgd".into(), lr: 0.1, is_plain, ..Default::default() };
            let case = Case { target: Target::Classes(vec![10; 10]), known_answers, optimizer, ..Case::default() };
            InitLoss.judge(&History::of(case, None))
        };
        assert!(judge(2.3 / 500.0, true).unwrap().message.contains("where usual losses are 2.30"));
        assert_eq!(judge(2.3 / 500.0, false), None, "Adam does not mind");
        assert_eq!(judge(0.9, true), None);
    }
}
