//! Columns that give the target away: one by itself, or a few added up.
//!
//! A column is suspicious from which the target follows nearly exactly, because the world seldom is so kind: it was
//! written down together with the target, or after it. Two questions are asked of a sample of the training rows, each
//! answered on the half that was not used to find the rule:
//!
//! * **One column**: rows are sorted into bins by its value; the most frequent class of a bin, or its mean, is the
//!   prediction. So any curve is found, not only a line. Of numbers it is their ranks that are predicted by bins, so that
//!   a few large ones do not decide.
//! * **Several together**: least squares over all columns; where that explains nearly everything, the fewest columns are
//!   sought that do. Classes count as found when the formula gives their 0 or 1 itself, not when a line merely divides
//!   them - many honest problems can be divided by a line.

use super::cells::{self, Head, Holds};
use super::finding::{Finding, Kind, Severity, drop_flags};
use super::linear::{Formula, Moments};
use super::sample::Sampled;
use crate::dataset::Targets;
use crate::error::Result;
use crate::split::SplitData;

/// Rows from which rules are found and tested, half and half.
const MOST_ROWS: usize = 20_000;
/// Fewer rows than this show nothing.
const LEAST_ROWS: usize = 40;
/// More columns than this are not regressed on together: the work grows with their square.
const MOST_COLUMNS: usize = 128;
/// More than so many columns together are a model, not a leak.
const FEW: usize = 4;
/// Bins of a column; fewer where there are few rows.
const MOST_BINS: usize = 200;
const ROWS_PER_BIN: usize = 5;
/// Shares of the variance, or of the errors of the most frequent class, from which a rule is nearly exact. Iris's best
/// column explains 0.94 of the errors, the counts of registered riders 0.95 of the variance of all riders.
const NEARLY_ALL: f64 = 0.985;
const NEARLY_ALL_RANKS: f64 = 0.995;
const NEARLY_ALL_TOGETHER: f64 = 0.999;

pub(super) fn find(split: &SplitData, sampled: &mut Sampled) -> Result<Vec<Finding>> {
    let heads = cells::heads(split.dataset().features());
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sampled.rows(split.train(), cells::most_rows(MOST_ROWS, heads.len()), "leaks");
    if rows.len() < LEAST_ROWS {
        return Ok(Vec::new());
    }
    let halves = Halves::of(split, &heads, &rows)?;
    let mut alone: Vec<(usize, f64)> =
        (0..heads.len()).filter_map(|at| Some((at, halves.given_away_by(at)?))).collect();
    alone.sort_by(|a, b| b.1.total_cmp(&a.1));
    let target = split.dataset().targets().name();
    let name = |at: usize| heads[at].name.as_str();
    if !alone.is_empty() {
        let found = alone.iter().map(|&(at, share)| one(name(at), target, share, rows.len(), split));
        return Ok(found.collect());
    }
    let numbers: Vec<usize> = (0..heads.len()).filter(|&at| halves.holds[at] == Holds::Numbers).collect();
    if numbers.len() > MOST_COLUMNS {
        sampled.note(format!(
            "leaks by several columns together: not looked for among {} columns, more than {MOST_COLUMNS}",
            numbers.len()
        ));
        return Ok(Vec::new());
    }
    let together = halves.together(&numbers);
    Ok(together.map(|found| several(&name, target, &found, rows.len())).into_iter().collect())
}

fn one(name: &str, target: &str, share: f64, rows: usize, split: &SplitData) -> Finding {
    let what = match split.dataset().targets() {
        Targets::Values { .. } => format!("{:.1} % of it follows from the column", 100.0 * share),
        Targets::Classes { .. } => {
            format!("with it {:.1} % of the errors of guessing are avoided", 100.0 * share)
        }
    };
    let message = format!("column '{name}' alone gives the target '{target}' away: {what}");
    let advice = format!(
        "If it would not be known when a prediction is wanted, leave it out: {}. If it would, no network is \
         needed",
        drop_flags([name])
    );
    let finding = Finding::new(Kind::TargetLeak, Severity::Error, (1, rows));
    finding.says(message, advice).columns(vec![name.to_string()])
}

fn several<'a>(name: &impl Fn(usize) -> &'a str, target: &str, found: &Formula, rows: usize) -> Finding {
    let columns: Vec<String> = found.terms.iter().map(|&(at, _)| name(at).to_string()).collect();
    let formula = formula_text(name, found);
    let message =
        format!("{} columns together give the target '{target}' away: {target} = {formula}", columns.len());
    let advice = format!(
        "If they would not be known when a prediction is wanted, leave them out: {}",
        drop_flags(columns.iter().map(String::as_str))
    );
    let finding = Finding::new(Kind::TargetLeak, Severity::Error, (columns.len(), rows));
    finding.says(message, advice).columns(columns)
}

