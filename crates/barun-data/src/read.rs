//! Reading files: one reader a format, each giving the same - a table with its target, or arrays.
//!
//! | file | reader |
//! |---|---|
//! | `.csv`, `.tsv`, `.txt`, also `.gz` | [`csv`] |
//! | `.parquet` | `parquet` (feature `parquet`) |
//! | `.npy`, `.npz` | [`npy`] |
//! | `...-images-idx3-ubyte` | [`idx`](crate::idx) |

pub(crate) mod csv;
mod in_order;
pub(crate) mod npy;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;

use std::path::Path;

use crate::dataset::{Dataset, Features};
use crate::error::{Error, Result};
use crate::idx;
use crate::suggest::Suggestion;
use crate::table::{FieldKind, Reading, Schema, Table, TableOptions, TargetCells, TargetKind, targets};

/// The formats a table may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Parquet,
    Numpy,
}

impl Format {
    /// By the ending of the name; nothing where it is not one of ours.
    pub fn of(path: &Path) -> Option<Format> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let name = name.strip_suffix(".gz").filter(|name| name.contains('.')).unwrap_or(&name);
        match Path::new(name).extension()?.to_str()? {
            "csv" | "tsv" | "txt" => Some(Format::Text),
            "parquet" => Some(Format::Parquet),
            "npy" | "npz" => Some(Format::Numpy),
            _ => None,
        }
    }
}

/// What becomes of a field of the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Role {
    Skip,
    /// Cells of the kind that is given, or that is found.
    Feature(Option<FieldKind>),
    Target(TargetRule),
}

/// How a target is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TargetRule {
    /// As its cells say.
    Found(TargetKind),
    /// As this.
    Given(FieldKind),
}

/// What is wanted of a file's columns.
pub(crate) enum Wanted<'a> {
    Training(&'a TableOptions),
    /// Some columns as text, in the rows that training has.
    Texts(&'a [&'a str], &'a TableOptions),
    /// The columns of a model, with its target or without.
    Schema(&'a Schema, bool),
}

/// A file that has been read.
#[derive(Debug)]
pub(crate) struct Raw {
    pub table: Table,
    pub target: Option<TargetCells>,
    /// All columns of the file.
    pub names: Vec<String>,
    /// The columns of the file that nobody asked for.
    pub ignored: Vec<String>,
    pub notes: Vec<String>,
}

/// Reads a table to train on.
pub(crate) fn to_train(path: &Path, options: &TableOptions) -> Result<Dataset> {
    if Format::of(path) == Some(Format::Numpy) {
        return npy::to_train(path, options);
    }
    let raw = read(path, &Wanted::Training(options), &options.reading)?;
    let target = raw.names[target_of(path, &raw.names, options)?].clone();
    let cells = raw.target.ok_or_else(|| Error::NoRows { path: path.to_path_buf() })?;
    let (targets, notes) = targets(path, &target, cells, options.target_kind)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let dataset = Dataset::new(name, Features::Table(raw.table), targets)?;
    Ok(dataset.with_notes([raw.notes, notes].concat()))
}

/// The images of an IDX file, or of NumPy's arrays of bytes; for prediction.
///
/// # Errors
/// A file that cannot be read. Arrays that are not images give other features.
pub fn image_arrays(path: &Path) -> Result<Features> {
    if Format::of(path) == Some(Format::Numpy) {
        return npy::images(path);
    }
    let file = idx::read(path, 3)?;
    Ok(Features::Images { pixels: file.data, shape: [file.dims[1], file.dims[2], 1] })
}

/// The cells of `columns` as they are written, of the rows that [`OpenOptions::open`](crate::OpenOptions::open) gives
/// with the same options; empty where there is no value. For columns by which rows are divided.
///
/// # Errors
/// As for reading the table; a column that does not exist.
pub fn texts(path: &Path, columns: &[&str], options: &TableOptions) -> Result<Vec<Vec<String>>> {
    let raw = read(path, &Wanted::Texts(columns, options), &options.reading)?;
    let table = raw.table;
    let rows: Vec<usize> = (0..table.len()).collect();
    let place = |name: &&str| position(path, &table.names(), name);
    let places = columns.iter().map(place).collect::<Result<Vec<usize>>>()?;
    let mut texts = vec![Vec::with_capacity(rows.len()); columns.len()];
    table.each(&rows, |cells| {
        for (texts, &place) in texts.iter_mut().zip(&places) {
            // No value has no category.
            let code = if cells[place].is_nan() { usize::MAX } else { cells[place] as usize };
            texts.push(table.columns()[place].categories().get(code).cloned().unwrap_or_default());
        }
        Ok(())
    })?;
    Ok(texts)
}

/// Reads the columns of a model.
pub(crate) fn by_schema(path: &Path, schema: &Schema, labelled: bool, reading: &Reading) -> Result<Raw> {
    match Format::of(path) {
        Some(Format::Numpy) => npy::by_schema(path, schema, labelled, reading),
        _ => read(path, &Wanted::Schema(schema, labelled), reading),
    }
}

fn read(path: &Path, wanted: &Wanted, reading: &Reading) -> Result<Raw> {
    match Format::of(path) {
        #[cfg(feature = "parquet")]
        Some(Format::Parquet) => parquet::read(path, wanted, reading),
        #[cfg(not(feature = "parquet"))]
        Some(Format::Parquet) => Err(Error::NotBuiltIn { path: path.to_path_buf(), feature: "parquet" }),
        _ => csv::read(path, wanted, reading),
    }
}

impl Wanted<'_> {
    /// What becomes of each of the fields `names`.
    pub fn roles(&self, path: &Path, names: &[String]) -> Result<Vec<Role>> {
        match self {
            Wanted::Training(options) => training_roles(path, names, options),
            Wanted::Texts(columns, options) => text_roles(path, names, columns, options),
            Wanted::Schema(schema, labelled) => schema_roles(path, names, schema, *labelled),
        }
    }

    /// The names of fields that become nothing and that nobody has heard of.
    pub fn ignored(&self, names: &[String], roles: &[Role]) -> Vec<String> {
        let known = |name: &String| match self {
            Wanted::Training(_) | Wanted::Texts(..) => true,
            Wanted::Schema(schema, _) => schema.unused.contains(name) || schema.target == *name,
        };
        let skipped = names.iter().zip(roles).filter(|(_, role)| **role == Role::Skip);
        skipped.map(|(name, _)| name.clone()).filter(|name| !known(name)).collect()
    }
}

