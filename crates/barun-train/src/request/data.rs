//! The data that a recipe names.

use std::path::Path;

use barun_data::table::{TargetKind, TextEncoding};
use barun_data::{
    Categories, Dataset, Method, MinMax, OpenOptions, Preprocess, Quantile, Reading, Robust, Scaling, Split,
    Standardize, TableOptions, Targets,
};

use super::Machine;
use crate::error::Result;
use crate::recipe::{self, Data, Encoding, Header, Loss, Normalize, Recipe, Task};

/// Opens the data of a recipe, or other data for its model.
///
/// Whether a table's column of whole numbers is classes or numbers is decided by the loss, where one is given.
pub(super) fn open(recipe: &Recipe, source: &str, machine: &Machine) -> Result<Dataset> {
    let options = |target_kind| OpenOptions {
        data_dir: machine.data_dir.clone(),
        table: table_options(&recipe.data, target_kind),
        ..OpenOptions::default()
    };
    let dataset = match recipe.data.task {
        Task::Auto => Dataset::open_with(source, &options(TargetKind::Auto))?,
        Task::Classification => return Ok(Dataset::open_with(source, &options(TargetKind::Classes))?),
        Task::Regression => return Ok(Dataset::open_with(source, &options(TargetKind::Values))?),
    };
    let is_table = Path::new(source).is_file();
    let wants_numbers = matches!(recipe.train.loss, Loss::Mse | Loss::Mae);
    match dataset.targets() {
        Targets::Classes { classes, .. }
            if is_table && wants_numbers && classes.iter().all(|class| class.parse::<f64>().is_ok()) =>
        {
            Ok(Dataset::open_with(source, &options(TargetKind::Values))?)
        }
        _ => Ok(dataset),
    }
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

/// How the rows are divided.
pub(super) fn split(split: &recipe::Split) -> Split {
    let recipe::Split { train, valid, test, stratify, seed } = *split;
    // Numbers cannot be stratified, and nothing else is meant by it there.
    let method = if stratify { Method::Auto } else { Method::Random };
    Split { train, valid, test, method, seed }
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
