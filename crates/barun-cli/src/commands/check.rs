//! `barun check`: is the data what it seems, and can the network learn it?

mod preflight;

use std::path::PathBuf;

use barun_doctor::Doctor;
use barun_nn::lr_range::LrRange;
use barun_train::diagnosis::{Diagnosis, Finding};
use barun_train::report::{CheckReport, ColumnReport};
use barun_train::request::{CheckRequest, LrFindReport, OverfitReport, find_lr, overfit_batch};
use clap::Args;
use serde::Serialize;

use crate::common::Common;
use crate::error::{Error, Result};
use crate::recipe::RecipeArguments;
use crate::{Outcome, output};

/// Check data before training on it
///
/// The data is read and divided as `barun train` would, and looked at: copies and near copies across the parts, one input
/// with two labels, groups and times on the wrong side, columns that give the target away alone or added up, identifiers,
/// parts that are distributed otherwise. Nothing is trained and nothing is removed. Rows are numbered from 1; of a table, the
/// line after the header is row 1.
///
/// Of a table it is told what each column was taken for, why, and what the network takes of it. Where a column is taken for
/// something that it is not, data.table.categorical, data.table.numeric, data.table.missing and --drop say better.
///
/// With --overfit-batch and --lr-find the network is trained for a few steps, on copies of its weights that are thrown away:
/// can it learn 16 rows by heart, and at which learning rate does it learn fastest?
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun check houses.csv --target price
  barun check visits.csv --target ill --group patient
  barun check houses.csv --set 'data.table.categorical=[\"zip\"]' --set 'data.table.missing=[\"-999\"]'
  barun check mnist --data-dir ~/data --json
  barun check recipe.toml --overfit-batch                 can the network learn anything at all?
  barun check recipe.toml --lr-find --out lr.svg          which learning rate?

With --json: about, columns[] (name, holds, why, missing, distinct, numbers with min, mean, median, max and deviation,
becomes), features (how many numbers the network takes of a row), notes[], classes[] with their rows, looks (how often the
test part has been looked at), data, parts (rows of train, valid, test), findings[] (kind, severity, message, advice,
count, of, columns[], examples[] of row numbers), sampled[] (what was looked at only in part), doctor (as of barun train).
With --overfit-batch also overfit_batch: learned, rows, steps, most_steps, lr, loss, loss_of_guessing, error_rate (of
classes), losses[]. With --lr-find also lr_find: suggestion, blew_up_at (null where it did not), recipe_lr, points[] with lr,
loss, smoothed.")]
pub struct Check {
    #[command(flatten)]
    recipe: RecipeArguments,

    /// Train the network on 16 rows until it knows them by heart, for at most 300 steps, without dropout, decay and other
    /// regularisation
    #[arg(long)]
    overfit_batch: bool,

    /// Train the network for 100 steps at a learning rate that rises until the loss blows up
    #[arg(long)]
    lr_find: bool,

    /// Write the curve of --lr-find as an SVG file
    #[arg(long, value_name = "FILE", requires = "lr_find")]
    out: Option<PathBuf>,

    /// Write over an existing file
    #[arg(long, requires = "out")]
    force: bool,

    #[command(flatten)]
    common: Common,
}

/// All that was found, as `--json` has it.
#[derive(Serialize)]
struct Found {
    #[serde(flatten)]
    data: CheckReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    overfit_batch: Option<OverfitReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lr_find: Option<LrFindReport>,
}

