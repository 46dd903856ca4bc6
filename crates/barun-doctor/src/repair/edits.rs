//! What a repair can do: typed edits that keep what the network has learned, and which of them a finding asks for.
//!
//! Other cures of a finding - another activation, normalisation between layers, another loss, other data - change what is
//! trained, and that needs the user's word: they stay advice.

use barun_engine::random::Stream;
use barun_nn::State;
use barun_train::Result;
use barun_train::changes::{Changes, WarmUp};
use barun_train::diagnosis::{Finding, Level};
use barun_train::mending::Mending;
use barun_train::recipe::short_number;

use super::surgery;
use crate::case::Case;
use crate::curve::median;
use crate::history::{Check, History, ParameterCheck};

/// One thing that is changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// The learning rate times this.
    Rate(f64),
    /// No gradient with a larger norm than this.
    Clip(f64),
    /// The learning rate rises from 0 over so many steps from here on.
    WarmUp(usize),
    /// Another optimiser, with its own defaults.
    Optimizer(&'static str),
    /// AdamW with this weight decay.
    Decay(f64),
    /// Neither weight decay nor penalties.
    NoDecay,
    /// Inputs to mean 0 and deviation 1, by the training rows.
    Standardize,
    /// Activations or dropout layers passed over.
    Without {
        /// Their kind.
        kind: String,
        /// Their paths.
        paths: Vec<String>,
    },
    /// New weights for units that give 0 for every row.
    Revive,
    /// All weights drawn anew, by the rule for the activation after them.
    Redraw,
    /// The last layer a tenth as large, and its bias at the base rates.
    CalmHead,
}

/// Edits that are done together, for one finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The finding's rule.
    pub rule: String,
    /// What is done.
    pub edits: Vec<Edit>,
}

/// Where most runs go well: the root mean square of a step over that of the weights it changes, see `UPDATE_RATIO`.
const HEALTHY_RATIO: f64 = 3e-3;
/// A rate that is too large is lowered to the healthy one, or to so many times that: what learns faster shows earlier.
const BRISK: f64 = 10.0;
/// A rate within this factor of the healthy one is not what is wrong.
const NEAR_ENOUGH: f64 = 3.0;
/// AdamW's decay against learning by heart, as `OVERFIT` advises it.
const STRONG_DECAY: f64 = 0.1;
/// A rise of the rate takes an epoch, but no more than one of so many parts of the run.
const WARM_UP_PART: usize = 10;

impl Candidate {
    fn new(rule: &str, edits: impl Into<Vec<Edit>>) -> Candidate {
        Candidate { rule: rule.to_string(), edits: edits.into() }
    }

    /// What it is called.
    pub fn name(&self) -> String {
        let names: Vec<String> = self.edits.iter().map(Edit::name).collect();
        names.join(" + ")
    }

    /// The run's changes and the state `start` with all of it done; none where there is nothing to do.
    ///
    /// # Errors
    /// Rows that cannot be read, and what the network does not take.
    pub fn done(
        &self,
        run: &Mending<'_>,
        history: &History,
        start: &State,
    ) -> Result<Option<(Changes, State)>> {
        let (mut changes, mut state) = (run.changes().clone(), start.clone());
        for edit in &self.edits {
            if !edit.apply(run, history, &mut changes, &mut state)? {
                return Ok(None);
            }
        }
        Ok(Some((changes, state)))
    }
}

impl Edit {
    /// What it is called.
    pub fn name(&self) -> String {
        match self {
            Edit::Rate(factor) if *factor < 1.0 => {
                format!("learning rate / {}", short_number(1.0 / factor, 2))
            }
            Edit::Rate(factor) => format!("learning rate x {}", short_number(*factor, 2)),
            Edit::Clip(norm) => format!("gradients clipped at {}", short_number(*norm, 2)),
            Edit::WarmUp(steps) => format!("a warm-up of {steps} steps"),
            Edit::Optimizer(name) => format!("the optimiser {name}"),
            Edit::Decay(decay) => format!("adamw with weight decay {decay}"),
            Edit::NoDecay => "no weight decay".to_string(),
            Edit::Standardize => "standardised inputs".to_string(),
            Edit::Without { kind, paths } => format!("without {kind} ({})", paths.join(", ")),
            Edit::Revive => "new weights for dead units".to_string(),
            Edit::Redraw => "weights drawn anew".to_string(),
            Edit::CalmHead => "a smaller last layer that starts at the base rates".to_string(),
        }
    }

