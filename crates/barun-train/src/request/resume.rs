//! `barun resume`.

use std::path::Path;

use super::ResumeRequest;
use super::train::{Checked, Terms, run};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::keeper::RunPlan;
use crate::log::{EpochRecord, read_log};
use crate::recipe::Recipe;
use crate::report::TrainReport;
use crate::run::{RunFolder, log_of, recipe_of, report_of};

/// Goes on with a run that was interrupted, killed, out of time or out of disk, to the same weights as if it had not been.
/// [TRAIN-14]
///
/// # Errors
/// When the run is complete, in use, or its data or recipe has changed.
pub fn resume(request: &ResumeRequest, callback: &mut dyn Callback) -> Result<TrainReport> {
    let path = &request.run;
    let folder = RunFolder::open(path)?;
    let mut recipe = recipe_of(path)?;
    recipe.train.epochs = request.epochs.or(recipe.train.epochs);
    recipe.train.max_seconds = request.max_seconds.or(recipe.train.max_seconds);
    let report = report_of(path);
    if let Some(report) = report.as_ref().filter(|report| !report.interrupted) {
        refuse_complete(path, &recipe, report)?;
    }
    let seconds = seconds_of(path);
    let checked = Checked::open(&recipe, &request.machine)?;
    callback.on_check(&checked.report)?;
    let plan = RunPlan::Resume { run: folder, recipe: recipe.clone(), seconds };
    run(&recipe, &checked, plan, Terms::of_resumed(request), callback)
}

/// Refuses a run that has nothing left to do.
fn refuse_complete(path: &Path, recipe: &Recipe, report: &TrainReport) -> Result<()> {
    let is_out_of_time = recipe.train.max_seconds.is_some_and(|most| report.seconds >= most);
    let (how, fix) = match &report.stopped {
        _ if recipe.train.epochs.is_some_and(|epochs| report.epochs >= epochs) => {
            (format!("it has trained all {} epochs", report.epochs), "give it more with --epochs")
        }
        Some(reason) if is_out_of_time => (reason.clone(), "give it more in all with --max-time"),
        // More time than it had.
        Some(_) if report.is_out_of_time => return Ok(()),
        Some(reason) => (format!("it was stopped, {reason}"), "train anew with other settings"),
        None => return Ok(()),
    };
    Err(Error::RunComplete { path: path.to_path_buf(), how, fix })
}

/// How long the run at `path` has trained; of one that was killed, until the last epoch it told of.
pub(super) fn seconds_of(path: &Path) -> f64 {
    let in_log = || {
        let records: Vec<EpochRecord> = read_log(&log_of(path)).unwrap_or_default();
        records.last().map_or(0.0, |record| record.seconds)
    };
    report_of(path).map_or_else(in_log, |report| report.seconds)
}
