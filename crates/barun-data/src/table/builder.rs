//! From blocks of rows, as the readers give them, to a table: texts become codes, rows are laid one after the other.
//!
//! Each reader works on blocks - a stretch of a text file, a row group of Parquet - which may be read by several threads,
//! each block with its own list of texts. Blocks are added in the order of the file, so that codes count first
//! appearances whoever read the block.

use std::collections::HashMap;
use std::sync::Arc;

use super::Table;
use super::calendar::DateOrder;
use super::column::{Column, ColumnKind, MOST_CATEGORIES, TIME_SUFFIX};
use super::store::{Room, StoreWriter};
use crate::error::Result;

/// How the cells of a field of the file are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Number,
    Text,
    /// With a time after it, as a second cell.
    Date {
        order: DateOrder,
        time: bool,
    },
    /// Nothing has been seen in it.
    Empty,
}

/// A field of the file that becomes cells.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub name: String,
    pub kind: FieldKind,
    pub why: String,
    pub asked: bool,
}

impl Field {
    /// How many cells of a row it takes.
    pub fn width(&self) -> usize {
        match self.kind {
            FieldKind::Date { time: true, order } if order != DateOrder::TimeOnly => 2,
            _ => 1,
        }
    }
}

/// Different texts, numbered in the order of their first appearance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dictionary {
    index: HashMap<Box<[u8]>, u32>,
    /// Each text, and the line or row of its first appearance.
    pub texts: Vec<(String, u64)>,
}

impl Dictionary {
    /// The code of a text; `place` is asked for where the text is new.
    pub fn code(&mut self, text: &[u8], place: impl FnOnce() -> u64) -> u32 {
        if let Some(&code) = self.index.get(text) {
            return code;
        }
        let code = self.texts.len() as u32;
        self.index.insert(text.into(), code);
        self.texts.push((String::from_utf8_lossy(text).into_owned(), place()));
        code
    }

    fn clear(&mut self) {
        *self = Dictionary::default();
    }
}

/// Some rows as a reader gives them. The codes of its texts are its own.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Row after row, each as wide as all fields together.
    pub cells: Vec<f32>,
    /// One for each field of text, in the order of the fields.
    pub texts: Vec<Dictionary>,
    /// How many cells of each field are missing.
    pub missing: Vec<usize>,
    /// The target of each row: a number, or the code of its text. Empty where the file has no target.
    pub target: Vec<f64>,
    pub target_texts: Dictionary,
    /// Rows without a target, which are not among the cells, and the line or row of the first.
    pub unlabelled: usize,
    pub first_unlabelled: u64,
}

impl Block {
    /// Counts the lines of a block whose first is the file's line `first` from the file's first.
    pub fn move_down(&mut self, first: u64) {
        let dictionaries = self.texts.iter_mut().chain([&mut self.target_texts]);
        dictionaries.flat_map(|dictionary| &mut dictionary.texts).for_each(|(_, place)| *place += first);
        self.first_unlabelled += first;
    }
}

/// What a target column held.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TargetCells {
    /// A number, or an index into the texts.
    pub values: Vec<f64>,
    /// The different texts with the place of their first appearance; none where the target is numbers.
    pub texts: Option<Vec<(String, u64)>>,
    /// Rows that were left out because they had no target, and the place of the first.
    pub unlabelled: usize,
    pub first_unlabelled: u64,
}

/// Adds blocks up to a table.
pub(crate) struct Builder {
    fields: Vec<Field>,
    width: usize,
    writer: StoreWriter,
    texts: Vec<TextColumn>,
    missing: Vec<usize>,
    target_kind: Option<FieldKind>,
    target: Vec<f64>,
    target_texts: Dictionary,
    unlabelled: usize,
    first_unlabelled: u64,
}

/// The texts of a field.
struct TextColumn {
    slot: usize,
    dictionary: Dictionary,
    too_many: bool,
}

impl Builder {
    /// For rows of `fields`, beside a target of the given kind where there is one.
    pub fn new(fields: Vec<Field>, target_kind: Option<FieldKind>, room: Room) -> Builder {
        let mut texts = Vec::new();
        let mut width = 0;
        for field in &fields {
            if field.kind == FieldKind::Text {
                texts.push(TextColumn { slot: width, dictionary: Dictionary::default(), too_many: false });
            }
            width += field.width();
        }
        Builder {
            missing: vec![0; fields.len()],
            fields,
            width,
            writer: StoreWriter::new(width, room),
            texts,
            target_kind,
            target: Vec::new(),
            target_texts: Dictionary::default(),
            unlabelled: 0,
            first_unlabelled: 0,
        }
    }

    /// Adds the rows of a block after those that are there.
    pub fn append(&mut self, mut block: Block) -> Result<()> {
        for (text, local) in self.texts.iter_mut().zip(&block.texts) {
            text.take(local, &mut block.cells, self.width);
        }
        if self.target_kind == Some(FieldKind::Text) {
            let codes = codes_of(&mut self.target_texts, &block.target_texts);
            self.target.extend(block.target.iter().map(|&code| f64::from(codes[code as usize])));
        } else {
            self.target.append(&mut block.target);
        }
        self.missing.iter_mut().zip(&block.missing).for_each(|(sum, count)| *sum += count);
        if self.unlabelled == 0 {
            self.first_unlabelled = block.first_unlabelled;
        }
        self.unlabelled += block.unlabelled;
        self.writer.append(&block.cells)
    }

    /// Rows so far, those without a target among them.
    pub fn rows_seen(&self) -> usize {
        self.writer.rows() + self.unlabelled
    }

