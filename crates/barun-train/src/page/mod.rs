//! The report of a run, made from its folder: `report.html`.
//!
//! Every part of the page is a function of its own from what the folder holds to a section; `barun-view` draws it. A part
//! whose data is not there is left out, so a run that was interrupted, or is still going on, has a report too.
//!
//! | section | from | file |
//! |---|---|---|
//! | headline | recipe, outcome | `headline` |
//! | data | details, findings | `data` |
//! | curves | log, details | `curves` |
//! | on unseen rows | the judgement | `judgement` |
//! | mistakes | details | `mistakes` |
//! | doctor | the diagnosis | `doctor` |
//! | inside the network | details | `layers` |
//! | recipe, how to reproduce it | recipe, details | `recipe` |

mod curves;
mod data;
mod doctor;
mod headline;
mod judgement;
mod layers;
mod mistakes;
mod recipe;

use std::path::{Path, PathBuf};

use barun_view::report::{Document, page};

use crate::details::Details;
use crate::diagnosis::Diagnosis;
use crate::error::Result;
use crate::files::write_atomically;
use crate::log::{EpochRecord, read_log};
use crate::recipe::Recipe;
use crate::report::TrainReport;
use crate::run::{log_of, page_of, recipe_of, report_of};

/// What a run's folder holds, as far as its report shows it.
struct Run {
    recipe: Recipe,
    records: Vec<EpochRecord>,
    /// None while it goes on, or where it broke off.
    outcome: Option<TrainReport>,
    details: Option<Details>,
    diagnosis: Option<Diagnosis>,
}

/// Writes the report of the run at `path` into its folder, and tells where.
///
/// # Errors
/// When it is no run, or what its folder holds cannot be read.
pub fn write(path: &Path) -> Result<PathBuf> {
    let page_path = page_of(path);
    write_atomically(&page_path, page(&document(path)?).as_bytes())?;
    Ok(page_path)
}

/// The report of the run at `path`, not yet drawn: to be shown elsewhere, or with further sections.
///
/// # Errors
/// As [`write`].
pub fn document(path: &Path) -> Result<Document> {
    let log = log_of(path);
    let run = Run {
        recipe: recipe_of(path)?,
        records: if log.is_file() { read_log(&log)? } else { Vec::new() },
        outcome: report_of(path),
        details: Details::read(path)?,
        diagnosis: Diagnosis::read(path)?,
    };
    let sections = [
        data::section(&run),
        curves::section(&run),
        doctor::section(&run),
        judgement::section(&run),
        mistakes::section(&run),
        layers::section(&run),
        recipe::section(&run),
        recipe::reproduction(&run),
    ];
    Ok(Document {
        title: format!("{} on {}", run.recipe.model.name(), headline::data_name(&run.recipe)),
        lead: headline::lead(&run),
        tiles: headline::tiles(&run),
        notices: headline::notices(&run),
        sections: sections.into_iter().flatten().collect(),
        footer: format!("Made by barun {}.", env!("CARGO_PKG_VERSION")),
    })
}

impl Run {
    /// The epoch whose weights were kept.
    fn best(&self) -> Option<&EpochRecord> {
        self.records.iter().rev().find(|record| record.best)
    }
}
