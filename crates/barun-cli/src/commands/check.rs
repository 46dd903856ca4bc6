//! `barun check`: is the data what it seems?

use barun_data::integrity::columns::Column;
use barun_train::report::CheckReport;
use barun_train::request::CheckRequest;
use clap::Args;

use crate::common::Common;
use crate::error::Result;
use crate::recipe::RecipeArguments;
use crate::{Outcome, output};

/// Check data before training on it
///
/// The data is read and divided as `barun train` would, and looked at: copies and near copies across the parts, one input
/// with two labels, groups and times on the wrong side, columns that give the target away alone or added up, identifiers,
/// parts that are distributed otherwise. Nothing is trained and nothing is removed. Rows are numbered from 1; of a table, the
/// line after the header is row 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun check houses.csv --target price
  barun check visits.csv --target ill --group patient
  barun check mnist --data-dir ~/data --json

With --json: about, columns[] (name, min, mean, median, max, deviation, distinct), classes[] with their rows, looks (how
often the test part has been looked at), data, parts (rows of train, valid, test), findings[] (kind, severity, message,
advice, count, of, columns[], examples[] of row numbers), sampled[] (what was looked at only in part).")]
pub struct Check {
    #[command(flatten)]
    recipe: RecipeArguments,

    #[command(flatten)]
    common: Common,
}

impl Check {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        let request = CheckRequest { recipe: self.recipe.resolve()?, machine: self.common.machine()? };
        let report = barun_train::check(&request)?;
        if self.common.json {
            output::json(&report)?;
        } else {
            output::text(&text(&report))?;
        }
        Ok(Outcome::Done)
    }
}

fn text(report: &CheckReport) -> String {
    let [train, valid, test] = report.report.parts;
    let mut text =
        format!("{}\n{train} rows to train, {valid} to choose by, {test} to judge by\n", report.about);
    if !report.classes.is_empty() {
        const SHOWN: usize = 12;
        let classes: Vec<String> =
            report.classes.iter().take(SHOWN).map(|(class, rows)| format!("{class} {rows}")).collect();
        let more = if report.classes.len() > SHOWN { ", ..." } else { "" };
        text.push_str(&format!("rows of each class: {}{more}\n", classes.join(", ")));
    }
    text.push_str(&columns(&report.columns));
    text.push('\n');
    for finding in &report.report.findings {
        text.push_str(&format!("{finding}\n"));
    }
    if report.report.findings.is_empty() {
        text.push_str("Nothing was found.\n");
    }
    for note in &report.report.sampled {
        text.push_str(&format!("sampled: {note}\n"));
    }
    if let Some(looks @ 1..) = report.looks {
        let times = if looks == 1 { "once".to_string() } else { format!("{looks} times") };
        text.push_str(&format!("The test part of this data has been looked at {times}.\n"));
    }
    text
}

fn columns(columns: &[Column]) -> String {
    const SHOWN: usize = 40;
    if columns.is_empty() {
        return String::new();
    }
    let width =
        columns.iter().take(SHOWN).map(|column| column.name.chars().count()).max().unwrap_or(0).max(6);
    let mut text = format!(
        "\n  {:<width$}{:>12}{:>12}{:>12}{:>12}{:>12}{:>10}\n",
        "column", "min", "mean", "median", "max", "deviation", "distinct"
    );
    for column in columns.iter().take(SHOWN) {
        let numbers = [column.min, column.mean, column.median, column.max, column.deviation];
        let numbers: String = numbers.iter().map(|number| format!("{:>12}", short(*number))).collect();
        text.push_str(&format!("  {:<width$}{numbers}{:>10}\n", column.name, column.distinct));
    }
    if columns.len() > SHOWN {
        text.push_str(&format!("  and {} more columns\n", columns.len() - SHOWN));
    }
    text
}

/// Five digits that count.
fn short(number: f64) -> String {
    let magnitude = number.abs();
    match () {
        () if number == 0.0 || !number.is_finite() => format!("{number}"),
        () if !(1e-3..1e7).contains(&magnitude) => format!("{number:.3e}"),
        () if magnitude >= 1e4 => format!("{number:.0}"),
        () => format!("{number:.*}", (3 - magnitude.log10().floor() as i32).clamp(0, 6) as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.0, 12.3456, 0.00123456, 123_456.7, 1e9, -5.0].map(short),
            ["0", "12.35", "0.001235", "123457", "1.000e9", "-5.000"]
        );
    }
}
