//! Steps that are far too large, or far too small, for the weights they change.
//!
//! The ratio of the root mean squares of a step's update and the weights it changes is about 1/1000 in runs that go well.
//! Only weights are compared; biases and normalisations start at 0 or 1 and mean nothing here.
//!
//! Threshold: while the run is in trouble, for at least half of the weights: above 1/10 in 3 of 5 checks (or all, where a run
//! ends before there are as many), or weights 30 times as large as in the first step: the learning rate is too large: ERROR.
//! Below 1e-5, also where the loss is above 0.3 of the trivial one after half of the run, or 1e-4 while the loss stands still where it began: too small: WARN. TheDeepChecker has 1/10 and 1e-4,
//! Karpathy's rule of thumb is 1/1000.
//!
//! A step that is too small for the precision of the weights, so that it adds nothing, is too small; but what stands still beside
//! weights that move is frozen (`FROZEN_PARAM`) and does not count. In the last tenth of a
//! run small steps are what a schedule comes down to, if its rate is a tenth of what it was: nothing is said. But steps that
//! were of a usual size and have changed the weights by less than 1e-6 ever since the middle of the run, with the loss above a
//! tenth of the trivial one after three quarters of it, are those of a rate that has died: WARN, whatever the loss does.
//!
//! A rate that after half of the run is still below a third of what it is to be, and rises, with the loss above a tenth of the
//! trivial one, is that of a warm-up that does not fit into the run: WARN, whatever the loss does.
//!
//! Nothing is said of steps that go up the loss (`LOSS_DIVERGE`), that old gradients are added to (`FROZEN_PARAM`), or of weights that
//! are held within bounds (`OVER_REGULARIZED`), nor that steps are too small where the last layer learns and gradients vanish on their
//! way to the first (`GRAD_VANISH`): there another rate mends nothing.
//!
//! Cannot see: a rate that is too large for a narrow valley and yet moves the weights by little; `SHARPNESS` measures that.

use barun_train::diagnosis::Level;
use barun_train::recipe::usual_lr;

use super::frozen_param::added_up;
use super::grad_vanish;
use super::loss_diverge::goes_uphill;
use super::over_regularized::held;
use super::{About, Found, Kind, Plateau, Rule, lr_times, percent, short};
use crate::curve::median;
use crate::history::{Check, History};

/// See the [module](self).
pub struct UpdateRatio;

const TOO_FAST: f64 = 0.1;
const TOO_SLOW: f64 = 1e-5;
const TOO_SLOW_AT_START: f64 = 1e-4;
/// What moves by more than this part of itself moves.
const MOVES: f64 = 1e-6;
/// With a loss below this part of that of knowing nothing there is not much more to learn.
const UNLEARNED: f64 = 0.1;
/// So many of the last checks must show it, or all where there are fewer.
const OFTEN: usize = 3;
const LAST: usize = 5;
/// Weights that were smaller than this say nothing by growing.
const SIZEABLE: f64 = 1e-2;
const BLOWN_UP: f64 = 30.0;
/// What has grown so much has not stayed what it was.
const GROWN: f64 = 3.0;
/// Where most runs go well.
const HEALTHY: f64 = 3e-3;
/// A rate below this part of what it is to be is not warm.
const WARM: f64 = 1.0 / 3.0;
/// The rate is never changed by more than this at once.
const MOST_CHANGE: f64 = 30.0;

