//! What the checks of the data have found, under the numbers of rules: one place checks, the doctor only reports.

use barun_data::integrity::{Finding, Kind, Severity};
use barun_train::diagnosis::{Cure, Level};

use crate::history::History;
use crate::rules::Found;

/// The rule under whose number a finding of the data goes; none where it is no fault of the data.
fn rule_of(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::ClassImbalance | Kind::AbsentClass => "R24",
        Kind::CopiesAcrossParts
        | Kind::CopiesWithinParts
        | Kind::NearCopiesAcrossParts
        | Kind::GroupOverlap
        | Kind::TimeOverlap
        | Kind::TargetLeak
        | Kind::Identifier
        | Kind::Drift
        | Kind::TargetDrift
        | Kind::DistinguishableParts => "R25",
        Kind::ConflictingLabels => "R26",
        // Constant columns are left out, far values are met by scaling, and what a number stands for is not known: of these the check
        // itself tells.
        _ => return None,
    })
}

/// The gravest finding of the data under the rule `id`, with the others as its evidence.
pub fn worst(history: &History, id: &str) -> Option<Found> {
    let report = history.data.as_ref()?;
    let mut findings: Vec<&Finding> =
        report.findings.iter().filter(|finding| rule_of(finding.kind) == Some(id)).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let (first, others) = findings.split_first()?;
    let level = match first.severity {
        Severity::Note => Level::Info,
        Severity::Warning => Level::Warn,
        Severity::Error => Level::Error,
    };
    let why = match id {
        "R24" => "Accuracy says little of a class that is rare, and nothing of one that is missing",
        "R25" if level == Level::Info => "It is no fault, and good to know where it is meant to be otherwise",
        "R25" => "The figures on the test part do not say what the model is worth on new rows",
        _ => "At most one label of each input can be right",
    };
    let mut found = Found::new(level, (first.count as f64, 0.0), first.message.clone(), why);
    found.layer = first.columns.first().cloned();
    found.evidence = others.iter().map(|other| other.message.clone()).collect();
    found.cure = vec![Cure { advice: first.advice.clone(), set: Vec::new() }];
    Some(found)
}
