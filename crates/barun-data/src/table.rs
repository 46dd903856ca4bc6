//! Tables: a `.csv` or `.tsv` file with a header line, number columns to learn from, one target column.
//!
//! The delimiter is a tab in `.tsv` files; elsewhere it is whichever of comma, semicolon and tab is most frequent in
//! the header. Cells are trimmed; a byte order mark and blank lines are skipped.
//!
//! **Classes or numbers?** With [`TargetKind::Auto`] the target column decides:
//!
//! | target column | task |
//! |---|---|
//! | text, on average each label at least twice | classes, names sorted |
//! | whole numbers, at most 20 different, on average each at least twice | classes, names sorted by number |
//! | other numbers | regression |
//!
//! A column in which at least half of the cells are numbers is a number column, and a text cell in it an error.
//!
//! A model remembers its columns as a [`Schema`], and [`Schema::read`] reads rows for prediction by column name.

mod keys;

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Features, Targets};
use crate::error::{Error, Result};
use crate::input;
use crate::suggest::Suggestion;

pub use keys::texts;

/// The most different whole numbers that are taken for classes.
const MOST_INTEGER_CLASSES: usize = 20;

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

/// How to read a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableOptions {
    /// The column to predict. Default: the last one.
    pub target: Option<String>,
    /// Whether the target is classes or numbers.
    pub target_kind: TargetKind,
    /// Columns to leave out.
    pub ignore: Vec<String>,
}

/// The columns a model was trained on, in order; part of the model file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// The names of the feature columns, in the order the model takes them.
    pub features: Vec<String>,
    /// The name of the target column.
    pub target: String,
    /// The class names in the order of the model's outputs; `None` for regression.
    pub classes: Option<Vec<String>>,
}

/// Rows read for prediction.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictionRows {
    /// The features, columns in the schema's order, not scaled.
    pub features: Features,
    /// The target, where the file has it.
    pub targets: Option<Targets>,
    /// Columns of the file that the model does not know; they were not read.
    pub ignored: Vec<String>,
}

/// Reads a table to train on.
///
/// # Errors
/// A file that is not UTF-8, has no header or no rows; unnamed or duplicate columns; a ragged row; a cell that is empty
/// or, in a number column, not a finite number; a target or ignored column that does not exist. Each names the file and, where
/// there is one, line, column and value.
pub fn read(path: &Path, options: &TableOptions) -> Result<Dataset> {
    let text = read_text(path)?;
    let table = Table::new(path, &text)?;
    let target = match &options.target {
        Some(name) => table.column(name)?,
        None => table.header.len() - 1,
    };
    let ignored = options.ignore.iter().map(|name| table.column(name)).collect::<Result<Vec<usize>>>()?;
    let columns: Vec<usize> =
        (0..table.header.len()).filter(|column| *column != target && !ignored.contains(column)).collect();
    if columns.is_empty() {
        return Err(Error::NoFeatureColumns {
            path: path.to_path_buf(),
            target: table.header[target].clone(),
        });
    }

    let (values, cells) = table.read(&columns, Some(target))?;
    let targets = table.targets(target, cells, options.target_kind)?;
    let names = columns.iter().map(|&column| table.header[column].clone()).collect();
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Dataset::new(name, Features::Rows { values, names }, targets)
}

impl Schema {
    /// Reads rows for prediction: columns are matched by name, in any order; columns that the model does not know are
    /// not read, but reported. The target column may be missing or wholly empty.
    ///
    /// # Errors
    /// As for [`read`]; a missing feature column; a class the model does not know.
    pub fn read(&self, path: &Path) -> Result<PredictionRows> {
        let text = read_text(path)?;
        let table = Table::new(path, &text)?;
        let columns = self.features.iter().map(|name| table.column(name)).collect::<Result<Vec<usize>>>()?;
        let target = table.header.iter().position(|name| *name == self.target);
        let (values, cells) = table.read(&columns, target)?;
        let targets = match target {
            Some(target) if !cells.are_blank() => Some(self.targets(&table, target, cells)?),
            _ => None,
        };
        let ignored = (0..table.header.len())
            .filter(|column| !columns.contains(column) && Some(*column) != target)
            .map(|column| table.header[column].clone())
            .collect();
        Ok(PredictionRows {
            features: Features::Rows { values, names: self.features.clone() },
            targets,
            ignored,
        })
    }

