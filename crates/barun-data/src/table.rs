//! Tables: columns of numbers, categories, dates and times, one target column, rows in memory or on disk.
//!
//! A table is read from a `.csv`, `.tsv`, `.parquet`, `.npy` or `.npz` file (see [`TableOptions`]) and stays what it is:
//! a cell is one 32-bit number - the number itself, the index of a category, the days since 1970 - or NaN where there is
//! no value. What a network takes is made of it by an [`Encoding`](crate::Encoding), which is fitted on the training part.
//!
//! **What a column holds** is decided by its cells, and why is told ([`Column::why`]):
//!
//! | cells that are not missing | column |
//! |---|---|
//! | all numbers, none such as `02134` | numbers |
//! | all dates or times of one order | dates, times |
//! | numbers but for one cell, or for a tenth of them | numbers; the first cell that is not is an error |
//! | others | categories |
//!
//! The first 256 KiB of a text file decide; where a later cell contradicts, the whole file does.
//!
//! **Classes or numbers?** With [`TargetKind::Auto`] the target column decides:
//!
//! | target column | task |
//! |---|---|
//! | text, on average each label at least twice | classes, names sorted |
//! | whole numbers, at most 20 different, on average each at least twice | classes, names sorted by number |
//! | other numbers | regression |
//!
//! A row without a target is left out, which is told ([`Dataset::notes`](crate::Dataset::notes)).
//!
//! A model remembers its columns as a [`Schema`], and [`Schema::read`] reads rows for prediction by column name.

mod builder;
mod calendar;
mod column;
mod join;
mod missing;
mod schema;
mod store;
mod target;

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use crate::read::texts;
pub use calendar::DateOrder;
pub use column::{Column, ColumnKind, TIME_SUFFIX};
pub use missing::DEFAULT_MARKS;
pub use schema::{PredictionRows, Schema, SchemaColumn, SchemaKind};

pub(crate) use builder::{Block, Builder, Dictionary, Field, FieldKind, TargetCells};
pub(crate) use calendar::{Moment, day, parse as parse_date};
pub(crate) use column::truth;
pub(crate) use missing::Marks;
pub(crate) use schema::date_of_time;
pub(crate) use store::{Room, Store};
pub use target::counted;
pub(crate) use target::targets;

use crate::encode::Encoder;
use crate::error::{Error, Result};
use crate::suggest::Suggestion;

/// Whether a table's target is classes or numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// By the rule in the [module docs](self).
    #[default]
    Auto,
    /// Classes, whatever the cells hold.
    Classes,
    /// Numbers; text is an error.
    Values,
}

/// Whether the first line of a text file names the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Header {
    /// It does, unless all of it are numbers or one of it is such as 5.1.
    #[default]
    Auto,
    /// It does.
    Yes,
    /// It is a row; the columns are called `column_1`, `column_2`, ...
    No,
}

/// How the bytes of a text file are characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextEncoding {
    /// UTF-8; anything else is an error.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// ISO 8859-1: each byte is a character.
    #[serde(rename = "latin-1")]
    Latin1,
}

/// How a file is read as a table, whatever is made of its columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What stands between the fields of a text file. Default: a tab in `.tsv` files, else the one of comma, semicolon, tab
    /// and bar that divides the first lines best.
    pub delimiter: Option<u8>,
    /// Whether the first line of a text file names the columns.
    pub header: Header,
    /// How the bytes of a text file are characters.
    pub encoding: TextEncoding,
    /// What stands in a cell without a value. Default: [`DEFAULT_MARKS`].
    pub missing: Option<Vec<String>>,
    /// How many bytes of cells may lie in memory; a larger table lies in a temporary file. Default: 1 GiB.
    pub memory_bytes: usize,
    /// The folder of that file. Default: the system's folder for temporary files.
    pub scratch: Option<PathBuf>,
}

impl Default for Reading {
    fn default() -> Self {
        Reading {
            delimiter: None,
            header: Header::Auto,
            encoding: TextEncoding::Utf8,
            missing: None,
            memory_bytes: 1 << 30,
            scratch: None,
        }
    }
}

impl Reading {
    pub(crate) fn room(&self) -> Room {
        let folder = self.scratch.clone().unwrap_or_else(std::env::temp_dir);
        Room { most_bytes: self.memory_bytes, folder }
    }

