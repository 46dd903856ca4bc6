//! Runs beside each other: what each was, how it ended, and in what two of them differ. [DIAG-13]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::files::io_error;
use crate::log::{EpochRecord, read_log};
use crate::metrics::Metrics;
use crate::recipe::{self, Recipe};
use crate::report::path_text;
use crate::run::{is_in_use, log_of, recipe_of, report_of};

/// So many folders deep runs are looked for: a folder of runs, and in it those of several seeds.
const DEPTH: usize = 2;

/// How a run stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All epochs are over.
    Done,
    /// It was stopped before, and why.
    Stopped(String),
    /// By the user; it can be resumed.
    Interrupted,
    /// A process is at it.
    Running,
    /// It did not come to its end, and no process is at it; it can be resumed.
    Broken,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Status::Done => f.write_str("done"),
            Status::Stopped(reason) => write!(f, "stopped: {reason}"),
            Status::Interrupted => f.write_str("interrupted"),
            Status::Running => f.write_str("running"),
            Status::Broken => f.write_str("broken off"),
        }
    }
}

/// A run in short.
#[derive(Clone, Debug, Serialize)]
pub struct RunSummary {
    /// Its folder.
    #[serde(serialize_with = "path_text")]
    pub run: PathBuf,
    /// Its data.
    pub data: String,
    /// Its model.
    pub model: String,
    /// The seed of its training.
    pub seed: u64,
    /// How it stands.
    pub status: Status,
    /// Epochs completed.
    pub epochs: usize,
    /// Epochs of the recipe.
    pub epochs_planned: usize,
    /// The best epoch so far; null before the first.
    pub best_epoch: Option<usize>,
    /// The best epoch's figures on the validation part.
    pub valid: Option<Metrics>,
    /// Those on the test part, where the run has come to its end.
    pub test: Option<Metrics>,
    /// Seconds of training.
    pub seconds: f64,
    #[serde(skip)]
    recipe: Recipe,
}

/// The runs in a folder.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunList {
    /// By name, numbers by their value.
    pub runs: Vec<RunSummary>,
    /// What looks like a run and cannot be read, and why.
    pub unreadable: Vec<String>,
}

/// What several runs have in common and what not.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The runs.
    pub runs: Vec<RunSummary>,
    /// The keys of their recipes that are not the same in all of them.
    pub differences: Vec<Differing>,
}

/// A key that is not the same in all recipes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Differing {
    /// The key's whole path.
    pub path: String,
    /// Its value in each run; "-" where the recipe has no such key.
    pub values: Vec<String>,
}

/// The run at `path` in short.
///
/// # Errors
/// When it is no run, or its recipe or log cannot be read.
pub fn summary(path: &Path) -> Result<RunSummary> {
    let recipe = recipe_of(path)?;
    let log = log_of(path);
    let records: Vec<EpochRecord> = if log.is_file() { read_log(&log)? } else { Vec::new() };
    let report = report_of(path);
    let status = match &report {
        _ if is_in_use(path) => Status::Running,
        None => Status::Broken,
        Some(report) if report.interrupted => Status::Interrupted,
        Some(report) => report.stopped.clone().map_or(Status::Done, Status::Stopped),
    };
    let best = records.iter().rev().find(|record| record.best);
    let last = records.last();
    Ok(RunSummary {
        run: path.to_path_buf(),
        data: recipe.data.source.clone(),
        model: recipe.model.name().to_string(),
        seed: recipe.train.seed,
        status,
        epochs: last.map_or(0, |record| record.epoch),
        // What was left to the rows is written as a number.
        epochs_planned: recipe.train.epochs.unwrap_or_default(),
        best_epoch: best.map(|record| record.epoch),
        valid: best.and_then(|record| record.valid),
        test: report.as_ref().and_then(|report| report.test),
        seconds: report.map_or_else(|| last.map_or(0.0, |record| record.seconds), |report| report.seconds),
        recipe,
    })
}

/// The run at `path`, or the runs below it.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(path: &Path) -> Result<RunList> {
    let mut found = RunList::default();
    collect(path, DEPTH, &mut found)?;
    found.runs.sort_by_cached_key(|run| natural(&run.run.to_string_lossy()));
    Ok(found)
}

