//! Text files: records of fields, split by the `csv` crate.
//!
//! One thread cuts the file into chunks of whole records ([`chunks`]), the others turn each into numbers and codes
//! ([`parse`]), and the first puts them together in order: nothing is kept as text, and no more than a few chunks are in
//! memory at once. What the fields hold is guessed from the first lines ([`infer`]); where a later cell contradicts, the
//! whole file is looked at and read once more.

mod chunks;
mod dialect;
mod infer;
mod parse;

use std::cell::Cell;
use std::path::Path;

use self::chunks::Chunks;
use self::dialect::Dialect;
use self::infer::{Plan, Seen, plan, see_records};
use self::parse::{Flaw, FlawKind, Parsed, parse};
use super::in_order::in_order;
use super::{Raw, Role, Wanted};
use crate::error::{Error, Place, Result};
use crate::table::{Builder, Marks, Reading};

/// How much of a file is looked at before it is read.
const SAMPLE_BYTES: usize = 256 << 10;

/// Reads what is wanted of a text file.
pub(super) fn read(path: &Path, wanted: &Wanted, reading: &Reading) -> Result<Raw> {
    let mut chunks = Chunks::open(path, reading.encoding)?;
    let sample = chunks.peek(SAMPLE_BYTES)?;
    let dialect = Dialect::of(path, sample, reading)?;
    let roles = wanted.roles(path, &dialect.names)?;
    let file = TextFile { path, reading, dialect, marks: reading.marks() };
    let seen = file.seen(sample, file.header_records());
    chunks.set_delimiter(file.dialect.delimiter);

    let guessed = plan(&file.dialect.names, &roles, &seen, false);
    let builder = match file.parse(chunks, &guessed)? {
        Some(builder) => builder,
        None => file.parse_settled(&roles)?,
    };
    if builder.rows_seen() == 0 {
        return Err(Error::NoRows { path: path.to_path_buf() });
    }
    let (table, target) = builder.finish()?;
    let ignored = wanted.ignored(&file.dialect.names, &roles);
    Ok(Raw { table, target, ignored, names: file.dialect.names, notes: file.dialect.notes })
}

/// Whether more chunks are wanted.
enum Flow {
    GoOn,
    Stop,
}

/// A text file whose first lines are known.
struct TextFile<'a> {
    path: &'a Path,
    reading: &'a Reading,
    dialect: Dialect,
    marks: Marks,
}

impl TextFile<'_> {
    fn header_records(&self) -> usize {
        usize::from(self.dialect.has_header)
    }

    fn seen(&self, text: &[u8], skip: usize) -> Vec<Seen> {
        see_records(text, self.dialect.delimiter, skip, self.dialect.names.len(), &self.marks)
    }

    /// Reads the file by what all of its cells say.
    fn parse_settled(&self, roles: &[Role]) -> Result<Builder> {
        let mut all = vec![Seen::default(); self.dialect.names.len()];
        self.each_chunk(
            self.reopened()?,
            |text, skip, _| self.seen(text, skip),
            |seen| {
                all.iter_mut().zip(seen).for_each(|(all, seen)| all.then(seen));
                Ok(Flow::GoOn)
            },
        )?;
        let settled = plan(&self.dialect.names, roles, &all, true);
        // Nothing contradicts a settled plan: a cell of another kind is an error there.
        self.parse(self.reopened()?, &settled)?
            .ok_or_else(|| Error::Changed { path: self.path.to_path_buf() })
    }

    /// Reads the file by `plan`; nothing where a cell contradicts it.
    fn parse(&self, chunks: Chunks, plan: &Plan) -> Result<Option<Builder>> {
        let mut builder = Builder::new(plan.features.clone(), plan.target, self.reading.room());
        let mut line = 1;
        let is_whole = self.each_chunk(
            chunks,
            |text, skip, first_byte| {
                (parse(text, self.dialect.delimiter, skip, plan, &self.marks), first_byte)
            },
            |(parsed, first_byte)| match parsed {
                Parsed::Flaw(flaw) => Err(self.error(flaw, line, first_byte)),
                Parsed::Contradiction => Ok(Flow::Stop),
                Parsed::Block(mut block, lines) => {
                    block.move_down(line);
                    line += lines;
                    builder.append(block).map(|()| Flow::GoOn)
                }
            },
        )?;
        Ok(is_whole.then_some(builder))
    }

    /// Has `work` done on each chunk and hands the results to `consume`, in order, until it wants no more; tells whether
    /// it had them all.
    fn each_chunk<R: Send>(
        &self,
        mut chunks: Chunks,
        work: impl Fn(&[u8], usize, u64) -> R + Sync,
        mut consume: impl FnMut(R) -> Result<Flow>,
    ) -> Result<bool> {
        let mut skip = self.header_records();
        let stopped = Cell::new(false);
        in_order(
            || match stopped.get() {
                true => Ok(None),
                false => Ok(chunks.next()?.map(|chunk| (chunk, std::mem::take(&mut skip)))),
            },
            |(chunk, skip)| work(&chunk.text, skip, chunk.first_byte),
            |result| {
                if !stopped.get() {
                    stopped.set(matches!(consume(result)?, Flow::Stop));
                }
                Ok(())
            },
        )?;
        Ok(!stopped.get())
    }

    fn reopened(&self) -> Result<Chunks> {
        let mut chunks = Chunks::open(self.path, self.reading.encoding)?;
        chunks.set_delimiter(self.dialect.delimiter);
        Ok(chunks)
    }

    fn error(&self, flaw: Flaw, first_line: u64, first_byte: u64) -> Error {
        let (path, line) = (self.path.to_path_buf(), first_line + flaw.line);
        let place = Place::Line(line);
        let column = |field: usize| self.dialect.names.get(field).cloned().unwrap_or_default();
        match flaw.kind {
            FlawKind::NotUtf8 { byte } => Error::NotUtf8 { path, line, offset: first_byte + byte as u64 },
            FlawKind::Ragged { found } => {
                Error::RaggedRow { path, line, expected: self.dialect.names.len(), found }
            }
            FlawKind::NotANumber { field, value } => {
                Error::NotANumber { path, place, column: column(field), value }
            }
            FlawKind::NotFinite { field, value } => {
                Error::NotFinite { path, place, column: column(field), value }
            }
            FlawKind::NotADate { field, value } => {
                Error::NotADate { path, place, column: column(field), value }
            }
        }
    }
}

#[cfg(test)]
mod tests;
