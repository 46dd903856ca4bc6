//! Columns made of the answers of the very rows that they stand in: a category written as the mean answer of its rows.
//!
//! Such a *target encoding* (Micci-Barreca, 2001, "A preprocessing scheme for high-cardinality categorical attributes") tells a row a
//! part of its own answer, the more, the fewer rows share its category; rows that come later get the answers of others. It is found
//! by doing it again: rows with one and the same number in a column are taken together - those of the training part, or all, as where
//! it was made before the split - and if the means of their answers are that number, or lie on a line with it, to within rounding, for
//! three numbers and more, then it was made so. Rows that stand alone say nothing, and half of all must not; nor do groups whose answers
//! are all the same, in which case the column is a copy of the answer, and the [other search](super::leaks) finds it.

use std::collections::BTreeMap;

use super::cells::{self, Head, Holds};
use super::finding::{Finding, Kind, Severity, drop_flags};
use super::sample::Sampled;
use crate::dataset::Targets;
use crate::error::Result;
use crate::split::SplitData;

/// Data of more cells than this are not looked at: of a sample of their rows the means are others.
const MOST_CELLS: usize = 4_000_000;
/// Columns are gathered so many at a time.
const AT_ONCE: usize = 32;
/// Fewer than this, or fewer different numbers, show nothing.
const LEAST_ROWS: usize = 40;
const LEAST_GROUPS: usize = 3;
/// The share of rows that must be in groups of two or more, and of these groups those that have different answers.
const GROUPED: f64 = 0.5;
const MIXED: f64 = 0.2;
/// The part of the scatter of the means that may be off the line: what rounding to 32 bits leaves.
const ROUNDING: f64 = 1e-7;
/// Of so many classes each is looked at.
const MOST_CLASSES: usize = 64;

pub(super) fn find(split: &SplitData, sampled: &mut Sampled) -> Result<Vec<Finding>> {
    let heads = cells::heads(split.dataset().features());
    let all: Vec<usize> = (0..split.dataset().len()).collect();
    if split.train().len() < LEAST_ROWS || heads.iter().all(|head| head.holds != Holds::Numbers) {
        return Ok(Vec::new());
    }
    let cells = all.len().saturating_mul(heads.len());
    if cells > MOST_CELLS {
        sampled.note(format!(
            "columns made of answers: not looked for in {cells} cells, more than {MOST_CELLS}"
        ));
        return Ok(Vec::new());
    }
    // Made of the training rows after the split, or of all before it.
    let found = among(split, &heads, split.train())?;
    if found.is_empty() { among(split, &heads, &all) } else { Ok(found) }
}

/// The columns that are made of the answers of these rows.
fn among(split: &SplitData, heads: &[Head], rows: &[usize]) -> Result<Vec<Finding>> {
    let dataset = split.dataset();
    let answers = answers(dataset.targets(), rows);
    let mut found = Vec::new();
    for first in (0..heads.len()).step_by(AT_ONCE) {
        let which = first..heads.len().min(first + AT_ONCE);
        let columns = cells::gather(dataset.features(), which.clone(), rows)?;
        for (head, column) in
            heads[which].iter().zip(&columns).filter(|(head, _)| head.holds == Holds::Numbers)
        {
            if let Some(groups) = answers.iter().find_map(|answers| groups_of_means(column, answers)) {
                found.push(finding(&head.name, dataset.targets().name(), groups, rows.len()));
            }
        }
    }
    Ok(found)
}

fn finding(name: &str, target: &str, groups: usize, rows: usize) -> Finding {
    let message = format!(
        "column '{name}' is made of the target '{target}': each of its {groups} numbers is the mean answer of the rows that have it"
    );
    let advice = format!(
        "A row is told a part of its own answer. Encode each row by the answers of others, as of the other folds, or leave the column \
         out: {}",
        drop_flags([name])
    );
    Finding::new(Kind::TargetLeak, Severity::Error, (groups, rows))
        .says(message, advice)
        .columns(vec![name.to_string()])
}

/// What a mean may be of: the numbers; of classes whether a row is of one of them, and their numbers.
fn answers(targets: &Targets, rows: &[usize]) -> Vec<Vec<f64>> {
    match targets {
        Targets::Values { values, .. } => vec![rows.iter().map(|&row| f64::from(values[row])).collect()],
        Targets::Classes { labels, classes, .. } => {
            let numbers = rows.iter().map(|&row| labels[row] as f64).collect();
            let of_class = |class: usize| {
                rows.iter().map(|&row| f64::from(u8::from(labels[row] == class as i64))).collect()
            };
            // With two classes one number says both.
            let each = if classes.len() > 2 { classes.len().min(MOST_CLASSES) } else { 0 };
            std::iter::once(numbers).chain((0..each).map(of_class)).collect()
        }
    }
}

