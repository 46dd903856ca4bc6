//! Opening data by name or path.

use std::path::{Path, PathBuf};

use crate::dataset::Dataset;
use crate::divide::DividingColumns;
use crate::error::{Error, Result};
use crate::suggest::Suggestion;
use crate::table::{self, TableOptions, TargetKind};
use crate::{digits, mnist, toy};

/// The sources known by name.
pub const SOURCES: [&str; 8] =
    ["digits", "mnist", "fashion-mnist", "moons", "rings", "xor", "sine", "outliers"];

/// What a source known by name is, in a sentence; `None` for a name that is not among [`SOURCES`].
pub fn about(source: &str) -> Option<&'static str> {
    Some(match source {
        "digits" => "Handwritten-like digits, 28 x 28, drawn by barun itself: needs no files.",
        "mnist" => "Handwritten digits, 28 x 28, from the four IDX files in the data directory.",
        "fashion-mnist" => "Pieces of clothing, 28 x 28, from the four IDX files in the data directory.",
        "moons" => "Two interleaving half circles: two columns, two classes.",
        "rings" => "Two concentric circles: two columns, two classes.",
        "xor" => {
            "Clouds around the corners of a square, a class for each diagonal: two columns, two classes."
        }
        "sine" => "A sine wave with noise: one column, a number.",
        "outliers" => "A line with a tenth of its points far off: one column, a number.",
        _ => return None,
    })
}

/// How to open a source. The default suits every source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenOptions {
    /// Where `mnist/` and `fashion-mnist/` lie. Default: `$BARUN_DATA`, else `data`.
    pub data_dir: Option<PathBuf>,
    /// Tables: the name of the column to predict. Default: the last column.
    pub target: Option<String>,
    /// Tables: whether the target is classes or numbers. Default: by rule, see [`table`].
    pub target_kind: TargetKind,
    /// Tables: columns to leave out, such as row numbers and names.
    pub ignore: Vec<String>,
    /// Tables: columns by which rows are divided, which are left out as well.
    pub divide: DividingColumns,
    /// Drawn data (`digits`, `moons`, ...): the seed. Default 0.
    pub seed: u64,
    /// Drawn data: how many samples. Default: 12,000 digits, 1,000 of the others.
    pub samples: Option<usize>,
}

impl OpenOptions {
    /// Opens `digits`, `mnist`, `fashion-mnist`, `moons`, `rings`, `xor`, `sine`, `outliers`, or a `.csv` or `.tsv` file.
    ///
    /// # Errors
    /// An unknown name (the nearest known one is suggested), missing files (with where to put which), and whatever is
    /// wrong in a file, with its place.
    pub fn open(&self, source: impl AsRef<Path>) -> Result<Dataset> {
        let source = source.as_ref();
        let seed = self.seed;
        if let (true, Some(column)) = (is_named(source), self.divide.names().first()) {
            let name = source.display().to_string();
            return Err(Error::NoColumns { name, column: column.to_string() });
        }
        match source.to_str().unwrap_or_default() {
            "digits" => digits::dataset(self.samples.unwrap_or(digits::DEFAULT_SAMPLES), seed),
            "mnist" => mnist::mnist(&self.data_dir()),
            "fashion-mnist" => mnist::fashion_mnist(&self.data_dir()),
            "moons" => toy::moons(self.toy_samples(), toy::NOISE, seed),
            "rings" => toy::rings(self.toy_samples(), toy::NOISE, seed),
            "xor" => toy::xor(self.toy_samples(), toy::NOISE, seed),
            "sine" => toy::sine(self.toy_samples(), toy::NOISE, seed),
            "outliers" => toy::outliers(self.toy_samples(), toy::NOISE, seed),
            _ => self.open_path(source),
        }
    }

    fn open_path(&self, path: &Path) -> Result<Dataset> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if extension != "csv" && extension != "tsv" {
            let name = path.display().to_string();
            let suggestion = Suggestion::nearest(&name, SOURCES);
            return Err(Error::UnknownSource { name, suggestion, known: SOURCES.to_vec() });
        }
        if !path.exists() {
            return Err(Error::NoSuchFile { path: path.to_path_buf(), suggestion: neighbour(path) });
        }
        let options = TableOptions {
            target: self.target.clone(),
            target_kind: self.target_kind,
            ignore: self
                .ignore
                .iter()
                .map(String::as_str)
                .chain(self.divide.names())
                .map(str::to_string)
                .collect(),
        };
        let dataset = table::read(path, &options)?;
        if self.divide.is_empty() { Ok(dataset) } else { self.divide.attach(dataset, path) }
    }

    fn data_dir(&self) -> PathBuf {
        let from_environment =
            || std::env::var_os("BARUN_DATA").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        self.data_dir.clone().or_else(from_environment).unwrap_or_else(|| PathBuf::from("data"))
    }

    fn toy_samples(&self) -> usize {
        self.samples.unwrap_or(toy::DEFAULT_SAMPLES)
    }
}

fn is_named(source: &Path) -> bool {
    source.to_str().is_some_and(|name| SOURCES.contains(&name))
}

/// A file in the same folder whose name is nearly the one asked for.
fn neighbour(path: &Path) -> Suggestion {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    Suggestion::nearest(&name, files.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_by_name_is_described() {
        assert!(SOURCES.iter().all(|source| about(source).is_some()));
    }
}
