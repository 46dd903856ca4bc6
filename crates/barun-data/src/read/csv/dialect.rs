//! What a text file's first lines tell of the others: what stands between fields, and whether they name the columns.

use std::path::Path;

use crate::error::{Error, Result};
use crate::read::excerpt;
use crate::table::{Header, Reading};

/// What may stand between fields, of equals the first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// How many records are looked at.
const RECORDS: usize = 20;

/// How the fields of a file are divided and called.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dialect {
    pub delimiter: u8,
    /// The names of the columns.
    pub names: Vec<String>,
    /// Whether the first record is the names.
    pub has_header: bool,
    pub notes: Vec<String>,
}

impl Dialect {
    /// Of the file that begins with `text`.
    pub fn of(path: &Path, text: &[u8], reading: &Reading) -> Result<Dialect> {
        let delimiter = reading.delimiter.unwrap_or_else(|| delimiter(path, text));
        let first = records(text, delimiter).into_iter().next();
        let Some(first) = first else { return Err(Error::NoRows { path: path.to_path_buf() }) };
        let has_header = match reading.header {
            Header::Yes => true,
            Header::No => false,
            Header::Auto => !is_data(&first),
        };
        let mut dialect = Dialect { delimiter, names: Vec::new(), has_header, notes: Vec::new() };
        dialect.name(path, &first, reading.header)?;
        Ok(dialect)
    }

    fn name(&mut self, path: &Path, first: &[String], asked: Header) -> Result<()> {
        let numbered = |column: usize| format!("column_{}", column + 1);
        if !self.has_header {
            self.names = (0..first.len()).map(numbered).collect();
            if asked == Header::Auto {
                self.notes.push(format!(
                    "the first line is taken for a row, since it holds numbers; the columns are called column_1 to \
                     column_{} (data.table.header = \"yes\" takes it for their names)",
                    first.len(),
                ));
            }
            return Ok(());
        }
        for (column, name) in first.iter().enumerate() {
            let name = if name.is_empty() { numbered(column) } else { name.clone() };
            if let Some(earlier) = self.names.iter().position(|other| *other == name) {
                let (path, first, second) = (path.to_path_buf(), earlier + 1, column + 1);
                return Err(Error::DuplicateColumn { path, name: excerpt(&name), first, second });
            }
            self.names.push(name);
        }
        let unnamed: Vec<String> =
            (0..first.len()).filter(|&at| first[at].is_empty()).map(numbered).collect();
        if !unnamed.is_empty() {
            self.notes.push(format!("without a name in the first line, and called {}", unnamed.join(", ")));
        }
        Ok(())
    }
}

/// 2019 may name a column, 5.1 does not, nor do numbers alone.
fn is_data(first: &[String]) -> bool {
    let numbers: Vec<&String> = first.iter().filter(|name| name.parse::<f64>().is_ok()).collect();
    let is_number = |name: &&&String| name.contains('.') && name.contains(|c: char| c.is_ascii_digit());
    numbers.iter().any(|name| is_number(&name)) || (numbers.len() == first.len() && !first.is_empty())
}

fn records(text: &[u8], delimiter: u8) -> Vec<Vec<String>> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text);
    let texts = |record: csv::ByteRecord| -> Vec<String> {
        record.iter().map(|field| String::from_utf8_lossy(field.trim_ascii()).into_owned()).collect()
    };
    reader.byte_records().take(RECORDS).map_while(|record| record.ok()).map(texts).collect()
}

/// The one that gives every record the same number of fields, of those the most; else the most in the first.
fn delimiter(path: &Path, text: &[u8]) -> u8 {
    let name = path.to_string_lossy().to_lowercase();
    if name.ends_with(".tsv") || name.ends_with(".tsv.gz") {
        return b'\t';
    }
    let mut best = (false, 1, b',');
    for delimiter in DELIMITERS {
        let records = records(text, delimiter);
        let fields = records.first().map_or(0, Vec::len);
        let even = fields > 1 && records.iter().all(|record| record.len() == fields);
        if (even, fields) > (best.0, best.1) {
            best = (even, fields, delimiter);
        }
    }
    best.2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Dialect {
        Dialect::of(Path::new("t.csv"), text.as_bytes(), &Reading::default()).unwrap()
    }

    #[test]
    fn the_delimiter_is_the_one_that_divides_evenly() {
        for (text, delimiter) in [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2,5\n", b';'),
            ("a\tb\n1\t2\n", b'\t'),
            ("a|b|c\n1|2|3\n", b'|'),
            ("\"a;b;c\",d\n1,2\n", b','),
            ("a\n1\n", b','),
            ("a,b,c;d\n1,2\n", b','),
        ] {
            assert_eq!(of(text).delimiter, delimiter, "{text:?}");
        }
        let path = Path::new("t.TSV");
        assert_eq!(Dialect::of(path, b"a,b,c\td\n", &Reading::default()).unwrap().names, ["a,b,c", "d"]);
    }

    #[test]
    fn numbers_in_the_first_line_make_it_a_row() {
        let headless = of("5.1,3.5,setosa\n4.9,3.0,setosa\n");
        assert!(!headless.has_header && headless.notes[0].contains("column_1 to column_3"), "{headless:?}");
        assert_eq!(headless.names, ["column_1", "column_2", "column_3"]);
        assert!(!of("1,2\n3,4\n").has_header);
        assert!(of("2019,2020,place\n3,4,x\n").has_header);
        let asked = Reading { header: Header::Yes, ..Reading::default() };
        assert_eq!(Dialect::of(Path::new("t.csv"), b"5.1,2\n", &asked).unwrap().names, ["5.1", "2"]);
    }

    #[test]
    fn a_column_without_a_name_gets_one_and_two_of_one_name_are_an_error() {
        let unnamed = of(",a\n0,5\n");
        assert_eq!(unnamed.names, ["column_1", "a"]);
        assert_eq!(unnamed.notes, ["without a name in the first line, and called column_1"]);
        let twice = Dialect::of(Path::new("t.csv"), b"a,b,a\n", &Reading::default());
        assert!(matches!(twice, Err(Error::DuplicateColumn { first: 1, second: 3, .. })));
    }
}
