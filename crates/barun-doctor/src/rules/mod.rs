//! The rules, one file each: definition, threshold and its source, what it cannot see, then the code.
//!
//! A rule looks at a [`History`] and says what it found, or nothing. When it is asked follows from its [`Kind`]; that it
//! must hold in p of n looks, that symptoms count only while the run is in trouble, and which finding explains which, is
//! not its business but that of whoever asks.

use std::fmt;

use barun_train::diagnosis::{Cure, Finding, Level};
use barun_train::recipe::short_number;

use crate::history::History;

/// What a rule looks at, and so when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Network, loss, optimiser: before the first step.
    Static,
    /// The data: before the first step.
    Data,
    /// The first step alone: what the network gives before it has learned anything.
    FirstStep,
    /// Steps from inside, whatever the loss does.
    Step,
    /// Steps from inside; worth knowing while the run is in trouble.
    Symptom,
    /// The loss: that the run is in trouble.
    Trouble,
    /// Evaluations on the validation part.
    Evaluation,
    /// Evaluations as well: that the run is in trouble.
    Outcome,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Static => "static",
            Kind::Data => "data",
            Kind::FirstStep => "first step",
            Kind::Step => "steps",
            Kind::Symptom => "symptom",
            Kind::Trouble => "trouble",
            Kind::Evaluation | Kind::Outcome => "evaluations",
        })
    }
}

/// What a rule is.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its number: `R11`.
    pub id: &'static str,
    /// Its name: `DEAD_UNITS`.
    pub name: &'static str,
    /// What it finds, in a sentence.
    pub summary: &'static str,
    /// What it looks at.
    pub kind: Kind,
    /// It must be true in so many of so many looks.
    pub persist: (usize, usize),
    /// The findings that are its symptoms, if it holds.
    pub explains: &'static [&'static str],
}

/// A rule; see the [module](self).
pub trait Rule: Send + Sync {
    /// What it is.
    fn about(&self) -> About;

    /// What it finds in `history`, as of its last step, check or evaluation.
    fn judge(&self, history: &History) -> Option<Found>;
}

/// What a rule has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// How bad it is.
    pub level: Level,
    /// Of a symptom: whether it is bad whatever the loss does.
    pub is_certain: bool,
    /// Where.
    pub layer: Option<String>,
    /// What was measured, and what it was held against.
    pub value: f64,
    /// See [`value`](Found::value).
    pub threshold: f64,
    /// What is wrong, without a full stop.
    pub message: String,
    /// Why it matters, without a full stop.
    pub why: String,
    /// What else points to it.
    pub evidence: Vec<String>,
    /// What to do.
    pub cure: Vec<Cure>,
}

impl Found {
    /// What is wrong, and why it matters.
    pub fn new(level: Level, (value, threshold): (f64, f64), message: impl Into<String>, why: &str) -> Found {
        Found {
            level,
            is_certain: false,
            layer: None,
            value,
            threshold,
            message: message.into(),
            why: why.to_string(),
            evidence: Vec::new(),
            cure: Vec::new(),
        }
    }

    /// Where.
    pub fn at(self, layer: impl Into<String>) -> Found {
        Found { layer: Some(layer.into()), ..self }
    }

    /// Bad, whatever the loss does.
    pub fn certain(self) -> Found {
        Found { is_certain: true, ..self }
    }

    /// What else points to it.
    pub fn evidence(mut self, evidence: impl Into<String>) -> Found {
        self.evidence.push(evidence.into());
        self
    }

    /// Something to do, after what was given before.
    pub fn cure(mut self, advice: impl Into<String>, set: &[String]) -> Found {
        self.cure.push(Cure { advice: advice.into(), set: set.to_vec() });
        self
    }

    /// As a finding of the rule `about` in step `step`.
    pub fn finding(self, about: &About, step: Option<usize>) -> Finding {
        Finding {
            rule: about.id.to_string(),
            name: about.name.to_string(),
            level: self.level,
            layer: self.layer,
            step,
            value: self.value,
            threshold: self.threshold,
            message: self.message,
            why: self.why,
            evidence: self.evidence,
            cure: self.cure,
        }
    }
}

