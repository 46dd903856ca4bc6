//! `barun columns`.

use super::ColumnsRequest;
use super::train::prepare;
use crate::error::Result;
use crate::report::{ColumnReport, ColumnsReport};

/// Tells what the columns of a table are taken for, why, and what becomes of them. Trains nothing.
pub fn columns_of(request: &ColumnsRequest) -> Result<ColumnsReport> {
    let data = prepare(&request.recipe, &request.machine)?;
    let (dataset, encoding) = (data.dataset(), data.encoding());
    let columns = data.columns().iter().map(|column| ColumnReport {
        name: column.name.clone(),
        read_as: column.to_string(),
        becomes: encoding.map_or_else(String::new, |encoding| encoding.fate(&column.name)),
    });
    Ok(ColumnsReport {
        data: dataset.name().to_string(),
        rows: dataset.len(),
        target: dataset.targets().name().to_string(),
        classes: dataset.targets().classes().map(<[String]>::to_vec),
        columns: columns.collect(),
        features: dataset.features().width(),
        notes: dataset.notes().to_vec(),
    })
}