    /// Does it; false where there is nothing to do.
    fn apply(
        &self,
        run: &Mending<'_>,
        history: &History,
        changes: &mut Changes,
        state: &mut State,
    ) -> Result<bool> {
        let case = &history.case;
        match self {
            Edit::Rate(factor) => changes.lr_factor *= factor,
            Edit::Clip(norm) => changes.clip = Some(*norm),
            Edit::WarmUp(steps) => changes.warm_up = Some(WarmUp { from: run.taken(), steps: *steps }),
            Edit::Optimizer(name) => set_optimizer(changes, name),
            Edit::Decay(decay) => {
                set_optimizer(changes, "adamw");
                changes.weight_decay = Some(*decay);
            }
            Edit::NoDecay => changes.weight_decay = Some(0.0),
            Edit::Standardize => {
                if changes.front.is_some() {
                    return Ok(false);
                }
                changes.front = Some(surgery::standardizing(run)?);
            }
            Edit::Without { paths, .. } => changes.without.extend(paths.iter().cloned()),
            Edit::Revive => return surgery::revive(run, case, state),
            Edit::Redraw => {
                changes.is_redrawn = true;
                return surgery::redraw(run, case, state);
            }
            Edit::CalmHead => return surgery::calm_head(run, case, state),
        }
        Ok(true)
    }
}

/// Another optimiser at its own rate.
fn set_optimizer(changes: &mut Changes, name: &str) {
    (changes.optimizer, changes.lr_factor) = (Some(name.to_string()), 1.0);
}

/// What `findings` ask for, the most promising first, each once. The root cause is the first of the findings.
pub fn candidates(findings: &[Finding], history: &History, changes: &Changes) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.level > Level::Info) {
        for edits in edits_for(finding, history, changes) {
            if all.iter().all(|known| known.edits != edits) {
                all.push(Candidate::new(&finding.rule, edits));
            }
        }
    }
    all
}

/// What a finding asks for.
fn edits_for(finding: &Finding, history: &History, changes: &Changes) -> Vec<Vec<Edit>> {
    let case = &history.case;
    let advised = advised_rate(finding, case).map(Edit::Rate);
    // A rate that is too large shows in its first step; later ones may come from a network that is already lost.
    let calm = healthy_rate(history, history.first_check.as_ref()).filter(|factor| *factor < 1.0);
    let brisk =
        calm.map(|factor| BRISK * factor).filter(|factor| *factor < 1.0 / NEAR_ENOUGH).map(Edit::Rate);
    let calm = calm.map(Edit::Rate);
    let now = healthy_rate(history, history.checks.iter().rev().find(|check| check.applied)).map(Edit::Rate);
    let healthy = calm.clone().or_else(|| now.clone());
    let clip =
        usual_norm(history).filter(|norm| changes.clip.is_none_or(|clip| *norm < clip)).map(Edit::Clip);
    let adam = (!case.optimizer.is_adaptive()).then_some(Edit::Optimizer("adam"));
    let warm_up = Some(Edit::WarmUp(warm_up_steps(case)));
    let wanted: Vec<Vec<Option<Edit>>> = match finding.rule.as_str() {
        "R01" => vec![vec![Some(Edit::Standardize)]],
        "R02" => vec![vec![last_activation(case)]],
        "R03" => vec![vec![Some(Edit::CalmHead)]],
        "R04" => vec![vec![Some(Edit::Redraw)]],
        "R08" => vec![vec![brisk], vec![calm], vec![advised, clip], vec![now]],
        "R09" => vec![vec![adam], vec![Some(Edit::Redraw)]],
        "R10" => vec![vec![clip.clone()], vec![clip, advised], vec![warm_up]],
        "R11" => vec![
            vec![Some(Edit::Revive), advised],
            vec![Some(Edit::Revive)],
            vec![Some(Edit::Revive), healthy],
        ],
        "R12" => vec![vec![Some(Edit::Standardize)], vec![Some(Edit::Redraw)]],
        "R13" => vec![vec![advised], vec![brisk], vec![healthy]],
        "R14" => vec![
            vec![brisk],
            vec![healthy.clone()],
            vec![Some(Edit::Revive), healthy],
            vec![Some(Edit::Revive)],
        ],
        "R15" => vec![vec![advised, clip], vec![brisk], vec![calm], vec![warm_up]],
        "R16" | "R27" => vec![vec![healthy], vec![adam], vec![Some(Edit::Redraw)]],
        "R17" => vec![vec![advised], vec![clip]],
        "R18" => vec![vec![Some(Edit::Decay(STRONG_DECAY))]],
        "R19" => vec![vec![dropouts(case)], vec![case.decays.then_some(Edit::NoDecay)]],
        "R21" => vec![vec![advised], vec![warm_up]],
        _ => Vec::new(),
    };
    // Edits that go together do so only if each of them is there; of two that are the same, the first one counts.
    let whole = wanted.into_iter().filter_map(|edits| edits.into_iter().collect::<Option<Vec<Edit>>>());
    whole.collect()
}