/// Several runs beside each other.
///
/// # Errors
/// As [`summary`].
pub fn compare(paths: &[PathBuf]) -> Result<Comparison> {
    let runs = paths.iter().map(|path| summary(path)).collect::<Result<Vec<RunSummary>>>()?;
    let recipes: Vec<BTreeMap<String, String>> = runs.iter().map(|run| recipe::values(&run.recipe)).collect();
    let paths: std::collections::BTreeSet<&String> = recipes.iter().flat_map(BTreeMap::keys).collect();
    let differing = paths.into_iter().map(|path| {
        let value = |values: &BTreeMap<String, String>| values.get(path).cloned().unwrap_or("-".to_string());
        Differing { path: path.clone(), values: recipes.iter().map(value).collect() }
    });
    let differences =
        differing.filter(|key| key.values.iter().any(|value| *value != key.values[0])).collect();
    Ok(Comparison { runs, differences })
}

fn collect(path: &Path, depth: usize, found: &mut RunList) -> Result<()> {
    match summary(path) {
        Ok(run) => {
            found.runs.push(run);
            return Ok(());
        }
        Err(Error::NotARun { .. }) => {}
        Err(error) => {
            found.unreadable.push(format!("{}: {error}", path.display()));
            return Ok(());
        }
    }
    let failed = |source| io_error("read", path, source);
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?.path();
        if entry.is_dir() {
            folders.push(entry);
        }
    }
    match depth {
        0 => Ok(()),
        _ => folders.iter().try_for_each(|folder| collect(folder, depth - 1, found)),
    }
}

/// A name as a sequence of texts and numbers, so that `run-2` comes before `run-10`.
fn natural(name: &str) -> Vec<(String, u64)> {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let (text, after) = rest.split_at(rest.find(is_digit).unwrap_or(rest.len()));
        let (digits, after) = after.split_at(after.find(|c| !is_digit(c)).unwrap_or(after.len()));
        parts.push((text.to_string(), digits.parse().unwrap_or(u64::MAX)));
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Draft;
    use crate::run::RunFolder;

    fn run_at(path: &Path, settings: &[&str]) -> RunFolder {
        let mut draft = Draft::for_source("moons");
        settings.iter().for_each(|setting| draft.set(setting).unwrap());
        let run = RunFolder::create(path, false).unwrap();
        run.write_recipe(&draft.resolve().unwrap().for_rows(700)).unwrap();
        run
    }

    #[test]
    fn runs_are_listed_by_name_with_numbers_by_value_and_those_of_seeds_too() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["moons-mlp-10", "moons-mlp-2", "seeds/seed-0"] {
            drop(run_at(&folder.path().join(name), &[]));
        }
        std::fs::create_dir(folder.path().join("notes")).unwrap();
        std::fs::create_dir(folder.path().join("bad")).unwrap();
        std::fs::write(folder.path().join("bad/recipe.toml"), "[data]\n").unwrap();
        let found = list(folder.path()).unwrap();
        let names: Vec<_> =
            found.runs.iter().map(|run| run.run.strip_prefix(folder.path()).unwrap().to_path_buf()).collect();
        assert_eq!(names, ["moons-mlp-2", "moons-mlp-10", "seeds/seed-0"].map(PathBuf::from));
        assert_eq!(found.unreadable.len(), 1, "{:?}", found.unreadable);
        assert!(found.unreadable[0].contains("`data.source` is missing"), "{:?}", found.unreadable);
    }

    #[test]
    fn a_run_that_a_process_holds_is_running_and_one_without_an_end_is_broken_off() {
        let folder = tempfile::tempdir().unwrap();
        let run = run_at(&folder.path().join("a"), &[]);
        assert_eq!(summary(run.path()).unwrap().status, Status::Running);
        let path = run.path().to_path_buf();
        drop(run);
        let summary = summary(&path).unwrap();
        assert_eq!((summary.status, summary.epochs, summary.epochs_planned), (Status::Broken, 0, 100));
    }

    #[test]
    fn compared_runs_show_the_keys_in_which_they_are_not_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b", "c"].map(|name| folder.path().join(name));
        drop(run_at(&paths[0], &[]));
        drop(run_at(&paths[1], &["train.lr=0.5"]));
        drop(run_at(&paths[2], &["train.optimizer=sgd"]));
        let differences = compare(&paths).unwrap().differences;
        let of = |path: &str| differences.iter().find(|key| key.path == path).unwrap().values.clone();
        assert_eq!(of("train.optimizer.lr"), ["0.002", "0.5", "0.1"]);
        assert_eq!(of("train.optimizer.name"), ["adamw", "adamw", "sgd"]);
        assert_eq!(of("train.optimizer.beta1"), ["0.9", "0.9", "-"]);
        assert!(differences.iter().all(|key| !key.path.starts_with("data")));
    }
}
