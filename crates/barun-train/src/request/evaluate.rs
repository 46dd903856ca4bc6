//! `barun eval`.

use std::path::Path;
use std::time::Instant;

use barun_data::{Dataset, Schema};

use super::{EvalRequest, Machine, Part, data};
use crate::error::{Error, Result};
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
            let dataset = data::open_for(predictor.preparation(), &recipe, &source, &request.machine)?;
            let split = dataset.clone().split(data::split(&recipe.data.split))?;
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
    let begin = Instant::now();
    let metrics = predictor.measure(&dataset, &rows)?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(EvalReport { model, source, part: part.into(), samples: rows.len(), metrics, seconds })
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
        Some(schema) if path.is_file() => table(&schema, path),
        Some(schema) => {
            let dataset = data::open(recipe, source, machine)?;
            let features = columns_in_order(dataset.features(), &schema.features, source)?;
            Ok(Dataset::new(dataset.name(), features, dataset.targets().clone())?)
        }
        None => data::open_for(preparation, recipe, source, machine),
    }
}

fn table(schema: &Schema, path: &Path) -> Result<Dataset> {
    let rows = schema.read(path)?;
    let targets = rows
        .targets
        .ok_or_else(|| Error::NoTarget { path: path.to_path_buf(), target: schema.target.clone() })?;
    Ok(Dataset::new(path.to_string_lossy(), rows.features, targets)?)
}
