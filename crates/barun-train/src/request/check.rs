//! `barun check`: a look at the data, and at the network before it has learned anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use barun_data::integrity::{self, columns::Column};
use barun_data::{Dataset, PreparedData, Targets};

use super::CheckRequest;
use super::train::{divided, prepare, trainer};
use crate::callback::{Batch, Callback, Flow};
use crate::diagnosis::Diagnosis;
use crate::error::Result;
use crate::looks::Looks;
use crate::report::{CheckReport, ColumnReport};

/// Looks at the data of a training, divided as it would be, and trains nothing. The test part is compared with the
/// others, but no model is judged by it, so this is no look at it.
pub fn check(request: &CheckRequest) -> Result<CheckReport> {
    Ok(look(request)?.0)
}

/// As [`check`], and takes the first step of the training, for a doctor among the callbacks: the network is built, one
/// batch goes through it, and everything is thrown away. Nothing is written.
///
/// # Errors
/// As [`check`], and when the network does not suit the data.
pub fn rehearse(request: &CheckRequest, callback: &mut dyn Callback) -> Result<CheckReport> {
    let (mut report, data) = look(request)?;
    callback.on_check(&report.report)?;
    let stop = Arc::new(AtomicBool::new(false));
    let recipe = request.recipe.for_rows(data.train().len());
    let trainer = trainer(&recipe, &data, &request.machine)?.stop_when(Arc::clone(&stop));
    let mut callbacks: Vec<Box<dyn Callback + '_>> = vec![Box::new(&mut *callback), Box::new(OneStep(stop))];
    trainer.fit_with(&data, &mut callbacks)?;
    drop(callbacks);
    report.doctor = callback.diagnosis().map(Diagnosis::without_vitals);
    Ok(report)
}

/// Ends a run after its first step, which it watches.
struct OneStep(Arc<AtomicBool>);

impl Callback for OneStep {
    fn watches(&self, _: usize) -> bool {
        true
    }

    fn on_batch(&mut self, _: &Batch) -> Result<Flow> {
        self.0.store(true, Ordering::Relaxed);
        Ok(Flow::Continue)
    }
}

fn look(request: &CheckRequest) -> Result<(CheckReport, PreparedData)> {
    let recipe = &request.recipe;
    let split = divided(recipe, &request.machine)?;
    let dataset = split.dataset().clone();
    let looks = Looks::of_user().and_then(|looks| looks.count(integrity::fingerprint(&dataset)).ok());
    let report = integrity::inspect(&split)?;
    let data = prepare(recipe, split)?;
    let report = CheckReport {
        about: dataset.to_string(),
        columns: columns(&dataset, &data)?,
        features: data.dataset().features().width(),
        notes: dataset.notes().to_vec(),
        classes: classes(dataset.targets()),
        looks: looks.map(|count| count.looks),
        report,
        doctor: None,
    };
    Ok((report, data))
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
