//! `barun check`.

use barun_data::integrity::{self, columns::Column};
use barun_data::{Dataset, PreparedData, Targets};

use super::CheckRequest;
use super::train::{divided, prepare};
use crate::error::Result;
use crate::looks::Looks;
use crate::report::{CheckReport, ColumnReport};

/// Looks at the data of a training, divided as it would be, and trains nothing. The test part is compared with the
/// others, but no model is judged by it, so this is no look at it.
pub fn check(request: &CheckRequest) -> Result<CheckReport> {
    let recipe = &request.recipe;
    let split = divided(recipe, &request.machine)?;
    let dataset = split.dataset().clone();
    let looks = Looks::of_user().and_then(|looks| looks.count(integrity::fingerprint(&dataset)).ok());
    let report = integrity::inspect(&split)?;
    let data = prepare(recipe, split)?;
    Ok(CheckReport {
        about: dataset.to_string(),
        columns: columns(&dataset, &data)?,
        features: data.dataset().features().width(),
        notes: dataset.notes().to_vec(),
        classes: classes(dataset.targets()),
        looks: looks.map(|count| count.looks),
        report,
        doctor: None,
    })
}

/// The columns of the raw data, and what has become of them.
fn columns(raw: &Dataset, data: &PreparedData) -> Result<Vec<ColumnReport>> {
    let described = integrity::columns::describe(raw)?;
    let report = |column: Column| {
        let read = data.columns().iter().find(|read| read.name == column.name);
        ColumnReport {
            holds: read.map_or("numbers", |read| read.holds()).to_string(),
            why: read.map_or_else(String::new, |read| read.why.clone()),
            missing: read.map_or(0, |read| read.missing),
            distinct: column.distinct,
            numbers: column.numbers,
            becomes: data
                .encoding()
                .map_or_else(|| "scaled".to_string(), |encoding| encoding.fate(&column.name)),
            name: column.name,
        }
    };
    Ok(described.into_iter().map(report).collect())
}

fn classes(targets: &Targets) -> Vec<(String, usize)> {
    let Targets::Classes { labels, classes, .. } = targets else { return Vec::new() };
    let mut counts = vec![0; classes.len()];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    classes.iter().cloned().zip(counts).collect()
}
