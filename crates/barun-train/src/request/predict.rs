//! `barun predict`.

use std::path::Path;

use barun_data::{Features, SOURCES, Schema, idx};

use super::{Machine, PredictRequest};
use crate::error::{Error, Result};
use crate::predictor::{ModelFile, columns_in_order};
use crate::preparation::Preparation;
use crate::report::{PredictReport, Prediction};
use crate::run;

/// Asks a trained model about new rows. Changes nothing of the model. [TRAIN-13, EVAL-12]
pub fn predict(request: &PredictRequest) -> Result<PredictReport> {
    let model = run::model_file(&request.model)?;
    let ModelFile { predictor, .. } = ModelFile::open(&model, &request.machine.device()?)?;
    let preparation = predictor.preparation();
    let mut report = PredictReport {
        model,
        classes: preparation.classes.clone(),
        ignored_columns: Vec::new(),
        predictions: Vec::new(),
    };
    for input in &request.inputs {
        let Rows { features, names, ignored } = read(preparation, input, &request.machine)?;
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
struct Rows {
    features: Features,
    /// What each row is called; none where it has a number.
    names: Option<Vec<String>>,
    /// Columns that the model does not know.
    ignored: Vec<String>,
}

impl From<Features> for Rows {
    fn from(features: Features) -> Rows {
        Rows { features, names: None, ignored: Vec::new() }
    }
}

fn read(preparation: &Preparation, input: &Path, machine: &Machine) -> Result<Rows> {
    let name = input.to_string_lossy();
    if SOURCES.contains(&&*name) {
        let dataset = machine.open_options().open(input)?;
        let wanted = preparation.columns.as_deref().unwrap_or_default();
        return Ok(columns_in_order(dataset.features(), wanted, &name)?.into());
    }
    let Some(schema) = preparation.schema() else { return images(preparation, input) };
    // What the target column says is not asked for, so that it may hold anything.
    let blind = Schema { target: String::new(), classes: None, ..schema.clone() };
    let rows = blind.read(input)?;
    let ignored = rows.ignored.into_iter().filter(|column| *column != schema.target).collect();
    Ok(Rows { features: rows.features, names: None, ignored })
}

/// Image files, brought to the model's shape, or an IDX file of grey images that have it.
fn images(preparation: &Preparation, path: &Path) -> Result<Rows> {
    #[cfg(feature = "images")]
    if let [height, width, channels @ (1 | 3)] = preparation.input[..]
        && (path.is_dir() || barun_data::images::is_image_name(&path.to_string_lossy()))
    {
        let (names, images) = barun_data::images::unlabelled(path, [height, width, channels])?;
        return Ok(Rows { features: Features::Lazy(images), names: Some(names), ignored: Vec::new() });
    }
    let file = idx::read(path, 3)?;
    let shape = [file.dims[1], file.dims[2], 1];
    if shape[..] == preparation.input[..] {
        return Ok(Features::Images { pixels: file.data, shape }.into());
    }
    Err(Error::OtherFeatures {
        found: format!("{} with images of {shape:?}", path.display()),
        expected: format!("images of {:?}", preparation.input),
    })
}
