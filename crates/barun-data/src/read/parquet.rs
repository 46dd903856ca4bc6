//! Parquet: columns of typed values, by the `parquet` crate, some rows of all columns at a time.
//!
//! | column | cells |
//! |---|---|
//! | numbers of all widths, decimals | numbers |
//! | yes or no, text | categories |
//! | dates, timestamps, times | dates, times |
//! | lists, maps, nested or binary values | left out, which is told |
//!
//! A null is a missing value, and so is NaN. Files packed with Snappy and gzip are read, and unpacked ones.

mod pages;

use std::fs::File;
use std::path::Path;

use pages::CheckedPages;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::{Raw, Role, TargetRule, Wanted, excerpt};
use crate::error::{Error, Place, Result};
use crate::table::{
    Block, Builder, DateOrder, Dictionary, Field, FieldKind, Marks, Moment, Reading, parse_date,
};

/// How many rows are read of each column before the next column's turn.
const ROWS_AT_ONCE: usize = 1 << 14;
const SECONDS_A_DAY: i64 = 86_400;

/// Reads what is wanted of a Parquet file.
pub(super) fn read(path: &Path, wanted: &Wanted, reading: &Reading) -> Result<Raw> {
    // The crate asserts here and there what a damaged file does not keep.
    let quiet = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read_file(path, wanted, reading)));
    quiet.unwrap_or_else(|_| Err(damaged(path, &ParquetError::General("it contradicts itself".into()))))
}

fn read_file(path: &Path, wanted: &Wanted, reading: &Reading) -> Result<Raw> {
    let file = File::open(path).map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
    let size = file.metadata().map_err(|source| Error::Read { path: path.to_path_buf(), source })?.len();
    let file = SerializedFileReader::new(file).map_err(|error| damaged(path, &error))?;
    check_places(file.metadata(), size).map_err(|error| damaged(path, &error))?;
    let schema = file.metadata().file_metadata().schema_descr_ptr();
    let mut names = Vec::new();
    let mut natures = Vec::new();
    for column in schema.columns() {
        names.push(column.path().string());
        natures.push(Nature::of(column));
    }
    let mut roles = wanted.roles(path, &names)?;
    let mut notes = Vec::new();
    for ((role, nature), name) in roles.iter_mut().zip(&natures).zip(&names) {
        match (nature, &role) {
            (Some(_), _) | (None, Role::Skip) => {}
            (None, Role::Feature(None)) => {
                notes.push(format!("column '{name}' is left out: it holds lists, nested or binary values"));
                *role = Role::Skip;
            }
            (None, _) => {
                let problem =
                    format!("column '{name}' holds lists, nested or binary values, which are not cells");
                return Err(Error::Parquet { path: path.to_path_buf(), problem });
            }
        }
    }
    if !roles.iter().any(|role| matches!(role, Role::Feature(_))) {
        let target = names.last().cloned().unwrap_or_default();
        return Err(Error::NoFeatureColumns { path: path.to_path_buf(), target });
    }
    let plan = Plan::of(&names, &roles, &natures);
    let mut builder = Builder::new(plan.fields.clone(), plan.target.map(|(_, kind)| kind), reading.room());
    let marks = reading.marks();
    let mut first_row = 1;
    for group in 0..file.num_row_groups() {
        let group = file.get_row_group(group).map_err(|error| damaged(path, &error))?;
        read_group(path, &*group, &plan, &marks, &mut first_row, &mut builder)?;
    }
    if builder.rows_seen() == 0 {
        return Err(Error::NoRows { path: path.to_path_buf() });
    }
    let (table, target) = builder.finish()?;
    Ok(Raw { table, target, ignored: wanted.ignored(&names, &roles), names, notes })
}

/// Whether every column lies in a file of this size, which the crate takes for granted.
fn check_places(metadata: &ParquetMetaData, size: u64) -> Result<(), ParquetError> {
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let end = start.checked_add(column.compressed_size());
        let lies_inside = start >= 0
            && column.data_page_offset() >= 0
            && column.compressed_size() >= 0
            && column.num_values() >= 0
            && end.is_some_and(|end| end as u64 <= size);
        if !lies_inside {
            let name = column.column_path().string();
            return Err(ParquetError::General(format!("column '{name}' lies outside the file")));
        }
    }
    Ok(())
}

