//! NumPy's arrays: `.npy`, one array, and `.npz`, a zip of them.
//!
//! | file | data |
//! |---|---|
//! | `.npy`, `[n, columns]` | a table of numbers; the columns are called `column_1`, `column_2`, ... |
//! | `.npz` with `x` and `y` | `x` is `[n, ...]`, `y` is `[n]` (or `[n, 1]`) |
//! | `.npz` with `x_train`, `y_train`, `x_test`, `y_test` | the same, with a test part of its own |
//!
//! `x` may be called `X`, `data`, `features`, `images` or `arr_0`, and `y` `Y`, `target`, `targets`, `labels`, `label` or
//! `arr_1`. Bytes of rank 3 or 4 are images `[n, height, width(, channels)]`; everything else becomes rows of numbers.
//!
//! Numbers of all widths and byte orders are read, and rows in either order. Memory grows as bytes arrive, never on the
//! header's word alone. [NumPy Enhancement Proposal 1]

mod array;
mod file;
#[cfg(feature = "npz")]
mod zipped;

use std::path::Path;

use self::array::{Array, Values};
use self::file::NumpyFile;
use super::{Raw, Role, Wanted, target_of};
use crate::dataset::{Dataset, Features};
use crate::error::{Error, Result};
use crate::table::{Block, Builder, Field, FieldKind, Reading, Schema, TableOptions, TargetCells, targets};

/// How many cells are added to a table at once.
const BLOCK_CELLS: usize = 1 << 20;

/// Reads arrays to train on.
pub(super) fn to_train(path: &Path, options: &TableOptions) -> Result<Dataset> {
    let mut file = NumpyFile::open(path)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let Some(arrays) = file.arrays(path)? else { return table_of_one(path, &mut file, &name, options) };
    let mut x = arrays.x;
    let mut y = numbers_of(path, arrays.y)?;
    let mut given_test = None;
    if let Some((x_test, y_test)) = arrays.test {
        let train = x.shape[0];
        x = x.and(x_test).map_err(|problem| problem_of(path, problem))?;
        y.extend(numbers_of(path, y_test)?);
        given_test = Some(train..y.len());
    }
    if x.shape[0] != y.len() {
        let problem =
            format!("x has {} samples but y has {}; they do not belong together", x.shape[0], y.len());
        return Err(problem_of(path, problem));
    }
    let cells = TargetCells { values: y, texts: None, unlabelled: 0, first_unlabelled: 0 };
    if cells.values.iter().any(|value| !value.is_finite()) {
        return Err(problem_of(path, "y has values that are not finite; remove those samples".into()));
    }
    let (targets, notes) = targets(path, "y", cells, options.target_kind)?;
    let dataset = Dataset::new(name, features(path, x, &options.reading)?, targets)?.with_notes(notes);
    match given_test {
        Some(test) => dataset.with_given_test(test),
        None => Ok(dataset),
    }
}

/// Reads the columns of a model.
pub(super) fn by_schema(path: &Path, schema: &Schema, labelled: bool, reading: &Reading) -> Result<Raw> {
    let mut file = NumpyFile::open(path)?;
    let x = match file.arrays(path)? {
        Some(arrays) => arrays.x,
        None => file.one(path)?,
    };
    let names = column_names(width_of(path, &x)?);
    let wanted = Wanted::Schema(schema, labelled);
    let roles = wanted.roles(path, &names)?;
    let (table, target) = table(path, x, &names, &roles, reading)?;
    Ok(Raw { table, target, ignored: wanted.ignored(&names, &roles), names, notes: Vec::new() })
}

/// The images of a file; for prediction.
pub(super) fn images(path: &Path) -> Result<Features> {
    let mut file = NumpyFile::open(path)?;
    let x = match file.arrays(path)? {
        Some(arrays) => arrays.x,
        None => file.one(path)?,
    };
    features(path, x, &Reading::default())
}

fn table_of_one(path: &Path, file: &mut NumpyFile, name: &str, options: &TableOptions) -> Result<Dataset> {
    let x = file.one(path)?;
    let names = column_names(width_of(path, &x)?);
    let roles = Wanted::Training(options).roles(path, &names)?;
    let target_name = &names[target_of(path, &names, options)?];
    let (table, cells) = table(path, x, &names, &roles, &options.reading)?;
    let cells = cells.ok_or_else(|| Error::NoRows { path: path.to_path_buf() })?;
    let kind = options.target_kind;
    let (targets, notes) = targets(path, target_name, cells, kind)?;
    Ok(Dataset::new(name, Features::Table(table), targets)?.with_notes(notes))
}

