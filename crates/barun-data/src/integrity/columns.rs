//! The columns of a table one by one: range, mean, and what is odd about them. [DIAG-20]

use serde::{Deserialize, Serialize};

use super::cells::{self, CaredFor, Head, Holds};
use super::finding::{Finding, Kind, Severity, drop_flags};
use super::sample::Sampled;
use crate::dataset::{Dataset, Targets};
use crate::error::Result;
use crate::split::SplitData;

/// What the cells of a column are like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// How many different values there are; 0 where they were not kept.
    pub distinct: usize,
    /// Of numbers and dates (days since 1970-01-01): their range and middle; null for categories.
    pub numbers: Option<Numbers>,
}

/// Numbers in short, those that are missing aside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// The smallest value.
    pub min: f64,
    /// The mean.
    pub mean: f64,
    /// The middle value.
    pub median: f64,
    /// The largest value.
    pub max: f64,
    /// The standard deviation, dividing by the number of values.
    pub deviation: f64,
}

/// Every column of a table as it was read; none for images.
///
/// # Errors
/// Rows on disk that cannot be read.
pub fn describe(dataset: &Dataset) -> Result<Vec<Column>> {
    let heads = cells::heads(dataset.features());
    let rows: Vec<usize> = (0..dataset.len()).collect();
    let mut columns = Vec::with_capacity(heads.len());
    for which in cells::ranges(heads.len(), rows.len()) {
        let gathered = cells::gather(dataset.features(), which.clone(), &rows)?;
        columns.extend(heads[which].iter().zip(gathered).map(|(head, values)| Column::of(head, values)));
    }
    Ok(columns)
}

impl Column {
    fn of(head: &Head, values: Vec<f64>) -> Column {
        let mut there: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
        there.sort_by(f64::total_cmp);
        let distinct = there.chunk_by(|a, b| a == b).count();
        let numbers = (head.holds == Holds::Numbers && distinct > 0).then(|| Numbers::of(&there));
        let distinct = if head.holds == Holds::Nothing { 0 } else { distinct };
        Column { name: head.name.clone(), distinct, numbers }
    }
}

impl Numbers {
    fn of(ascending: &[f64]) -> Numbers {
        let n = ascending.len() as f64;
        let mean = ascending.iter().sum::<f64>() / n;
        let scatter: f64 = ascending.iter().map(|value| (value - mean).powi(2)).sum();
        Numbers {
            min: ascending[0],
            mean,
            median: quantile(ascending, 0.5),
            max: ascending[ascending.len() - 1],
            deviation: (scatter / n).sqrt(),
        }
    }
}

/// Between the two nearest values, as far as `share` reaches.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = share * last as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

/// Fewer rows than this may all be different by chance.
const LEAST_ROWS: usize = 30;
/// A value so many quartile ranges beyond the quartiles is not of the same kind as the others.
const FAR_OUT: f64 = 50.0;

/// A number is a mark for what is missing where it is there so often, in so large a part of the rows, beside so many others.
const LEAST_MARKS: usize = 10;
const MARKED: f64 = 0.005;
const OTHERS: usize = 10;

/// Rows that are looked at.
const MOST_ROWS: usize = 200_000;

pub(super) fn find(split: &SplitData, sampled: &mut Sampled) -> Result<Vec<Finding>> {
    let features = split.dataset().features();
    let heads = cells::heads(features);
    let mut findings = Vec::new();
    let all: Vec<usize> = (0..split.dataset().len()).collect();
    let rows = sampled.rows(&all, MOST_ROWS, "columns");
    for which in cells::ranges(heads.len(), rows.len()) {
        let gathered = cells::gather(features, which.clone(), &rows)?;
        for (head, cells) in heads[which].iter().zip(gathered) {
            let there = |value: &f64| !value.is_nan();
            let place = rows.iter().zip(&cells).filter(|(_, value)| there(value)).map(|(&row, _)| row);
            let place: Vec<usize> = place.collect();
            let column: Vec<f64> = cells.into_iter().filter(there).collect();
            if head.holds == Holds::Numbers && !column.is_empty() {
                let CaredFor { constant: no_constant, identifier: no_identifier } = head.cared_for;
                let is_full = column.len() == rows.len();
                findings.extend(constant(&head.name, &column).filter(|_| is_full && !no_constant));
                findings.extend(identifier(&head.name, &column).filter(|_| !no_identifier));
                findings.extend(extremes(&head.name, &column, &place));
                findings.extend(
                    lone_negative(&column).map(|found| marked_inputs(&head.name, found, column.len())),
                );
            }
        }
    }
    if let Targets::Values { name, values } = split.dataset().targets() {
        let values: Vec<f64> = rows.iter().map(|&row| f64::from(values[row])).collect();
        findings.extend(lone_negative(&values).map(|found| marked_target(name, found, values.len())));
    }
    Ok(findings)
}

