//! The root cause first.
//!
//! A cause explains its symptoms: with a learning rate far too large, gradients explode, units die and the loss diverges, and
//! only the first of them wants to be mended. Each rule names the rules whose findings are its symptoms; what a finding above
//! information explains, directly or through others, becomes its evidence. Of two findings that explain each other the earlier
//! one is the cause. What is left is in this order:
//!
//! 1. what explains something before what explains nothing;
//! 2. data, then head and loss, first weights and architecture, optimiser, schedule and regularisation: a fault that is nearer to
//!    the beginning can cause one that is further on, and rarely the other way round;
//! 3. what is only worth knowing comes last.

use std::collections::BTreeSet;

use barun_train::diagnosis::{Finding, Level};

use crate::rules::About;

/// The numbers of the rules, from the beginning of a training to its end.
const ORDER: &[&str] = &[
    "R25", "R26", "R01", "R05", "R24", // data
    "R02", "R03", // head and loss
    "R04", "R14", "R11", "R12", "R22", "R20", // first weights and architecture
    "R13", "R15", "R21", "R10", "R09", "R08", // optimiser
    "R19", "R06", "R16", "R17", "R18", "R23", "R07", "R27", // schedule and regularisation
];

fn place(rule: &str) -> usize {
    ORDER.iter().position(|other| *other == rule).unwrap_or(ORDER.len())
}

/// Orders findings, at most one of each rule, and puts symptoms into the evidence of their causes.
pub fn rank(mut findings: Vec<Finding>, rules: &[About]) -> Vec<Finding> {
    findings.sort_by_key(|finding| place(&finding.rule));
    let explains = |cause: &Finding, symptom: &Finding| {
        let about = rules.iter().find(|about| about.id == cause.rule);
        about.is_some_and(|about| about.explains.contains(&symptom.rule.as_str()))
    };
    let is_cause = |cause: usize, symptom: usize| {
        let (a, b) = (&findings[cause], &findings[symptom]);
        cause != symptom
            && a.level > Level::Info
            && explains(a, b)
            && (!explains(b, a) || b.level == Level::Info || (a.step, cause) < (b.step, symptom))
    };
    let count = findings.len();
    let parents: Vec<Vec<usize>> =
        (0..count).map(|symptom| (0..count).filter(|cause| is_cause(*cause, symptom)).collect()).collect();
    let roots = roots_of(&parents, &findings);
    let explained =
        |root: usize| (0..count).filter(|at| *at != root && roots[*at] == root).collect::<Vec<_>>();
    let mut ranked: Vec<(bool, bool, usize, Finding)> = Vec::new();
    for root in (0..count).filter(|at| roots[*at] == *at) {
        let symptoms = explained(root);
        let mut finding = findings[root].clone();
        finding.evidence.extend(symptoms.iter().map(|at| sentence(&findings[*at])));
        ranked.push((finding.level == Level::Info, symptoms.is_empty(), place(&finding.rule), finding));
    }
    ranked.sort_by_key(|(is_info, explains_nothing, place, _)| (*is_info, *explains_nothing, *place));
    ranked.into_iter().map(|(_, _, _, finding)| finding).collect()
}

/// The root cause of each finding, itself where it has none. Of causes that nothing else causes the nearest to the beginning;
/// of findings that cause each other in a circle the earliest.
fn roots_of(parents: &[Vec<usize>], findings: &[Finding]) -> Vec<usize> {
    let causes: Vec<BTreeSet<usize>> = (0..parents.len()).map(|at| causes_of(at, parents)).collect();
    let is_root = |at: &usize| {
        let circle = causes[*at].iter().filter(|cause| causes[**cause].contains(at));
        let first = circle.clone().min_by_key(|cause| (findings[**cause].step, **cause));
        circle.count() == causes[*at].len() && first == Some(at)
    };
    causes.iter().enumerate().map(|(at, causes)| causes.iter().copied().find(is_root).unwrap_or(at)).collect()
}

/// The finding and all that causes it, directly or through others.
fn causes_of(at: usize, parents: &[Vec<usize>]) -> BTreeSet<usize> {
    let mut causes = BTreeSet::from([at]);
    let mut due = vec![at];
    while let Some(next) = due.pop() {
        due.extend(parents[next].iter().filter(|up| causes.insert(**up)));
    }
    causes
}

fn sentence(symptom: &Finding) -> String {
    format!("{} {}{}: {}", symptom.rule, symptom.name, symptom.place(), symptom.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Found, all};

    fn found(rule: &str, level: Level, step: usize) -> Finding {
        let about = all().iter().map(|rule| rule.about()).find(|about| about.id == rule).unwrap();
        Found::new(level, (1.0, 1.0), format!("{rule} is so"), "").finding(&about, Some(step))
    }

    fn ranked(findings: &[(&str, Level, usize)]) -> Vec<(String, usize)> {
        let rules: Vec<About> = all().iter().map(|rule| rule.about()).collect();
        let findings = findings.iter().map(|(rule, level, step)| found(rule, *level, *step)).collect();
        rank(findings, &rules).into_iter().map(|finding| (finding.rule, finding.evidence.len())).collect()
    }

    #[test]
    fn a_rate_that_is_too_large_takes_its_symptoms_as_evidence() {
        use Level::{Error, Info, Warn};
        let all = [
            ("R08", Error, 90),
            ("R11", Error, 60),
            ("R13", Error, 40),
            ("R15", Error, 50),
            ("R24", Info, 0),
        ];
        assert_eq!(ranked(&all), [("R13".to_string(), 3), ("R24".to_string(), 0)]);
        // Inputs that are too large come before all of it.
        let with_inputs = [&all[..], &[("R01", Warn, 0)]].concat();
        assert_eq!(ranked(&with_inputs)[0], ("R01".to_string(), 4));
    }

    #[test]
    fn a_leak_explains_no_trouble_and_does_not_hide_its_cause() {
        use Level::{Error, Warn};
        let order = ranked(&[("R25", Error, 0), ("R13", Error, 40), ("R15", Error, 50)]);
        assert_eq!(order, [("R13".to_string(), 1), ("R25".to_string(), 0)]);
        assert_eq!(ranked(&[("R18", Warn, 900), ("R25", Warn, 0)])[0].0, "R25");
    }

    #[test]
    fn of_two_that_explain_each_other_the_earlier_is_the_cause() {
        use Level::Error;
        assert_eq!(ranked(&[("R08", Error, 10), ("R15", Error, 30)]), [("R08".to_string(), 1)]);
        assert_eq!(ranked(&[("R08", Error, 30), ("R15", Error, 10)]), [("R15".to_string(), 1)]);
    }

    #[test]
    fn of_a_circle_of_causes_the_earliest_is_left() {
        use Level::Error;
        // R20 explains R09, R09 explains R07, R07 explains R20.
        let circle = [("R20", Error, 10), ("R09", Error, 30), ("R07", Error, 40)];
        assert_eq!(ranked(&circle), [("R20".to_string(), 2)]);
        let with_cause = [&circle[..], &[("R01", Error, 50)]].concat();
        assert_eq!(ranked(&with_cause), [("R01".to_string(), 3)]);
    }
}