fn column_names(width: usize) -> Vec<String> {
    (1..=width).map(|column| format!("column_{column}")).collect()
}

fn width_of(path: &Path, array: &Array) -> Result<usize> {
    match array.shape[..] {
        [rows, ..] if rows > 0 && array.len() > 0 => Ok(array.len() / rows),
        _ => Err(problem_of(path, format!("an array of shape {:?} has no rows", array.shape))),
    }
}

/// Images where the bytes are such, else a table of numbers.
fn features(path: &Path, x: Array, reading: &Reading) -> Result<Features> {
    let width = width_of(path, &x)?;
    let shape = match x.shape[..] {
        [_, height, width] => Some([height, width, 1]),
        [_, height, width, channels] => Some([height, width, channels]),
        _ => None,
    };
    match (x.values, shape) {
        (Values::Bytes(pixels), Some(shape)) => Ok(Features::Images { pixels, shape }),
        (values, _) => {
            let names = column_names(width);
            let roles = vec![Role::Feature(None); width];
            let x = Array { shape: x.shape, values };
            Ok(Features::Table(table(path, x, &names, &roles, reading)?.0))
        }
    }
}

/// The rows of an array as a table of numbers, where NaN is a missing value.
fn table(
    path: &Path,
    array: Array,
    names: &[String],
    roles: &[Role],
    reading: &Reading,
) -> Result<(crate::Table, Option<TargetCells>)> {
    let feature = |role: &Role| matches!(role, Role::Feature(_));
    let fields: Vec<Field> = names
        .iter()
        .zip(roles)
        .filter(|(_, role)| feature(role))
        .map(|(name, _)| Field {
            name: name.clone(),
            kind: FieldKind::Number,
            why: String::new(),
            asked: false,
        })
        .collect();
    let has_target = roles.iter().any(|role| matches!(role, Role::Target(_)));
    let mut builder = Builder::new(fields, has_target.then_some(FieldKind::Number), reading.room());
    let width = names.len();
    let rows = array.len() / width;
    let rows_at_once = (BLOCK_CELLS / width).max(1);
    for first in (0..rows).step_by(rows_at_once) {
        let mut block =
            Block { missing: vec![0; roles.iter().filter(|role| feature(role)).count()], ..Block::default() };
        for row in first..rows.min(first + rows_at_once) {
            add_row(path, &array, row, names, roles, &mut block)?;
        }
        builder.append(block)?;
    }
    builder.finish()
}

fn add_row(
    path: &Path,
    array: &Array,
    row: usize,
    names: &[String],
    roles: &[Role],
    block: &mut Block,
) -> Result<()> {
    let start = row * names.len();
    let target = roles.iter().position(|role| matches!(role, Role::Target(_)));
    if let Some(target) = target {
        let value = array.values.get(start + target);
        if value.is_nan() {
            if block.unlabelled == 0 {
                block.first_unlabelled = row as u64 + 1;
            }
            block.unlabelled += 1;
            return Ok(());
        }
        block.target.push(value);
    }
    let mut feature = 0;
    for (at, role) in roles.iter().enumerate() {
        if !matches!(role, Role::Feature(_)) {
            continue;
        }
        let value = array.values.get(start + at) as f32;
        if value.is_infinite() {
            return Err(Error::NotFinite {
                path: path.to_path_buf(),
                place: crate::Place::Row(row as u64 + 1),
                column: names[at].clone(),
                value: array.values.get(start + at).to_string(),
            });
        }
        block.missing[feature] += usize::from(value.is_nan());
        block.cells.push(value);
        feature += 1;
    }
    Ok(())
}

fn numbers_of(path: &Path, y: Array) -> Result<Vec<f64>> {
    match y.shape[..] {
        [rows] | [rows, 1] if rows > 0 => Ok((0..rows).map(|row| y.values.get(row)).collect()),
        _ => {
            Err(problem_of(path, format!("y has the shape {:?}; it must have one number a sample", y.shape)))
        }
    }
}

fn problem_of(path: &Path, problem: String) -> Error {
    Error::Array { path: path.to_path_buf(), problem }
}

#[cfg(test)]
mod tests;
