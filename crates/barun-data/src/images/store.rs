//! Where image files lie: in a folder, or in a zip archive.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use zip::ZipArchive;

use super::decode::{self, Header, Problem};
use crate::error::{Error, Result};

/// Folders below one another; more is a circle of links.
const DEEPEST: usize = 12;

/// The files of a folder or an archive, by number. A copy shares them.
#[derive(Clone, Debug)]
pub(super) struct Store {
    path: PathBuf,
    files: Arc<Files>,
}

enum Files {
    /// Names from the folder on, and what to open.
    Folder(Vec<(String, PathBuf)>),
    /// Names in the archive with their places in it. Reading one seeks, so that one thread reads at a time; what takes
    /// long, decoding, happens outside.
    Zip { names: Vec<(String, usize)>, archive: Mutex<ZipArchive<BufReader<File>>> },
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} files", self.len())
    }
}

impl Files {
    fn len(&self) -> usize {
        match self {
            Files::Folder(files) => files.len(),
            Files::Zip { names, .. } => names.len(),
        }
    }
}

impl Store {
    /// Lists the files of the folder or the zip archive at `path`.
    pub fn open(path: &Path) -> Result<Store> {
        let read = |source| Error::Read { path: path.to_path_buf(), source };
        let files = if path.is_dir() {
            let mut files = Vec::new();
            list(path, "", 0, &mut files)?;
            Files::Folder(files)
        } else {
            let broken = |source| Error::Zip { path: path.to_path_buf(), source: Box::new(source) };
            let file = BufReader::new(File::open(path).map_err(read)?);
            let archive = ZipArchive::new(file).map_err(broken)?;
            let mut names = Vec::new();
            for place in 0..archive.len() {
                let name = archive.name_for_index(place).transpose().map_err(broken)?.unwrap_or_default();
                if !name.ends_with('/') {
                    names.push((name.replace('\\', "/"), place));
                }
            }
            Files::Zip { names, archive: Mutex::new(archive) }
        };
        Ok(Store { path: path.to_path_buf(), files: Arc::new(files) })
    }

    /// A single image file, or the image files of a folder in the order of their names.
    pub fn open_files(path: &Path) -> Result<Store> {
        let mut files = Vec::new();
        match path.is_dir() {
            true => list(path, "", 0, &mut files)?,
            false => files.push((path.display().to_string(), path.to_path_buf())),
        }
        if path.is_dir() {
            files.retain(|(name, _)| decode::is_image_name(name));
            files.sort();
        }
        if files.is_empty() {
            let problem = "there is no PNG, JPEG or WebP file in it".to_string();
            return Err(Error::NoImages { path: path.to_path_buf(), problem });
        }
        Ok(Store { path: path.to_path_buf(), files: Arc::new(Files::Folder(files)) })
    }

    /// The folder or the archive.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// The name of a file, from the folder on, with `/` between folders.
    pub fn name(&self, file: usize) -> String {
        match &*self.files {
            Files::Folder(files) => files[file].0.clone(),
            Files::Zip { names, .. } => names[file].0.clone(),
        }
    }

    /// What a file's header says.
    pub fn header(&self, file: usize) -> Result<Header> {
        self.read(file).and_then(|bytes| decode::header(&bytes)).map_err(|problem| self.broken(file, problem))
    }

    /// A file as pixels of the given shape.
    pub fn image(&self, file: usize, shape: [usize; 3]) -> Result<Vec<u8>> {
        self.read(file)
            .and_then(|bytes| decode::decode(&bytes, shape))
            .map_err(|problem| self.broken(file, problem))
    }

    /// Where a file lies, for people.
    pub fn place(&self, file: usize) -> String {
        match &*self.files {
            Files::Folder(files) => files[file].1.display().to_string(),
            Files::Zip { names, .. } => format!("{} in {}", names[file].0, self.path.display()),
        }
    }

    fn broken(&self, file: usize, problem: Problem) -> Error {
        Error::ImageFile { path: self.place(file), problem: problem.0 }
    }

    fn read(&self, file: usize) -> Result<Vec<u8>, Problem> {
        match &*self.files {
            Files::Folder(files) => decode::read_file(&files[file].1),
            Files::Zip { names, archive, .. } => {
                // Whoever panicked holding the lock left nothing half done: each read seeks anew.
                let mut archive = archive.lock().unwrap_or_else(PoisonError::into_inner);
                let entry = archive.by_index(names[file].1).map_err(|error| Problem(error.to_string()))?;
                decode::read_limited(entry)
            }
        }
    }
}

fn list(folder: &Path, prefix: &str, depth: usize, files: &mut Vec<(String, PathBuf)>) -> Result<()> {
    let read = |source| Error::Read { path: folder.to_path_buf(), source };
    if depth > DEEPEST {
        let problem = format!(
            "{} lies more than {DEEPEST} folders deep; is there a link in a circle?",
            folder.display()
        );
        return Err(Error::NoImages { path: folder.to_path_buf(), problem });
    }
    for entry in fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = format!("{prefix}{}", name.to_string_lossy());
        // Follows links.
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => list(&path, &format!("{name}/"), depth + 1, files)?,
            _ => files.push((name, path)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_archive_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pets.zip");
        std::fs::write(&path, b"PK but not much of an archive").unwrap();
        let message = Store::open(&path).unwrap_err().to_string();
        assert!(message.contains("pets.zip") && message.contains("zip archive"), "{message}");
    }
}