/// `casual + registered`, `2 a - 0.5 b + 3`.
fn formula_text<'a>(name: &impl Fn(usize) -> &'a str, formula: &Formula) -> String {
    let rounded = |number: f64| format!("{}", (number.abs() * 1e3).round() / 1e3);
    let mut text = String::new();
    for &(at, weight) in &formula.terms {
        let sign = match (text.is_empty(), weight < 0.0) {
            (true, true) => "-",
            (true, false) => "",
            (false, true) => " - ",
            (false, false) => " + ",
        };
        let factor = if rounded(weight) == "1" { String::new() } else { format!("{} ", rounded(weight)) };
        text.push_str(&format!("{sign}{factor}{}", name(at)));
    }
    if rounded(formula.intercept) != "0" {
        let sign = if formula.intercept < 0.0 { "-" } else { "+" };
        text.push_str(&format!(" {sign} {}", rounded(formula.intercept)));
    }
    text
}

/// Rows in two halves, with their target.
struct Halves {
    holds: Vec<Holds>,
    /// Cells by column, of the rows that make rules and of those that test them; NaN where there is none.
    fit: Vec<Vec<f64>>,
    test: Vec<Vec<f64>>,
    target: Target,
}

enum Target {
    Numbers { fit: Vec<f64>, test: Vec<f64> },
    Classes { fit: Vec<usize>, test: Vec<usize>, classes: usize },
}

impl Halves {
    fn of(split: &SplitData, heads: &[Head], rows: &[usize]) -> Result<Halves> {
        let (dataset, features) = (split.dataset(), split.dataset().features());
        // Every other row, so that both halves see the whole table.
        let half = |first: usize| rows.iter().copied().skip(first).step_by(2).collect::<Vec<_>>();
        let (fit, test) = (half(0), half(1));
        let columns = |rows: &[usize]| cells::gather(features, 0..heads.len(), rows);
        let target = match dataset.targets() {
            Targets::Values { values, .. } => {
                let of = |rows: &[usize]| rows.iter().map(|&row| f64::from(values[row])).collect();
                Target::Numbers { fit: of(&fit), test: of(&test) }
            }
            Targets::Classes { labels, classes, .. } => {
                let of = |rows: &[usize]| rows.iter().map(|&row| labels[row] as usize).collect();
                Target::Classes { fit: of(&fit), test: of(&test), classes: classes.len() }
            }
        };
        let holds = heads.iter().map(|head| head.holds).collect();
        Ok(Halves { holds, fit: columns(&fit)?, test: columns(&test)?, target })
    }

    /// The share of the target that follows from column `at`, where it is nearly all.
    fn given_away_by(&self, at: usize) -> Option<f64> {
        let (mut fit, mut test) = (self.fit[at].clone(), self.test[at].clone());
        let usual = cells::mean(&fit);
        // That there is no value may give the target away as well.
        cells::gaps_apart(&mut fit);
        cells::gaps_apart(&mut test);
        let (edges, is_each) = edges(&fit);
        let is_category = self.holds[at] == Holds::Categories;
        // Numbers of categories mean nothing in ranges.
        if edges.is_empty() || (is_category && !is_each) {
            return None;
        }
        let bin_of = |value: f64| edges.partition_point(|&edge| edge <= value);
        match &self.target {
            Target::Numbers { fit: y, test: wanted } => {
                let by_line = if is_category {
                    0.0
                } else {
                    let column = |cells: &[f64]| [cells::filled(cells, usual)];
                    let line = Moments::of(&column(&self.fit[at]), y).fit(&[0]).0;
                    line.r2(&column(&self.test[at]), wanted)
                };
                let (ranks, wanted) = (ranks(y, y), ranks(wanted, y));
                let means = bin_means(fit.iter().map(|&value| bin_of(value)), &ranks, edges.len() + 1);
                let by_bins = r2(test.iter().map(|&value| means[bin_of(value)]), &wanted);
                let is_curve = by_bins >= NEARLY_ALL_RANKS;
                (by_line >= NEARLY_ALL || is_curve).then_some(if is_curve {
                    by_bins.max(by_line)
                } else {
                    by_line
                })
            }
            Target::Classes { fit: y, test: wanted, classes } => {
                let mut counts = vec![vec![0usize; *classes]; edges.len() + 1];
                fit.iter().zip(y).for_each(|(&value, &class)| counts[bin_of(value)][class] += 1);
                let answers: Vec<usize> = counts.iter().map(|counts| most_frequent(counts)).collect();
                let errors = test
                    .iter()
                    .zip(wanted)
                    .filter(|&(&value, &class)| answers[bin_of(value)] != class)
                    .count();
                let mut totals = vec![0; *classes];
                y.iter().for_each(|&class| totals[class] += 1);
                let majority = most_frequent(&totals);
                let without = wanted.iter().filter(|&&class| class != majority).count();
                // Of few errors hardly any can be left by chance.
                let share = 1.0 - errors as f64 / without as f64;
                (without >= 10 && share >= NEARLY_ALL).then_some(share)
            }
        }
    }