/// The factor of the learning rate that a cure of the finding sets.
fn advised_rate(finding: &Finding, case: &Case) -> Option<f64> {
    let sets = finding.cure.iter().flat_map(|cure| &cure.set);
    let lr: f64 = sets.filter_map(|set| set.strip_prefix("train.lr=")).find_map(|lr| lr.parse().ok())?;
    let factor = lr / case.optimizer.lr;
    (factor.is_finite() && factor > 0.0 && factor != 1.0).then_some(factor)
}

/// The factor of the optimiser's rate at which steps would be of a healthy size, by one that was looked at; none where the rate is
/// near it. The schedule makes of it what it makes of any.
fn healthy_rate(history: &History, check: Option<&Check>) -> Option<f64> {
    let (check, lr) = (check?, history.case.optimizer.lr);
    let weights: Vec<&ParameterCheck> =
        history.weight_indices().into_iter().filter_map(|at| check.parameters.get(at)).collect();
    let ratios = |update: &dyn Fn(&ParameterCheck) -> f64| -> Vec<f64> {
        let ratios = weights.iter().filter(|weight| weight.weight > 0.0);
        ratios.map(|weight| update(weight) / weight.weight).filter(|ratio| *ratio > 0.0).collect()
    };
    let mut ratios_found = ratios(&|weight| weight.update);
    if ratios_found.is_empty() {
        // Steps too small for the weights' precision: what they would have been.
        let divides = history.case.optimizer.is_adaptive();
        ratios_found = ratios(&|weight| check.lr * if divides { 1.0 } else { weight.gradient });
    }
    if ratios_found.is_empty() {
        return None;
    }
    let factor = HEALTHY_RATIO / median(&ratios_found) * check.lr / lr;
    let is_far = !(1.0 / NEAR_ENOUGH..=NEAR_ENOUGH).contains(&factor);
    (is_far && factor.is_finite() && factor > 0.0).then_some(factor)
}

/// The norm that nine of ten gradients stay below.
fn usual_norm(history: &History) -> Option<f64> {
    let taken = history.recent.iter().filter(|step| step.applied).map(|step| step.gradient_norm);
    let mut norms: Vec<f64> =
        taken.filter(|norm| norm.is_finite() && *norm > 0.0 && *norm < f64::MAX).collect();
    norms.sort_by(f64::total_cmp);
    norms.get(norms.len() * 9 / 10).copied()
}

/// Steps of a warm-up: an epoch, but no more than a tenth of the run.
fn warm_up_steps(case: &Case) -> usize {
    case.steps_per_epoch.min(case.total_steps() / WARM_UP_PART).max(5)
}

