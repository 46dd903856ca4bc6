//! The data that a recipe names.

use std::path::Path;

use barun_data::table::{TargetKind, TextEncoding};
use barun_data::{
    Categories, Colour, Copies, Dataset, DividingColumns, GivenPart, Method, MinMax, OpenOptions, Preprocess,
    Quantile, Reading, Robust, Scaling, Schema, Split, SplitData, Standardize, TableOptions, Targets,
};
use barun_nn::losses::{self, Loss};

use super::Machine;
use crate::error::{Error, Result};
use crate::preparation::Preparation;
use crate::recipe::{self, Data, Encoding, Header, LossChoice, Normalize, Recipe, Task};

/// Opens the data of a recipe, with the parts that lie in files of their own.
pub(super) fn open(recipe: &Recipe, machine: &Machine) -> Result<Dataset> {
    with_parts(recipe, |source| open_source(recipe, source, machine))
}

/// As [`open`], images in the shape that a model takes.
pub(super) fn open_for(preparation: &Preparation, recipe: &Recipe, machine: &Machine) -> Result<Dataset> {
    with_parts(recipe, |source| open_source_for(preparation, recipe, source, machine))
}

fn with_parts(recipe: &Recipe, open: impl Fn(&str) -> Result<Dataset>) -> Result<Dataset> {
    let mut dataset = open(&recipe.data.source)?;
    for (part, source) in
        [(GivenPart::Valid, &recipe.data.valid_source), (GivenPart::Test, &recipe.data.test_source)]
    {
        if let Some(source) = source {
            let other = open_part(recipe, &dataset, source, &open)?;
            dataset = dataset.with_part(part, &other)?;
        }
    }
    Ok(dataset)
}

/// Opens the source of a recipe, or other data for its model.
///
/// Whether a table's column of whole numbers is classes or numbers is decided by the loss, where one is given.
pub(super) fn open_source(recipe: &Recipe, source: &str, machine: &Machine) -> Result<Dataset> {
    open_with(recipe, source, machine.open_options(), recipe.data.images.size.map(|size| size.0))
}

/// As [`open_source`], images in the shape that a model takes.
pub(super) fn open_source_for(
    preparation: &Preparation,
    recipe: &Recipe,
    source: &str,
    machine: &Machine,
) -> Result<Dataset> {
    let [height, width, channels] = preparation.input[..] else {
        return open_source(recipe, source, machine);
    };
    let colour = match channels {
        1 => Some(Colour::Grey),
        _ => Some(Colour::Rgb),
    };
    open_with(recipe, source, OpenOptions { colour, ..machine.open_options() }, Some([height, width]))
}

fn open_with(
    recipe: &Recipe,
    source: &str,
    options: OpenOptions,
    image_size: Option<[usize; 2]>,
) -> Result<Dataset> {
    let images = &recipe.data.images;
    let is_own = source == recipe.data.source;
    let options = |target_kind| OpenOptions {
        table: table_options(&recipe.data, target_kind),
        divide: if is_own { dividing_columns(recipe) } else { DividingColumns::default() },
        image_size,
        colour: options.colour.or(match images.colour {
            recipe::Colour::Auto => None,
            recipe::Colour::Grey => Some(Colour::Grey),
            recipe::Colour::Rgb => Some(Colour::Rgb),
        }),
        skip_unreadable: images.skip_unreadable,
        ..options.clone()
    };
    let dataset = match recipe.data.task {
        Task::Auto => Dataset::open_with(source, &options(TargetKind::Auto))?,
        Task::Reconstruction => return Ok(Dataset::open_with(source, &options(TargetKind::Auto))?),
        Task::Classification => return Ok(Dataset::open_with(source, &options(TargetKind::Classes))?),
        Task::Regression => return Ok(Dataset::open_with(source, &options(TargetKind::Values))?),
    };
    let is_table = Path::new(source).is_file();
    let wants_numbers =
        matches!(&recipe.train.loss, LossChoice::Named(loss) if loss.task() == losses::Task::Numbers);
    match dataset.targets() {
        Targets::Classes { classes, .. }
            if is_table && wants_numbers && classes.iter().all(|class| class.parse::<f64>().is_ok()) =>
        {
            Ok(Dataset::open_with(source, &options(TargetKind::Values))?)
        }
        _ => Ok(dataset),
    }
}

