//! Parts that are distributed otherwise than what was trained on.
//!
//! Columns of many values are compared by Kolmogorov and Smirnov's test, columns of few values and labels by the
//! chi-squared test. A difference is told where it is both larger than chance explains - with Bonferroni's correction
//! for the number of comparisons - and large: tests see differences in large data that do not matter. At last a linear
//! classifier tries to tell the parts apart by all columns together.
//!
//! Of images the columns are the 16 numbers of their coarse shape, the first of which is their brightness.

use super::cells::{self, Holds};
use super::copies::is_affordable;
use super::finding::{Finding, Kind, Severity};
use super::linear::Moments;
use super::pictures::Waves;
use super::sample::Sampled;
use super::statistics::{Difference, area_under_roc, chi_squared, kolmogorov_smirnov};
use crate::dataset::{Dataset, Features, Targets};
use crate::error::Result;
use crate::split::SplitData;

/// Rows of a part that are compared.
const MOST_ROWS: usize = 20_000;
/// Rows of a part of images that would be decoded for this alone.
const MOST_DECODED: usize = 1_000;
/// Parts smaller than this show nothing.
const LEAST_ROWS: usize = 20;
/// Columns that are compared.
const MOST_COLUMNS: usize = 1_000;
/// More columns than this are not tried together: the work grows with their square.
const MOST_TOGETHER: usize = 128;
/// A column with no more different values than this has categories.
const FEW_VALUES: usize = 12;
/// Differences more probable than this, over all comparisons, are chance.
const CHANCE: f64 = 0.001;
/// Smaller differences do not matter.
const SMALL: f64 = 0.1;

pub(super) fn find(split: &SplitData, sampled: &mut Sampled) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    if split.train().len() < LEAST_ROWS {
        return Ok(findings);
    }
    let features = split.dataset().features();
    let most = match is_affordable(features) {
        true => cells::most_rows(MOST_ROWS, cells::heads(features).len()),
        false => MOST_DECODED,
    };
    let train = sampled.rows(split.train(), most, "drift, training part");
    let before = Columns::of(split.dataset(), &train, sampled)?;
    for (rows, name) in [(split.valid(), "valid"), (split.test(), "test")] {
        if rows.len() < LEAST_ROWS {
            continue;
        }
        let rows = sampled.rows(rows, most, &format!("drift, {name} part"));
        let after = Columns::of(split.dataset(), &rows, sampled)?;
        let drifted = columns(&before, &after, name);
        match drifted.is_some() {
            true => findings.extend(drifted),
            false => findings.extend(together(&before, &after, name)),
        }
        findings.extend(target(split.dataset().targets(), &train, &rows, name));
    }
    Ok(findings)
}

/// Some rows, column by column.
struct Columns {
    names: Vec<String>,
    is_number: Vec<bool>,
    /// No value is the smallest.
    values: Vec<Vec<f64>>,
}

impl Columns {
    fn of(dataset: &Dataset, rows: &[usize], sampled: &mut Sampled) -> Result<Columns> {
        match dataset.features() {
            features @ (Features::Rows { .. } | Features::Table(_)) => {
                let mut heads = cells::heads(features);
                if heads.len() > MOST_COLUMNS {
                    sampled.note(format!("drift: the first {MOST_COLUMNS} of {} columns", heads.len()));
                    heads.truncate(MOST_COLUMNS);
                }
                let mut values = cells::gather(features, 0..heads.len(), rows)?;
                values.iter_mut().for_each(|column| cells::gaps_apart(column));
                let is_number = heads.iter().map(|head| head.holds == Holds::Numbers).collect();
                let names = heads.into_iter().map(|head| head.name).collect();
                Ok(Columns { names, is_number, values })
            }
            features @ (Features::Images { .. } | Features::Lazy(_)) => {
                let waves = Waves::over(features.image_shape().unwrap_or_default());
                let numbers_of = |&row: &usize| Ok(waves.numbers(&features.image(row)?));
                let numbers = rows.iter().map(numbers_of).collect::<Result<Vec<_>>>()?;
                let names = (0..super::pictures::NUMBERS).map(|at| match at {
                    0 => "brightness".to_string(),
                    at => format!("coarse shape {at}"),
                });
                let column = |at: usize| numbers.iter().map(|numbers| numbers[at]).collect();
                Ok(Columns {
                    names: names.collect(),
                    is_number: vec![true; super::pictures::NUMBERS],
                    values: (0..super::pictures::NUMBERS).map(column).collect(),
                })
            }
        }
    }
}

fn difference(a: &[f64], b: &[f64]) -> Difference {
    let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    if all.len() > FEW_VALUES {
        return kolmogorov_smirnov(a, b);
    }
    let count = |values: &[f64]| {
        let mut counts = vec![0; all.len()];
        values.iter().for_each(|value| counts[all.partition_point(|other| other < value)] += 1);
        counts
    };
    chi_squared(&count(a), &count(b))
}

