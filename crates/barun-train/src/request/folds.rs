//! Cross-validation: a training for each fold, in run folders beside each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::TrainRequest;
use super::train::train;
use crate::callback::Callback;
use crate::error::Result;
use crate::metrics::Measure;
use crate::report::{FoldsReport, Spread, TrainReport};
use crate::run::{RUNS, RunFolder};

/// Trains once for each fold of the recipe's `data.split.folds`, and judges each training by its fold.
///
/// # Errors
/// As [`train`].
pub fn cross_validate(request: &TrainRequest, callback: &mut dyn Callback) -> Result<FoldsReport> {
    let folder = match &request.out {
        Some(out) => out.clone(),
        None => free_folder(&request.recipe.short_name()),
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
    Ok(FoldsReport { run: folder, test: spreads(&folds), folds, interrupted })
}

fn free_folder(name: &str) -> PathBuf {
    let folder = |number: usize| Path::new(RUNS).join(format!("{name}-folds-{number}"));
    (1..).map(folder).find(|folder| !folder.exists()).unwrap_or_else(|| folder(1))
}

/// Each figure that every fold has.
fn spreads(folds: &[TrainReport]) -> BTreeMap<Measure, Spread> {
    let judgements: Vec<_> = folds.iter().filter_map(|report| report.judgement.as_ref()).collect();
    let measures = judgements.first().map(|first| first.evaluation.figures.keys()).into_iter().flatten();
    let spread = |&measure: &Measure| {
        let figures: Vec<f64> =
            judgements.iter().filter_map(|judgement| judgement.evaluation.value(measure)).collect();
        (figures.len() == judgements.len()).then(|| (measure, Spread::of(&figures)))
    };
    measures.filter_map(spread).collect()
}