    /// The table, and the target where there is one.
    pub fn finish(self) -> Result<(Table, Option<TargetCells>)> {
        let rows = self.writer.rows();
        let mut texts = self.texts.into_iter();
        let mut columns = Vec::with_capacity(self.width);
        for (field, missing) in self.fields.into_iter().zip(self.missing) {
            let column = |kind| Column {
                name: field.name.clone(),
                kind,
                why: field.why.clone(),
                asked: field.asked,
                missing,
            };
            match field.kind {
                _ if missing == rows => {
                    let empty = Column { why: String::new(), ..column(ColumnKind::Empty) };
                    columns.extend(std::iter::repeat_n(empty, field.width()));
                    texts.by_ref().take(usize::from(field.kind == FieldKind::Text)).for_each(drop);
                }
                FieldKind::Number => columns.push(column(ColumnKind::Number)),
                FieldKind::Empty => columns.push(column(ColumnKind::Empty)),
                FieldKind::Text => {
                    columns.push(column(texts.next().map_or(ColumnKind::Text, TextColumn::kind)))
                }
                FieldKind::Date { order: DateOrder::TimeOnly, .. } => {
                    columns.push(column(ColumnKind::Time { order: DateOrder::TimeOnly }));
                }
                FieldKind::Date { order, time } => {
                    columns.push(column(ColumnKind::Date { order }));
                    if time {
                        let name = format!("{}{TIME_SUFFIX}", field.name);
                        columns.push(Column { name, ..column(ColumnKind::Time { order }) });
                    }
                }
            }
        }
        let target = self.target_kind.map(|kind| TargetCells {
            values: self.target,
            texts: (kind == FieldKind::Text).then_some(self.target_texts.texts),
            unlabelled: self.unlabelled,
            first_unlabelled: self.first_unlabelled,
        });
        Ok((Table::new(columns, self.writer.finish()?), target))
    }
}

impl TextColumn {
    /// Turns the codes of a block, in its column of `cells`, into those of the whole table.
    fn take(&mut self, local: &Dictionary, cells: &mut [f32], width: usize) {
        if self.too_many {
            return;
        }
        let codes = codes_of(&mut self.dictionary, local);
        if self.dictionary.texts.len() > MOST_CATEGORIES {
            self.too_many = true;
            self.dictionary.clear();
            return;
        }
        for cell in cells.iter_mut().skip(self.slot).step_by(width).filter(|cell| !cell.is_nan()) {
            *cell = codes[*cell as usize] as f32;
        }
    }

    fn kind(self) -> ColumnKind {
        match self.too_many {
            true => ColumnKind::Text,
            false => {
                let categories: Arc<[String]> =
                    self.dictionary.texts.into_iter().map(|(text, _)| text).collect();
                ColumnKind::Category { categories }
            }
        }
    }
}

/// The code in `whole` of each text of `local`.
fn codes_of(whole: &mut Dictionary, local: &Dictionary) -> Vec<u32> {
    local.texts.iter().map(|(text, place)| whole.code(text.as_bytes(), || *place)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::store::Store;

    fn field(name: &str, kind: FieldKind) -> Field {
        Field { name: name.into(), kind, why: String::new(), asked: false }
    }

    fn texts(words: &[&str]) -> Dictionary {
        let mut dictionary = Dictionary::default();
        words.iter().for_each(|word| {
            dictionary.code(word.as_bytes(), || 1);
        });
        dictionary
    }

    fn room() -> Room {
        Room { most_bytes: usize::MAX, folder: std::env::temp_dir() }
    }

    #[test]
    fn codes_count_first_appearances_over_all_blocks() {
        let fields = vec![field("x", FieldKind::Number), field("c", FieldKind::Text)];
        let mut builder = Builder::new(fields, Some(FieldKind::Text), room());
        let block = |cells: &[f32], c: &[&str], target: &[f64], t: &[&str]| Block {
            cells: cells.to_vec(),
            texts: vec![texts(c)],
            missing: vec![0, 1],
            target: target.to_vec(),
            target_texts: texts(t),
            ..Block::default()
        };
        builder.append(block(&[1.0, 0.0, 2.0, f32::NAN], &["b"], &[0.0, 1.0], &["no", "yes"])).unwrap();
        builder.append(block(&[3.0, 0.0, 4.0, 1.0], &["a", "b"], &[0.0, 0.0], &["yes"])).unwrap();
        let (table, target) = builder.finish().unwrap();
        let Store::Memory { cells, .. } = table.store() else { panic!("memory") };
        assert!(cells[3].is_nan());
        assert_eq!((cells[1], cells[5], cells[7]), (0.0, 1.0, 0.0));
        assert_eq!(table.columns()[1].categories(), ["b", "a"]);
        assert_eq!(table.columns()[1].missing, 2);
        assert_eq!(target.unwrap().values, [0.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn a_field_without_any_value_is_an_empty_column() {
        let fields = vec![field("c", FieldKind::Text), field("d", FieldKind::Text)];
        let mut builder = Builder::new(fields, None, room());
        let cells = vec![f32::NAN, 0.0];
        builder
            .append(Block {
                cells,
                texts: vec![texts(&[]), texts(&["z"])],
                missing: vec![1, 0],
                ..Block::default()
            })
            .unwrap();
        let (table, target) = builder.finish().unwrap();
        assert_eq!(table.columns()[0].kind, ColumnKind::Empty);
        assert_eq!(table.columns()[1].categories(), ["z"]);
        assert_eq!(target, None);
    }
}
