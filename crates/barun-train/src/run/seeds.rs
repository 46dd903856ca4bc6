//! The folder of a training with several seeds.
//!
//! ```text
//! runs/digits-mlp-1/
//!     seeds.json    what is to be done, and what has come of it
//!     seed-0/       a run folder
//!     seed-1/       ...
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{RunFolder, SEEDS, claim, lock, numbered};
use crate::error::Result;
use crate::files::{io_error, read_text, remove_left_overs, write_atomically};
use crate::recipe::Recipe;
use crate::report::SeedsReport;

/// The folder of a training with several seeds: a run folder `seed-N` for each, and `seeds.json`.
#[derive(Debug)]
pub struct SeedsFolder {
    path: PathBuf,
    _lock: File,
}

/// What `seeds.json` holds.
#[derive(Serialize, Deserialize)]
struct Seeds {
    /// What every run does, but for its seed.
    recipe: String,
    seeds: Vec<u64>,
    /// What has come of it so far.
    report: Option<SeedsReport>,
}

impl SeedsFolder {
    /// Makes the folder, by the rules of [`RunFolder::create`].
    pub fn create(path: &Path, force: bool) -> Result<SeedsFolder> {
        RunFolder::check_free(path, force)?;
        Ok(SeedsFolder { path: path.to_path_buf(), _lock: claim(path, force)? })
    }

    /// Makes `parent/name-1`, or with the next number that is free.
    pub fn create_numbered(parent: &Path, name: &str) -> Result<SeedsFolder> {
        SeedsFolder::create(&numbered(parent, name)?, false)
    }

    /// Opens an existing one to go on.
    pub fn open(path: &Path) -> Result<SeedsFolder> {
        let folder = SeedsFolder { path: path.to_path_buf(), _lock: lock(path)? };
        remove_left_overs(path)?;
        Ok(folder)
    }

    /// Whether `path` is such a folder.
    pub fn is_at(path: &Path) -> bool {
        path.join(SEEDS).is_file()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what is to be done.
    pub fn write_plan(&self, recipe: &Recipe, seeds: &[u64]) -> Result<()> {
        self.write(&Seeds { recipe: recipe.to_toml(), seeds: seeds.to_vec(), report: None })
    }

    /// What is to be done.
    pub fn plan(&self) -> Result<(Recipe, Vec<u64>)> {
        let Seeds { recipe, seeds, .. } = self.read()?;
        let origin = self.path.join(SEEDS);
        Ok((Recipe::from_toml(&recipe, &origin.to_string_lossy())?, seeds))
    }

    /// Adds what has come of it.
    pub fn write_report(&self, report: &SeedsReport) -> Result<()> {
        self.write(&Seeds { report: Some(report.clone()), ..self.read()? })
    }

    fn read(&self) -> Result<Seeds> {
        let file = self.path.join(SEEDS);
        serde_json::from_str(&read_text(&file)?).map_err(|error| io_error("read", &file, error.into()))
    }

    fn write(&self, seeds: &Seeds) -> Result<()> {
        let file = self.path.join(SEEDS);
        let text =
            serde_json::to_string_pretty(seeds).map_err(|error| io_error("write", &file, error.into()))?;
        write_atomically(&file, (text + "\n").as_bytes())
    }
}
