//! Columns made of the answers of the very rows that they stand in: a category written as the mean answer of its rows.
//!
//! Such a *target encoding* (Micci-Barreca, 2001, "A preprocessing scheme for high-cardinality categorical attributes") tells a row a
//! part of its own answer, the more, the fewer rows share its category; rows that come later get the answers of others. It is found
//! by doing it again: rows with one and the same number in a column are taken together - those of the training part, or all, as where
//! it was made before the split - and if the means of their answers are that number, or lie on a line with it, to within rounding, for
//! three numbers and more, then it was made so. Rows that stand alone say nothing, and half of all must not; nor do groups whose answers
//! are all the same, in which case the column is a copy of the answer, and the [other search](super::leaks) finds it.

use std::collections::BTreeMap;

use super::cells::{self, Holds};
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
    let dataset = split.dataset();
    let heads = cells::heads(dataset.features());
    let all: Vec<usize> = (0..dataset.len()).collect();
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
    let mut found = Vec::new();
    for first in (0..heads.len()).step_by(AT_ONCE) {
        let which = first..heads.len().min(first + AT_ONCE);
        let columns = cells::gather(dataset.features(), which.clone(), &all)?;
        for (head, column) in
            heads[which].iter().zip(&columns).filter(|(head, _)| head.holds == Holds::Numbers)
        {
            // Made of the training rows after the split, or of all before it.
            let made = [split.train(), &all].into_iter().find_map(|rows| {
                let groups = groups_made_of(dataset.targets(), column, rows)?;
                Some(finding(&head.name, dataset.targets().name(), groups, rows.len()))
            });
            found.extend(made);
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

/// How many groups of these rows a column tells the mean answers of: of the numbers, of the numbers of classes, or of whether a
/// row is of one class.
fn groups_made_of(targets: &Targets, column: &[f64], rows: &[usize]) -> Option<usize> {
    let groups_by =
        |answer: &dyn Fn(usize) -> f64| groups_of_means(rows.iter().map(|&row| (column[row], answer(row))));
    match targets {
        Targets::Values { values, .. } => groups_by(&|row| f64::from(values[row])),
        Targets::Classes { labels, classes, .. } => {
            // With two classes one number says both.
            let each = if classes.len() > 2 { classes.len().min(MOST_CLASSES) } else { 0 };
            let is = |row: usize, class: usize| f64::from(u8::from(labels[row] == class as i64));
            groups_by(&|row| labels[row] as f64)
                .or_else(|| (0..each).find_map(|class| groups_by(&|row| is(row, class))))
        }
    }
}

/// The rows of one number, and their answers.
struct Group {
    rows: f64,
    sum: f64,
    least: f64,
    largest: f64,
}

impl Group {
    const EMPTY: Group = Group { rows: 0.0, sum: 0.0, least: f64::INFINITY, largest: f64::NEG_INFINITY };

    fn with(&self, answer: f64) -> Group {
        Group {
            rows: self.rows + 1.0,
            sum: self.sum + answer,
            least: self.least.min(answer),
            largest: self.largest.max(answer),
        }
    }
}

/// How many different numbers stand in more than one row, if the means of the answers to these rows are a line of them; each row
/// is its number and its answer.
fn groups_of_means(rows: impl Iterator<Item = (f64, f64)>) -> Option<usize> {
    // By the bits, so that equal is equal.
    let mut groups: BTreeMap<u64, Group> = BTreeMap::new();
    let mut all = 0.0;
    for (value, answer) in rows {
        all += 1.0;
        if value.is_finite() {
            let group = groups.entry(value.to_bits()).or_insert(Group::EMPTY);
            *group = group.with(answer);
        }
    }
    groups.retain(|_, group| group.rows > 1.0);
    let grouped: f64 = groups.values().map(|group| group.rows).sum();
    let mixed = groups.values().filter(|group| group.least < group.largest).count();
    if groups.len() < LEAST_GROUPS || grouped < GROUPED * all || (mixed as f64) < MIXED * groups.len() as f64
    {
        return None;
    }
    let mean = |of: &dyn Fn(f64, f64) -> f64| {
        let sums =
            groups.iter().map(|(bits, group)| group.rows * of(f64::from_bits(*bits), group.sum / group.rows));
        sums.sum::<f64>() / grouped
    };
    let (x, y) = (mean(&|value, _| value), mean(&|_, answer| answer));
    let (xx, xy, yy) = (
        mean(&|value, _| (value - x).powi(2)),
        mean(&|value, answer| (value - x) * (answer - y)),
        mean(&|_, answer| (answer - y).powi(2)),
    );
    let is_line = xx > 0.0 && yy > 0.0 && xy > 0.0 && 1.0 - xy * xy / (xx * yy) < ROUNDING;
    is_line.then_some(groups.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(column: &[f64], answers: &[f64]) -> Option<usize> {
        groups_of_means(column.iter().copied().zip(answers.iter().copied()))
    }

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
        assert!(groups(&encoded, &answers).is_some_and(|groups| groups > 80));
        // Scaled as columns are, it is found as well.
        let scaled: Vec<f64> = encoded.iter().map(|value| 3.0 * value - 7.0).collect();
        assert!(groups(&scaled, &answers).is_some_and(|groups| groups > 80));
        let others: Vec<f64> = (0..300).map(|at| answer(at + 357)).collect();
        let honest: Vec<f64> = (0..300).map(|at| mean_of(category(at), &others)).collect();
        assert_eq!(groups(&honest, &answers), None);
    }

    #[test]
    fn a_copy_of_the_answer_two_values_and_rows_that_stand_alone_are_not_meant() {
        let grades: Vec<f64> = (0..300).map(|at| (at % 5) as f64).collect();
        assert_eq!(groups(&grades, &grades), None, "a copy");
        let answers: Vec<f64> = (0..300).map(answer).collect();
        let yes_or_no: Vec<f64> = (0..300).map(|at| (at % 2) as f64).collect();
        assert_eq!(groups(&yes_or_no, &answers), None, "two points are always on a line");
        let alone: Vec<f64> = (0..300).map(|at| at as f64 + answer(at) / 1e3).collect();
        assert_eq!(groups(&alone, &answers), None, "each row alone");
    }
}