    fn targets(&self, table: &Table, column: usize, cells: Cells) -> Result<Targets> {
        let Some(classes) = &self.classes else { return table.values(column, &cells) };
        table.refuse_empty(column, &cells)?;
        let index: HashMap<&str, i64> = classes.iter().map(String::as_str).zip(0..).collect();
        let known = |cell: &Cell| {
            let whole = cell.whole_number().map(|number| number.to_string());
            index.get(cell.text.as_str()).or_else(|| index.get(whole?.as_str())).copied()
        };
        let labels = cells.distinct.iter().map(|cell| {
            known(cell).ok_or_else(|| Error::UnknownClass {
                path: table.path.to_path_buf(),
                line: table.line(cell.first_byte),
                column: self.target.clone(),
                value: excerpt(&cell.text),
                suggestion: Suggestion::nearest(&cell.text, classes.iter().map(String::as_str)),
            })
        });
        let labels = labels.collect::<Result<Vec<i64>>>()?;
        Ok(Targets::Classes {
            name: self.target.clone(),
            labels: cells.rows.iter().map(|&cell| labels[cell]).collect(),
            classes: classes.clone(),
        })
    }
}

fn read_text(path: &Path) -> Result<String> {
    let bytes = input::read(path).map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        Error::NotUtf8 { path: path.to_path_buf(), line: line_at(error.as_bytes(), offset), offset }
    })
}

fn line_at(bytes: &[u8], offset: usize) -> u64 {
    1 + bytes[..offset].iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// A cell as a message can show it: short, and in one line.
fn excerpt(text: &str) -> String {
    const MOST_CHARS: usize = 40;
    let mut shown: String = text.chars().take(MOST_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST_CHARS).is_some() {
        shown.push_str("...");
    }
    shown
}

/// A target column: its different cells, and which of them each row has.
#[derive(Default)]
struct Cells {
    distinct: Vec<Cell>,
    rows: Vec<usize>,
}

struct Cell {
    text: String,
    first_byte: usize,
}

impl Cells {
    fn are_blank(&self) -> bool {
        self.distinct.iter().all(|cell| cell.text.is_empty())
    }
}

impl Cell {
    fn number(&self) -> Option<f64> {
        self.text.parse().ok()
    }

    fn whole_number(&self) -> Option<i64> {
        self.number()
            .filter(|number| number.fract() == 0.0 && number.abs() < 1e15)
            .map(|number| number as i64)
    }
}

/// A parsed header over the text of a file.
struct Table<'a> {
    path: &'a Path,
    text: &'a str,
    delimiter: u8,
    header: Vec<String>,
}

