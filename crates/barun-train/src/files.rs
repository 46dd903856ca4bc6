//! Files that are either the old one or the new one, never half of the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// Writes a file so that a crash, a full disk or a reader at the wrong moment never meets half of it: into a file beside
/// it, to the disk, then renamed over it.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically_with(path, |beside| {
        File::create(beside).and_then(|mut file| file.write_all(bytes)).map_err(|error| written(path, error))
    })
}

/// As [`write_atomically`], by `write`, which is given the file beside.
pub(crate) fn write_atomically_with(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let beside = beside(path);
    let outcome = write(&beside).and_then(|()| keep(&beside, path).map_err(|error| written(path, error)));
    if outcome.is_err() {
        // The first error is the one to tell; a left-over is only untidy.
        let _ = fs::remove_file(&beside);
    }
    outcome
}

/// Renames `from` over `to`, for good; where there is no `from`, nothing happens.
pub(crate) fn replace(from: &Path, to: &Path) -> Result<()> {
    match fs::rename(from, to).and_then(|()| sync_folder(to)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome.map_err(|error| io_error("replace", to, error)),
    }
}

/// Removes the halves of files that processes left in `folder` which were killed while they wrote.
pub(crate) fn remove_left_overs(folder: &Path) -> Result<()> {
    let failed = |source| io_error("read", folder, source);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if is_left_over(&path) {
            fs::remove_file(&path).map_err(|source| io_error("remove", &path, source))?;
        }
    }
    Ok(())
}

/// Whether `path` is the half of a file.
pub(crate) fn is_left_over(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let by_safetensors = name.strip_prefix(SAFETENSORS_BEGIN).is_some_and(|random| {
        random.len() == SAFETENSORS_RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    by_safetensors || name.starts_with('.') && name.ends_with(LEFT_OVER)
}

/// How the names of files end that are not yet whole.
const LEFT_OVER: &str = ".barun-tmp";
/// The crate `safetensors` writes a checkpoint into a file of its own first, `.tmp` and six random letters.
const SAFETENSORS_BEGIN: &str = ".tmp";
const SAFETENSORS_RANDOM: usize = 6;

fn written(path: &Path, source: std::io::Error) -> Error {
    io_error("write", path, source)
}

/// Reads a whole file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| io_error("read", path, source))
}

/// Reads a whole text file.
pub fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|source| io_error("read", path, source))
}

pub(crate) fn io_error(doing: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Io { doing, path: path.to_path_buf(), source }
}

fn beside(path: &Path) -> PathBuf {
    static WRITES: AtomicUsize = AtomicUsize::new(0);
    let write = WRITES.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}-{write}{LEFT_OVER}", std::process::id()))
}

fn keep(beside: &Path, path: &Path) -> std::io::Result<()> {
    OpenOptions::new().write(true).open(beside)?.sync_all()?;
    fs::rename(beside, path)?;
    sync_folder(path)
}

/// The rename itself reaches the disk with its folder.
#[cfg(unix)]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_over_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("한글 name.txt");
        write_atomically(&path, b"old and longer").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_killed_processes_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let left = beside(&folder.path().join("last.safetensors"));
        let of_safetensors = folder.path().join(".tmpPHzaQd");
        let own = [".hidden.tmp", "a.barun-tmp"].map(|name| folder.path().join(name));
        for path in [&left, &of_safetensors, &own[0], &own[1]] {
            fs::write(path, "half").unwrap();
        }
        remove_left_overs(folder.path()).unwrap();
        assert!(!left.exists() && !of_safetensors.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "x").unwrap();
        let error = write_atomically(&path, b"new").unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write {}", path.display()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