fn damaged(path: &Path, error: &ParquetError) -> Error {
    let told = error.to_string();
    let told = told.trim_start_matches("Parquet error: ").trim_start_matches("EOF: ");
    let problem = match error {
        ParquetError::NYI(_) => {
            format!("it cannot be read: {told}; write it with Snappy or without compression")
        }
        _ if told.contains("Disabled feature") || told.contains("disabled") => {
            format!("it is packed in a way that is not read here ({told}); write it with Snappy or gzip")
        }
        _ => format!("it is not Parquet, or damaged or cut short ({told}); fetch or write it again"),
    };
    Error::Parquet { path: path.to_path_buf(), problem }
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Nature {
    /// Numbers; decimals in so many parts of one.
    Number {
        parts: f64,
    },
    Boolean,
    Text,
    Days,
    /// Time since 1970, so many units a second.
    Instant {
        per_second: i64,
    },
    /// Time since midnight.
    Clock {
        per_second: i64,
    },
}

impl Nature {
    fn of(column: &ColumnDescriptor) -> Option<Nature> {
        if column.max_rep_level() > 0 || column.path().parts().len() > 1 {
            return None;
        }
        let per_second = |unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => 1_000,
            TimeUnit::MICROS => 1_000_000,
            TimeUnit::NANOS => 1_000_000_000,
        };
        match column.logical_type_ref() {
            Some(LogicalType::Timestamp(stamp)) => {
                return Some(Nature::Instant { per_second: per_second(&stamp.unit) });
            }
            Some(LogicalType::Time(time)) => {
                return Some(Nature::Clock { per_second: per_second(&time.unit) });
            }
            _ => {}
        }
        let is_bytes =
            matches!(column.physical_type(), PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY);
        match (column.converted_type(), column.physical_type()) {
            (ConvertedType::DATE, _) => Some(Nature::Days),
            (ConvertedType::TIMESTAMP_MILLIS, _) => Some(Nature::Instant { per_second: 1_000 }),
            (ConvertedType::TIMESTAMP_MICROS, _) => Some(Nature::Instant { per_second: 1_000_000 }),
            (ConvertedType::TIME_MILLIS, _) => Some(Nature::Clock { per_second: 1_000 }),
            (ConvertedType::TIME_MICROS, _) => Some(Nature::Clock { per_second: 1_000_000 }),
            (_, PhysicalType::INT96) => Some(Nature::Instant { per_second: 1_000_000_000 }),
            (ConvertedType::DECIMAL, _) => {
                Some(Nature::Number { parts: 10f64.powi(column.type_scale().max(0)) })
            }
            (ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON, _) => Some(Nature::Text),
            (_, PhysicalType::BOOLEAN) => Some(Nature::Boolean),
            _ if is_bytes => None,
            _ => Some(Nature::Number { parts: 1.0 }),
        }
    }

    fn kind(self) -> FieldKind {
        match self {
            Nature::Number { .. } => FieldKind::Number,
            Nature::Boolean | Nature::Text => FieldKind::Text,
            Nature::Days => FieldKind::Date { order: DateOrder::YearFirst, time: false },
            Nature::Instant { .. } => FieldKind::Date { order: DateOrder::YearFirst, time: true },
            Nature::Clock { .. } => FieldKind::Date { order: DateOrder::TimeOnly, time: true },
        }
    }
}

/// Which columns are read, and as what.
struct Plan {
    /// The place in the file and the nature of each feature.
    features: Vec<(usize, Nature)>,
    fields: Vec<Field>,
    target: Option<((usize, Nature), FieldKind)>,
    names: Vec<String>,
}