    pub(crate) fn marks(&self) -> Marks {
        Marks::new(self.missing.as_deref())
    }
}

/// How to read a table to train on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableOptions {
    /// The column to predict. Default: the last one.
    pub target: Option<String>,
    /// Whether the target is classes or numbers.
    pub target_kind: TargetKind,
    /// Columns to leave out.
    pub ignore: Vec<String>,
    /// Columns that hold categories, whatever they look like, such as numbers of places.
    pub categorical: Vec<String>,
    /// Columns that hold numbers, whatever they look like; text in them is an error.
    pub numeric: Vec<String>,
    /// How the file is read.
    pub reading: Reading,
}

/// Rows of cells under columns. A copy shares the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    columns: Arc<[Column]>,
    store: Store,
    encoder: Option<Arc<Encoder>>,
}

impl Table {
    pub(crate) fn new(columns: Vec<Column>, store: Store) -> Table {
        Table { columns: columns.into(), store, encoder: None }
    }

    /// Rows of numbers as a table; NaN is a missing value.
    pub fn of_numbers(names: &[String], values: Vec<f32>) -> Table {
        Table::new(names.iter().map(Column::number).collect(), Store::in_memory(values, names.len()))
    }

    /// The same rows, which come encoded from now on.
    pub(crate) fn encoded(&self, encoder: Encoder) -> Table {
        Table { encoder: Some(Arc::new(encoder)), ..self.clone() }
    }

    #[cfg(test)]
    pub(crate) fn replace_columns(&mut self, columns: Vec<Column>) {
        self.columns = columns.into();
    }

    /// The columns as they were read.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of values in a row: cells, or features where the rows come encoded.
    pub fn width(&self) -> usize {
        self.encoder.as_ref().map_or(self.store.width(), |encoder| encoder.width())
    }

    /// What the values of a row are called.
    pub fn names(&self) -> Vec<String> {
        match &self.encoder {
            Some(encoder) => encoder.names(),
            None => self.columns.iter().map(|column| column.name.clone()).collect(),
        }
    }

    /// Whether the rows lie in a file rather than in memory.
    pub fn is_on_disk(&self) -> bool {
        matches!(self.store, Store::Disk { .. })
    }

    /// How many bytes of memory the rows take.
    pub fn bytes(&self) -> usize {
        if self.is_on_disk() { 0 } else { 4 * self.len() * self.store.width() }
    }

    /// Whether the rows come as a network takes them.
    pub fn is_encoded(&self) -> bool {
        self.encoder.is_some()
    }

    /// All values, row after row, those of `columns` in their order.
    ///
    /// # Errors
    /// A column that is not there or does not hold numbers; a row on disk that cannot be read.
    pub fn numbers(&self, columns: &[String]) -> Result<Vec<f32>> {
        let place = |name: &String| {
            let at = self.columns.iter().position(|column| column.name == *name);
            let at = at.ok_or_else(|| {
                let known = self.columns.iter().map(|column| column.name.as_str());
                Error::NoSuchColumn { name: name.clone(), suggestion: Suggestion::nearest(name, known) }
            })?;
            match self.columns[at].kind {
                ColumnKind::Number | ColumnKind::Empty => Ok(at),
                _ => Err(Error::OtherColumn { name: name.clone(), expected: "numbers" }),
            }
        };
        let places = columns.iter().map(place).collect::<Result<Vec<usize>>>()?;
        let rows: Vec<usize> = (0..self.len()).collect();
        let mut values = Vec::with_capacity(rows.len() * places.len());
        self.store.each(&rows, |cells| {
            values.extend(places.iter().map(|&at| cells[at]));
            Ok(())
        })?;
        Ok(values)
    }

    /// Hands each of the rows `indices`, [`width`](Self::width) values, to `see`, in their order.
    ///
    /// # Errors
    /// An index out of range, a temporary file that cannot be read, and what `see` gives.
    pub fn each(&self, indices: &[usize], mut see: impl FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let Some(encoder) = &self.encoder else { return self.store.each(indices, see) };
        let mut features = Vec::with_capacity(encoder.width());
        self.store.each(indices, |cells| {
            features.clear();
            encoder.encode(cells, &mut features);
            see(&features)
        })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }
}
