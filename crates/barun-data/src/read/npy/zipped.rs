//! A zip of arrays.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::ZipArchive;

use super::array::{Array, Header};
use super::file::Arrays;
use super::problem_of;
use crate::error::Result;

const FEATURES: [&str; 8] = ["x", "X", "data", "features", "images", "arr_0", "x_train", "X_train"];
const TARGETS: [&str; 9] = ["y", "Y", "target", "targets", "labels", "label", "arr_1", "y_train", "Y_train"];
const TEST_FEATURES: [&str; 2] = ["x_test", "X_test"];
const TEST_TARGETS: [&str; 2] = ["y_test", "Y_test"];
/// What unzips to more than this, and to more than [`MOST_RATIO`] times what it takes, is not unzipped.
const BELIEVED_BYTES: u64 = 1 << 28;
const MOST_RATIO: u64 = 100;

/// An opened zip.
pub(super) struct Zipped(ZipArchive<BufReader<File>>);

impl Zipped {
    pub fn open(path: &Path, file: BufReader<File>) -> Result<Zipped> {
        let damaged = |error| problem_of(path, format!("the zip is damaged ({error}); fetch the file again"));
        Ok(Zipped(ZipArchive::new(file).map_err(damaged)?))
    }

    /// The features, or the first array.
    pub fn one(&mut self, path: &Path) -> Result<Array> {
        let name = self.find(&FEATURES).or_else(|| self.names().into_iter().next());
        let name = name.ok_or_else(|| problem_of(path, "the zip is empty".into()))?;
        self.array(path, &name)
    }

    /// Features and targets; `None` where there is one array.
    pub fn arrays(&mut self, path: &Path) -> Result<Option<Arrays>> {
        let (Some(x), Some(y)) = (self.find(&FEATURES), self.find(&TARGETS)) else {
            let names = self.names();
            if names.len() < 2 {
                return Ok(None);
            }
            let problem = format!(
                "it holds {}; features must be called x and targets y (np.savez(file, x=..., y=...))",
                names.join(", ").replace(".npy", "")
            );
            return Err(problem_of(path, problem));
        };
        let test = match (self.find(&TEST_FEATURES), self.find(&TEST_TARGETS)) {
            (Some(x), Some(y)) => Some((self.array(path, &x)?, self.array(path, &y)?)),
            _ => None,
        };
        Ok(Some(Arrays { x: self.array(path, &x)?, y: self.array(path, &y)?, test }))
    }

    fn names(&self) -> Vec<String> {
        let name = |at| Some(self.0.name_for_index(at)?.ok()?.into_owned());
        let mut names: Vec<String> = (0..self.0.len()).filter_map(name).collect();
        names.sort_unstable();
        names
    }

    fn find(&self, names: &[&str]) -> Option<String> {
        names.iter().map(|name| format!("{name}.npy")).find(|name| self.0.index_for_name(name).is_some())
    }

    fn array(&mut self, path: &Path, name: &str) -> Result<Array> {
        let failed = |problem: String| problem_of(path, format!("{name}: {problem}"));
        let mut file =
            self.0.by_name(name).map_err(|error| failed(format!("it cannot be unzipped ({error})")))?;
        let (packed, claimed) = (file.compressed_size(), file.size());
        let header = Header::read(&mut file).map_err(failed)?;
        let bytes = header.bytes().map_err(failed)?;
        if bytes > claimed {
            return Err(failed(format!(
                "its header announces {bytes} bytes but the zip has {claimed}; the file is damaged"
            )));
        }
        if bytes > BELIEVED_BYTES && bytes / packed.max(1) > MOST_RATIO {
            return Err(failed(format!(
                "{packed} bytes would unzip to {bytes}, which is not data; unzip it by hand if you trust it, and give \
                 the .npy"
            )));
        }
        Array::read(&mut file, &header).map_err(failed)
    }
}
