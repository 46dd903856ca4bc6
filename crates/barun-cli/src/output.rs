//! Standard output: results only, so that it can be piped.

use std::io::Write;

use serde::Serialize;

use crate::error::{Error, Result};

/// Writes text as it is.
pub fn text(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::Output)
}

/// Writes the one JSON document of a command.
pub fn json(document: &impl Serialize) -> Result<()> {
    let document = serde_json::to_string_pretty(document).map_err(|error| Error::Output(error.into()))?;
    text(&(document + "\n"))
}

/// Lines of two columns, the first as wide as its widest.
pub fn columns(rows: &[(String, String)]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|(left, right)| vec![left.clone(), right.clone()]).collect();
    table(&rows)
}

/// Lines of columns, each as wide as its widest.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("  {cell:<width$}"));
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    rows.iter().map(line).collect()
}

/// A line on standard error. With standard error closed there is nobody to tell.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A word on standard error that is neither result nor error. With standard error closed there is nobody to tell.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "note: {text}");
}
