//! Where a network is wrong: its worst mistakes, and of numbers how predictions lie beside targets.

use std::time::{Duration, UNIX_EPOCH};

use barun_data::{Column, ColumnKind, Features, FeaturesRef};
use barun_view::report::Picture;
use serde::{Deserialize, Serialize};

use crate::metrics::{Predictions, argmax};
use crate::progress::figure_text;

/// So many pictures, or rows, are kept of the worst mistakes.
const PICTURES: usize = 24;
const ROWS: usize = 12;
/// The longer side of a kept picture at most.
const SIDE: usize = 128;
/// Of rows with more columns than this, the first are shown.
const COLUMNS: usize = 12;
/// So many pairs of target and prediction are kept.
const PAIRS: usize = 1500;

/// Where a network is wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mistakes {
    /// On how many rows it was judged.
    pub rows: usize,
    /// Of classes: how many of them it took for another.
    pub wrong: Option<usize>,
    /// The worst, the worst first.
    pub worst: Vec<Mistake>,
    /// Of numbers: targets and predictions of rows evenly chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<(f64, Option<f64>)>,
}

/// A row and what the network said of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// The row, from 1 in the order of the data: of a table, the line after the header is row 1.
    pub row: usize,
    /// What it is.
    pub actual: String,
    /// What the network said.
    pub predicted: String,
    /// Of classes, how sure it was of that, and of the truth; of numbers none.
    pub sure: Option<(f64, f64)>,
    /// Of numbers, prediction minus target.
    pub error: Option<f64>,
    /// What it was asked about.
    pub input: Input,
}

/// What a network was asked about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A picture.
    Picture(Picture),
    /// Columns with what stands in them; of many columns the first.
    Row(Vec<(String, String)>),
}

impl Mistakes {
    /// Of features as they were read and what was said of their rows `rows`; none of rows given again, whose answers are no
    /// single thing to show.
    pub(super) fn of(raw: &Features, rows: &[usize], said: &Predictions) -> Option<Mistakes> {
        match said {
            Predictions::Classes { probabilities, labels, classes } => {
                Some(of_classes(raw, rows, (probabilities, labels, classes)))
            }
            Predictions::Numbers { predictions, targets } => {
                Some(of_numbers(raw, rows, predictions, targets))
            }
            Predictions::Inputs { .. } => None,
        }
    }
}

fn of_classes(
    raw: &Features,
    rows: &[usize],
    (probabilities, labels, classes): (&[f64], &[usize], &[String]),
) -> Mistakes {
    let answers: Vec<&[f64]> = probabilities.chunks_exact(classes.len().max(1)).collect();
    let mut wrong: Vec<usize> =
        (0..rows.len()).filter(|&at| argmax(answers[at]) != Some(labels[at])).collect();
    let count = wrong.len();
    // The less of the truth it saw, the worse; of equals the earlier row.
    wrong.sort_by(|&a, &b| answers[a][labels[a]].total_cmp(&answers[b][labels[b]]));
    let mistake = |&at: &usize| {
        let taken_for = argmax(answers[at]);
        Some(Mistake {
            row: rows[at] + 1,
            actual: classes[labels[at]].clone(),
            predicted: taken_for.map_or("no class".to_string(), |class| classes[class].clone()),
            sure: taken_for.map(|class| (answers[at][class], answers[at][labels[at]])),
            error: None,
            input: input(raw, rows[at])?,
        })
    };
    let worst = wrong.iter().take(most(raw)).filter_map(mistake).collect();
    Mistakes { rows: rows.len(), wrong: Some(count), worst, pairs: Vec::new() }
}

fn of_numbers(raw: &Features, rows: &[usize], predictions: &[f64], targets: &[f64]) -> Mistakes {
    let error = |at: usize| predictions[at] - targets[at];
    let mut order: Vec<usize> = (0..rows.len()).collect();
    // What is no number is worst of all.
    order.sort_by(|&a, &b| error(b).abs().total_cmp(&error(a).abs()));
    let mistake = |&at: &usize| {
        Some(Mistake {
            row: rows[at] + 1,
            actual: number_text(targets[at]),
            predicted: number_text(predictions[at]),
            sure: None,
            error: Some(error(at)).filter(|error| error.is_finite()),
            input: input(raw, rows[at])?,
        })
    };
    let worst = order.iter().take(most(raw)).filter_map(mistake).collect();
    let every = rows.len().div_ceil(PAIRS).max(1);
    let pair = |at: usize| (targets[at], Some(predictions[at]).filter(|number| number.is_finite()));
    let pairs = (0..rows.len()).step_by(every).map(pair).collect();
    Mistakes { rows: rows.len(), wrong: None, worst, pairs }
}

/// `3`, `2.1234`, `1.200e7`.
fn number_text(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e9 { format!("{number:.0}") } else { figure_text(number) }
}

