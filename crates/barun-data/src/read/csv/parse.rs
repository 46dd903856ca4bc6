//! From a chunk of text to a block of cells.

use super::infer::{Plan, Planned, has_leading_zero};
use crate::read::excerpt;
use crate::table::{Block, Dictionary, FieldKind, Marks, Moment, parse_date};

/// The records of a text, with the line of each.
pub(super) struct Lines<'a> {
    reader: csv::Reader<&'a [u8]>,
    record: csv::ByteRecord,
    places: Places<'a>,
}

/// Finds lines; each asked for must not come before the last.
struct Places<'a> {
    text: &'a [u8],
    /// The last byte whose line has been asked for, and line ends before it.
    counted: (usize, u64),
}

impl<'a> Lines<'a> {
    pub fn new(text: &'a [u8], delimiter: u8) -> Lines<'a> {
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true) // ragged rows are reported by us, with their line
            .buffer_capacity(1 << 16)
            .from_reader(text);
        Lines { reader, record: csv::ByteRecord::new(), places: Places { text, counted: (0, 0) } }
    }

    /// The next record. Bytes in memory cannot fail to be read.
    pub fn next(&mut self) -> Option<&csv::ByteRecord> {
        matches!(self.reader.read_byte_record(&mut self.record), Ok(true)).then_some(&self.record)
    }
}

impl Places<'_> {
    /// How many line ends stand before the record, and the blank lines before it.
    fn line(&mut self, record: &csv::ByteRecord) -> u64 {
        let byte = record.position().map_or(0, |position| position.byte() as usize);
        let byte = byte.min(self.text.len());
        let blank = self.text[byte..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let (from, ends) = self.counted;
        let ends = ends + memchr::memchr_iter(b'\n', &self.text[from..byte + blank]).count() as u64;
        self.counted = (byte + blank, ends);
        ends
    }
}

/// What is wrong in a chunk: in which line, counted from its first as 0, and what.
#[derive(Debug, PartialEq)]
pub(super) struct Flaw {
    pub line: u64,
    pub kind: FlawKind,
}

#[derive(Debug, PartialEq)]
pub(super) enum FlawKind {
    NotUtf8 { byte: usize },
    Ragged { found: usize },
    NotANumber { field: usize, value: String },
    NotFinite { field: usize, value: String },
    NotADate { field: usize, value: String },
}

/// What a chunk gives.
#[derive(Debug)]
pub(super) enum Parsed {
    /// Its rows, and how many line ends it has.
    Block(Block, u64),
    /// Some cell is not of the kind that the first lines of the file promised.
    Contradiction,
    Flaw(Flaw),
}

/// What a cell is.
enum Cell {
    Missing,
    Number(f32),
    /// A number of 64 bits, for the target.
    Exact(f64),
    Moment(Moment),
    Text,
    /// Not of the kind that was expected.
    Other(FlawKind),
}

/// Reads the rows of a chunk.
pub(super) fn parse(text: &[u8], delimiter: u8, skip: usize, plan: &Plan, marks: &Marks) -> Parsed {
    if let Err(error) = std::str::from_utf8(text) {
        let byte = error.valid_up_to();
        let line = memchr::memchr_iter(b'\n', &text[..byte]).count() as u64;
        return Parsed::Flaw(Flaw { line, kind: FlawKind::NotUtf8 { byte } });
    }
    let mut lines = Lines::new(text, delimiter);
    for _ in 0..skip {
        lines.next();
    }
    let mut rows = Rows::new(plan);
    while lines.next().is_some() {
        match rows.take(&mut lines, marks) {
            Ok(()) => {}
            Err(None) => return Parsed::Contradiction,
            Err(Some(kind)) => return Parsed::Flaw(Flaw { line: lines.places.line(&lines.record), kind }),
        }
    }
    Parsed::Block(rows.block, memchr::memchr_iter(b'\n', text).count() as u64)
}

/// The block on its way.
struct Rows<'a> {
    plan: &'a Plan,
    block: Block,
}

