//! `[data.table]`: how a table is read, and what its columns are.

use super::declare::{names, section};
use super::rules::{AT_LEAST_2, ONE_CHARACTER};
use super::setting::Fallback::Is;

section! {
    /// `[data.table]`: how a table is read, and what its columns are where they do not look like it.
    pub struct Table {
        /// Columns that hold categories, whatever they look like, such as the numbers of places.
        categorical: Vec<String> = Is(|_| Vec::new());
        /// Columns that hold numbers, whatever they look like; text in them is an error.
        numeric: Vec<String> = Is(|_| Vec::new());
        /// What stands in a cell without a value. Not given: nothing, `NA`, `N/A`, `NaN`, `nan`, `null`, `NULL`,
        /// `None`, `?`.
        missing: Option<Vec<String>> = Is(|_| None);
        /// What stands between the fields of a text file. Not given: a tab in `.tsv` files, else the one of comma,
        /// semicolon, tab and bar that divides the first lines best.
        delimiter: Option<String> = Is(|_| None), ONE_CHARACTER;
        /// Whether the first line of a text file names the columns.
        header: Header = Is(|_| Header::Auto);
        /// How the bytes of a text file are characters.
        encoding: Encoding = Is(|_| Encoding::Utf8);
        /// A column of at most so many categories becomes a number for each; of more, the most frequent do, and one stands
        /// for all others.
        one_hot_most: usize = Is(|_| 32), AT_LEAST_2;
        /// How many MiB of cells may lie in memory; more lie in a temporary file, and training reads them batch
        /// by batch. It changes no result.
        in_memory_mib: usize = Is(|_| 1024);
        /// The folder of that file. Not given: the system's for temporary files.
        scratch: Option<String> = Is(|_| None);
    }
}

names! {
    /// Whether the first line of a text file names the columns.
    pub enum Header, "a header" {
        /// It does, unless all of it are numbers or one of it is such as 5.1.
        Auto = "auto",
        /// It does.
        Yes = "yes",
        /// It is a row; the columns are called column_1, column_2, ...
        No = "no",
    }
}

names! {
    /// How the bytes of a text file are characters.
    pub enum Encoding, "an encoding" {
        /// UTF-8; anything else is an error.
        Utf8 = "utf-8",
        /// ISO 8859-1: each byte is a character.
        Latin1 = "latin-1",
    }
}
