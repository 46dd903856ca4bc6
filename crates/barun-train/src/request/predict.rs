//! `barun predict`.

use std::path::Path;

use barun_data::{Features, SOURCES};

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
        let Input { features, names, ignored, notes } = read(preparation, &recipe, input, &request.machine)?;
        report.notes.extend(notes);
        report.notes.extend(preparation.notes(&features)?);
        let name = |row: usize| match (&names, request.inputs.len()) {
            (Some(names), _) => names[row].clone(),
            (None, 1) => (row + 1).to_string(),
            (None, _) => format!("{}:{}", input.display(), row + 1),
        };
        let answers = predictor.predict(&features)?.into_iter().enumerate();
        report.predictions.extend(answers.map(|(row, answer)| Prediction { input: name(row), answer }));
        for column in ignored {
            if !report.ignored_columns.contains(&column) {
                report.ignored_columns.push(column);
            }
        }
    }
    Ok(report)
}

/// What is asked about.
struct Input {
    features: Features,
    /// What each row is called; none where it has a number.
    names: Option<Vec<String>>,
    /// Columns that the model does not know.
    ignored: Vec<String>,
    notes: Vec<String>,
}

impl From<Features> for Input {
    fn from(features: Features) -> Input {
        Input { features, names: None, ignored: Vec::new(), notes: Vec::new() }
    }
}

fn read(preparation: &Preparation, recipe: &Recipe, input: &Path, machine: &Machine) -> Result<Input> {
    let name = input.to_string_lossy();
    let schema = preparation.schema();
    if SOURCES.contains(&&*name) {
        let dataset = machine.open_options().open(input)?;
        return match schema {
            Some(schema) => Ok(columns_in_order(dataset.features(), &schema, &name)?.into()),
            None => Ok(dataset.features().clone().into()),
        };
    }
    let Some(schema) = schema else { return images(preparation, input) };
    let rows = schema.read(input, &data::reading(&recipe.data.table))?;
    Ok(Input { features: rows.features, names: None, ignored: rows.ignored, notes: rows.notes })
}

/// Image files, brought to the model's shape, or an array of images that have it.
fn images(preparation: &Preparation, path: &Path) -> Result<Input> {
    #[cfg(feature = "images")]
    if let [height, width, channels @ (1 | 3)] = preparation.input[..]
        && (path.is_dir() || barun_data::images::is_image_name(&path.to_string_lossy()))
    {
        let (names, images) = barun_data::images::unlabelled(path, [height, width, channels])?;
        return Ok(Input { names: Some(names), ..Features::Lazy(images).into() });
    }
    let features = barun_data::image_arrays(path)?;
    if matches!(features, Features::Images { .. }) && features.sample_shape() == preparation.input {
        return Ok(features.into());
    }
    Err(Error::OtherFeatures {
        found: format!("{} with images of {:?}", path.display(), features.sample_shape()),
        expected: format!("images of {:?}", preparation.input),
    })
}
