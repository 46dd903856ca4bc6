//! Copies on both sides of a split, and one input with two labels. [EVAL-05]
//!
//! A row of the test part that was also trained on measures memory, not generalisation.

use super::copies::{self, Copies};
use super::finding::{Finding, Kind, Severity, so_many};
use crate::dataset::Targets;
use crate::error::Result;
use crate::split::SplitData;

pub(super) fn find(split: &SplitData) -> Result<Vec<Finding>> {
    let copies = copies::find(split.dataset().features())?;
    let sets = copies.sets();
    let part_of = parts(split);
    let mut findings = Vec::new();
    for (later, earlier, name, of) in
        [(2, &[0, 1][..], "test", split.test().len()), (1, &[0][..], "valid", split.valid().len())]
    {
        findings.extend(across(&sets, &copies, &part_of, later, earlier, (name, of)));
    }
    findings.extend(within(&sets, &copies, &part_of));
    findings.extend(conflicts(split, &sets, &copies, &part_of));
    Ok(findings)
}

/// The part of each row: 0 train, 1 valid, 2 test; none for those left out.
pub(super) fn parts(split: &SplitData) -> Vec<Option<usize>> {
    let mut part_of = vec![None; split.dataset().len()];
    for (part, rows) in [split.train(), split.valid(), split.test()].into_iter().enumerate() {
        rows.iter().for_each(|&row| part_of[row] = Some(part));
    }
    part_of
}

/// Rows of the part `later` with a copy in one of the parts `earlier`.
fn across(
    sets: &[Vec<usize>],
    copies: &Copies,
    part_of: &[Option<usize>],
    later: usize,
    earlier: &[usize],
    (name, of): (&str, usize),
) -> Option<Finding> {
    let mut count = 0;
    let mut examples = Vec::new();
    for set in sets {
        let Some(&seen) = set.iter().find(|&&row| part_of[row].is_some_and(|part| earlier.contains(&part)))
        else {
            continue;
        };
        let again: Vec<usize> = set.iter().copied().filter(|&row| part_of[row] == Some(later)).collect();
        count += again.len();
        examples.extend(again.into_iter().map(|row| vec![row, seen]));
    }
    if count == 0 {
        return None;
    }
    let severity = match copies.are_exceptions() {
        true => Severity::of_contamination(count, of),
        false => Severity::Note,
    };
    let before = if later == 2 { "training or valid part" } else { "training part" };
    let message = format!(
        "{} also in the {before}, with exactly the same features",
        so_many(count, of, &format!("{name} rows"))
    );
    let advice = match copies.are_exceptions() {
        true => format!(
            "Figures on the {name} part are too good by as much: keep copies in one part \
             (--set data.split.copies=together) or, where the part came with the data, remove them from the training rows"
        ),
        false => "Fewer than half of all rows are different, so equal rows need not be copies".to_string(),
    };
    let finding = Finding::new(Kind::CopiesAcrossParts, severity, (count, of));
    Some(finding.says(message, advice).examples(examples))
}

fn within(sets: &[Vec<usize>], copies: &Copies, part_of: &[Option<usize>]) -> Option<Finding> {
    let one_part = |set: &&Vec<usize>| set.iter().all(|&row| part_of[row] == part_of[set[0]]);
    let whole: Vec<Vec<usize>> = sets.iter().filter(one_part).cloned().collect();
    let count: usize = whole.iter().map(|set| set.len() - 1).sum();
    if count == 0 || !copies.are_exceptions() {
        return None;
    }
    let of = part_of.len();
    let message =
        format!("{} there a second time, with exactly the same features", so_many(count, of, "rows"));
    let advice = "Each lies in the same part as its original, so no part is judged by what another has seen";
    let finding = Finding::new(Kind::CopiesWithinParts, Severity::Note, (count, of));
    Some(finding.says(message, advice).examples(whole))
}

/// Inputs whose copies have different classes. Numbers may well differ.
fn conflicts(
    split: &SplitData,
    sets: &[Vec<usize>],
    copies: &Copies,
    part_of: &[Option<usize>],
) -> Option<Finding> {
    let Targets::Classes { labels, .. } = split.dataset().targets() else { return None };
    let used = sets.iter().map(|set| set.iter().copied().filter(|&row| part_of[row].is_some()).collect());
    let conflicting: Vec<Vec<usize>> =
        used.filter(|set: &Vec<usize>| set.iter().any(|&row| labels[row] != labels[set[0]])).collect();
    if conflicting.is_empty() {
        return None;
    }
    let (count, of) = (conflicting.len(), copies.distinct);
    let (severity, advice) = match copies.are_exceptions() {
        true => (Severity::Warning, "At most one label of each can be right: correct or remove the others"),
        false => (
            Severity::Note,
            "No model can tell these apart by the columns there are, so that its accuracy has a limit below 1",
        ),
    };
    let message = match count {
        1 => "1 input occurs with different labels".to_string(),
        count => format!("{count} inputs occur with different labels"),
    };
    let finding = Finding::new(Kind::ConflictingLabels, severity, (count, of));
    Some(finding.says(message, advice).examples(conflicting))
}
