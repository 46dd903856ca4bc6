//! The data that a recipe names.

use std::path::Path;

use barun_data::table::TargetKind;
use barun_data::{Colour, Dataset, Method, MinMax, OpenOptions, Scaling, Split, Standardize, Targets};
use barun_nn::losses::{Loss, Task};

use super::Machine;
use crate::error::Result;
use crate::preparation::Preparation;
use crate::recipe::{self, LossChoice, Normalize, Recipe};

/// Opens the data of a recipe, or other data for its model.
///
/// Whether a table's column of whole numbers is classes or numbers is decided by the loss, where one is given.
pub(super) fn open(recipe: &Recipe, source: &str, machine: &Machine) -> Result<Dataset> {
    open_with(recipe, source, machine.open_options(), recipe.data.images.size.map(|size| size.0))
}

/// As [`open`], images in the shape that a model takes.
pub(super) fn open_for(
    preparation: &Preparation,
    recipe: &Recipe,
    source: &str,
    machine: &Machine,
) -> Result<Dataset> {
    let [height, width, channels] = preparation.input[..] else { return open(recipe, source, machine) };
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
    let options = OpenOptions {
        target: recipe.data.target.clone(),
        ignore: recipe.data.ignore.clone(),
        image_size,
        colour: options.colour.or(match images.colour {
            recipe::Colour::Auto => None,
            recipe::Colour::Grey => Some(Colour::Grey),
            recipe::Colour::Rgb => Some(Colour::Rgb),
        }),
        skip_unreadable: images.skip_unreadable,
        ..options
    };
    let dataset = Dataset::open_with(source, &options)?;
    for note in dataset.notes() {
        (options.tell)(&format!("note: {note}"));
    }
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