/// The last layer passed over, where it is an activation.
fn last_activation(case: &Case) -> Option<Edit> {
    let last = case.last_call()?;
    let is_activation = barun_nn::activations::all()
        .iter()
        .any(|activation| activation.name().replace('_', "") == last.kind.to_lowercase());
    is_activation.then(|| Edit::Without { kind: last.kind.clone(), paths: vec![last.path.clone()] })
}

/// Dropout layers passed over, where there are any.
fn dropouts(case: &Case) -> Option<Edit> {
    let dropouts = case.calls.iter().filter(|call| call.kind.contains("Dropout"));
    let paths: Vec<String> = dropouts.map(|call| call.path.clone()).collect();
    (!paths.is_empty()).then(|| Edit::Without { kind: "Dropout".into(), paths })
}

/// An edit of any kind that there is, drawn evenly over the kinds, its size as well.
pub(super) fn any_edit(stream: &mut Stream, history: &History, run: &Mending<'_>) -> Candidate {
    let case = &history.case;
    let factor = 30f64.powf(stream.between(-1.0, 1.0));
    let norm = usual_norm(history).unwrap_or(1.0) * 10f64.powf(stream.between(-1.0, 0.5));
    let kinds = [
        Some(Edit::Rate(factor)),
        Some(Edit::Clip(norm)),
        Some(Edit::WarmUp(warm_up_steps(case))),
        (!case.optimizer.is_adaptive()).then_some(Edit::Optimizer("adam")),
        Some(Edit::Decay(STRONG_DECAY)),
        case.decays.then_some(Edit::NoDecay),
        run.changes().front.is_none().then_some(Edit::Standardize),
        last_activation(case),
        dropouts(case),
        Some(Edit::Revive),
        Some(Edit::Redraw),
        Some(Edit::CalmHead),
    ];
    let kinds: Vec<Edit> = kinds.into_iter().flatten().collect();
    let drawn = kinds[stream.below(kinds.len() as u64) as usize].clone();
    Candidate::new("", [drawn])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::all;
    use crate::testing::{calls, course, history_of_updates};

    /// What the rules that find something in `history` ask for.
    fn names(rule: &str, history: &History) -> Vec<String> {
        let rule = all().into_iter().find(|known| known.about().id == rule).unwrap();
        let finding = rule.judge(history).unwrap().finding(&rule.about(), Some(1));
        let finding = Finding { level: Level::Warn, ..finding };
        candidates(&[finding], history, &Changes::default()).iter().map(Candidate::name).collect()
    }

    #[test]
    fn a_rate_is_changed_by_the_cautious_factor_and_by_what_is_healthy() {
        let of = |ratio| {
            let mut history = history_of_updates(&[ratio; 3]);
            history.add_step(crate::testing::step(1.0));
            names("R13", &history)
        };
        assert_eq!(of(1e-8), ["learning rate x 30", "learning rate x 3e5"]);
        assert_eq!(of(0.3), ["learning rate / 30", "learning rate / 10", "learning rate / 100"]);
    }

    #[test]
    fn a_softmax_at_the_end_is_passed_over_and_other_layers_are_not() {
        let mut history = course(5, |_| 2.0);
        history.case.calls = calls(&["Linear", "Relu", "Linear", "Softmax"], 10);
        let softmax = Edit::Without { kind: "Softmax".into(), paths: vec!["3".into()] };
        assert_eq!(last_activation(&history.case), Some(softmax));
        history.case.calls.pop();
        assert_eq!(last_activation(&history.case), None);
    }

    #[test]
    fn what_is_only_worth_knowing_and_what_needs_the_users_word_is_not_tried() {
        let finding = |rule: &str, level| {
            let about = all().iter().map(|rule| rule.about()).find(|about| about.id == rule).unwrap();
            let cures = ["model.batch_norm=true".to_string()];
            let found = crate::rules::Found::new(level, (1.0, 1.0), "x", "y").cure("Normalise", &cures);
            found.finding(&about, None)
        };
        let history = course(100, |_| 2.0);
        let of = |finding| candidates(&[finding], &history, &Changes::default());
        assert_eq!(of(finding("R22", Level::Warn)), []);
        assert_eq!(of(finding("R16", Level::Info)), []);
        assert!(!of(finding("R16", Level::Warn)).is_empty());
    }
}
