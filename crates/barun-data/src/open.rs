//! Opening data by name or path.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::dataset::Dataset;
use crate::divide::DividingColumns;
use crate::error::{Error, Result};
use crate::read::Format;
use crate::suggest::Suggestion;
use crate::table::TableOptions;
use crate::{digits, named, read, toy};

/// The sources known by name.
pub const SOURCES: [&str; 11] = [
    "digits",
    "mnist",
    "fashion-mnist",
    "cifar10",
    "omniglot",
    "omniglot-small",
    "moons",
    "rings",
    "xor",
    "sine",
    "outliers",
];

/// What a source known by name is, in a sentence; `None` for a name that is not among [`SOURCES`].
pub fn about(source: &str) -> Option<&'static str> {
    Some(match source {
        "digits" => "Handwritten-like digits, 28 x 28, drawn by barun itself: needs no files.",
        "mnist" => "Handwritten digits, 28 x 28, from the data directory or fetched (12 MB).",
        "fashion-mnist" => "Pieces of clothing, 28 x 28, from the data directory or fetched (31 MB).",
        "cifar10" => {
            "Photographs of animals and vehicles, 32 x 32 in colour, from the data directory or fetched (170 MB)."
        }
        "omniglot" => {
            "Handwritten characters of 30 alphabets, 964 classes of 20, 105 x 105, from the data directory or fetched (9 MB)."
        }
        "omniglot-small" => {
            "Handwritten characters of 5 alphabets, 20 of each, 105 x 105, from the data directory or fetched (1 MB)."
        }
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

/// The bytes of decoded images that are kept unless something else is said: ten thousand of 128 x 128 in colour are half
/// of it.
pub const IMAGE_CACHE: usize = 1 << 30;

/// Whether images have colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// One channel.
    Grey,
    /// Red, green and blue.
    Rgb,
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Colour::Grey => "grey",
            Colour::Rgb => "rgb",
        })
    }
}

/// How to open a source. The default suits every source.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Where the folders `mnist/`, `cifar10/` and so on lie, and are fetched to. Default: `$BARUN_DATA`, else `data`.
    pub data_dir: Option<PathBuf>,
    /// Tables: the target, the columns, how the file is read.
    pub table: TableOptions,
    /// Tables: columns by which rows are divided, which are not learned from.
    pub divide: DividingColumns,
    /// Known data sets that are not there are an error, in place of being fetched.
    pub offline: bool,
    /// Who is told what takes long, such as fetching. Default: nobody.
    pub tell: fn(&str),
    /// Images: `[height, width]` they are scaled to. Default: their own, or the most common of a folder's.
    pub image_size: Option<[usize; 2]>,
    /// Image files: whether to read colours. Default: as most of them are.
    pub colour: Option<Colour>,
    /// Image files: leave out those that cannot be read, in place of an error.
    pub skip_unreadable: bool,
    /// Image files: how many bytes of decoded images are kept; the others are decoded each time. Default: 1 GiB.
    pub image_cache: usize,
    /// Drawn data (`digits`, `moons`, ...): the seed. Default 0.
    pub seed: u64,
    /// Drawn data: how many samples. Default: 12,000 digits, 1,000 of the others.
    pub samples: Option<usize>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions {
            data_dir: None,
            offline: false,
            tell: |_| (),
            image_size: None,
            colour: None,
            skip_unreadable: false,
            image_cache: IMAGE_CACHE,
            table: TableOptions::default(),
            divide: DividingColumns::default(),
            seed: 0,
            samples: None,
        }
    }
}

impl OpenOptions {
    /// Opens one of [`SOURCES`], a table (`.csv`, `.tsv`, `.txt`, each also with `.gz`, or `.parquet`), NumPy arrays
    /// (`.npy`, `.npz`), images in an IDX file whose labels lie beside it, a folder of class folders of images, or a `.zip`
    /// of one.
    ///
    /// # Errors
    /// An unknown name (the nearest known one is suggested), missing files (with where to put which), and whatever is
    /// wrong in a file, with its place.
    pub fn open(&self, source: impl AsRef<Path>) -> Result<Dataset> {
        let source = source.as_ref();
        let dataset = self.open_as_it_is(source)?;
        match self.image_size {
            Some(size) if !is_sized(&dataset, size) => resized(dataset, size),
            _ => Ok(dataset),
        }
    }

