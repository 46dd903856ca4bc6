//! The data that a recipe names.

use std::path::Path;

use barun_data::table::TargetKind;
use barun_data::{
    Copies, Dataset, DividingColumns, GivenPart, Method, MinMax, OpenOptions, Scaling, Schema, Split,
    SplitData, Standardize, Targets,
};

use super::Machine;
use crate::error::{Error, Result};
use crate::recipe::{self, Loss, Normalize, Recipe};

/// Opens the data of a recipe, with the parts that lie in files of their own.
pub(super) fn open(recipe: &Recipe, machine: &Machine) -> Result<Dataset> {
    let mut dataset = open_source(recipe, &recipe.data.source, machine)?;
    for (part, source) in
        [(GivenPart::Valid, &recipe.data.valid_source), (GivenPart::Test, &recipe.data.test_source)]
    {
        if let Some(source) = source {
            let other = open_part(recipe, &dataset, source, machine)?;
            dataset = dataset.with_part(part, &other)?;
        }
    }
    Ok(dataset)
}

/// Opens the source of a recipe, or other data for its model.
///
/// Whether a table's column of whole numbers is classes or numbers is decided by the loss, where one is given.
pub(super) fn open_source(recipe: &Recipe, source: &str, machine: &Machine) -> Result<Dataset> {
    let is_own = source == recipe.data.source;
    let options = OpenOptions {
        data_dir: machine.data_dir.clone(),
        target: recipe.data.target.clone(),
        ignore: recipe.data.ignore.clone(),
        divide: if is_own { dividing_columns(recipe) } else { DividingColumns::default() },
        ..OpenOptions::default()
    };
    let dataset = Dataset::open_with(source, &options)?;
    let is_table = Path::new(source).is_file();
    let wants_numbers = matches!(recipe.train.loss, Loss::Mse | Loss::Mae);
    match dataset.targets() {
        Targets::Classes { classes, .. }
            if is_table && wants_numbers && classes.iter().all(|class| class.parse::<f64>().is_ok()) =>
        {
            Ok(Dataset::open_with(source, &OpenOptions { target_kind: TargetKind::Values, ..options })?)
        }
        _ => Ok(dataset),
    }
}

/// A part in a file of its own: a table is read by the columns and classes of the training rows.
fn open_part(recipe: &Recipe, dataset: &Dataset, source: &str, machine: &Machine) -> Result<Dataset> {
    let path = Path::new(source);
    let Some(schema) = dataset.schema().filter(|_| path.is_file()) else {
        return open_source(recipe, source, machine);
    };
    let part = read_table(&schema, path)?;
    // Which part its rows belong to is said by the file.
    let divide = DividingColumns { part: None, ..dividing_columns(recipe) };
    if divide.is_empty() { Ok(part) } else { Ok(divide.attach(part, path)?) }
}

/// A table read by the columns of another, which must have its target.
pub(super) fn read_table(schema: &Schema, path: &Path) -> Result<Dataset> {
    let rows = schema.read(path)?;
    let targets = rows
        .targets
        .ok_or_else(|| Error::NoTarget { path: path.to_path_buf(), target: schema.target.clone() })?;
    Ok(Dataset::new(path.to_string_lossy(), rows.features, targets)?)
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

/// How the inputs are scaled.
pub(super) fn scaling(normalize: Normalize) -> Scaling {
    match normalize {
        Normalize::Auto | Normalize::Standard => Standardize::default().into(),
        Normalize::MinMax => MinMax::default().into(),
        Normalize::None => Scaling::NONE,
    }
}