impl<'a> Table<'a> {
    fn new(path: &'a Path, text: &'a str) -> Result<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut table = Table { path, text, delimiter: delimiter(path, text), header: Vec::new() };
        let mut record = csv::StringRecord::new();
        table.reader().read_record(&mut record).map_err(|source| table.unparsable(source))?;
        table.header = record.iter().map(str::to_string).collect();
        table.check_header()?;
        Ok(table)
    }

    fn check_header(&self) -> Result<()> {
        let path = || self.path.to_path_buf();
        if self.header.is_empty() {
            return Err(Error::NoRows { path: path() });
        }
        let numbers: Vec<&String> = self.header.iter().filter(|name| name.parse::<f64>().is_ok()).collect();
        // 2019 may name a column, 5.1 does not.
        let data = numbers.iter().find(|name| name.contains('.') || numbers.len() == self.header.len());
        if let Some(value) = data {
            return Err(Error::NoHeader { path: path(), value: value.to_string() });
        }
        for (column, name) in self.header.iter().enumerate() {
            if name.is_empty() {
                return Err(Error::UnnamedColumn { path: path(), column: column + 1 });
            }
            if let Some(first) = self.header[..column].iter().position(|other| other == name) {
                return Err(Error::DuplicateColumn {
                    path: path(),
                    name: name.clone(),
                    first: first + 1,
                    second: column + 1,
                });
            }
        }
        Ok(())
    }

    fn reader(&self) -> csv::Reader<&'a [u8]> {
        csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            .flexible(true) // ragged rows are reported by us, with their line
            .trim(csv::Trim::All)
            .from_reader(self.text.as_bytes())
    }

    fn column(&self, name: &str) -> Result<usize> {
        self.header.iter().position(|column| column == name).ok_or_else(|| Error::MissingColumn {
            path: self.path.to_path_buf(),
            name: name.to_string(),
            suggestion: Suggestion::nearest(name, self.header.iter().map(String::as_str)),
            columns: self.header.clone(),
        })
    }

    /// The numbers of `columns`, row after row, and the cells of `target`.
    fn read(&self, columns: &[usize], target: Option<usize>) -> Result<(Vec<f32>, Cells)> {
        let mut reader = self.reader();
        let mut record = csv::StringRecord::new();
        let mut values = Vec::new();
        let mut cells = Cells::default();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut rows = 0;
        reader.read_record(&mut record).map_err(|source| self.unparsable(source))?;
        while reader.read_record(&mut record).map_err(|source| self.unparsable(source))? {
            let byte = record.position().map_or(0, |position| position.byte() as usize);
            if record.len() != self.header.len() {
                return Err(Error::RaggedRow {
                    path: self.path.to_path_buf(),
                    line: self.line(byte),
                    expected: self.header.len(),
                    found: record.len(),
                });
            }
            for &column in columns {
                values.push(self.number(column, &record[column], byte)?);
            }
            if let Some(target) = target {
                let text = &record[target];
                let cell = seen.get(text).copied().unwrap_or_else(|| {
                    seen.insert(text.to_string(), cells.distinct.len());
                    cells.distinct.push(Cell { text: text.to_string(), first_byte: byte });
                    cells.distinct.len() - 1
                });
                cells.rows.push(cell);
            }
            rows += 1;
        }
        match rows {
            0 => Err(Error::NoRows { path: self.path.to_path_buf() }),
            _ => Ok((values, cells)),
        }
    }

    fn targets(&self, column: usize, cells: Cells, kind: TargetKind) -> Result<Targets> {
        self.refuse_empty(column, &cells)?;
        if kind == TargetKind::Values {
            return self.values(column, &cells);
        }
        let repeated = 2 * cells.distinct.len() <= cells.rows.len();
        let numbers = cells.rows.iter().filter(|&&cell| cells.distinct[cell].number().is_some()).count();
        let is_text = 2 * numbers < cells.rows.len();
        let whole: Option<Vec<i64>> = cells.distinct.iter().map(Cell::whole_number).collect();
        match (kind, whole) {
            (TargetKind::Classes, Some(whole)) => Ok(self.integer_classes(column, &cells, whole)),
            (TargetKind::Classes, None) => Ok(self.text_classes(column, cells)),
            (_, _) if is_text && repeated => Ok(self.text_classes(column, cells)),
            (_, Some(whole)) if repeated && cells.distinct.len() <= MOST_INTEGER_CLASSES => {
                Ok(self.integer_classes(column, &cells, whole))
            }
            (_, _) if is_text => Err(self.not_classes(column, &cells)),
            (_, _) => self.values(column, &cells),
        }
    }

    fn values(&self, column: usize, cells: &Cells) -> Result<Targets> {
        let numbers = cells.distinct.iter().map(|cell| self.number(column, &cell.text, cell.first_byte));
        let numbers = numbers.collect::<Result<Vec<f32>>>()?;
        Ok(Targets::Values {
            name: self.header[column].clone(),
            values: cells.rows.iter().map(|&cell| numbers[cell]).collect(),
        })
    }

    fn text_classes(&self, column: usize, cells: Cells) -> Targets {
        let texts = cells.distinct.into_iter().map(|cell| cell.text).collect();
        self.classes(column, &cells.rows, texts, |text| text)
    }

    /// `1`, `1.0` and `01` are one class, called `1`.
    fn integer_classes(&self, column: usize, cells: &Cells, whole: Vec<i64>) -> Targets {
        self.classes(column, &cells.rows, whole, |number| number.to_string())
    }

    fn classes<K: Ord + Clone>(
        &self,
        column: usize,
        rows: &[usize],
        keys: Vec<K>,
        name: impl Fn(K) -> String,
    ) -> Targets {
        let mut sorted = keys.clone();
        sorted.sort();
        sorted.dedup();
        let label = |key: &K| sorted.partition_point(|other| other < key) as i64;
        let labels: Vec<i64> = keys.iter().map(label).collect();
        Targets::Classes {
            name: self.header[column].clone(),
            labels: rows.iter().map(|&cell| labels[cell]).collect(),
            classes: sorted.into_iter().map(name).collect(),
        }
    }

    fn number(&self, column: usize, text: &str, byte: usize) -> Result<f32> {
        match text.parse::<f32>() {
            Ok(number) if number.is_finite() => Ok(number),
            outcome => Err(self.bad_cell(column, text, byte, outcome.is_ok())),
        }
    }

    #[cold]
    fn bad_cell(&self, column: usize, text: &str, byte: usize, parsed: bool) -> Error {
        let (path, line, column) = (self.path.to_path_buf(), self.line(byte), self.header[column].clone());
        match (text.is_empty(), parsed) {
            (true, _) => Error::EmptyCell { path, line, column },
            (_, true) => Error::NotFinite { path, line, column, value: excerpt(text) },
            (_, false) => Error::NotANumber { path, line, column, value: excerpt(text) },
        }
    }

    fn refuse_empty(&self, column: usize, cells: &Cells) -> Result<()> {
        match cells.distinct.iter().find(|cell| cell.text.is_empty()) {
            Some(cell) => Err(self.bad_cell(column, "", cell.first_byte, false)),
            None => Ok(()),
        }
    }

    fn not_classes(&self, column: usize, cells: &Cells) -> Error {
        let text = cells.distinct.iter().find(|cell| cell.number().is_none());
        Error::TargetNotClasses {
            path: self.path.to_path_buf(),
            column: self.header[column].clone(),
            distinct: cells.distinct.len(),
            rows: cells.rows.len(),
            line: text.map_or(0, |cell| self.line(cell.first_byte)),
            value: text.map_or(String::new(), |cell| excerpt(&cell.text)),
        }
    }

    /// The line of the record that begins at `byte`, or after the blank lines there.
    fn line(&self, byte: usize) -> u64 {
        let bytes = self.text.as_bytes();
        let blank =
            bytes[byte.min(bytes.len())..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        line_at(bytes, byte + blank)
    }

    fn unparsable(&self, source: csv::Error) -> Error {
        Error::Csv { path: self.path.to_path_buf(), source }
    }
}

fn delimiter(path: &Path, text: &str) -> u8 {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tsv")) {
        return b'\t';
    }
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for byte in text.trim_start().lines().next().unwrap_or_default().bytes() {
        quoted ^= byte == b'"';
        if let Some((_, count)) = counts.iter_mut().find(|(delimiter, _)| *delimiter == byte && !quoted) {
            *count += 1;
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    counts.iter().find(|(_, count)| *count == most).map_or(b',', |(delimiter, _)| *delimiter)
}

#[cfg(test)]
mod tests;
