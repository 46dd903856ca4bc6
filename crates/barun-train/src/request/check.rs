//! `barun check`.

use barun_data::{Targets, integrity};

use super::CheckRequest;
use super::train::divided;
use crate::error::Result;
use crate::looks::Looks;
use crate::report::CheckReport;

/// Looks at the data of a training, divided as it would be, and trains nothing. The test part is compared with the
/// others, but no model is judged by it, so this is no look at it.
pub fn check(request: &CheckRequest) -> Result<CheckReport> {
    let split = divided(&request.recipe, &request.machine)?;
    let dataset = split.dataset();
    let looks = Looks::of_user().and_then(|looks| looks.count(integrity::fingerprint(dataset)).ok());
    Ok(CheckReport {
        about: dataset.to_string(),
        columns: integrity::columns::describe(dataset),
        classes: classes(dataset.targets()),
        looks: looks.map(|count| count.looks),
        report: integrity::inspect(&split),
    })
}

fn classes(targets: &Targets) -> Vec<(String, usize)> {
    let Targets::Classes { labels, classes, .. } = targets else { return Vec::new() };
    let mut counts = vec![0; classes.len()];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    classes.iter().cloned().zip(counts).collect()
}
