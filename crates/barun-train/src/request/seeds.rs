//! `barun train --seeds`: the same training from several seeds, each a run folder of its own in one folder.

use std::path::PathBuf;

use super::train::{Checked, Terms, run};
use super::{ResumeRequest, TrainRequest};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::keeper::{RUNS, RunPlan};
use crate::metrics::Metrics;
use crate::recipe::{self, Recipe};
use crate::report::{SeedsReport, TrainReport};
use crate::run::{RunFolder, SeedsFolder, recipe_of, report_of};
use crate::seeds::{MetricsSpread, judged_together};

/// Who follows the run of a seed; called for each, with its number from 1.
pub type Followers<'a> = dyn FnMut(usize, u64) -> Box<dyn Callback> + 'a;

/// Trains with `seeds` seeds, the recipe's and those after it, one after the other.
///
/// # Errors
/// As [`train`](super::train), with the first run that fails.
pub fn train_seeds(
    request: &TrainRequest,
    seeds: usize,
    followers: &mut Followers<'_>,
) -> Result<SeedsReport> {
    let recipe::Split { folds, fold, .. } = request.recipe.data.split;
    if folds > 0 && fold == 0 {
        return Err(Error::Setting {
            path: "data.split.folds",
            value: folds.to_string(),
            but: "several seeds train on one division of the rows".into(),
            fix: "name one of the folds, --set data.split.fold=1, or train all folds with one seed".into(),
        });
    }
    if let Some(out) = &request.out {
        RunFolder::check_free(out, request.force)?;
    }
    let checked = Checked::open(&request.recipe, &request.machine)?;
    let recipe = &request.recipe.for_rows(checked.data.train().len());
    let first = recipe.train.seed;
    let seeds: Vec<u64> = (0..seeds as u64).map(|further| first.wrapping_add(further)).collect();
    let folder = match &request.out {
        Some(out) => SeedsFolder::create(out, request.force)?,
        None => SeedsFolder::create_numbered(RUNS.as_ref(), &recipe.short_name())?,
    };
    folder.write_plan(recipe, &seeds)?;
    let all = AllSeeds { recipe, checked, folder: &folder, seeds: &seeds };
    all.go(Terms::of(request), followers)
}

/// Goes on with the seeds of an interrupted [`train_seeds`]: those that are over stay as they are.
///
/// # Errors
/// As [`resume`](super::resume), with the first run that fails.
pub fn resume_seeds(request: &ResumeRequest, followers: &mut Followers<'_>) -> Result<SeedsReport> {
    let folder = SeedsFolder::open(&request.run)?;
    let (mut recipe, seeds) = folder.plan()?;
    recipe.train.epochs = request.epochs.or(recipe.train.epochs);
    recipe.train.max_seconds = request.max_seconds.or(recipe.train.max_seconds);
    let checked = Checked::open(&recipe, &request.machine)?;
    folder.write_plan(&recipe, &seeds)?;
    let all = AllSeeds { recipe: &recipe, checked, folder: &folder, seeds: &seeds };
    all.go(Terms::of_resumed(request), followers)
}

/// The runs of one recipe on one division of the data.
struct AllSeeds<'a> {
    recipe: &'a Recipe,
    checked: Checked,
    folder: &'a SeedsFolder,
    seeds: &'a [u64],
}

impl AllSeeds<'_> {
    fn go(mut self, terms: Terms<'_>, followers: &mut Followers<'_>) -> Result<SeedsReport> {
        let mut runs = Vec::new();
        for (&seed, number) in self.seeds.iter().zip(1..) {
            let report = match self.ended(seed) {
                Some(report) => report,
                None => {
                    let (recipe, plan) = self.plan(seed)?;
                    let mut follower = followers(number, seed);
                    follower.on_check(&self.checked.report)?;
                    run(&recipe, &self.checked, plan, terms, follower.as_mut())?
                }
            };
            let interrupted = report.interrupted;
            runs.push(report);
            if interrupted {
                break;
            }
            // All seeds together are one look at the test part.
            self.checked.fingerprint = None;
        }
        let report = self.summary(runs);
        self.folder.write_report(&report)?;
        Ok(report)
    }

    fn path(&self, seed: u64) -> PathBuf {
        self.folder.path().join(format!("seed-{seed}"))
    }

    /// How the run of `seed` ended, where it has nothing left to do.
    fn ended(&self, seed: u64) -> Option<TrainReport> {
        let path = self.path(seed);
        let train = &self.recipe.train;
        let has_more = |report: &TrainReport| match (report.is_out_of_time, train.max_seconds) {
            (true, Some(most)) => report.seconds < most,
            (true, None) => true,
            (false, _) => {
                report.stopped.is_none() && train.epochs.is_none_or(|epochs| report.epochs < epochs)
            }
        };
        let report = report_of(&path).filter(|report| !report.interrupted && !has_more(report))?;
        Some(TrainReport { run: Some(path), ..report })
    }

    fn plan(&self, seed: u64) -> Result<(Recipe, RunPlan)> {
        let path = self.path(seed);
        let mut recipe = self.recipe.clone();
        recipe.train.seed = seed;
        let plan = match recipe_of(&path) {
            Ok(_) => {
                let seconds = super::resume::seconds_of(&path);
                RunPlan::Resume { run: RunFolder::open(&path)?, recipe: recipe.clone(), seconds }
            }
            // Nothing of it was written yet.
            Err(_) => RunPlan::New { out: Some(path), force: true, recipe: recipe.clone() },
        };
        Ok((recipe, plan))
    }

    fn summary(&self, runs: Vec<TrainReport>) -> SeedsReport {
        let spread = |figures: &dyn Fn(&TrainReport) -> Option<Metrics>| {
            let over = runs.iter().filter(|run| !run.interrupted);
            MetricsSpread::of(&over.filter_map(figures).collect::<Vec<Metrics>>())
        };
        let best_by = self.recipe.train.best_by;
        let is_better = |new: &TrainReport, old: &TrainReport| match (&new.valid, &old.valid) {
            (Some(new), Some(old)) => best_by.is_better(new, old, 0.0),
            _ => false,
        };
        let best = runs.iter().reduce(|best, run| if is_better(run, best) { run } else { best });
        SeedsReport {
            run: self.folder.path().to_path_buf(),
            seeds: runs.iter().filter(|run| !run.interrupted).map(|run| run.seed).collect(),
            train: spread(&|run| Some(run.train)),
            valid: spread(&|run| run.valid),
            test: spread(&|run| run.test),
            judged: judged_together(&runs),
            best_seed: best.map(|run| run.seed),
            seconds: runs.iter().map(|run| run.seconds).sum(),
            interrupted: runs.iter().any(|run| run.interrupted),
            runs,
        }
    }
}