impl<'a> Rows<'a> {
    fn new(plan: &'a Plan) -> Rows<'a> {
        let texts = plan.features.iter().filter(|field| field.kind == FieldKind::Text).count();
        let block = Block {
            texts: vec![Dictionary::default(); texts],
            missing: vec![0; plan.features.len()],
            ..Block::default()
        };
        Rows { plan, block }
    }

    /// Takes the record that `lines` stands at. `Err(None)` is a contradiction.
    fn take(&mut self, lines: &mut Lines, marks: &Marks) -> Result<(), Option<FlawKind>> {
        let found = lines.record.len();
        if found != self.plan.fields.len() {
            return Err(Some(FlawKind::Ragged { found }));
        }
        if !self.take_target(lines, marks)? {
            return Ok(());
        }
        let (mut feature, mut text) = (0, 0);
        for field in 0..self.plan.fields.len() {
            let Planned::Feature { kind, settled } = self.plan.fields[field] else { continue };
            let cell = lines.record[field].trim_ascii();
            match read_cell(cell, kind, settled, marks) {
                Cell::Number(number) => self.block.cells.push(number),
                Cell::Missing => {
                    self.block.missing[feature] += 1;
                    let width = self.plan.features[feature].width();
                    self.block.cells.extend(std::iter::repeat_n(f32::NAN, width));
                }
                Cell::Text => {
                    let code = self.block.texts[text].code(cell, || lines.places.line(&lines.record));
                    self.block.cells.push(code as f32);
                }
                Cell::Moment(moment) => self.push_moment(kind, moment),
                Cell::Exact(number) => self.block.cells.push(number as f32),
                Cell::Other(flaw) => return Err(if settled { Some(flaw.at(field)) } else { None }),
            }
            feature += 1;
            text += usize::from(kind == FieldKind::Text);
        }
        Ok(())
    }

    /// Takes the target of the record; `false` where it has none and is left out.
    fn take_target(&mut self, lines: &mut Lines, marks: &Marks) -> Result<bool, Option<FlawKind>> {
        let place = self.plan.fields.iter().position(|field| matches!(field, Planned::Target { .. }));
        let Some(field) = place else { return Ok(true) };
        let Planned::Target { kind, settled } = self.plan.fields[field] else { return Ok(true) };
        let cell = lines.record[field].trim_ascii();
        match read_target(cell, kind, marks) {
            Cell::Exact(number) => self.block.target.push(number),
            Cell::Text => {
                let code = self.block.target_texts.code(cell, || lines.places.line(&lines.record));
                self.block.target.push(f64::from(code));
            }
            Cell::Other(flaw) => return Err(if settled { Some(flaw.at(field)) } else { None }),
            _ => {
                if self.block.unlabelled == 0 {
                    self.block.first_unlabelled = lines.places.line(&lines.record);
                }
                self.block.unlabelled += 1;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The day, and the time where the field has a cell for it; a date without a time is its midnight.
    fn push_moment(&mut self, kind: FieldKind, Moment { days, seconds }: Moment) {
        let seconds = seconds.unwrap_or(0.0);
        match (kind, days) {
            (FieldKind::Date { time: true, .. }, Some(days)) => {
                self.block.cells.extend([days as f32, seconds]);
            }
            (_, Some(days)) => self.block.cells.push(days as f32),
            (_, None) => self.block.cells.push(seconds),
        }
    }
}

impl FlawKind {
    fn at(self, place: usize) -> FlawKind {
        match self {
            FlawKind::NotANumber { value, .. } => FlawKind::NotANumber { field: place, value },
            FlawKind::NotFinite { value, .. } => FlawKind::NotFinite { field: place, value },
            FlawKind::NotADate { value, .. } => FlawKind::NotADate { field: place, value },
            other => other,
        }
    }
}

fn read_cell(cell: &[u8], kind: FieldKind, settled: bool, marks: &Marks) -> Cell {
    match kind {
        FieldKind::Number => {
            if marks.any_is_number && marks.contain(cell) {
                return Cell::Missing;
            }
            match fast_float2::parse::<f32, _>(cell) {
                // Where nothing is settled yet, a zero before a number makes its field text.
                Ok(_) if !settled && has_leading_zero(cell) => Cell::Other(not_a_number(cell)),
                Ok(number) if number.is_finite() => Cell::Number(number),
                _ if marks.contain(cell) => Cell::Missing,
                Ok(_) => Cell::Other(FlawKind::NotFinite { field: 0, value: shown(cell) }),
                Err(_) => Cell::Other(not_a_number(cell)),
            }
        }
        _ if marks.contain(cell) => Cell::Missing,
        FieldKind::Text => Cell::Text,
        FieldKind::Empty => Cell::Other(not_a_number(cell)),
        FieldKind::Date { order, time } => match parse_date(cell, order) {
            Some(Moment { seconds: Some(_), .. }) if !time => Cell::Other(not_a_date(cell)),
            Some(moment) => Cell::Moment(moment),
            None => Cell::Other(not_a_date(cell)),
        },
    }
}

fn read_target(cell: &[u8], kind: FieldKind, marks: &Marks) -> Cell {
    match kind {
        _ if marks.contain(cell) => Cell::Missing,
        FieldKind::Number => match fast_float2::parse::<f64, _>(cell) {
            Ok(number) if number.is_finite() => Cell::Exact(number),
            Ok(_) => Cell::Other(FlawKind::NotFinite { field: 0, value: shown(cell) }),
            Err(_) => Cell::Other(not_a_number(cell)),
        },
        _ => Cell::Text,
    }
}

fn not_a_number(cell: &[u8]) -> FlawKind {
    FlawKind::NotANumber { field: 0, value: shown(cell) }
}

fn not_a_date(cell: &[u8]) -> FlawKind {
    FlawKind::NotADate { field: 0, value: shown(cell) }
}

fn shown(cell: &[u8]) -> String {
    excerpt(&String::from_utf8_lossy(cell))
}
