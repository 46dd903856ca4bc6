//! `barun predict`.

use std::path::Path;

use barun_data::{Features, OpenOptions, SOURCES};

use super::{Machine, PredictRequest, data};
use crate::error::{Error, Result};
use crate::predictor::{ModelFile, columns_in_order};
use crate::preparation::Preparation;
use crate::recipe::Recipe;
use crate::report::{PredictReport, Prediction};
use crate::run;

/// Asks a trained model about new rows. Changes nothing of the model. [TRAIN-13, EVAL-12]
pub fn predict(request: &PredictRequest) -> Result<PredictReport> {
    let model = run::model_file(&request.model)?;
    let ModelFile { predictor, recipe, .. } = ModelFile::open(&model, &request.machine.device()?)?;
    let preparation = predictor.preparation();
    let mut report = PredictReport {
        model,
        classes: preparation.classes.clone(),
        ignored_columns: Vec::new(),
        notes: Vec::new(),
        predictions: Vec::new(),
    };
    for input in &request.inputs {
        let Input { features, ignored, notes } = read(preparation, &recipe, input, &request.machine)?;
        report.notes.extend(notes);
        report.notes.extend(preparation.notes(&features)?);
        let number = |row: usize| match request.inputs.len() {
            1 => row.to_string(),
            _ => format!("{}:{row}", input.display()),
        };
        let answers = predictor.predict(&features)?.into_iter().zip(1..);
        report.predictions.extend(answers.map(|(answer, row)| Prediction { input: number(row), answer }));
        for column in ignored {
            if !report.ignored_columns.contains(&column) {
                report.ignored_columns.push(column);
            }
        }
    }
    Ok(report)
}

/// What an input holds.
struct Input {
    features: Features,
    /// Columns that the model does not know.
    ignored: Vec<String>,
    notes: Vec<String>,
}

impl Input {
    fn of(features: Features) -> Input {
        Input { features, ignored: Vec::new(), notes: Vec::new() }
    }
}

fn read(preparation: &Preparation, recipe: &Recipe, input: &Path, machine: &Machine) -> Result<Input> {
    let name = input.to_string_lossy();
    let schema = preparation.schema();
    if SOURCES.contains(&&*name) {
        let options = OpenOptions { data_dir: machine.data_dir.clone(), ..OpenOptions::default() };
        let dataset = options.open(input)?;
        return match schema {
            Some(schema) => Ok(Input::of(columns_in_order(dataset.features(), &schema, &name)?)),
            None => Ok(Input::of(dataset.features().clone())),
        };
    }
    let Some(schema) = schema else { return Ok(Input::of(images(preparation, input)?)) };
    let rows = schema.read(input, &data::reading(&recipe.data.table))?;
    Ok(Input { features: rows.features, ignored: rows.ignored, notes: rows.notes })
}

/// Images of the model's size.
fn images(preparation: &Preparation, path: &Path) -> Result<Features> {
    let features = barun_data::images(path)?;
    if matches!(features, Features::Images { .. }) && features.sample_shape() == preparation.input {
        return Ok(features);
    }
    Err(Error::OtherFeatures {
        found: format!("{} with images of {:?}", path.display(), features.sample_shape()),
        expected: format!("images of {:?}", preparation.input),
    })
}
