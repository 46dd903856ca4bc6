//! The columns of a table one by one: range, mean, and what is odd about them. [DIAG-20]

use serde::{Deserialize, Serialize};

use super::finding::{Finding, Kind, Severity, drop_flags};
use super::sample::Sampled;
use crate::dataset::{Dataset, Features};
use crate::split::SplitData;

/// A column in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The smallest value.
    pub min: f64,
    /// The mean.
    pub mean: f64,
    /// The middle value.
    pub median: f64,
    /// The largest value.
    pub max: f64,
    /// The standard deviation, dividing by the number of rows.
    pub deviation: f64,
    /// How many different values there are.
    pub distinct: usize,
}

/// Every column of a table; none for images.
pub fn describe(dataset: &Dataset) -> Vec<Column> {
    let Features::Rows { names, .. } = dataset.features() else { return Vec::new() };
    let rows: Vec<usize> = (0..dataset.len()).collect();
    names
        .iter()
        .enumerate()
        .map(|(at, name)| Column::of(name, &values(dataset.features(), at, &rows)))
        .collect()
}

/// The values of column `at` in `rows`.
pub(super) fn values(features: &Features, at: usize, rows: &[usize]) -> Vec<f64> {
    match features {
        Features::Rows { values, names } => {
            rows.iter().map(|&row| f64::from(values[row * names.len() + at])).collect()
        }
        Features::Images { .. } => Vec::new(),
    }
}

impl Column {
    fn of(name: &str, values: &[f64]) -> Column {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / n;
        let scatter: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Column {
            name: name.to_string(),
            min: sorted.first().copied().unwrap_or(f64::NAN),
            mean,
            median: quantile(&sorted, 0.5),
            max: sorted.last().copied().unwrap_or(f64::NAN),
            deviation: (scatter / n).sqrt(),
            distinct: sorted.chunk_by(|a, b| a == b).count(),
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

/// Rows that are looked at.
const MOST_ROWS: usize = 200_000;

pub(super) fn find(split: &SplitData, sampled: &mut Sampled) -> Vec<Finding> {
    let Features::Rows { names, .. } = split.dataset().features() else { return Vec::new() };
    let mut findings = Vec::new();
    let all: Vec<usize> = (0..split.dataset().len()).collect();
    let rows = sampled.rows(&all, MOST_ROWS, "columns");
    for (at, name) in names.iter().enumerate() {
        let column = values(split.dataset().features(), at, &rows);
        findings.extend(constant(name, &column));
        findings.extend(identifier(name, &column));
        findings.extend(extremes(name, &column, &rows));
    }
    findings
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
        let column = Column::of("x", &[1.0, 2.0, 2.0, 5.0]);
        assert_eq!((column.min, column.mean, column.median, column.max), (1.0, 2.5, 2.0, 5.0));
        assert_eq!((column.deviation, column.distinct), (2.25_f64.sqrt(), 3));
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