fn constant(name: &str, column: &[f64]) -> Option<Finding> {
    let is_constant = column.len() > 1 && column.iter().all(|value| value == &column[0]);
    let message = format!("column '{name}' is {} in every row", column.first().copied().unwrap_or(f64::NAN));
    let finding = Finding::new(Kind::ConstantColumn, Severity::Note, (1, 1));
    let advice = format!("Nothing can be learnt from it: {}", drop_flags([name]));
    is_constant.then(|| finding.says(message, advice).columns(vec![name.to_string()]))
}

/// Whole numbers that are all different and either rise from row to row or number the rows without a gap.
fn identifier(name: &str, column: &[f64]) -> Option<Finding> {
    let whole = column.len() >= LEAST_ROWS && column.iter().all(|value| value.fract() == 0.0);
    if !whole {
        return None;
    }
    let mut sorted = column.to_vec();
    sorted.sort_by(f64::total_cmp);
    let all_different = sorted.windows(2).all(|pair| pair[0] < pair[1]);
    let rises = column.windows(2).all(|pair| pair[0] < pair[1]);
    let without_gap = sorted[sorted.len() - 1] - sorted[0] == (sorted.len() - 1) as f64;
    if !all_different || !(rises || without_gap) {
        return None;
    }
    let message = format!("column '{name}' numbers the rows: each value occurs once");
    let advice = format!(
        "It says which row it is and not what it is like, and rows to come have other numbers: {}",
        drop_flags([name])
    );
    let finding = Finding::new(Kind::Identifier, Severity::Warning, (1, 1));
    Some(finding.says(message, advice).columns(vec![name.to_string()]))
}

/// The one negative number among others that are not, and how often it is there, if that is often: what a file writes where it
/// knows nothing, such as -999 or -1. It need not be far from the others.
fn lone_negative(column: &[f64]) -> Option<(f64, usize)> {
    let mut negative = column.iter().copied().filter(|value| *value < 0.0);
    let first = negative.next()?;
    let count = 1 + negative.clone().count();
    let is_alone = negative.all(|other| other == first);
    let is_often = count >= LEAST_MARKS && count as f64 >= MARKED * column.len() as f64;
    if !is_alone || !is_often {
        return None;
    }
    // Of two or three numbers a negative one is as good as any: -1 and 1.
    let mut others: Vec<f64> = column.iter().copied().filter(|value| *value >= 0.0).collect();
    others.sort_by(f64::total_cmp);
    others.dedup();
    (others.len() >= OTHERS).then_some((first, count))
}

fn marked_inputs(name: &str, (mark, count): (f64, usize), rows: usize) -> Finding {
    let message =
        format!("column '{name}' has {mark} in {count} of {rows} rows, and no other number below 0");
    let advice = format!(
        "If it stands for what is not known, name it as missing: --set 'data.table.missing=[\"{mark}\"]'"
    );
    let finding = Finding::new(Kind::MissingMark, Severity::Note, (count, rows));
    finding.says(message, advice).columns(vec![name.to_string()])
}

fn marked_target(name: &str, (mark, count): (f64, usize), rows: usize) -> Finding {
    let message = format!("the target '{name}' is {mark} in {count} of {rows} rows, and never else below 0");
    let advice =
        "If it stands for an answer that nobody knows, leave these rows out: it is learned as if it were one";
    Finding::new(Kind::MissingMark, Severity::Warning, (count, rows)).says(message, advice)
}

