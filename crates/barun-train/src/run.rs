//! The run folder: everything about one training run, in one place that can be moved.
//!
//! ```text
//! runs/digits-mlp-1/
//!     recipe.toml                     the resolved recipe
//!     log.jsonl                       one line an epoch
//!     checkpoints/best.safetensors    the model to use
//!     checkpoints/last.safetensors    the state to go on from
//!     checkpoints/previous.safetensors    the one before, should the last one be damaged
//!     findings.jsonl                  what the doctor found, one line each, as it arose
//!     repairs.jsonl                   what the doctor tried to mend, and what came of it
//!     recipe-repaired.toml            the recipe with what it changed
//!     checkpoints/before-repair-1.safetensors    the state before its first repair
//!     doctor.json                     the doctor's diagnosis of the whole run, with its vital signs
//!     report.json                     how the run ended, with what was found in the data and what the model is worth
//!     details.json                    what the report shows besides
//!     report.html                     the report, a page
//!     tensorboard/                    event files, with train/ and valid/ in it
//!     .lock                           held while a process writes here
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::checkpoint::Checkpoint;
mod seeds;

pub use seeds::SeedsFolder;

use crate::error::{Error, Result};
use crate::files::{io_error, is_left_over, read_text, remove_left_overs, replace, write_atomically};
use crate::log::Log;
use crate::recipe::Recipe;
use crate::report::TrainReport;

const RECIPE: &str = "recipe.toml";
const LOG: &str = "log.jsonl";
const REPORT: &str = "report.json";
const SEEDS: &str = "seeds.json";
const DETAILS: &str = "details.json";
const FINDINGS: &str = "findings.jsonl";
const REPAIRS: &str = "repairs.jsonl";
const REPAIRED: &str = "recipe-repaired.toml";
/// How the names of checkpoints from before a repair begin.
const BEFORE_REPAIR: &str = "before-repair-";
const DIAGNOSIS: &str = "doctor.json";
const PAGE: &str = "report.html";
const EVENTS: &str = "tensorboard";
/// How the names of event files begin.
const EVENT_FILE: &str = "events.out.tfevents.";
const CHECKPOINTS: &str = "checkpoints";
const LOCK: &str = ".lock";
/// What a run writes, and so what `--force` may remove.
const OWN_FILES: &[&str] = &[
    RECIPE,
    LOG,
    REPORT,
    SEEDS,
    FINDINGS,
    REPAIRS,
    REPAIRED,
    DIAGNOSIS,
    DETAILS,
    PAGE,
    "checkpoints/best.safetensors",
    "checkpoints/last.safetensors",
    "checkpoints/previous.safetensors",
    "checkpoints/next.safetensors",
];

/// Which of a run's checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The best epoch by the validation part.
    Best,
    /// The latest state.
    Last,
    /// The state before it, should that be damaged.
    Previous,
}

/// A run folder that this process, and no other, may write to.
///
/// The operating system drops the lock when the process ends, however it ends, so a crash leaves nothing to clean up.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    _lock: File,
}

impl RunFolder {
    /// Makes a run folder at `path`. One that already holds something is refused, unless `force`: then what an earlier run
    /// wrote is removed, and nothing else.
    pub fn create(path: &Path, force: bool) -> Result<RunFolder> {
        RunFolder::check_free(path, force)?;
        let run = RunFolder { path: path.to_path_buf(), _lock: claim(path, force)? };
        let checkpoints = path.join(CHECKPOINTS);
        fs::create_dir_all(&checkpoints).map_err(|source| io_error("create", &checkpoints, source))?;
        Ok(run)
    }

    /// Whether [`create`](RunFolder::create) would refuse `path` now. Writes nothing.
    pub fn check_free(path: &Path, force: bool) -> Result<()> {
        match !force && holds_something(path) {
            true => Err(Error::RunExists { path: path.to_path_buf() }),
            false => Ok(()),
        }
    }

    /// Makes `parent/name-1`, or with the next number that is free.
    pub fn create_numbered(parent: &Path, name: &str) -> Result<RunFolder> {
        RunFolder::create(&numbered(parent, name)?, false)
    }