    fn open_as_it_is(&self, source: &Path) -> Result<Dataset> {
        let seed = self.seed;
        let name = source.to_str().unwrap_or_default();
        if let Some(column) = self.divide.names().first()
            && SOURCES.contains(&name)
        {
            return Err(Error::NoColumns { name: name.to_string(), column: column.to_string() });
        }
        if let Some(named) = named::by_name(name) {
            return named.open(self);
        }
        match name {
            "digits" => digits::dataset(self.samples.unwrap_or(digits::DEFAULT_SAMPLES), seed),
            "moons" => toy::moons(self.toy_samples(), toy::NOISE, seed),
            "rings" => toy::rings(self.toy_samples(), toy::NOISE, seed),
            "xor" => toy::xor(self.toy_samples(), toy::NOISE, seed),
            "sine" => toy::sine(self.toy_samples(), toy::NOISE, seed),
            "outliers" => toy::outliers(self.toy_samples(), toy::NOISE, seed),
            _ => self.open_path(source),
        }
    }

    fn open_path(&self, path: &Path) -> Result<Dataset> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_idx = name.contains("idx3-ubyte");
        let is_zip = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"));
        if path.is_dir() {
            return match Format::of(path) {
                Some(_) => Err(Error::IsFolder { path: path.to_path_buf() }),
                None => open_images(path, self),
            };
        }
        if Format::of(path).is_none() && !is_idx && !is_zip {
            let name = path.display().to_string();
            let suggestion = Suggestion::nearest(&name, SOURCES);
            return Err(Error::UnknownSource { name, suggestion, known: SOURCES.to_vec() });
        }
        let data = std::fs::metadata(path);
        match data {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::NoSuchFile { path: path.to_path_buf(), suggestion: neighbour(path) })
            }
            Err(source) => Err(Error::Read { path: path.to_path_buf(), source }),
            Ok(data) if data.is_file() && data.len() == 0 => {
                Err(Error::EmptyFile { path: path.to_path_buf() })
            }
            Ok(_) if is_zip => open_images(path, self),
            Ok(_) if is_idx => named::idx_file(path),
            Ok(_) => self.open_table(path),
        }
    }

    fn open_table(&self, path: &Path) -> Result<Dataset> {
        let divide = &self.divide;
        let mut options = self.table.clone();
        options.ignore.extend(divide.names().into_iter().map(str::to_string));
        let dataset = read::to_train(path, &options)?;
        if divide.is_empty() { Ok(dataset) } else { divide.attach(dataset, path, &self.table) }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        let from_environment =
            || std::env::var_os("BARUN_DATA").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        self.data_dir.clone().or_else(from_environment).unwrap_or_else(|| PathBuf::from("data"))
    }

    fn toy_samples(&self) -> usize {
        self.samples.unwrap_or(toy::DEFAULT_SAMPLES)
    }
}

fn is_sized(dataset: &Dataset, [height, width]: [usize; 2]) -> bool {
    matches!(dataset.features().image_shape(), Some([h, w, _]) if [h, w] == [height, width])
}

#[cfg(feature = "images")]
fn resized(dataset: Dataset, size: [usize; 2]) -> Result<Dataset> {
    let features = crate::images::resized(dataset.name(), dataset.features(), size)?;
    let note = format!("images are scaled to {} x {}, as asked for", size[0], size[1]);
    Ok(dataset.replaced(Some(features), None).with_notes(vec![note]))
}

#[cfg(not(feature = "images"))]
fn resized(dataset: Dataset, _: [usize; 2]) -> Result<Dataset> {
    Err(Error::WithoutImages { name: dataset.name().to_string() })
}

#[cfg(feature = "images")]
fn open_images(path: &Path, options: &OpenOptions) -> Result<Dataset> {
    crate::images::open(path, options)
}

#[cfg(not(feature = "images"))]
fn open_images(path: &Path, _: &OpenOptions) -> Result<Dataset> {
    Err(Error::WithoutImages { name: path.display().to_string() })
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