/// How many different numbers a column has in more than one row, if the means of the answers to these rows are a line of them.
fn groups_of_means(column: &[f64], answers: &[f64]) -> Option<usize> {
    // By the bits, so that equal is equal; of each number the rows, the sum of their answers, the least, the largest.
    let mut groups: BTreeMap<u64, (f64, f64, f64, f64)> = BTreeMap::new();
    for (value, answer) in column.iter().zip(answers).filter(|(value, _)| value.is_finite()) {
        let group = groups.entry(value.to_bits()).or_insert((0.0, 0.0, f64::INFINITY, f64::NEG_INFINITY));
        *group = (group.0 + 1.0, group.1 + answer, group.2.min(*answer), group.3.max(*answer));
    }
    groups.retain(|_, group| group.0 > 1.0);
    let grouped: f64 = groups.values().map(|group| group.0).sum();
    let mixed = groups.values().filter(|group| group.2 < group.3).count();
    if groups.len() < LEAST_GROUPS
        || grouped < GROUPED * column.len() as f64
        || (mixed as f64) < MIXED * groups.len() as f64
    {
        return None;
    }
    let points: Vec<(f64, f64, f64)> =
        groups.iter().map(|(bits, group)| (group.0, f64::from_bits(*bits), group.1 / group.0)).collect();
    let mean = |of: &dyn Fn(&(f64, f64, f64)) -> f64| {
        points.iter().map(|point| point.0 * of(point)).sum::<f64>() / grouped
    };
    let (x, y) = (mean(&|point| point.1), mean(&|point| point.2));
    let (xx, xy, yy) = (
        mean(&|point| (point.1 - x).powi(2)),
        mean(&|point| (point.1 - x) * (point.2 - y)),
        mean(&|point| (point.2 - y).powi(2)),
    );
    let is_line = xx > 0.0 && yy > 0.0 && xy > 0.0 && 1.0 - xy * xy / (xx * yy) < ROUNDING;
    is_line.then_some(groups.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(at: usize) -> f64 {
        ((at * 7919) % 1000) as f64 / 100.0
    }

    #[test]
    fn means_of_the_rows_own_answers_are_found_and_those_of_others_are_not() {
        let answers: Vec<f64> = (0..300).map(answer).collect();
        let category = |at: usize| at % 90;
        let mean_of = |category_of: usize, of: &[f64]| {
            let own: Vec<f64> = (0..300).filter(|at| category(*at) == category_of).map(|at| of[at]).collect();
            own.iter().sum::<f64>() / own.len() as f64
        };
        let encoded: Vec<f64> =
            (0..300).map(|at| f64::from(mean_of(category(at), &answers) as f32)).collect();
        assert!(groups_of_means(&encoded, &answers).is_some_and(|groups| groups > 80));
        // Scaled as columns are, it is found as well.
        let scaled: Vec<f64> = encoded.iter().map(|value| 3.0 * value - 7.0).collect();
        assert!(groups_of_means(&scaled, &answers).is_some_and(|groups| groups > 80));
        let others: Vec<f64> = (0..300).map(|at| answer(at + 357)).collect();
        let honest: Vec<f64> = (0..300).map(|at| mean_of(category(at), &others)).collect();
        assert_eq!(groups_of_means(&honest, &answers), None);
    }

    #[test]
    fn a_copy_of_the_answer_two_values_and_rows_that_stand_alone_are_not_meant() {
        let grades: Vec<f64> = (0..300).map(|at| (at % 5) as f64).collect();
        assert_eq!(groups_of_means(&grades, &grades), None, "a copy");
        let answers: Vec<f64> = (0..300).map(answer).collect();
        let yes_or_no: Vec<f64> = (0..300).map(|at| (at % 2) as f64).collect();
        assert_eq!(groups_of_means(&yes_or_no, &answers), None, "two points are always on a line");
        let alone: Vec<f64> = (0..300).map(|at| at as f64 + answer(at) / 1e3).collect();
        assert_eq!(groups_of_means(&alone, &answers), None, "each row alone");
    }
}