impl Check {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        let request = CheckRequest { recipe: self.recipe.resolve()?, machine: self.common.machine()? };
        if let Some(out) = self.out.as_ref().filter(|out| out.exists() && !self.force) {
            return Err(Error::OutputExists(out.display().to_string()));
        }
        let overfit = match self.overfit_batch {
            true => match overfit_batch(&request)? {
                Some(report) => Some(report),
                None => return Ok(Outcome::Interrupted),
            },
            false => None,
        };
        let data = match Doctor::of(&request.recipe.doctor).map(Doctor::advising) {
            Some(doctor) => {
                let mut doctor = overfit.iter().cloned().fold(doctor, Doctor::having_tried);
                barun_train::rehearse(&request, &mut doctor)?
            }
            None => barun_train::check(&request)?,
        };
        let mut found = Found { data, overfit_batch: overfit, lr_find: None };
        if self.lr_find {
            let Some(report) = find_lr(&request, &LrRange::default())? else {
                return Ok(Outcome::Interrupted);
            };
            if let Some(out) = &self.out {
                preflight::write_picture(&report, out)?;
            }
            found.lr_find = Some(report);
        }
        if self.common.json {
            output::json(&found)?;
        } else {
            output::text(&self.text(&found))?;
        }
        Ok(Outcome::Done)
    }

    fn text(&self, found: &Found) -> String {
        let mut text = text(&found.data);
        if let Some(report) = &found.overfit_batch {
            text.push_str(&format!("\n{}", preflight::overfit_text(report)));
        }
        if let Some(report) = &found.lr_find {
            text.push_str(&format!("\n{}", preflight::lr_text(report)));
        }
        if let Some(out) = &self.out {
            text.push_str(&format!("The curve is in {}.\n", out.display()));
        }
        text
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
    if !report.columns.is_empty() {
        text.push_str(&format!("The network takes {} numbers of a row.\n", report.features));
    }
    text.push('\n');
    for note in &report.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    for finding in &report.report.findings {
        text.push_str(&format!("{finding}\n"));
    }
    if report.report.findings.is_empty() {
        text.push_str("Nothing was found in the data.\n");
    }
    for note in &report.report.sampled {
        text.push_str(&format!("sampled: {note}\n"));
    }
    if let Some(diagnosis) = &report.doctor {
        text.push_str(&doctor_text(diagnosis));
    }
    if let Some(looks @ 1..) = report.looks {
        let times = if looks == 1 { "once".to_string() } else { format!("{looks} times") };
        text.push_str(&format!("The test part of this data has been looked at {times}.\n"));
    }
    text
}

/// What the doctor says of network and first step; what the data's checks say stands above.
fn doctor_text(diagnosis: &Diagnosis) -> String {
    let of_network = |finding: &&Finding| !matches!(finding.rule.as_str(), "R24" | "R25" | "R26");
    let findings: Vec<&Finding> = diagnosis.findings.iter().filter(of_network).collect();
    match findings.is_empty() {
        true => "The doctor finds nothing wrong with network, inputs and first step.\n".to_string(),
        false => {
            findings.iter().flat_map(|finding| finding.lines()).map(|line| format!("{line}\n")).collect()
        }
    }
}

fn columns(columns: &[ColumnReport]) -> String {
    const SHOWN: usize = 60;
    if columns.is_empty() {
        return String::new();
    }
    let titles = ["column", "holds", "missing", "distinct", "min", "mean", "median", "max", "becomes"];
    let mut rows = vec![titles.map(str::to_string)];
    for column in columns.iter().take(SHOWN) {
        let numbers = column.numbers.filter(|_| column.holds == "numbers");
        let [min, mean, median, max] =
            numbers.map_or([const { String::new() }; 4], |n| [n.min, n.mean, n.median, n.max].map(short));
        let (name, holds, becomes) = (column.name.clone(), column.holds.clone(), column.becomes.clone());
        let [missing, distinct] = [column.missing, column.distinct].map(count);
        rows.push([name, holds, missing, distinct, min, mean, median, max, becomes]);
    }
    let mut text = format!("\n{}", aligned(&rows));
    if columns.len() > SHOWN {
        text.push_str(&format!("  and {} more columns\n", columns.len() - SHOWN));
    }
    let reasons = columns.iter().take(SHOWN).filter(|column| !column.why.is_empty());
    for ColumnReport { name, holds, why, .. } in reasons {
        text.push_str(&format!("  {name}: {holds}, because {why}\n"));
    }
    text
}

fn count(count: usize) -> String {
    if count == 0 { String::new() } else { count.to_string() }
}

/// Two columns of words, numbers to the right, the last as it is.
fn aligned(rows: &[[String; 9]]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..9).map(width).collect();
    let line = |row: &[String; 9]| {
        let cell = |(at, cell): (usize, &String)| match at {
            0 | 1 => format!("  {cell:<width$}", width = widths[at]),
            8 => format!("  {cell}"),
            _ => format!("  {cell:>width$}", width = widths[at]),
        };
        let line: String = row.iter().enumerate().map(cell).collect();
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
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