fn training_roles(path: &Path, names: &[String], options: &TableOptions) -> Result<Vec<Role>> {
    let target = target_of(path, names, options)?;
    let all = |names_of: &[String]| -> Result<Vec<usize>> {
        names_of.iter().map(|name| position(path, names, name)).collect()
    };
    let (ignored, categorical, numeric) =
        (all(&options.ignore)?, all(&options.categorical)?, all(&options.numeric)?);
    if let Some(&both) = categorical.iter().find(|column| numeric.contains(column)) {
        return Err(Error::TwoKinds { path: path.to_path_buf(), column: names[both].clone() });
    }
    let role = |column| match () {
        () if column == target => Role::Target(match options.target_kind {
            TargetKind::Values => TargetRule::Given(FieldKind::Number),
            kind => TargetRule::Found(kind),
        }),
        () if ignored.contains(&column) => Role::Skip,
        () if categorical.contains(&column) => Role::Feature(Some(FieldKind::Text)),
        () if numeric.contains(&column) => Role::Feature(Some(FieldKind::Number)),
        () => Role::Feature(None),
    };
    let roles: Vec<Role> = (0..names.len()).map(role).collect();
    match roles.iter().any(|role| matches!(role, Role::Feature(_))) {
        true => Ok(roles),
        false => Err(Error::NoFeatureColumns { path: path.to_path_buf(), target: names[target].clone() }),
    }
}

fn text_roles(path: &Path, names: &[String], columns: &[&str], options: &TableOptions) -> Result<Vec<Role>> {
    let mut roles = vec![Role::Skip; names.len()];
    roles[target_of(path, names, options)?] = Role::Target(match options.target_kind {
        TargetKind::Values => TargetRule::Given(FieldKind::Number),
        kind => TargetRule::Found(kind),
    });
    for name in columns {
        roles[position(path, names, name)?] = Role::Feature(Some(FieldKind::Text));
    }
    Ok(roles)
}

/// The place of the target among the fields.
pub(crate) fn target_of(path: &Path, names: &[String], options: &TableOptions) -> Result<usize> {
    match &options.target {
        Some(name) => position(path, names, name),
        None => names.len().checked_sub(1).ok_or_else(|| Error::NoRows { path: path.to_path_buf() }),
    }
}

fn schema_roles(path: &Path, names: &[String], schema: &Schema, labelled: bool) -> Result<Vec<Role>> {
    let mut roles = vec![Role::Skip; names.len()];
    for column in &schema.columns {
        roles[position(path, names, &column.name)?] = Role::Feature(Some(column.kind.field()));
    }
    if labelled && let Some(target) = names.iter().position(|name| *name == schema.target) {
        let kind = if schema.classes.is_some() { FieldKind::Text } else { FieldKind::Number };
        roles[target] = Role::Target(TargetRule::Given(kind));
    }
    Ok(roles)
}

fn position(path: &Path, names: &[String], name: &str) -> Result<usize> {
    names.iter().position(|column| column == name).ok_or_else(|| Error::MissingColumn {
        path: path.to_path_buf(),
        name: name.to_string(),
        suggestion: Suggestion::nearest(name, names.iter().map(String::as_str)),
        columns: names.to_vec(),
    })
}

/// A cell as a message can show it: short, and in one line.
pub(crate) fn excerpt(text: &str) -> String {
    const MOST_CHARS: usize = 40;
    let mut shown: String = text.chars().take(MOST_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST_CHARS).is_some() {
        shown.push_str("...");
    }
    shown
}
