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
    let width = rows.iter().map(|(left, _)| left.chars().count()).max().unwrap_or(0);
    rows.iter()
        .map(|(left, right)| format!("{}\n", format!("  {left:<width$}  {right}").trim_end()))
        .collect()
}
