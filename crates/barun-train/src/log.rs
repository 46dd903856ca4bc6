//! `log.jsonl`: one JSON object a line, only ever added to.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files::{io_error, read};
use crate::metrics::Metrics;

/// One epoch, as a line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Steps taken since the beginning of the run. [TRAIN-12]
    pub step: usize,
    /// Training rows seen since the beginning of the run.
    pub samples: usize,
    /// The learning rate of the epoch's last step.
    pub lr: f64,
    /// The figures while training: means over the epoch's batches, with dropout on and weights that change.
    pub train: Metrics,
    /// The figures on the validation part after the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<Metrics>,
    /// Whether this is the best epoch so far.
    pub best: bool,
    /// Steps that were not taken, because their loss or gradient was not finite; left out where there were none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped_steps: usize,
    /// Seconds since the beginning of the run.
    pub seconds: f64,
    /// Training rows a second in this epoch.
    pub samples_per_second: f64,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A log open for adding lines.
#[derive(Debug)]
pub struct Log {
    file: File,
    path: PathBuf,
}

impl Log {
    /// Opens or creates the log at `path` to add lines after the first `lines`; what comes after them, whole or torn by a
    /// crash, is cut off. Tells how many of them there are.
    pub fn open(path: &Path, lines: usize) -> Result<(Log, usize)> {
        let failed = |source| io_error("open", path, source);
        let file = OpenOptions::new().create(true).read(true).append(true).open(path).map_err(failed)?;
        let bytes = read(path)?;
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let (mut kept, mut end) = (0, 0);
        for line_end in ends.take(lines) {
            (kept, end) = (kept + 1, line_end);
        }
        file.set_len(end as u64).map_err(failed)?;
        Ok((Log { file, path: path.to_path_buf() }, kept))
    }

    /// Adds a line; it is in the file when this returns.
    pub fn add(&mut self, record: &impl Serialize) -> Result<()> {
        let failed = |source| io_error("write", &self.path, source);
        let mut line = serde_json::to_vec(record).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(failed)
    }

    /// Waits until all lines are on the disk.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|source| io_error("write", &self.path, source))
    }
}

/// Reads a log. A last line that a crash has torn, or that is being written, is left out.
pub fn read_log<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let bytes = read(path)?;
    let (lines, torn) = split_torn(&bytes);
    let torn = is_json(torn).then_some(torn);
    let lines = lines.split(|byte| *byte == b'\n').chain(torn).enumerate();
    let records = lines.filter(|(_, line)| !line.trim_ascii().is_empty()).map(|(at, line)| {
        serde_json::from_slice(line).map_err(|error| Error::BadLog {
            path: path.to_path_buf(),
            line: at + 1,
            message: error.to_string(),
        })
    });
    records.collect()
}

/// The whole lines, and what follows the last of them.
fn split_torn(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    bytes.split_at(end)
}

fn is_json(line: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn record(epoch: usize) -> EpochRecord {
        EpochRecord {
            epoch,
            step: 10 * epoch,
            samples: 1000 * epoch,
            lr: 1e-3,
            train: Metrics { loss: 0.5, accuracy: Some(0.75), ..Metrics::default() },
            valid: None,
            best: true,
            skipped_steps: 0,
            seconds: 1.5,
            samples_per_second: 1000.0,
        }
    }

    fn log_of(lines: usize) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let (mut log, _) = Log::open(&path, 0).unwrap();
        (1..=lines).for_each(|epoch| log.add(&record(epoch)).unwrap());
        (folder, path)
    }

    #[test]
    fn a_log_has_one_object_a_line_and_reads_back() {
        let (_folder, path) = log_of(2);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text.lines().next().unwrap(),
            r#"{"epoch":1,"step":10,"samples":1000,"lr":0.001,"train":{"loss":0.5,"accuracy":0.75},"best":true,"seconds":1.5,"samples_per_second":1000.0}"#
        );
        assert_eq!(read_log::<EpochRecord>(&path).unwrap(), [record(1), record(2)]);
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_repaired() {
        let (_folder, path) = log_of(3);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 20]).unwrap();
        assert_eq!(read_log::<EpochRecord>(&path).unwrap(), [record(1), record(2)]);
        let (mut log, lines) = Log::open(&path, 3).unwrap();
        assert_eq!(lines, 2);
        log.add(&record(3)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn lines_after_those_that_count_are_cut_off() {
        let (_folder, path) = log_of(5);
        let (mut log, lines) = Log::open(&path, 2).unwrap();
        log.add(&record(3)).unwrap();
        assert_eq!(lines, 2);
        assert_eq!(read_log::<EpochRecord>(&path).unwrap(), [record(1), record(2), record(3)]);
    }

    #[test]
    fn a_last_line_that_lacks_only_its_end_is_read() {
        let (_folder, path) = log_of(2);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(read_log::<EpochRecord>(&path).unwrap(), [record(1), record(2)]);
    }

    #[test]
    fn a_bad_line_in_the_middle_is_named() {
        let (_folder, path) = log_of(1);
        fs::write(&path, [&fs::read(&path).unwrap()[..], b"{\"epoch\":\n{}\n"].concat()).unwrap();
        let message = read_log::<EpochRecord>(&path).unwrap_err().to_string();
        let begins = format!("{}:2: this is not a record of barun's log: ", path.display());
        assert!(message.starts_with(&begins), "{message}");
    }
}
