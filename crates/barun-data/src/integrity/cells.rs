//! The columns of rows as numbers, whatever they hold: what the checks of columns look at.

use std::ops::Range;

use crate::dataset::Features;
use crate::encode::is_id_name;
use crate::error::Result;
use crate::table::ColumnKind;

/// So many cells are looked at at once.
const MOST_CELLS: usize = 1 << 23;

/// What the numbers of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Numbers, days or seconds.
    Numbers,
    /// Numbers of categories, which have no order.
    Categories,
    /// Nothing.
    Nothing,
}

/// Of which columns somebody else takes care.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CaredFor {
    /// Columns that never change.
    pub constant: bool,
    /// Columns that number the rows.
    pub identifier: bool,
}

/// A column: its name and what it holds.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub name: String,
    pub holds: Holds,
    /// What of it an [encoding](crate::Encoding) leaves out by itself, so that nobody need be told to.
    pub cared_for: CaredFor,
}

/// The columns of rows of numbers or of a table; none of images.
pub(super) fn heads(features: &Features) -> Vec<Head> {
    match features {
        Features::Images { .. } | Features::Lazy(_) => Vec::new(),
        Features::Rows { names, .. } => {
            let head = |name: &String| Head {
                name: name.clone(),
                holds: Holds::Numbers,
                cared_for: CaredFor::default(),
            };
            names.iter().map(head).collect()
        }
        Features::Table(table) => {
            let head = |column: &crate::table::Column| Head {
                name: column.name.clone(),
                holds: match column.kind {
                    ColumnKind::Number | ColumnKind::Date { .. } | ColumnKind::Time { .. } => Holds::Numbers,
                    ColumnKind::Category { .. } => Holds::Categories,
                    ColumnKind::Text | ColumnKind::Empty => Holds::Nothing,
                },
                cared_for: CaredFor {
                    constant: true,
                    identifier: column.kind != ColumnKind::Number
                        || !column.asked && is_id_name(&column.name),
                },
            };
            table.columns().iter().map(head).collect()
        }
    }
}

/// The cells of the columns `which` in `rows`, column by column; NaN where there is no value.
///
/// # Errors
/// Rows on disk that cannot be read.
pub(super) fn gather(features: &Features, which: Range<usize>, rows: &[usize]) -> Result<Vec<Vec<f64>>> {
    let mut columns = vec![Vec::with_capacity(rows.len()); which.len()];
    let mut take = |row: &[f32]| {
        columns.iter_mut().zip(&row[which.clone()]).for_each(|(column, &cell)| column.push(f64::from(cell)));
    };
    match features {
        Features::Images { .. } | Features::Lazy(_) => {}
        Features::Rows { values, names } => {
            rows.iter().for_each(|&row| take(&values[row * names.len()..][..names.len()]));
        }
        Features::Table(table) => table.each(rows, |row| {
            take(row);
            Ok(())
        })?,
    }
    Ok(columns)
}

/// How many rows of `width` columns may be looked at together, at most `most`.
pub(super) fn most_rows(most: usize, width: usize) -> usize {
    most.min((MOST_CELLS / width.max(1)).max(1000))
}

/// The columns in ranges that may be looked at together in so many rows.
pub(super) fn ranges(width: usize, rows: usize) -> impl Iterator<Item = Range<usize>> {
    let step = (MOST_CELLS / rows.max(1)).max(1);
    (0..width).step_by(step).map(move |begin| begin..(begin + step).min(width))
}

/// No value as a value of its own, before all others.
pub(super) fn gaps_apart(column: &mut [f64]) {
    column.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = f64::NEG_INFINITY);
}

/// The mean of the values that are there; 0 of none.
pub(super) fn mean(column: &[f64]) -> f64 {
    let (sum, count) = column
        .iter()
        .filter(|value| !value.is_nan())
        .fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

/// The column with `fill` where there is no value.
pub(super) fn filled(column: &[f64], fill: f64) -> Vec<f64> {
    column.iter().map(|&value| if value.is_nan() { fill } else { value }).collect()
}