/// A part in a file of its own: a table is read by the columns and classes of the training rows.
fn open_part(
    recipe: &Recipe,
    dataset: &Dataset,
    source: &str,
    open: &impl Fn(&str) -> Result<Dataset>,
) -> Result<Dataset> {
    let path = Path::new(source);
    let Some(schema) = dataset.schema().filter(|_| path.is_file()) else {
        return open(source);
    };
    let part = read_table(recipe, &schema, path)?;
    // Which part its rows belong to is said by the file.
    let divide = DividingColumns { part: None, ..dividing_columns(recipe) };
    if divide.is_empty() {
        return Ok(part);
    }
    let options = table_options(&recipe.data, target_kind(dataset.targets()));
    Ok(divide.attach(part, path, &options)?)
}

/// A table read by the columns of another, which must have its target.
pub(super) fn read_table(recipe: &Recipe, schema: &Schema, path: &Path) -> Result<Dataset> {
    let rows = schema.read_labelled(path, &reading(&recipe.data.table))?;
    let targets = rows
        .targets
        .ok_or_else(|| Error::NoTarget { path: path.to_path_buf(), target: schema.target.clone() })?;
    Ok(Dataset::new(path.to_string_lossy(), rows.features, targets)?.with_notes(rows.notes))
}

fn target_kind(targets: &Targets) -> TargetKind {
    match targets {
        Targets::Classes { .. } => TargetKind::Classes,
        Targets::Values { .. } => TargetKind::Values,
    }
}

fn dividing_columns(recipe: &Recipe) -> DividingColumns {
    let recipe::Split { group, time, part, .. } = &recipe.data.split;
    DividingColumns { group: group.clone(), time: time.clone(), part: part.clone() }
}

/// Divides the rows of a recipe's data.
pub(super) fn divide(recipe: &Recipe, dataset: Dataset) -> Result<SplitData> {
    let (split, recipe) = (split(&recipe.data.split), &recipe.data.split);
    match (recipe.folds, recipe.fold) {
        (0, _) => Ok(dataset.split(split)?),
        (folds, fold) => {
            let mut divided = dataset.folds(folds, split)?;
            // Where no fold is named, the first stands for all.
            Ok(divided.swap_remove(fold.saturating_sub(1).min(folds - 1)))
        }
    }
}

fn split(split: &recipe::Split) -> Split {
    let method = match split.method {
        recipe::Method::Auto => Method::Auto,
        recipe::Method::Random => Method::Random,
        recipe::Method::Stratified => Method::Stratified,
        recipe::Method::Time => Method::Time,
    };
    let copies = match split.copies {
        recipe::Copies::Together => Copies::Together,
        recipe::Copies::Apart => Copies::Apart,
    };
    Split { train: split.train, valid: split.valid, test: split.test, method, copies, seed: split.seed }
}

fn table_options(data: &Data, target_kind: TargetKind) -> TableOptions {
    TableOptions {
        target: data.target.clone(),
        target_kind,
        ignore: data.ignore.clone(),
        categorical: data.table.categorical.clone(),
        numeric: data.table.numeric.clone(),
        reading: reading(&data.table),
    }
}

/// How a table's file is read.
pub(super) fn reading(table: &recipe::Table) -> Reading {
    Reading {
        delimiter: table.delimiter.as_ref().and_then(|delimiter| delimiter.bytes().next()),
        header: match table.header {
            Header::Auto => barun_data::table::Header::Auto,
            Header::Yes => barun_data::table::Header::Yes,
            Header::No => barun_data::table::Header::No,
        },
        encoding: match table.encoding {
            Encoding::Utf8 => TextEncoding::Utf8,
            Encoding::Latin1 => TextEncoding::Latin1,
        },
        missing: table.missing.clone(),
        memory_bytes: table.in_memory_mib.saturating_mul(1 << 20),
        scratch: table.scratch.as_ref().map(Into::into),
    }
}

/// What becomes of the inputs.
pub(super) fn preprocess(data: &Data) -> Preprocess {
    let scaling: Scaling = match data.normalize {
        Normalize::Auto | Normalize::Standard => Standardize::default().into(),
        Normalize::Robust => Robust::default().into(),
        Normalize::Quantile => Quantile.into(),
        Normalize::MinMax => MinMax::default().into(),
        Normalize::None => Scaling::NONE,
    };
    Preprocess {
        scaling,
        categories: Categories { most_one_hot: data.table.one_hot_most, ..Categories::default() },
    }
}
