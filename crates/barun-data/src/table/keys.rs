//! Columns that divide the rows: read as text, whatever they hold.

use std::path::Path;

use super::{Table, read_text};
use crate::error::Result;

/// The cells of each of `columns` of a table that [`read`](super::read) has read.
///
/// # Errors
/// As for [`read`](super::read); a column that does not exist.
pub fn texts(path: &Path, columns: &[&str]) -> Result<Vec<Vec<String>>> {
    let text = read_text(path)?;
    let table = Table::new(path, &text)?;
    let places = columns.iter().map(|name| table.column(name)).collect::<Result<Vec<usize>>>()?;
    let mut cells = vec![Vec::new(); columns.len()];
    let mut reader = table.reader();
    let mut record = csv::StringRecord::new();
    reader.read_record(&mut record).map_err(|source| table.unparsable(source))?;
    while reader.read_record(&mut record).map_err(|source| table.unparsable(source))? {
        for (cells, &place) in cells.iter_mut().zip(&places) {
            cells.push(record.get(place).unwrap_or_default().to_string());
        }
    }
    Ok(cells)
}
