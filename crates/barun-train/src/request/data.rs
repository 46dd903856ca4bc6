//! The data that a recipe names.

use std::path::Path;

use barun_data::table::TargetKind;
use barun_data::{Dataset, Method, MinMax, OpenOptions, Scaling, Split, Standardize, Targets};
use barun_nn::losses::{Loss, Task};

use super::Machine;
use crate::error::Result;
use crate::recipe::{self, LossChoice, Normalize, Recipe};

/// Opens the data of a recipe, or other data for its model.
///
/// Whether a table's column of whole numbers is classes or numbers is decided by the loss, where one is given.
pub(super) fn open(recipe: &Recipe, source: &str, machine: &Machine) -> Result<Dataset> {
    let options = OpenOptions {
        data_dir: machine.data_dir.clone(),
        target: recipe.data.target.clone(),
        ignore: recipe.data.ignore.clone(),
        ..OpenOptions::default()
    };
    let dataset = Dataset::open_with(source, &options)?;
    let is_table = Path::new(source).is_file();
    let wants_numbers = matches!(&recipe.train.loss, LossChoice::Named(loss) if loss.task() == Task::Numbers);
    match dataset.targets() {
        Targets::Classes { classes, .. }
            if is_table && wants_numbers && classes.iter().all(|class| class.parse::<f64>().is_ok()) =>
        {
            Ok(Dataset::open_with(source, &OpenOptions { target_kind: TargetKind::Values, ..options })?)
        }
        _ => Ok(dataset),
    }
}

/// How the rows are divided.
pub(super) fn split(split: &recipe::Split) -> Split {
    let recipe::Split { train, valid, test, stratify, seed } = *split;
    // Numbers cannot be stratified, and nothing else is meant by it there.
    let method = if stratify { Method::Auto } else { Method::Random };
    Split { train, valid, test, method, seed }
}

/// How the inputs are scaled.
pub(super) fn scaling(normalize: Normalize) -> Scaling {
    match normalize {
        Normalize::Auto | Normalize::Standard => Standardize::default().into(),
        Normalize::MinMax => MinMax::default().into(),
        Normalize::None => Scaling::NONE,
    }
}
