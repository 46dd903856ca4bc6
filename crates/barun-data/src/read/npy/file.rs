//! The files: one array, or a zip of arrays that go by names.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use super::array::{Array, Header};
use super::problem_of;
#[cfg(feature = "npz")]
use super::zipped::Zipped;
use crate::error::{Error, Result};

/// An opened file.
pub(super) enum NumpyFile {
    Array(BufReader<File>),
    #[cfg(feature = "npz")]
    Zip(Box<Zipped>),
}

/// The arrays of a zip.
pub(super) struct Arrays {
    pub x: Array,
    pub y: Array,
    /// Features and targets of a test part.
    pub test: Option<(Array, Array)>,
}

impl NumpyFile {
    pub fn open(path: &Path) -> Result<NumpyFile> {
        let failed = |source| Error::Read { path: path.to_path_buf(), source };
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        let mut start = [0; 2];
        let is_zip = file.read_exact(&mut start).is_ok() && start == *b"PK";
        file.rewind().map_err(failed)?;
        if is_zip { Self::zip(path, file) } else { Ok(NumpyFile::Array(file)) }
    }

    #[cfg(feature = "npz")]
    fn zip(path: &Path, file: BufReader<File>) -> Result<NumpyFile> {
        Ok(NumpyFile::Zip(Box::new(Zipped::open(path, file)?)))
    }

    #[cfg(not(feature = "npz"))]
    fn zip(path: &Path, _: BufReader<File>) -> Result<NumpyFile> {
        Err(Error::NotBuiltIn { path: path.to_path_buf(), feature: "npz" })
    }

    /// The one array, or the features of a zip without targets.
    pub fn one(&mut self, path: &Path) -> Result<Array> {
        match self {
            NumpyFile::Array(file) => {
                let header = Header::read(file).map_err(|problem| problem_of(path, problem))?;
                Array::read(file, &header).map_err(|problem| problem_of(path, problem))
            }
            #[cfg(feature = "npz")]
            NumpyFile::Zip(zip) => zip.one(path),
        }
    }

    /// The arrays of a zip; `None` where there is one array.
    #[cfg_attr(not(feature = "npz"), allow(unused_variables, reason = "only a zip has a path to name"))]
    pub fn arrays(&mut self, path: &Path) -> Result<Option<Arrays>> {
        match self {
            NumpyFile::Array(_) => Ok(None),
            #[cfg(feature = "npz")]
            NumpyFile::Zip(zip) => zip.arrays(path),
        }
    }
}
