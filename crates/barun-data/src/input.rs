//! Where bytes come from: a file, or standard input where its name is `-`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The name of standard input. A file of that name is `./-`.
pub const STANDARD_INPUT: &str = "-";

/// Opens the file at `path`, or standard input.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    match path.as_os_str() == STANDARD_INPUT {
        true => Ok(Box::new(io::stdin().lock())),
        false => Ok(Box::new(File::open(path)?)),
    }
}