impl Plan {
    fn of(names: &[String], roles: &[Role], natures: &[Option<Nature>]) -> Plan {
        let mut plan = Plan { features: Vec::new(), fields: Vec::new(), target: None, names: names.to_vec() };
        for (at, (role, nature)) in roles.iter().zip(natures).enumerate() {
            match (role, nature) {
                (Role::Feature(given), Some(nature)) => {
                    plan.features.push((at, *nature));
                    plan.fields.push(Field {
                        name: names[at].clone(),
                        kind: given.unwrap_or(nature.kind()),
                        why: String::new(),
                        asked: given.is_some(),
                    });
                }
                (Role::Target(rule), Some(nature)) => {
                    let kind = match rule {
                        TargetRule::Given(kind) => *kind,
                        TargetRule::Found(_) if matches!(nature, Nature::Number { .. }) => FieldKind::Number,
                        TargetRule::Found(_) => FieldKind::Text,
                    };
                    plan.target = Some(((at, *nature), kind));
                }
                _ => {}
            }
        }
        plan
    }
}

/// One value.
#[derive(Clone, Debug)]
enum Value {
    Null,
    Number(f64),
    Boolean(bool),
    Text(ByteArray),
    Moment(Moment),
}

fn read_group(
    path: &Path,
    group: &dyn RowGroupReader,
    plan: &Plan,
    marks: &Marks,
    first_row: &mut u64,
    builder: &mut Builder,
) -> Result<()> {
    let open = |&(at, nature): &(usize, Nature)| -> Result<OpenColumn> {
        let description = group.metadata().column(at).column_descr_ptr();
        let nullable = description.max_def_level() > 0;
        let pages = group.get_column_page_reader(at).map_err(|error| damaged(path, &error))?;
        let has_texts = description.physical_type() == PhysicalType::BYTE_ARRAY;
        let reader = get_column_reader(description, Box::new(CheckedPages::new(pages, has_texts, nullable)));
        Ok(OpenColumn { at, nature, nullable, reader })
    };
    let mut columns = plan.features.iter().map(open).collect::<Result<Vec<OpenColumn>>>()?;
    let mut target = plan.target.as_ref().map(|(column, kind)| Ok((open(column)?, *kind))).transpose()?;
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let mut left = rows;
    while left > 0 {
        let count = left.min(ROWS_AT_ONCE);
        let labels =
            target.as_mut().map(|(column, kind)| Ok((column.read(path, count)?, *kind))).transpose()?;
        let values = columns.iter_mut().map(|column| column.read(path, count)).collect::<Result<Vec<_>>>()?;
        let rows = Rows { path, plan, marks, first_row: *first_row };
        builder.append(rows.block(count, &values, labels.as_ref())?)?;
        *first_row += count as u64;
        left -= count;
    }
    Ok(())
}

/// A column of a row group on its way.
struct OpenColumn {
    at: usize,
    nature: Nature,
    nullable: bool,
    reader: ColumnReader,
}

impl OpenColumn {
    /// The next `count` values, nulls among them.
    fn read(&mut self, path: &Path, count: usize) -> Result<Vec<Value>> {
        let (nature, nullable) = (self.nature, self.nullable);
        let parts = if let Nature::Number { parts } = nature { parts } else { 1.0 };
        let whole = |number: i64| match nature {
            Nature::Days => Value::Moment(Moment { days: i32::try_from(number).ok(), seconds: None }),
            Nature::Instant { per_second } => instant(number, per_second),
            Nature::Clock { per_second } => {
                let seconds = number.rem_euclid(SECONDS_A_DAY * per_second) as f64 / per_second as f64;
                Value::Moment(Moment { days: None, seconds: Some(seconds as f32) })
            }
            _ => Value::Number(number as f64 / parts),
        };
        let bytes = |bytes: ByteArray| match nature {
            Nature::Number { .. } => Value::Number(decimal(bytes.data()) / parts),
            _ => Value::Text(bytes),
        };
        let values = match &mut self.reader {
            ColumnReader::BoolColumnReader(reader) => values(reader, count, nullable, Value::Boolean),
            ColumnReader::Int32ColumnReader(reader) => {
                values(reader, count, nullable, |number| whole(i64::from(number)))
            }
            ColumnReader::Int64ColumnReader(reader) => values(reader, count, nullable, whole),
            ColumnReader::Int96ColumnReader(reader) => {
                values(reader, count, nullable, |stamp| instant(stamp.to_seconds(), 1))
            }
            ColumnReader::FloatColumnReader(reader) => {
                values(reader, count, nullable, |number| Value::Number(f64::from(number)))
            }
            ColumnReader::DoubleColumnReader(reader) => values(reader, count, nullable, Value::Number),
            ColumnReader::ByteArrayColumnReader(reader) => values(reader, count, nullable, bytes),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                values(reader, count, nullable, |fixed| bytes(fixed.into()))
            }
        };
        let values = values.map_err(|error| damaged(path, &error))?;
        match values.len() == count {
            true => Ok(values),
            false => {
                let told = format!("column {} has fewer values than rows", self.at + 1);
                Err(damaged(path, &ParquetError::General(told)))
            }
        }
    }
}