fn matters(difference: Difference, comparisons: usize) -> bool {
    difference.effect >= SMALL && difference.p_value * (comparisons as f64) < CHANCE
}

fn columns(before: &Columns, after: &Columns, name: &str) -> Option<Finding> {
    let of = before.names.len();
    let mut drifted: Vec<(f64, &String)> = before
        .names
        .iter()
        .zip(before.values.iter().zip(&after.values))
        .map(|(name, (a, b))| (name, difference(a, b)))
        .filter(|(_, difference)| matters(*difference, 2 * of))
        .map(|(name, difference)| (difference.effect, name))
        .collect();
    drifted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (effect, worst) = drifted.first()?;
    let message = format!(
        "{} of {of} columns are distributed otherwise in the {name} part than in the training part, most of all '{worst}' \
         (the distributions are up to {effect:.2} apart, of at most 1)",
        drifted.len()
    );
    let advice = "Where that is what you ask for, as with a part from later or from elsewhere, the figures say how the model \
                  bears it; else divide at random";
    let finding = Finding::new(Kind::Drift, Severity::Warning, (drifted.len(), of));
    Some(finding.says(message, advice).columns(drifted.into_iter().map(|(_, name)| name.clone()).collect()))
}

/// Each half is judged by a formula from the other. By chance the area is 0.5 with a standard error of
/// `sqrt((m + n + 1) / (12 m n))` (Mann and Whitney).
fn together(before: &Columns, after: &Columns, name: &str) -> Option<Finding> {
    let numbers: Vec<usize> = (0..before.names.len()).filter(|&at| before.is_number[at]).collect();
    let width = numbers.len();
    if width == 0 {
        return None;
    }
    let (m, n) = (before.values.first()?.len(), after.values.first()?.len());
    if width > MOST_TOGETHER || 4 * width > m.min(n) {
        return None;
    }
    let half = |columns: &Columns, first: usize| -> Vec<Vec<f64>> {
        let column = |&at: &usize| -> Vec<f64> {
            let known = before.values[at].iter().filter(|value| value.is_finite());
            let usual = known.clone().sum::<f64>() / known.count().max(1) as f64;
            let there = |&value: &f64| if value.is_finite() { value } else { usual };
            columns.values[at].iter().skip(first).step_by(2).map(there).collect()
        };
        numbers.iter().map(column).collect()
    };
    let area = |fit: usize, test: usize| {
        let (a, b) = (half(before, fit), half(after, fit));
        let rows: Vec<Vec<f64>> = a.iter().zip(&b).map(|(a, b)| [&a[..], b].concat()).collect();
        let is_after = [vec![0.0; a[0].len()], vec![1.0; b[0].len()]].concat();
        let all: Vec<usize> = (0..width).collect();
        let (formula, _) = Moments::of(&rows, &is_after).fit(&all);
        let score = |columns: &Columns| -> Vec<f64> {
            let columns = half(columns, test);
            (0..columns[0].len()).map(|row| formula.value(&columns, row)).collect()
        };
        area_under_roc(&score(after), &score(before))
    };
    let area = 0.5 * (area(0, 1) + area(1, 0));
    let error = ((m + n + 1) as f64 / (12.0 * m as f64 * n as f64)).sqrt();
    if area < 0.5 + SMALL.max(5.0 * error) {
        return None;
    }
    let message = format!(
        "the {name} part can be told from the training part by all columns together (area under the ROC curve {area:.2}, \
         by chance 0.50), though not by one alone"
    );
    let advice =
        "Where that is what you ask for, the figures say how the model bears it; else divide at random";
    let finding = Finding::new(Kind::DistinguishableParts, Severity::Warning, (width, width));
    Some(finding.says(message, advice))
}

fn target(targets: &Targets, train: &[usize], rows: &[usize], name: &str) -> Option<Finding> {
    let difference = match targets {
        Targets::Values { values, .. } => {
            let of = |rows: &[usize]| rows.iter().map(|&row| f64::from(values[row])).collect::<Vec<f64>>();
            difference(&of(train), &of(rows))
        }
        Targets::Classes { labels, classes, .. } => {
            let count = |rows: &[usize]| {
                let mut counts = vec![0; classes.len()];
                rows.iter().for_each(|&row| counts[labels[row] as usize] += 1);
                counts
            };
            chi_squared(&count(train), &count(rows))
        }
    };
    let message = format!(
        "the target '{}' is distributed otherwise in the {name} part than in the training part ({:.2} apart, of at most 1)",
        targets.name(),
        difference.effect
    );
    let advice = "Where the part is from later or from elsewhere that may be so; else divide at random, stratified by class";
    let finding = Finding::new(Kind::TargetDrift, Severity::Warning, (rows.len(), rows.len()));
    matters(difference, 2).then(|| finding.says(message, advice).columns(vec![targets.name().to_string()]))
}
