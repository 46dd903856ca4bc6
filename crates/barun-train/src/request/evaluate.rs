//! `barun eval`.

use std::path::Path;
use std::time::Instant;

use barun_data::{Dataset, integrity};

use super::judge::count_look;
use super::{EvalRequest, Machine, Part, data};
use crate::error::Result;
use crate::predictor::{ModelFile, columns_in_order};
use crate::preparation::Preparation;
use crate::recipe::Recipe;
use crate::report::EvalReport;
use crate::run;

/// Measures a trained model on data.
pub fn evaluate(request: &EvalRequest) -> Result<EvalReport> {
    let model = run::model_file(&request.model)?;
    let ModelFile { recipe, predictor, .. } = ModelFile::open(&model, &request.machine.device()?)?;
    let (dataset, source, part, rows) = match &request.source {
        Some(source) => {
            let dataset = other_data(&recipe, predictor.preparation(), source, &request.machine)?;
            let rows: Vec<usize> = (0..dataset.len()).collect();
            (dataset, source.clone(), "all", rows)
        }
        None => {
            let source = recipe.data.source.clone();
            let dataset = data::open_for(predictor.preparation(), &recipe, &request.machine)?;
            let split = data::divide(&recipe, dataset.clone())?;
            let (part, rows) = match request.part {
                Part::Train => ("train", split.train()),
                Part::Valid => ("valid", split.valid()),
                Part::Test => ("test", split.test()),
            };
            if rows.is_empty() {
                return Err(barun_data::Error::NothingToLoad { part }.into());
            }
            (dataset, source, part, rows.to_vec())
        }
    };
    if let Some(tell) = request.machine.tell {
        dataset.notes().iter().for_each(|note| tell(&format!("note: {note}")));
    }
    let begin = Instant::now();
    let metrics = predictor.measure(&dataset, &rows)?;
    let evaluation = predictor.evaluate(&dataset, &rows)?;
    let seconds = begin.elapsed().as_secs_f64();
    let (earlier_looks, note) = match part {
        "test" => count_look(integrity::fingerprint(&dataset), dataset.name(), &request.model),
        _ => (None, None),
    };
    let (part, samples) = (part.into(), rows.len());
    Ok(EvalReport { model, source, part, samples, metrics, evaluation, earlier_looks, note, seconds })
}

/// Data that the model was not trained on: a table is read by the model's columns.
fn other_data(
    recipe: &Recipe,
    preparation: &Preparation,
    source: &str,
    machine: &Machine,
) -> Result<Dataset> {
    let path = Path::new(source);
    match preparation.schema() {
        Some(schema) if path.is_file() => data::read_table(recipe, &schema, path),
        Some(schema) => {
            let dataset = data::open_source(recipe, source, machine)?;
            let features = columns_in_order(dataset.features(), &schema, source)?;
            Ok(Dataset::new(dataset.name(), features, dataset.targets().clone())?)
        }
        None => data::open_source_for(preparation, recipe, source, machine),
    }
}