fn values<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    count: usize,
    nullable: bool,
    value: impl Fn(T::T) -> Value,
) -> std::result::Result<Vec<Value>, ParquetError> {
    let (mut present, mut levels) = (Vec::new(), Vec::new());
    let mut read = 0;
    while read < count {
        let (records, _, _) =
            reader.read_records(count - read, nullable.then_some(&mut levels), None, &mut present)?;
        if records == 0 {
            break;
        }
        read += records;
    }
    if !nullable {
        return Ok(present.into_iter().map(value).collect());
    }
    let mut present = present.into_iter();
    let at = |level: i16| if level == 0 { Value::Null } else { present.next().map_or(Value::Null, &value) };
    Ok(levels.into_iter().map(at).collect())
}

fn instant(units: i64, per_second: i64) -> Value {
    let a_day = SECONDS_A_DAY * per_second;
    let seconds = units.rem_euclid(a_day) as f64 / per_second as f64;
    let days = i32::try_from(units.div_euclid(a_day)).ok();
    Value::Moment(Moment { days, seconds: Some(seconds as f32) })
}

/// The bytes of a decimal, a whole number in two's complement, most significant first.
fn decimal(bytes: &[u8]) -> f64 {
    let magnitude = bytes.iter().fold(0.0, |number, &byte| number * 256.0 + f64::from(byte));
    let is_negative = bytes.first().is_some_and(|&byte| byte >= 0x80);
    if is_negative { magnitude - 256f64.powi(bytes.len() as i32) } else { magnitude }
}

/// The rows of a block on their way.
struct Rows<'a> {
    path: &'a Path,
    plan: &'a Plan,
    marks: &'a Marks,
    first_row: u64,
}