impl Rule for UpdateRatio {
    fn about(&self) -> About {
        About {
            id: "R13",
            name: "UPDATE_RATIO",
            summary: "Steps are far too large, or far too small, for the weights they change.",
            kind: Kind::Symptom,
            persist: (1, 1),
            explains: &["R06", "R07", "R08", "R09", "R10", "R11", "R12", "R14", "R15", "R16", "R17", "R18", "R20", "R21", "R23", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        if goes_uphill(history) || held(history).is_some() || added_up(history).is_some() {
            return None;
        }
        let pace = Pace::of(history, history.checks.back()?)?;
        too_fast(history, &pace).or_else(|| still_warming_up(history)).or_else(|| too_slow(history, &pace))
    }
}

/// How fast the weights change in a check.
struct Pace {
    /// The size of the update over that of the weights, for each of them.
    ratios: Vec<f64>,
    /// How many times as large they are as in the first check, in the middle.
    growth: f64,
}

impl Pace {
    fn of(history: &History, check: &Check) -> Option<Pace> {
        let weights: Vec<usize> = history
            .weight_indices()
            .into_iter()
            .filter(|at| {
                check.parameters.get(*at).is_some_and(|own| own.weight > 0.0 && (own.update > 0.0 || own.gradient > 0.0))
            })
            .collect();
        let ratio = |at: &usize| Pace::ratio(check, *at).unwrap_or(0.0);
        // What stands still beside others that move is frozen, and not slow.
        let some_move = weights.iter().any(|at| ratio(at) > MOVES);
        let ratios: Vec<f64> = weights.iter().map(ratio).filter(|ratio| *ratio > 0.0 || !some_move).collect();
        // Of several batches that make one update only the last one moves anything.
        let moves = history.case.accumulate <= 1 || ratios.iter().any(|ratio| *ratio > 0.0);
        if ratios.is_empty() || !check.applied || !moves {
            return None;
        }
        let first = history.first_check.as_ref()?;
        let growths: Vec<f64> = weights
            .iter()
            .filter_map(|at| Some((check.parameters[*at].weight, first.parameters.get(*at)?.weight)))
            .filter(|(_, first)| *first > SIZEABLE)
            .map(|(now, first)| now / first)
            .collect();
        Some(Pace { ratios, growth: if growths.is_empty() { 1.0 } else { median(&growths) } })
    }

    /// The size of a parameter's update over its own.
    fn ratio(check: &Check, at: usize) -> Option<f64> {
        check.parameters.get(at).map(|own| own.update / own.weight)
    }

    /// How many weights change by more than a tenth of themselves.
    fn fast(&self) -> usize {
        self.ratios.iter().filter(|ratio| **ratio > TOO_FAST).count()
    }

    fn is_too_fast(&self) -> bool {
        2 * self.fast() >= self.ratios.len() || self.growth > BLOWN_UP
    }
}

fn too_fast(history: &History, pace: &Pace) -> Option<Found> {
    if !pace.is_too_fast() {
        return None;
    }
    // A run that comes to an end within a few steps has shown no more.
    let last = history.checks.iter().rev().take(LAST);
    let paces: Vec<Pace> = last.filter_map(|check| Pace::of(history, check)).collect();
    if paces.iter().filter(|pace| pace.is_too_fast()).count() < OFTEN.min(paces.len()) {
        return None;
    }
    let (fast, usual) = (pace.fast(), median(&pace.ratios));
    let message = match 2 * fast >= pace.ratios.len() {
        true => format!(
            "a step changes the weights of {fast} of {} layers by more than a tenth (typically by {} of their size)",
            pace.ratios.len(),
            short(usual)
        ),
        false => format!("the weights are typically {} times as large as before the first step", short(pace.growth)),
    };
    let why = "Such steps jump over every valley, and undo what the last ones have learned";
    let found = Found::new(Level::Error, (usual, TOO_FAST), message, why);
    let factor = if usual > TOO_FAST { (HEALTHY / usual).max(1.0 / MOST_CHANGE) } else { 1.0 / MOST_CHANGE };
    let found = found.cure("Lower the learning rate", &lr_times(history, factor));
    Some(found.cure("Then search it: `barun check RECIPE --lr-find`", &[]))
}

fn too_slow(history: &History, pace: &Pace) -> Option<Found> {
    let limit = if Plateau.judge(history).is_some() { TOO_SLOW_AT_START } else { TOO_SLOW };
    let (slow, all) = (pace.ratios.iter().filter(|ratio| **ratio < limit).count(), pace.ratios.len());
    let lr = history.checks.back()?.lr;
    let has_died = has_died(history);
    if 2 * slow < all || pace.growth > GROWN || is_coming_down(history, lr) && !has_died {
        return None;
    }
    // Where gradients fade on their way back while the last layer learns, no rate is right for both.
    let last = history.weight_indices().last().and_then(|at| Pace::ratio(history.checks.back()?, *at));
    if grad_vanish::fades(history).is_some() && last.is_some_and(|ratio| ratio >= limit) {
        return None;
    }
    let usual = median(&pace.ratios);
    let since = if has_died { ", since before the middle of the run" } else { "" };
    let message = format!(
        "a step changes the weights of {slow} of {all} layers by less than {limit:e} of their size (typically by {}){since}",
        short(usual)
    );
    let why = "At this pace the weights stay what they were drawn as";
    let found = Found::new(Level::Warn, (usual, limit), message, why);
    if has_died {
        return Some(found.certain().cure("Let the schedule bring the learning rate down later, or to no less than a hundredth", &[]));
    }
    let found = found.cure("Raise the learning rate", &raised(history, HEALTHY / usual));
    let found = found.cure("Then search it: `barun check RECIPE --lr-find`", &[]);
    Some(if usual < TOO_SLOW && history.is_poor() { found.certain() } else { found })
}

/// The learning rate that is `factor` times as large, as far as it goes at once: from farther below, the usual one of the
/// optimiser. What lies beyond has to be measured anew there, since gradients at weights that hardly move say little of it.
fn raised(history: &History, factor: f64) -> Vec<String> {
    let optimizer = &history.case.optimizer;
    let usual = usual_lr(&optimizer.name).unwrap_or(0.0);
    match factor > MOST_CHANGE && usual > MOST_CHANGE * optimizer.lr {
        true => vec![format!("train.lr={usual}")],
        false => lr_times(history, factor.clamp(1.0, MOST_CHANGE)),
    }
}

/// Whether steps that were of a usual size have come to nothing before the middle of the run, with much still to be learned.
pub(super) fn has_died(history: &History) -> bool {
    let total = history.case.total_steps();
    let median_of = |check: &Check| Pace::of(history, check).map(|pace| median(&pace.ratios));
    let late: Vec<&Check> = history.checks.iter().filter(|check| 2 * check.step > total).collect();
    let is_still = |check: &&Check| median_of(check).is_some_and(|ratio| ratio < MOVES);
    let has_moved = history.first_check.as_ref().and_then(median_of).is_some_and(|ratio| ratio > TOO_SLOW);
    4 * history.steps >= 3 * total && late.len() >= OFTEN && late.iter().all(is_still) && has_moved && is_unlearned(history)
}

/// A warm-up that ends after the run, or near its end.
fn still_warming_up(history: &History) -> Option<Found> {
    let (total, planned) = (history.case.total_steps(), history.case.optimizer.lr);
    let (first, last) = (history.first_check.as_ref()?, history.checks.back()?);
    let steps = || history.checks.iter().zip(history.checks.iter().skip(1)).map(|(a, b)| b.lr - a.lr);
    // It rises again and again, and not once, as where the run was mended.
    let rises = steps().all(|rise| rise >= 0.0) && steps().filter(|rise| *rise > 0.0).count() >= OFTEN;
    if 2 * last.step < total || !(rises && first.lr < last.lr) || last.lr >= WARM * planned || !is_unlearned(history) {
        return None;
    }
    let share = last.lr / planned;
    let message = format!(
        "after {} of {total} steps the learning rate is still at {} of what it is to be, and rises",
        last.step,
        percent(share)
    );
    let found = Found::new(Level::Warn, (share, WARM), message, "The run ends before it has begun to learn at its own pace");
    let found = found.cure("Warm up over a tenth of the run at most", &[format!("train.schedule.warmup={} steps", total / 20)]);
    Some(found.certain())
}

/// Whether there is much still to be learned.
fn is_unlearned(history: &History) -> bool {
    history.smooth_loss().zip(history.loss_scale()).is_some_and(|(loss, scale)| loss > UNLEARNED * scale)
}

/// Whether a schedule has brought the rate down for the end of the run.
fn is_coming_down(history: &History, lr: f64) -> bool {
    let total = history.case.total_steps();
    total > 0 && 10 * history.steps > 9 * total && lr < history.case.optimizer.lr / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::history_of_updates;

    #[test]
    fn steps_are_held_against_the_weights_they_change() {
        let fast = UpdateRatio.judge(&history_of_updates(&[0.5, 0.3, 0.001])).unwrap();
        assert!(fast.message.contains("2 of 3") && fast.level == Level::Error, "{}", fast.message);
        assert_eq!(fast.cure[0].set, ["train.lr=0.00033"]);
        assert_eq!(UpdateRatio.judge(&history_of_updates(&[1e-7, 1e-6, 1e-3])).unwrap().level, Level::Warn);
        assert_eq!(UpdateRatio.judge(&history_of_updates(&[1e-3, 3e-3, 1e-4])), None);
    }

    #[test]
    fn steps_that_add_nothing_at_all_are_too_small() {
        let still = UpdateRatio.judge(&history_of_updates(&[0.0, 0.0, 1e-9])).unwrap();
        assert!(still.message.contains("3 of 3"), "{}", still.message);
    }

    #[test]
    fn what_stands_still_beside_others_does_not_count() {
        assert_eq!(UpdateRatio.judge(&history_of_updates(&[0.0, 0.0, 1e-3])), None);
    }

    #[test]
    fn weights_that_have_blown_up_are_steps_that_are_too_large() {
        let mut history = history_of_updates(&[1e-3, 1e-3]);
        let blown = [("0.weight", 50.0, 0.01, 1e-9), ("1.weight", 80.0, 0.01, 1e-9)];
        (2..=6).for_each(|number| {
            history.add_check((number, 32), crate::testing::step(1.0), &crate::testing::record(&blown));
        });
        let found = UpdateRatio.judge(&history).unwrap();
        assert!(found.message.contains("times as large") && found.level == Level::Error, "{}", found.message);
    }

    #[test]
    fn a_schedule_may_come_down_to_nothing_at_its_end() {
        let mut history = history_of_updates(&[1e-7, 1e-6, 1e-6]);
        assert!(UpdateRatio.judge(&history).is_some());
        (history.case.optimizer.lr, history.steps) = (1.0, 1950);
        assert_eq!(UpdateRatio.judge(&history), None);
        history.steps = 1000;
        assert!(UpdateRatio.judge(&history).is_some(), "in the middle of the run it is too small");
    }

    #[test]
    fn slow_layers_below_one_that_learns_are_left_to_the_rule_of_vanishing_gradients() {
        let judge = |last: f64| {
            let mut history = history_of_updates(&[1e-3, 1e-3, 1e-3]);
            let weights = [("0.weight", 0.1, 1e-8, 1e-10), ("1.weight", 0.1, 1e-6, 1e-8), ("2.weight", 0.1, 1e-2, last)];
            history.add_check((2, 32), crate::testing::step(1.0), &crate::testing::record(&weights));
            UpdateRatio.judge(&history)
        };
        assert_eq!(judge(1e-3), None);
        assert!(judge(1e-8).is_some(), "none of them learns");
    }

    #[test]
    fn a_warm_up_that_does_not_fit_into_the_run_is_told() {
        let judge_rates = |lr_at: &dyn Fn(f64) -> f64, loss: f64| {
            let mut history = history_of_updates(&[1e-3, 1e-3]);
            history.case.optimizer.lr = 1.0;
            (0..1500).for_each(|_| history.add_step(crate::testing::step(loss)));
            for number in 1..=10 {
                let step = 150 * number;
                let scalars = crate::history::StepScalars {
                    lr: lr_at(step as f64),
                    ..crate::testing::step(loss)
                };
                let weights = [("0.weight", 0.1, 0.01, 1e-4), ("1.weight", 0.1, 0.01, 1e-4)];
                history.add_check((step, 32), scalars, &crate::testing::record(&weights));
            }
            UpdateRatio.judge(&history)
        };
        let judge = |warm_up: f64, loss: f64| judge_rates(&|step| 0.1 + (step / warm_up).min(1.0) * 0.9, loss);
        let mended = judge_rates(&|step| if step < 800.0 { 0.1 } else { 0.3 }, 1.5);
        assert_eq!(mended, None, "another rate from one step on is no warm-up");
        let found = judge(1e5, 1.5).unwrap();
        assert!(found.is_certain && found.message.contains("and rises"), "{}", found.message);
        assert_eq!(judge(100.0, 1.5), None, "it was warm early on");
        assert_eq!(judge(1e5, 0.01), None, "it has learned all the same");
    }

    #[test]
    fn a_rate_that_died_before_the_middle_of_the_run_is_told_at_its_end() {
        let judge = |second_half: f64| {
            let mut history = history_of_updates(&[1e-3, 1e-3]);
            history.case.optimizer.lr = 1.0;
            (0..1950).for_each(|_| history.add_step(crate::testing::step(1.5)));
            for number in 1..=10 {
                let update = 0.1 * second_half;
                let weights = [("0.weight", 0.1, 0.01, update), ("1.weight", 0.1, 0.01, update)];
                history.add_check((900 + 100 * number, 32), crate::testing::step(1.5), &crate::testing::record(&weights));
            }
            UpdateRatio.judge(&history)
        };
        assert!(judge(1e-8).is_some_and(|found| found.is_certain && found.message.contains("since before")));
        assert_eq!(judge(3e-6), None, "it comes down for the end of the run");
    }

    #[test]
    fn from_far_below_the_rate_goes_up_to_the_usual_one() {
        let mut history = history_of_updates(&[1e-9, 1e-9, 1e-9]);
        history.case.optimizer = crate::case::Optimizer { name: "adamw".into(), lr: 1e-9, ..Default::default() };
        assert_eq!(raised(&history, 1e6), ["train.lr=0.001"]);
        assert_eq!(raised(&history, 10.0), ["train.lr=1e-8"]);
        (history.case.optimizer.name, history.case.optimizer.is_plain) = ("sgd".into(), true);
        assert_eq!(raised(&history, 1e6), ["train.lr=0.1"]);
        history.case.optimizer.lr = 0.1;
        assert_eq!(raised(&history, 1e6), ["train.lr=3"]);
    }
}