    /// Opens an existing run to write to it again.
    pub fn open(path: &Path) -> Result<RunFolder> {
        must_be_a_run(path)?;
        let run = RunFolder { path: path.to_path_buf(), _lock: lock(path)? };
        let checkpoints = path.join(CHECKPOINTS);
        fs::create_dir_all(&checkpoints).map_err(|source| io_error("create", &checkpoints, source))?;
        // Nobody else writes here now.
        remove_left_overs(path)?;
        remove_left_overs(&checkpoints)?;
        Ok(run)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the resolved recipe.
    pub fn write_recipe(&self, recipe: &Recipe) -> Result<()> {
        write_atomically(&self.path.join(RECIPE), recipe.to_toml().as_bytes())
    }

    /// Writes the recipe with what was changed on the way.
    pub(crate) fn write_repaired_recipe(&self, recipe: &Recipe) -> Result<()> {
        write_atomically(&self.path.join(REPAIRED), recipe.to_toml().as_bytes())
    }

    /// Opens the log to add lines after the first `lines`, and tells how many of them there are.
    pub fn log(&self, lines: usize) -> Result<(Log, usize)> {
        Log::open(&self.path.join(LOG), lines)
    }

    /// Writes how the run ended.
    pub fn write_report(&self, report: &TrainReport) -> Result<()> {
        write_report(&self.path, report)
    }

    /// Makes `checkpoint` the last state and the last one the previous: at any moment one of them is there.
    pub(crate) fn replace_last(&self, checkpoint: &Checkpoint<'_>) -> Result<()> {
        let (last, next) =
            (self.checkpoint(Which::Last), self.path.join(CHECKPOINTS).join("next.safetensors"));
        checkpoint.write(&next)?;
        replace(&last, &self.checkpoint(Which::Previous))?;
        replace(&next, &last)
    }

    /// Where a checkpoint is, or will be.
    pub fn checkpoint(&self, which: Which) -> PathBuf {
        checkpoint_of(&self.path, which)
    }
}

/// Whether a process is writing to the run at `path`. Writes nothing.
pub(crate) fn is_in_use(path: &Path) -> bool {
    let lock = File::open(path.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

/// The recipe of the run at `path`.
pub fn recipe_of(path: &Path) -> Result<Recipe> {
    must_be_a_run(path)?;
    let file = path.join(RECIPE);
    Recipe::from_toml(&read_text(&file)?, &file.to_string_lossy())
}

/// How the run at `path` ended; none where it has not, or nobody could say so any more.
pub fn report_of(path: &Path) -> Option<TrainReport> {
    serde_json::from_str(&read_text(&path.join(REPORT)).ok()?).ok()
}

/// Writes how the run at `path` ended.
pub(crate) fn write_report(path: &Path, report: &TrainReport) -> Result<()> {
    let file = path.join(REPORT);
    let text =
        serde_json::to_string_pretty(report).map_err(|error| io_error("write", &file, error.into()))?;
    write_atomically(&file, (text + "\n").as_bytes())
}

/// Where the details of the run at `path` are, or would be.
#[cfg(feature = "report")]
pub(crate) fn details_of(path: &Path) -> PathBuf {
    path.join(DETAILS)
}

/// Where the report of the run at `path` is, or would be.
#[cfg(feature = "report")]
pub fn page_of(path: &Path) -> PathBuf {
    path.join(PAGE)
}

/// Where the event files of the run at `path` are: of its training and validation part in folders inside.
pub(crate) fn events_of(path: &Path) -> [PathBuf; 3] {
    let all = path.join(EVENTS);
    [all.clone(), all.join("train"), all.join("valid")]
}

/// Forgets how the run at `path` ended, because it goes on.
pub(crate) fn remove_report(path: &Path) -> Result<()> {
    remove_if_there(&path.join(DETAILS))?;
    remove_if_there(&path.join(DIAGNOSIS))?;
    remove_if_there(&path.join(REPORT))
}

/// Where the findings of the run at `path` are as they arose, or would be.
pub fn findings_of(path: &Path) -> PathBuf {
    path.join(FINDINGS)
}

/// Where the repairs of the run at `path` are as they were tried, or would be.
pub fn repairs_of(path: &Path) -> PathBuf {
    path.join(REPAIRS)
}

/// Where the recipe with what was changed in the run at `path` is, or would be.
pub fn repaired_recipe_of(path: &Path) -> PathBuf {
    path.join(REPAIRED)
}

/// Where in a run's folder the state from before its repair of this number is, or would be.
pub fn before_repair(number: usize) -> String {
    format!("{CHECKPOINTS}/{BEFORE_REPAIR}{number}.safetensors")
}

/// Where the diagnosis of the run at `path` is, or would be.
pub fn diagnosis_of(path: &Path) -> PathBuf {
    path.join(DIAGNOSIS)
}

/// The log of the run at `path`.
pub fn log_of(path: &Path) -> PathBuf {
    path.join(LOG)
}

/// Where a checkpoint of the run at `path` is, or would be.
pub fn checkpoint_of(path: &Path, which: Which) -> PathBuf {
    let name = match which {
        Which::Best => "best.safetensors",
        Which::Last => "last.safetensors",
        Which::Previous => "previous.safetensors",
    };
    path.join(CHECKPOINTS).join(name)
}

/// The model file that the user means by `path`: the file itself, or the best checkpoint of a run.
pub fn model_file(path: &Path) -> Result<PathBuf> {
    if path.is_file() {
        return Ok(path.to_path_buf());
    }
    must_be_a_run(path)?;
    let best = checkpoint_of(path, Which::Best);
    if best.is_file() {
        return Ok(best);
    }
    let message =
        "it has no checkpoints/best.safetensors yet; let its training finish an epoch, or train it again"
            .into();
    Err(Error::NotARun { path: path.to_path_buf(), message })
}

fn must_be_a_run(path: &Path) -> Result<()> {
    let message = match (path.exists(), path.join(RECIPE).is_file()) {
        (_, true) => return Ok(()),
        (true, false) if SeedsFolder::is_at(path) => {
            "it holds the runs of several seeds; give one of them, such as its folder seed-0"
        }
        (true, false) => "there is no recipe.toml in it; give the folder that `barun train` named",
        (false, _) => {
            "there is nothing of that name; give the folder that `barun train` named, or a model file"
        }
    };
    Err(Error::NotARun { path: path.to_path_buf(), message: message.into() })
}

/// What a run leaves that ended before it wrote anything does not count.
fn holds_something(path: &Path) -> bool {
    let Ok(entries) = fs::read_dir(path) else { return path.exists() };
    let is_empty_folder = |path: &Path| fs::read_dir(path).is_ok_and(|mut inside| inside.next().is_none());
    let is_a_trace = |entry: &Path| {
        entry.ends_with(LOCK)
            || is_left_over(entry)
            || (entry.ends_with(CHECKPOINTS) && is_empty_folder(entry))
    };
    entries.filter_map(std::io::Result::ok).any(|entry| !is_a_trace(&entry.path()))
}

/// Makes a folder at `path` this process's own, without what an earlier run has left in it.
fn claim(path: &Path, force: bool) -> Result<File> {
    fs::create_dir_all(path).map_err(|source| io_error("create", path, source))?;
    let lock = lock(path)?;
    // Another process may have finished a run here since the first look.
    if !force && OWN_FILES.iter().any(|file| path.join(file).exists()) {
        return Err(Error::RunExists { path: path.to_path_buf() });
    }
    remove_own_files(path)?;
    let seeds = fs::read_dir(path).map_err(|source| io_error("read", path, source))?;
    for seed in seeds.filter_map(std::io::Result::ok).filter(is_of_a_seed) {
        // A run inside may still be going on by itself.
        let _lock = self::lock(&seed.path())?;
        remove_own_files(&seed.path())?;
    }
    Ok(lock)
}

fn is_of_a_seed(entry: &fs::DirEntry) -> bool {
    let name = entry.file_name();
    let number = name.to_str().and_then(|name| name.strip_prefix("seed-"));
    number.is_some_and(|number| number.parse::<u64>().is_ok()) && entry.path().is_dir()
}

fn remove_own_files(path: &Path) -> Result<()> {
    OWN_FILES.iter().try_for_each(|file| remove_if_there(&path.join(file)))?;
    events_of(path).iter().try_for_each(|folder| remove_beginning(folder, EVENT_FILE))?;
    remove_beginning(&path.join(CHECKPOINTS), BEFORE_REPAIR)?;
    let folders = [path.to_path_buf(), path.join(CHECKPOINTS)];
    folders.iter().filter(|folder| folder.is_dir()).try_for_each(|folder| remove_left_overs(folder))
}

/// Removes the files in `folder` whose names begin so.
fn remove_beginning(folder: &Path, beginning: &str) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let is_one = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(beginning);
    let mut files = entries.filter_map(std::io::Result::ok).filter(is_one);
    files.try_for_each(|file| remove_if_there(&file.path()))
}

/// Makes the folder `parent/name-1`, or with the next number that is free.
pub(crate) fn numbered(parent: &Path, name: &str) -> Result<PathBuf> {
    fs::create_dir_all(parent).map_err(|source| io_error("create", parent, source))?;
    let entries = fs::read_dir(parent).map_err(|source| io_error("read", parent, source))?;
    let number_of = |entry: std::io::Result<fs::DirEntry>| -> Option<usize> {
        let taken = entry.ok()?.file_name();
        taken.to_str()?.strip_prefix(name)?.strip_prefix('-')?.parse().ok()
    };
    let mut number = entries.filter_map(number_of).max().unwrap_or(0);
    loop {
        number += 1;
        let path = parent.join(format!("{name}-{number}"));
        // Whoever makes the folder owns the number.
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io_error("create", &path, error)),
        }
    }
}