impl Rows<'_> {
    fn block(
        &self,
        count: usize,
        values: &[Vec<Value>],
        labels: Option<&(Vec<Value>, FieldKind)>,
    ) -> Result<Block> {
        let texts = self.plan.fields.iter().filter(|field| field.kind == FieldKind::Text).count();
        let mut block = Block {
            texts: vec![Dictionary::default(); texts],
            missing: vec![0; self.plan.fields.len()],
            ..Block::default()
        };
        for row in 0..count {
            let place = self.first_row + row as u64;
            if let Some((labels, kind)) = labels
                && !self.add_target(&mut block, &labels[row], *kind, place)?
            {
                if block.unlabelled == 0 {
                    block.first_unlabelled = place;
                }
                block.unlabelled += 1;
                continue;
            }
            let mut text = 0;
            for (at, (field, values)) in self.plan.fields.iter().zip(values).enumerate() {
                let is_text = field.kind == FieldKind::Text;
                let dictionary = if is_text { block.texts.get_mut(text) } else { None };
                text += usize::from(is_text);
                let found = self.cells(&values[row], field.kind, dictionary, place, at, &mut block.cells)?;
                if !found {
                    block.missing[at] += 1;
                    block.cells.extend(std::iter::repeat_n(f32::NAN, field.width()));
                }
            }
        }
        Ok(block)
    }

    /// Adds the cells of a value; `false` where it is missing.
    fn cells(
        &self,
        value: &Value,
        kind: FieldKind,
        dictionary: Option<&mut Dictionary>,
        place: u64,
        field: usize,
        cells: &mut Vec<f32>,
    ) -> Result<bool> {
        if self.is_missing(value) {
            return Ok(false);
        }
        let name = || self.plan.names[self.plan.features[field].0].clone();
        match kind {
            FieldKind::Number => cells.push(self.number(value, place, name)? as f32),
            FieldKind::Text => {
                if let Some(dictionary) = dictionary {
                    cells.push(dictionary.code(text_of(value).as_bytes(), || place) as f32);
                }
            }
            FieldKind::Date { time, .. } => match (self.moment(value, kind, place, name)?, time) {
                (Moment { days: Some(days), seconds }, true) => {
                    cells.extend([days as f32, seconds.unwrap_or(0.0)]);
                }
                (Moment { days: Some(days), .. }, false) => cells.push(days as f32),
                (Moment { days: None, seconds: Some(seconds) }, _) => cells.push(seconds),
                (Moment { days: None, seconds: None }, _) => return Ok(false),
            },
            FieldKind::Empty => return Ok(false),
        }
        match cells.last() {
            Some(cell) if cell.is_infinite() => Err(Error::NotFinite {
                path: self.path.to_path_buf(),
                place: Place::Row(place),
                column: name(),
                value: text_of(value),
            }),
            _ => Ok(true),
        }
    }

    fn add_target(&self, block: &mut Block, value: &Value, kind: FieldKind, place: u64) -> Result<bool> {
        if self.is_missing(value) {
            return Ok(false);
        }
        let name = || self.plan.target.map(|((at, _), _)| self.plan.names[at].clone()).unwrap_or_default();
        let target = match kind {
            FieldKind::Number => self.number(value, place, name)?,
            _ => f64::from(block.target_texts.code(text_of(value).as_bytes(), || place)),
        };
        if target.is_infinite() {
            return Err(Error::NotFinite {
                path: self.path.to_path_buf(),
                place: Place::Row(place),
                column: name(),
                value: text_of(value),
            });
        }
        block.target.push(target);
        Ok(true)
    }

    fn is_missing(&self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Number(number) => {
                number.is_nan()
                    || (self.marks.any_is_number && self.marks.contain(number.to_string().as_bytes()))
            }
            Value::Text(text) => self.marks.contain(text.data().trim_ascii()),
            Value::Boolean(_) | Value::Moment(_) => false,
        }
    }

    fn number(&self, value: &Value, place: u64, name: impl Fn() -> String) -> Result<f64> {
        match value {
            Value::Number(number) => return Ok(*number),
            Value::Boolean(yes) => return Ok(f64::from(u8::from(*yes))),
            Value::Text(text) => {
                if let Ok(number) = fast_float2::parse(text.data().trim_ascii()) {
                    return Ok(number);
                }
            }
            Value::Null | Value::Moment(_) => {}
        }
        Err(Error::NotANumber {
            path: self.path.to_path_buf(),
            place: Place::Row(place),
            column: name(),
            value: excerpt(&text_of(value)),
        })
    }

    fn moment(
        &self,
        value: &Value,
        kind: FieldKind,
        place: u64,
        name: impl Fn() -> String,
    ) -> Result<Moment> {
        let parsed = match (value, kind) {
            (Value::Moment(moment), _) => Some(*moment),
            (Value::Text(text), FieldKind::Date { order, .. }) => parse_date(text.data().trim_ascii(), order),
            _ => None,
        };
        parsed.ok_or_else(|| Error::NotADate {
            path: self.path.to_path_buf(),
            place: Place::Row(place),
            column: name(),
            value: excerpt(&text_of(value)),
        })
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Number(number) => number.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        Value::Text(text) => String::from_utf8_lossy(text.data().trim_ascii()).into_owned(),
        Value::Moment(Moment { days, seconds }) => format!("day {days:?}, second {seconds:?}"),
    }
}

#[cfg(test)]
mod tests;