    /// The fewest columns from which the target follows as a sum.
    fn together(&self, numbers: &[usize]) -> Option<Formula> {
        match &self.target {
            Target::Numbers { fit, test } => self.sum_of_few(numbers, fit, test),
            Target::Classes { fit, test, classes } => {
                // With two classes one formula says both.
                let wanted: Vec<usize> = if *classes == 2 { vec![1] } else { (0..*classes).collect() };
                let is = |rows: &[usize], class: usize| -> Vec<f64> {
                    rows.iter().map(|&other| f64::from(u8::from(other == class))).collect()
                };
                let sum = |&class: &usize| self.sum_of_few(numbers, &is(fit, class), &is(test, class));
                let found: Option<Vec<Formula>> = wanted.iter().map(sum).collect();
                found?.into_iter().max_by_key(|formula| formula.terms.len())
            }
        }
    }

    fn sum_of_few(&self, numbers: &[usize], fit: &[f64], test: &[f64]) -> Option<Formula> {
        let usual: Vec<f64> = numbers.iter().map(|&at| cells::mean(&self.fit[at])).collect();
        let columns = |half: &[Vec<f64>]| -> Vec<Vec<f64>> {
            numbers.iter().zip(&usual).map(|(&at, &usual)| cells::filled(&half[at], usual)).collect()
        };
        let (known, unseen) = (columns(&self.fit), columns(&self.test));
        let moments = Moments::of(&known, fit);
        let all: Vec<usize> = (0..numbers.len()).collect();
        if !moments.target_varies() || 2 * all.len() > fit.len() {
            return None;
        }
        let explains = |formula: &Formula| formula.r2(&unseen, test) >= NEARLY_ALL_TOGETHER;
        let (whole, weights) = moments.fit(&all);
        if !explains(&whole) {
            return None;
        }
        let mut order = all;
        order.sort_by(|&a, &b| weights[b].abs().total_cmp(&weights[a].abs()));
        let enough = (1..=order.len()).find(|&few| explains(&moments.fit(&order[..few]).0))?;
        let mut chosen = order[..enough].to_vec();
        // A column that came early because another, chosen later, undoes it, is not needed.
        for column in order[..enough].iter().rev() {
            let without: Vec<usize> = chosen.iter().copied().filter(|other| other != column).collect();
            if !without.is_empty() && explains(&moments.fit(&without).0) {
                chosen = without;
            }
        }
        (chosen.len() <= FEW).then(|| {
            let Formula { terms, intercept } = moments.fit(&chosen).0;
            Formula {
                terms: terms.into_iter().map(|(at, weight)| (numbers[at], weight)).collect(),
                intercept,
            }
        })
    }
}

/// Values between which the bins of a column lie, none where the column is constant; and whether each value has its own.
fn edges(column: &[f64]) -> (Vec<f64>, bool) {
    let mut sorted = column.to_vec();
    sorted.sort_by(f64::total_cmp);
    let distinct = sorted.chunk_by(|a, b| a == b).count();
    let bins = MOST_BINS.min(sorted.len() / ROWS_PER_BIN);
    let is_each = distinct <= bins;
    let mut edges: Vec<f64> = match is_each {
        true => sorted.chunk_by(|a, b| a == b).map(|run| run[0]).collect(),
        false => (0..bins).map(|bin| sorted[bin * sorted.len() / bins]).collect(),
    };
    edges.dedup();
    let above_first = if edges.is_empty() { edges } else { edges.split_off(1) };
    (above_first, is_each)
}

/// The place of each value among `all`, from 0 to 1; equal values share the middle of their places.
fn ranks(values: &[f64], all: &[f64]) -> Vec<f64> {
    let mut sorted = all.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = |value: &f64| {
        let first = sorted.partition_point(|other| other < value);
        let end = sorted.partition_point(|other| other <= value);
        (first + end) as f64 / (2 * sorted.len()) as f64
    };
    values.iter().map(rank).collect()
}

fn bin_means(bins: impl Iterator<Item = usize>, y: &[f64], count: usize) -> Vec<f64> {
    let (mut sums, mut rows) = (vec![0.0; count], vec![0usize; count]);
    for (bin, value) in bins.zip(y) {
        sums[bin] += value;
        rows[bin] += 1;
    }
    let mean = y.iter().sum::<f64>() / y.len().max(1) as f64;
    sums.iter().zip(rows).map(|(sum, rows)| if rows > 0 { sum / rows as f64 } else { mean }).collect()
}

fn r2(predictions: impl Iterator<Item = f64>, wanted: &[f64]) -> f64 {
    let mean = wanted.iter().sum::<f64>() / wanted.len().max(1) as f64;
    let scatter: f64 = wanted.iter().map(|value| (value - mean).powi(2)).sum();
    let squares: f64 = predictions.zip(wanted).map(|(prediction, value)| (prediction - value).powi(2)).sum();
    if scatter > 0.0 { 1.0 - squares / scatter } else { 0.0 }
}

fn most_frequent(counts: &[usize]) -> usize {
    (0..counts.len()).rev().max_by_key(|&class| counts[class]).unwrap_or(0)
}