fn remove_if_there(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error("remove", file, error)),
        _ => Ok(()),
    }
}

fn lock(path: &Path) -> Result<File> {
    let file = path.join(LOCK);
    let failed = |source| io_error("lock", &file, source);
    let mut lock =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&file).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // Some systems do not let others read a locked file; then the owner stays unnamed.
            let _ = lock.read_to_string(&mut owner);
            let owner = if owner.is_empty() { "another process".to_string() } else { owner };
            return Err(Error::RunLocked { path: path.to_path_buf(), owner });
        }
        // A file system without locks: better an unguarded run than none.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => return Ok(lock),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    lock.set_len(0).and_then(|()| lock.rewind()).map_err(failed)?;
    write!(lock, "process {}", std::process::id()).map_err(failed)?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_run_folder_holds_recipe_log_and_checkpoints() {
        let folder = scratch();
        let path = folder.path().join("a").join("b c");
        let run = RunFolder::create(&path, false).unwrap();
        let recipe = Recipe::for_source("digits").unwrap();
        run.write_recipe(&recipe).unwrap();
        run.log(0).unwrap();
        assert_eq!(recipe_of(&path).unwrap(), recipe);
        assert!(log_of(&path).is_file());
        assert!(run.checkpoint(Which::Best).parent().unwrap().is_dir());
    }

    #[test]
    fn a_folder_that_holds_something_is_refused_unless_forced() {
        let folder = scratch();
        fs::write(folder.path().join("thesis.tex"), "years of work").unwrap();
        fs::write(folder.path().join("log.jsonl"), "{}\n").unwrap();
        let message = RunFolder::create(folder.path(), false).unwrap_err().to_string();
        assert_eq!(
            message,
            format!(
                "{} already exists and is not empty; choose another folder with --out, or give --force to train over it",
                folder.path().display()
            )
        );
        assert!(!folder.path().join(LOCK).exists(), "a refused run writes nothing");
        RunFolder::create(folder.path(), true).unwrap();
        assert!(!folder.path().join("log.jsonl").exists());
        assert_eq!(fs::read_to_string(folder.path().join("thesis.tex")).unwrap(), "years of work");
    }

    #[test]
    fn a_run_that_wrote_nothing_is_no_obstacle() {
        let folder = scratch();
        drop(RunFolder::create(folder.path(), false).unwrap());
        // Killed while it wrote its recipe.
        fs::write(folder.path().join(".recipe.toml.1-0.barun-tmp"), "[da").unwrap();
        let run = RunFolder::create(folder.path(), false).unwrap();
        assert!(!run.path().join(".recipe.toml.1-0.barun-tmp").exists());
    }

    #[test]
    fn two_writers_of_one_run_are_refused_and_the_lock_goes_with_its_owner() {
        let folder = scratch();
        let run = RunFolder::create(folder.path(), false).unwrap();
        run.write_recipe(&Recipe::for_source("digits").unwrap()).unwrap();
        let message = RunFolder::open(folder.path()).unwrap_err().to_string();
        if cfg!(unix) {
            let owner = format!("is in use by process {}; wait until it ends", std::process::id());
            assert!(message.contains(&owner), "{message}");
        }
        assert!(matches!(RunFolder::create(folder.path(), true), Err(Error::RunLocked { .. })));
        drop(run);
        RunFolder::open(folder.path()).unwrap();
    }

    #[test]
    fn runs_are_numbered_after_the_last_one() {
        let folder = scratch();
        let name_of = |run: &RunFolder| run.path().file_name().unwrap().to_string_lossy().into_owned();
        let first = RunFolder::create_numbered(folder.path(), "digits-mlp").unwrap();
        fs::create_dir(folder.path().join("digits-mlp-7")).unwrap();
        fs::create_dir(folder.path().join("digits-mlp-old")).unwrap();
        let next = RunFolder::create_numbered(folder.path(), "digits-mlp").unwrap();
        let other = RunFolder::create_numbered(folder.path(), "digits").unwrap();
        assert_eq!(
            [name_of(&first), name_of(&next), name_of(&other)],
            ["digits-mlp-1", "digits-mlp-8", "digits-1"]
        );
    }

    #[test]
    fn what_is_no_run_is_told_apart() {
        let folder = scratch();
        let message = |path: &Path| model_file(path).unwrap_err().to_string();
        let missing = folder.path().join("nothing");
        assert_eq!(
            message(&missing),
            format!(
                "{} is not a run: there is nothing of that name; give the folder that `barun train` named, or a model file",
                missing.display()
            )
        );
        assert!(message(folder.path()).contains("there is no recipe.toml in it"));
        fs::write(folder.path().join(RECIPE), "").unwrap();
        assert!(message(folder.path()).contains("it has no checkpoints/best.safetensors yet"));
        let file = folder.path().join("model.safetensors");
        fs::write(&file, "").unwrap();
        assert_eq!(model_file(&file).unwrap(), file);
    }
}
