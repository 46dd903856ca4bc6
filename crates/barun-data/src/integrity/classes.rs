//! Classes that are rare, or that a part does not have. [DIAG-20]

use super::finding::{Finding, Kind, Severity};
use crate::dataset::Targets;
use crate::split::SplitData;

/// So many times as frequent, and accuracy says little of the rarer class.
const IMBALANCE: usize = 10;
/// From fewer rows than this the rarer class is hardly learned either.
const FEW: usize = 20;

pub(super) fn find(split: &SplitData) -> Vec<Finding> {
    let Targets::Classes { labels, classes, .. } = split.dataset().targets() else { return Vec::new() };
    let count = |rows: &[usize]| {
        let mut counts = vec![0usize; classes.len()];
        rows.iter().for_each(|&row| counts[labels[row] as usize] += 1);
        counts
    };
    let train = count(split.train());
    let mut findings = Vec::new();
    findings.extend(absent_from_train(&train, &count(&[split.valid(), split.test()].concat()), classes));
    findings.extend(absent_from_test(&train, &count(split.test()), classes, split.test().is_empty()));
    findings.extend(imbalance(&train, classes));
    findings
}

fn named(classes: &[String], which: &[usize]) -> String {
    let names: Vec<String> = which.iter().take(5).map(|&class| format!("'{}'", classes[class])).collect();
    names.join(", ") + if which.len() > 5 { ", ..." } else { "" }
}

fn absent_from_train(train: &[usize], judged: &[usize], classes: &[String]) -> Option<Finding> {
    let absent: Vec<usize> = (0..classes.len()).filter(|&c| train[c] == 0 && judged[c] > 0).collect();
    let rows: usize = absent.iter().map(|&class| judged[class]).sum();
    let message =
        format!("no training row has the class {}, but {rows} other rows do", named(classes, &absent));
    let advice = "What has never been seen cannot be learnt: get training rows of it, or remove the class";
    let finding = Finding::new(Kind::AbsentClass, Severity::Warning, (absent.len(), classes.len()));
    (!absent.is_empty()).then(|| finding.says(message, advice))
}

fn absent_from_test(train: &[usize], test: &[usize], classes: &[String], unwanted: bool) -> Option<Finding> {
    let absent: Vec<usize> = (0..classes.len()).filter(|&c| train[c] > 0 && test[c] == 0).collect();
    let message = format!("no test row has the class {}", named(classes, &absent));
    let advice = "The figures on the test part say nothing about it: a larger test part would";
    let finding = Finding::new(Kind::AbsentClass, Severity::Note, (absent.len(), classes.len()));
    (!absent.is_empty() && !unwanted).then(|| finding.says(message, advice))
}

fn imbalance(train: &[usize], classes: &[String]) -> Option<Finding> {
    let present = || (0..classes.len()).filter(|&class| train[class] > 0);
    let most = present().max_by_key(|&class| train[class])?;
    let rare: Vec<usize> = present().filter(|&class| train[class] * IMBALANCE < train[most]).collect();
    let least = rare.iter().copied().min_by_key(|&class| train[class])?;
    let message = format!(
        "class '{}' has {} training rows and class '{}' only {}",
        classes[most], train[most], classes[least], train[least]
    );
    let advice = "Look at balanced accuracy and F1 beside the accuracy, or weigh the classes";
    let severity = if train[least] < FEW { Severity::Warning } else { Severity::Note };
    let finding = Finding::new(Kind::ClassImbalance, severity, (rare.len(), classes.len()));
    Some(finding.says(message, advice))
}