macro_rules! rules {
    ($($file:ident: $type:ident),* $(,)?) => {
        $(mod $file; pub use $file::$type;)*

        /// Every rule, by its number.
        pub fn all() -> Vec<Box<dyn Rule>> {
            vec![$(Box::new($type)),*]
        }

        /// The documentation of the rule called `id`, as its file has it.
        fn source(id: &str) -> Option<&'static str> {
            $(if $type.about().id == id { return Some(include_str!(concat!(stringify!($file), ".rs"))); })*
            None
        }
    };
}

rules! {
    input_scale: InputScale,
    head_loss_mismatch: HeadLossMismatch,
    init_loss: InitLoss,
    bad_init: BadInit,
    shape_broadcast: ShapeBroadcast,
    cannot_overfit_batch: CannotOverfitBatch,
    input_ignored: InputIgnored,
    non_finite: NonFinite,
    grad_vanish: GradVanish,
    grad_explode: GradExplode,
    dead_units: DeadUnits,
    saturation: Saturation,
    update_ratio: UpdateRatio,
    frozen_param: FrozenParam,
    loss_diverge: LossDiverge,
    plateau: Plateau,
    oscillation: Oscillation,
    overfit: Overfit,
    over_regularized: OverRegularized,
    batch_norm_misuse: BatchNormMisuse,
    sharpness: Sharpness,
    missing_norm: MissingNorm,
    noise_scale: NoiseScale,
    class_imbalance: ClassImbalance,
    split_leak_drift: SplitLeakDrift,
    label_errors: LabelErrors,
    below_baseline: BelowBaseline,
}

/// The rule of this number or name, in any case.
pub fn by_name(name: &str) -> Option<Box<dyn Rule>> {
    let is = |other: &str| other.eq_ignore_ascii_case(&name.replace('-', "_"));
    all().into_iter().find(|rule| is(rule.about().id) || is(rule.about().name))
}

/// The long explanation of the rule called `id`: definition, threshold, source, what it cannot see.
pub fn explanation(id: &str) -> String {
    let lines = source(id).unwrap_or_default().lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// `3.1e-05` where that is shorter, else a few digits.
pub(crate) fn short(number: f64) -> String {
    match number.abs() {
        size if !size.is_finite() || size >= f64::MAX => "not finite".to_string(),
        0.0 => "0".to_string(),
        size if !(1e-3..1e5).contains(&size) => format!("{number:.1e}"),
        size if size < 1.0 => format!("{number:.3}"),
        size if size < 100.0 => format!("{number:.2}"),
        _ => format!("{number:.0}"),
    }
}

/// `37 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// The line of a recipe that sets the learning rate to this times itself.
pub(crate) fn lr_times(history: &History, factor: f64) -> Vec<String> {
    let lr = history.case.optimizer.lr * factor;
    // Two digits say enough.
    match lr > 0.0 && lr.is_finite() {
        true => vec![format!("train.lr={}", short_number(lr, 2))],
        false => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_rule_has_a_number_a_name_and_an_explanation_of_its_own() {
        let rules = all();
        let ids: BTreeSet<&str> = rules.iter().map(|rule| rule.about().id).collect();
        let names: BTreeSet<&str> = rules.iter().map(|rule| rule.about().name).collect();
        assert_eq!((ids.len(), names.len()), (rules.len(), rules.len()));
        for rule in &rules {
            let About { id, summary, persist, explains, .. } = rule.about();
            let text = explanation(id);
            assert!(text.lines().count() >= 4, "{id}: {text}");
            for wanted in ["Threshold", "Cannot see"] {
                assert!(text.contains(wanted), "{id} says nothing of {wanted}:\n{text}");
            }
            assert!(!summary.is_empty() && persist.0 >= 1 && persist.0 <= persist.1);
            assert!(explains.iter().all(|other| ids.contains(other)), "{id} explains an unknown rule");
        }
    }

    #[test]
    fn a_rule_is_found_by_number_and_by_name() {
        assert_eq!(by_name("r11").unwrap().about().name, "DEAD_UNITS");
        assert_eq!(by_name("dead-units").unwrap().about().id, "R11");
        assert!(by_name("R99").is_none());
    }

    #[test]
    fn an_empty_history_has_no_findings() {
        let history = History::default();
        for rule in all() {
            assert_eq!(rule.judge(&history), None, "{}", rule.about().id);
        }
    }
}