fn most(raw: &Features) -> usize {
    if raw.image_shape().is_some() { PICTURES } else { ROWS }
}

/// What stands in the row `row` of the data, as it was read. None where it can no longer be read: a report is no reason to
/// lose a run.
fn input(raw: &Features, row: usize) -> Option<Input> {
    if let Features::Table(table) = raw {
        let mut cells = None;
        table
            .each(&[row], |read| {
                let columns = table.columns().iter().zip(read).take(COLUMNS);
                cells = Some(
                    columns.map(|(column, cell)| (column.name.clone(), cell_text(column, *cell))).collect(),
                );
                Ok(())
            })
            .ok()?;
        return cells.map(Input::Row);
    }
    match raw.get(row).ok()? {
        FeaturesRef::Image(pixels) => {
            Picture::of_at_most(SIDE, raw.image_shape()?, &pixels).map(Input::Picture)
        }
        FeaturesRef::Row(values) => {
            let cells = raw.names()?.into_iter().zip(values.iter()).take(COLUMNS);
            Some(Input::Row(cells.map(|(name, value)| (name, value.to_string())).collect()))
        }
    }
}

/// A cell as people write it.
fn cell_text(column: &Column, cell: f32) -> String {
    let is_missing = cell.is_nan();
    match &column.kind {
        _ if is_missing => "–".to_string(),
        ColumnKind::Category { categories } => categories.get(cell as usize).cloned().unwrap_or_default(),
        ColumnKind::Date { .. } if cell >= 0.0 => {
            let day = UNIX_EPOCH + Duration::from_secs(cell as u64 * 86_400);
            humantime::format_rfc3339_seconds(day).to_string().chars().take(10).collect()
        }
        ColumnKind::Time { .. } if cell >= 0.0 => {
            let seconds = cell as u64;
            format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
        }
        _ => cell.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barun_data::table::DateOrder;

    /// Ten rows of two columns.
    fn rows() -> Features {
        let values = (0..10).flat_map(|row| [row as f32, 0.5 * row as f32]).collect();
        Features::Rows { values, names: vec!["a".into(), "b".into()] }
    }

    #[test]
    fn the_mistake_that_was_surest_comes_first_and_right_rows_do_not() {
        let said = Predictions::Classes {
            probabilities: vec![0.9, 0.1, 0.6, 0.4, 0.8, 0.2, f64::NAN, 0.5],
            labels: vec![0, 1, 1, 0],
            classes: vec!["cat".into(), "dog".into()],
        };
        let found = Mistakes::of(&rows(), &[2, 3, 5, 8], &said).unwrap();
        assert_eq!((found.rows, found.wrong), (4, Some(3)));
        let told: Vec<_> = found.worst.iter().map(|worst| (worst.row, worst.predicted.as_str())).collect();
        assert_eq!(told, [(6, "cat"), (4, "cat"), (9, "no class")]);
        assert_eq!(found.worst[0].sure, Some((0.8, 0.2)));
        let row = [("a", "5"), ("b", "2.5")].map(|(name, value)| (name.to_string(), value.to_string()));
        assert_eq!(found.worst[0].input, Input::Row(row.to_vec()));
    }

    #[test]
    fn of_numbers_the_largest_error_comes_first_and_what_is_no_number_before_it() {
        let said =
            Predictions::Numbers { predictions: vec![1.5, 7.0, f64::NAN], targets: vec![1.0, 3.0, 2.0] };
        let found = Mistakes::of(&rows(), &[1, 3, 2], &said).unwrap();
        let told: Vec<_> = found.worst.iter().map(|worst| (worst.row, worst.error)).collect();
        assert_eq!(told, [(3, None), (4, Some(4.0)), (2, Some(0.5))]);
        assert_eq!(found.pairs, [(1.0, Some(1.5)), (3.0, Some(7.0)), (2.0, None)]);
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Mistakes>(&text).unwrap(), found);
    }

    #[test]
    fn cells_are_written_as_people_write_them() {
        let of_kind = |kind| Column { kind, ..Column::number("a") };
        let categories = ["cat".to_string(), "dog".to_string()].into();
        let animals = of_kind(ColumnKind::Category { categories });
        let days = of_kind(ColumnKind::Date { order: DateOrder::YearFirst });
        let times = of_kind(ColumnKind::Time { order: DateOrder::YearFirst });
        let told = [
            cell_text(&animals, 1.0),
            cell_text(&animals, f32::NAN),
            cell_text(&Column::number("a"), 0.02),
            cell_text(&days, 19_723.0),
            cell_text(&days, -1.0),
            cell_text(&times, 3_723.0),
        ];
        assert_eq!(told, ["dog", "–", "0.02", "2024-01-01", "-1", "1:02:03"]);
    }
}
