//! How often the test part of a data set has been looked at, over all runs of this user. [EVAL-03]
//!
//! A test part judges one model once. Whoever looks, changes something and looks again has begun to choose by it, and its
//! figures become too good. So each look is counted, by the data's [`fingerprint`](barun_data::integrity::fingerprint):
//! in `looks.json` in the user's state folder, which is
//!
//! | system | folder |
//! |---|---|
//! | any | `$BARUN_STATE`, where it is set |
//! | Linux and others | `$XDG_STATE_HOME/barun`, else `~/.local/state/barun` |
//! | macOS | `~/Library/Application Support/barun` |
//! | Windows | `%LOCALAPPDATA%\barun` |
//!
//! The file is written atomically under a lock, so that runs at the same time all count. A library that wants no such
//! file does not use this module: [`Trained::test`](crate::Trained::test) counts for its own model only.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files::{io_error, read, write_atomically};

const FILE: &str = "looks.json";
const LOCK: &str = "looks.lock";

/// The count of one data set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// What the data set was called when it was last looked at.
    pub data: String,
    /// How often its test part has been looked at.
    pub looks: usize,
    /// By which model it was first looked at.
    pub first: String,
    /// By which model it was last looked at.
    pub last: String,
}

/// The counts of all data sets.
#[derive(Clone, Debug)]
pub struct Looks {
    folder: PathBuf,
}

/// The file: counts by fingerprint, in hexadecimal.
type Counts = BTreeMap<String, Count>;

impl Looks {
    /// The counts of this user; none where the system names no place for them.
    pub fn of_user() -> Option<Looks> {
        let folder =
            |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
        let beneath = |variable: &str, rest: &str| folder(variable).map(|begin| begin.join(rest));
        let found = folder("BARUN_STATE").or_else(|| {
            if cfg!(windows) {
                beneath("LOCALAPPDATA", "barun")
            } else if cfg!(target_os = "macos") {
                beneath("HOME", "Library/Application Support/barun")
            } else {
                beneath("XDG_STATE_HOME", "barun").or_else(|| beneath("HOME", ".local/state/barun"))
            }
        });
        found.map(Looks::in_folder)
    }

    /// The counts in a folder, which need not exist yet.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Looks {
        Looks { folder: folder.into() }
    }

    /// The count of the data set with this fingerprint.
    ///
    /// # Errors
    /// A file that cannot be read, or is not one of counts.
    pub fn count(&self, fingerprint: u64) -> Result<Count> {
        Ok(self.read()?.remove(&key(fingerprint)).unwrap_or_default())
    }

    /// Counts a look at the test part of `data` by `model`, and gives the count before it.
    ///
    /// # Errors
    /// As [`count`](Looks::count); a folder that cannot be written to.
    pub fn add(&self, fingerprint: u64, data: &str, model: &str) -> Result<Count> {
        fs::create_dir_all(&self.folder).map_err(|source| io_error("create", &self.folder, source))?;
        let lock = self.folder.join(LOCK);
        let failed = |source| io_error("lock", &lock, source);
        let held = File::create(&lock).map_err(failed)?;
        // A file system without locks counts as well as it can.
        let _ = held.lock();
        let mut counts = self.read()?;
        let count = counts.entry(key(fingerprint)).or_default();
        let before = count.clone();
        count.looks += 1;
        count.data = data.to_string();
        count.last = model.to_string();
        if count.first.is_empty() {
            count.first = model.to_string();
        }
        let text = serde_json::to_string_pretty(&counts).unwrap_or_default();
        write_atomically(&self.folder.join(FILE), text.as_bytes())?;
        Ok(before)
    }

    fn read(&self) -> Result<Counts> {
        let path = self.folder.join(FILE);
        if !path.exists() {
            return Ok(Counts::new());
        }
        serde_json::from_slice(&read(&path)?).map_err(|error| bad_file(&path, &error))
    }
}

fn key(fingerprint: u64) -> String {
    format!("{fingerprint:016x}")
}

fn bad_file(path: &Path, error: &serde_json::Error) -> Error {
    Error::BadLooks { path: path.to_path_buf(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_counted_for_each_data_set_also_at_the_same_time() {
        let folder = tempfile::tempdir().unwrap();
        let looks = Looks::in_folder(folder.path().join("state").join("barun"));
        assert_eq!(looks.count(1).unwrap(), Count::default());
        assert_eq!(looks.add(1, "iris", "runs/iris-mlp-1").unwrap().looks, 0);
        let before = looks.add(1, "iris", "runs/iris-mlp-2").unwrap();
        assert_eq!((before.looks, before.first.as_str()), (1, "runs/iris-mlp-1"));
        assert_eq!(looks.add(2, "wine", "runs/wine-mlp-1").unwrap().looks, 0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| looks.add(1, "iris", "another").unwrap());
            }
        });
        let count = looks.count(1).unwrap();
        assert_eq!(
            (count.looks, count.first.as_str(), count.last.as_str()),
            (10, "runs/iris-mlp-1", "another")
        );
    }

    #[test]
    fn a_damaged_file_is_named_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        let message = Looks::in_folder(folder.path()).add(1, "iris", "run").unwrap_err().to_string();
        assert!(message.contains("looks.json") && message.contains("remove it to begin anew"), "{message}");
        assert_eq!(fs::read_to_string(folder.path().join(FILE)).unwrap(), "{");
    }
}