fn extremes(name: &str, column: &[f64], rows: &[usize]) -> Option<Finding> {
    let mut sorted = column.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (quantile(&sorted, 0.25), quantile(&sorted, 0.75));
    let reach = FAR_OUT * (high - low);
    let is_far = |value: f64| value < low - reach || value > high + reach;
    let far: Vec<usize> = (0..column.len()).filter(|&row| is_far(column[row])).collect();
    // A column that is nearly always the same has no usual range.
    if far.is_empty() || high == low || column.len() < LEAST_ROWS {
        return None;
    }
    let distance = |row: usize| (column[row] - 0.5 * (low + high)).abs();
    let farthest = far.iter().copied().max_by(|&a, &b| distance(a).total_cmp(&distance(b)))?;
    // Where values lie all the way in between, the column has a long tail: incomes, populations.
    let nearest = far.iter().map(|&row| distance(row)).fold(f64::INFINITY, f64::min);
    let before = (0..column.len()).map(distance).filter(|&other| other < nearest).fold(0.0, f64::max);
    if nearest < 2.0 * before {
        return None;
    }
    let message = format!(
        "column '{name}' has {} values far from all others, such as {}; half of its values lie between {low} and {high}",
        far.len(),
        column[farthest],
    );
    let advice =
        "A slip of the decimal point or a mark for a missing value? Correct them, as scaling is bent by them";
    let finding = Finding::new(Kind::ExtremeValues, Severity::Warning, (far.len(), column.len()));
    let examples = far.into_iter().map(|at| vec![rows[at]]);
    Some(finding.says(message, advice).columns(vec![name.to_string()]).examples(examples))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_described_by_its_numbers() {
        let head = |holds| Head { name: "x".into(), holds, cared_for: CaredFor::default() };
        let column = Column::of(&head(Holds::Numbers), vec![1.0, 2.0, f64::NAN, 2.0, 5.0]);
        let numbers = column.numbers.unwrap();
        assert_eq!((numbers.min, numbers.mean, numbers.median, numbers.max), (1.0, 2.5, 2.0, 5.0));
        assert_eq!((numbers.deviation, column.distinct), (2.25_f64.sqrt(), 3));
        let column = Column::of(&head(Holds::Categories), vec![1.0, 0.0, 1.0]);
        assert_eq!((column.distinct, column.numbers), (2, None));
        assert_eq!(Column::of(&head(Holds::Numbers), vec![f64::NAN]).numbers, None);
    }

    #[test]
    fn one_negative_number_among_others_that_are_not_is_a_mark() {
        let prices: Vec<f64> =
            (0..1000).map(|row| if row % 17 == 3 { -999.0 } else { f64::from(row * row % 57) }).collect();
        assert_eq!(lone_negative(&prices), Some((-999.0, 59)));
        let signs: Vec<f64> = (0..1000).map(|row| if row % 3 == 0 { -1.0 } else { 1.0 }).collect();
        assert_eq!(lone_negative(&signs), None, "one of two");
        let heights: Vec<f64> = (0..1000).map(|row| f64::from(row * row % 57) - 9.0).collect();
        assert_eq!(lone_negative(&heights), None, "there are others");
        let one: Vec<f64> = (0..1000).map(|row| f64::from(row) - 1.0).collect();
        assert_eq!(lone_negative(&one), None, "once");
    }

    #[test]
    fn identifiers_constants_and_values_far_out_are_told_and_ordinary_columns_are_not() {
        let rows = 0..100;
        let number: Vec<f64> = rows.clone().map(|row| 1000.0 + f64::from(row)).collect();
        let shuffled: Vec<f64> = rows.clone().map(|row| f64::from(row * 37 % 100)).collect();
        let counts: Vec<f64> = rows.clone().map(|row| f64::from(row * row % 57)).collect();
        assert!(identifier("id", &number).is_some() && identifier("id", &shuffled).is_some());
        assert!(identifier("count", &counts).is_none() && constant("count", &counts).is_none());
        assert!(constant("one", &[3.0; 100]).is_some());
        let mut far = counts.clone();
        far[7] = -99_999.0;
        let all: Vec<usize> = (0..100).collect();
        let finding = extremes("count", &far, &all).unwrap();
        assert_eq!(finding.examples, [[8]]);
        assert!(extremes("count", &counts, &all).is_none());
    }
}
