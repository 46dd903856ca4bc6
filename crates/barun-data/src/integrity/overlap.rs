//! Groups on both sides of a split, and parts that are not in the future of what was trained on.

use std::collections::BTreeMap;

use super::duplicates::parts;
use super::finding::{Finding, Kind, Severity};
use crate::split::SplitData;

pub(super) fn find(split: &SplitData) -> Vec<Finding> {
    let mut findings: Vec<Finding> = groups(split).into_iter().collect();
    findings.extend(times(split));
    findings
}

fn groups(split: &SplitData) -> Option<Finding> {
    let groups = split.dataset().groups()?;
    let mut rows_of: BTreeMap<u32, Vec<(usize, usize)>> = BTreeMap::new();
    for (row, part) in parts(split).into_iter().enumerate() {
        if let Some(part) = part {
            rows_of.entry(groups.of[row]).or_default().push((part, row));
        }
    }
    let of = rows_of.len();
    let straddling: Vec<(u32, Vec<usize>)> = rows_of
        .into_iter()
        .filter(|(_, rows)| rows.iter().any(|(part, _)| *part != rows[0].0))
        .map(|(group, rows)| {
            let other = rows.iter().find(|(part, _)| *part != rows[0].0).map(|(_, row)| *row);
            (group, [Some(rows[0].1), other].into_iter().flatten().collect())
        })
        .collect();
    let (first, _) = straddling.first()?;
    let count = straddling.len();
    let message = format!(
        "{count} of {of} groups by '{}' are in more than one part, the first of them '{}'",
        groups.column, groups.names[*first as usize],
    );
    let advice = "A model may know its test rows by their group: let the groups decide the parts, not a given column or file";
    let finding = Finding::new(Kind::GroupOverlap, Severity::Error, (count, of));
    Some(
        finding
            .says(message, advice)
            .columns(vec![groups.column.clone()])
            .examples(straddling.into_iter().map(|(_, rows)| rows)),
    )
}

/// Rows to judge by that do not come after everything that was trained on.
fn times(split: &SplitData) -> Vec<Finding> {
    let Some(times) = split.dataset().times() else { return Vec::new() };
    let latest = |rows: &[usize]| rows.iter().map(|&row| times.of[row]).fold(f64::NEG_INFINITY, f64::max);
    let overlap = |before: &[&[usize]], after: &[usize], name: &str| {
        let end = before.iter().map(|rows| latest(rows)).fold(f64::NEG_INFINITY, f64::max);
        let early: Vec<usize> = after.iter().copied().filter(|&row| times.of[row] <= end).collect();
        if early.is_empty() {
            return None;
        }
        let (count, of) = (early.len(), after.len());
        let message = format!(
            "{count} of {of} {name} rows are not later by '{}' than what comes before the {name} part",
            times.column
        );
        let advice =
            "What is predicted would be known from its own time: cut by time (--set data.split.method=time)";
        let finding = Finding::new(Kind::TimeOverlap, Severity::Warning, (count, of));
        let examples = early.into_iter().map(|row| vec![row]);
        Some(finding.says(message, advice).columns(vec![times.column.clone()]).examples(examples))
    };
    let test = overlap(&[split.train(), split.valid()], split.test(), "test");
    let valid = overlap(&[split.train()], split.valid(), "valid");
    test.into_iter().chain(valid).collect()
}
