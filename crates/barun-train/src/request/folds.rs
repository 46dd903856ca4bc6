//! Cross-validation: a training for each fold, in run folders beside each other.

use std::sync::atomic::Ordering;

use super::TrainRequest;
use super::train::train;
use crate::callback::Callback;
use crate::error::Result;
use crate::keeper::RUNS;
use crate::report::FoldsReport;
use crate::run::{RunFolder, numbered};
use crate::seeds::judged_together;

/// Trains once for each fold of the recipe's `data.split.folds`, and judges each training by its fold.
///
/// # Errors
/// As [`train`].
pub fn cross_validate(request: &TrainRequest, callback: &mut dyn Callback) -> Result<FoldsReport> {
    let folder = match &request.out {
        Some(out) => out.clone(),
        None => numbered(RUNS.as_ref(), &format!("{}-folds", request.recipe.short_name()))?,
    };
    RunFolder::check_free(&folder, request.force)?;
    let mut folds = Vec::new();
    for fold in 1..=request.recipe.data.split.folds {
        if request.machine.stop.load(Ordering::Relaxed) {
            break;
        }
        let mut of_fold = TrainRequest { out: Some(folder.join(format!("fold-{fold}"))), ..request.clone() };
        of_fold.recipe.data.split.fold = fold;
        folds.push(train(&of_fold, callback)?);
    }
    let interrupted =
        folds.len() < request.recipe.data.split.folds || folds.iter().any(|report| report.interrupted);
    Ok(FoldsReport { run: folder, judged: judged_together(&folds), folds, interrupted })
}
