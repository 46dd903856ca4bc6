//! `barun columns`: what the columns of a table are taken for.

use barun_train::report::ColumnsReport;
use barun_train::request::ColumnsRequest;
use clap::Args;

use crate::common::Common;
use crate::error::Result;
use crate::recipe::RecipeArguments;
use crate::{Outcome, output};

/// Show what the columns of a table are taken for, and what becomes of them
///
/// Reads the data as `barun train` does and prepares it on the training part, but trains nothing. Where a column is taken for
/// something that it is not, data.table.categorical, data.table.numeric, data.table.missing and data.ignore say better.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun columns houses.csv --target price
  barun columns houses.csv --set 'data.table.categorical=[\"zip\"]' --set 'data.table.missing=[\"-999\"]'

With --json: data, rows, target, classes[], columns[] with name, read_as and becomes, features (how many numbers the
network takes), notes[].")]
pub struct Columns {
    #[command(flatten)]
    recipe: RecipeArguments,

    #[command(flatten)]
    common: Common,
}

impl Columns {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        let recipe = self.recipe.resolve()?;
        let machine = self.common.machine()?;
        let report = barun_train::columns_of(&ColumnsRequest { recipe, machine })?;
        if self.common.json {
            output::json(&report)?;
        } else {
            output::text(&text(&report))?;
        }
        Ok(Outcome::Done)
    }
}

fn text(report: &ColumnsReport) -> String {
    let target = match &report.classes {
        Some(classes) => format!("{} classes", classes.len()),
        None => "numbers".to_string(),
    };
    let mut lines =
        vec![format!("{}: {} rows, target '{}' with {target}", report.data, report.rows, report.target)];
    lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
    for column in &report.columns {
        lines.push(format!("  {}", column.read_as));
        lines.push(format!("    -> {}", column.becomes));
    }
    lines.push(format!("the network takes {} numbers a row\n", report.features));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use barun_train::report::ColumnReport;

    #[test]
    fn each_column_is_told_with_its_reason_and_its_fate() {
        let report = ColumnsReport {
            data: "houses".into(),
            rows: 12,
            target: "price".into(),
            classes: None,
            columns: vec![ColumnReport {
                name: "zip".into(),
                read_as: "zip: categories, 3 different, because '02134' begins with a zero".into(),
                becomes: "3 flags".into(),
            }],
            features: 3,
            notes: vec!["2 rows were left out".into()],
        };
        assert_eq!(
            text(&report),
            "houses: 12 rows, target 'price' with numbers\n\
             note: 2 rows were left out\n\
             \x20 zip: categories, 3 different, because '02134' begins with a zero\n\
             \x20   -> 3 flags\n\
             the network takes 3 numbers a row\n"
        );
    }
}
