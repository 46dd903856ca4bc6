//! The columns a model was trained on, and rows read by them.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::builder::{FieldKind, TargetCells};
use super::calendar::DateOrder;
use super::column::{Column, ColumnKind, TIME_SUFFIX};
use super::target::counted;
use super::{Reading, TargetKind, target};
use crate::dataset::{Features, Targets};
use crate::error::{Error, Place, Result};
use crate::read;
use crate::suggest::Suggestion;

/// The columns a model was trained on; what a file must have to be predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// The columns that the model takes.
    pub columns: Vec<SchemaColumn>,
    /// Columns that were there in training and of which the model makes nothing. They may be there or not.
    pub unused: Vec<String>,
    /// The name of the target column.
    pub target: String,
    /// The class names in the order of the model's outputs; `None` for regression.
    pub classes: Option<Vec<String>>,
}

/// A column that a model takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaColumn {
    /// Its name.
    pub name: String,
    /// How its cells are read.
    pub kind: SchemaKind,
}

/// How the cells of a column are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SchemaKind {
    /// Numbers.
    Number,
    /// Text.
    Category,
    /// Dates, with a time or without.
    Date {
        /// How they are written.
        order: DateOrder,
        /// Whether a time follows.
        time: bool,
    },
}

/// Rows read for prediction.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictionRows {
    /// The features, under the columns of the file, not encoded.
    pub features: Features,
    /// The target, where the file has it.
    pub targets: Option<Targets>,
    /// Columns of the file that the model does not know; they were not read.
    pub ignored: Vec<String>,
    /// What was decided on the way, for people.
    pub notes: Vec<String>,
}

impl SchemaColumn {
    /// A column of numbers.
    pub fn number(name: impl Into<String>) -> SchemaColumn {
        SchemaColumn { name: name.into(), kind: SchemaKind::Number }
    }

    /// The columns as they stand in a file, and the names of those that hold nothing.
    pub(crate) fn of(columns: &[Column]) -> (Vec<SchemaColumn>, Vec<String>) {
        let (mut found, mut unused) = (Vec::new(), Vec::new());
        for column in columns {
            match SchemaColumn::source(&column.name, &column.kind) {
                Some(source) => source.add_to(&mut found),
                None => unused.push(column.name.clone()),
            }
        }
        (found, unused)
    }

    fn source(name: &str, kind: &ColumnKind) -> Option<SchemaColumn> {
        let (name, kind) = match *kind {
            ColumnKind::Number => (name, SchemaKind::Number),
            ColumnKind::Category { .. } => (name, SchemaKind::Category),
            ColumnKind::Date { order } => (name, SchemaKind::Date { order, time: false }),
            ColumnKind::Time { order } => (date_of_time(name, order), SchemaKind::Date { order, time: true }),
            ColumnKind::Text | ColumnKind::Empty => return None,
        };
        Some(SchemaColumn { name: name.to_string(), kind })
    }

    /// Adds it to others; a date and its time stand in one column of the file.
    pub(crate) fn add_to(self, columns: &mut Vec<SchemaColumn>) {
        match columns.iter_mut().find(|known| known.name == self.name) {
            Some(known) => {
                if let (SchemaKind::Date { time, .. }, SchemaKind::Date { time: true, .. }) =
                    (&mut known.kind, self.kind)
                {
                    *time = true;
                }
            }
            None => columns.push(self),
        }
    }
}

/// The column of the file in which the times of the column `name` stand.
pub(crate) fn date_of_time(name: &str, order: DateOrder) -> &str {
    match order {
        DateOrder::TimeOnly => name,
        _ => name.strip_suffix(TIME_SUFFIX).unwrap_or(name),
    }
}

impl SchemaKind {
    pub(crate) fn field(self) -> FieldKind {
        match self {
            SchemaKind::Number => FieldKind::Number,
            SchemaKind::Category => FieldKind::Text,
            SchemaKind::Date { order, time } => FieldKind::Date { order, time },
        }
    }
}

impl Schema {
    /// Reads rows for prediction: columns are matched by name, in any order; columns that the model does not know are
    /// not read, but reported. The target column is not looked at.
    ///
    /// # Errors
    /// A file that cannot be read; a missing column; a cell that is not what its column holds.
    pub fn read(&self, path: &Path, reading: &Reading) -> Result<PredictionRows> {
        let raw = read::by_schema(path, self, false, reading)?;
        Ok(PredictionRows {
            features: Features::Table(raw.table),
            targets: None,
            ignored: raw.ignored,
            notes: raw.notes,
        })
    }

    /// Reads rows with their targets, to measure a model on. Rows without a target are left out, which is noted.
    ///
    /// # Errors
    /// As [`read`](Self::read); a class the model does not know. `targets` is `None` where the file has no such column, or
    /// nothing in it.
    pub fn read_labelled(&self, path: &Path, reading: &Reading) -> Result<PredictionRows> {
        let raw = read::by_schema(path, self, true, reading)?;
        let mut notes = raw.notes;
        let targets = match raw.target {
            Some(cells) if !cells.values.is_empty() => Some(self.targets(path, cells, &mut notes)?),
            _ => None,
        };
        Ok(PredictionRows { features: Features::Table(raw.table), targets, ignored: raw.ignored, notes })
    }

    fn targets(&self, path: &Path, cells: TargetCells, notes: &mut Vec<String>) -> Result<Targets> {
        let Some(classes) = &self.classes else {
            let (targets, more) = target::targets(path, &self.target, cells, TargetKind::Values)?;
            notes.extend(more);
            return Ok(targets);
        };
        if cells.unlabelled > 0 {
            notes.push(format!("{} without a target left out", counted(cells.unlabelled, "row")));
        }
        let index: HashMap<&str, i64> = classes.iter().map(String::as_str).zip(0..).collect();
        let known = |text: &str| {
            // `1`, `1.0` and `01` are one class.
            let number = || text.parse::<f64>().ok().map(|number| (number + 0.0).to_string());
            index.get(text).or_else(|| index.get(number()?.as_str())).copied()
        };
        let labels = match cells.texts {
            Some(texts) => {
                let labels = texts.iter().map(|(text, place)| {
                    known(text).ok_or_else(|| self.unknown(path, text, Place::in_file(path, *place)))
                });
                let labels = labels.collect::<Result<Vec<i64>>>()?;
                cells.values.iter().map(|&code| labels[code as usize]).collect()
            }
            None => {
                let label = |(value, row): (&f64, u64)| {
                    let text = value.to_string();
                    known(&text).ok_or_else(|| self.unknown(path, &text, Place::Row(row)))
                };
                cells.values.iter().zip(1..).map(label).collect::<Result<Vec<i64>>>()?
            }
        };
        Ok(Targets::Classes { name: self.target.clone(), labels, classes: classes.clone() })
    }

    fn unknown(&self, path: &Path, value: &str, place: Place) -> Error {
        let classes = self.classes.as_deref().unwrap_or_default();
        Error::UnknownClass {
            path: path.to_path_buf(),
            place,
            column: self.target.clone(),
            value: read::excerpt(value),
            suggestion: Suggestion::nearest(value, classes.iter().map(String::as_str)),
        }
    }
}
