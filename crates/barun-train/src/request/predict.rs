//! `barun predict`.

use std::path::Path;

use barun_data::{Features, OpenOptions, SOURCES, Schema, idx};

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
        let (features, ignored) = read(preparation, input, &request.machine)?;
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

/// The features of an input, and the columns of it that the model does not know.
fn read(preparation: &Preparation, input: &Path, machine: &Machine) -> Result<(Features, Vec<String>)> {
    let name = input.to_string_lossy();
    if SOURCES.contains(&&*name) {
        let options = OpenOptions { data_dir: machine.data_dir.clone(), ..OpenOptions::default() };
        let dataset = options.open(input)?;
        let wanted = preparation.columns.as_deref().unwrap_or_default();
        return Ok((columns_in_order(dataset.features(), wanted, &name)?, Vec::new()));
    }
    let Some(schema) = preparation.schema() else { return Ok((images(preparation, input)?, Vec::new())) };
    // What the target column says is not asked for, so that it may hold anything.
    let blind = Schema { target: String::new(), classes: None, ..schema.clone() };
    let rows = blind.read(input)?;
    let ignored = rows.ignored.into_iter().filter(|column| *column != schema.target).collect();
    Ok((rows.features, ignored))
}

/// An IDX file of grey images.
fn images(preparation: &Preparation, path: &Path) -> Result<Features> {
    let file = idx::read(path, 3)?;
    let shape = [file.dims[1], file.dims[2], 1];
    if shape[..] == preparation.input[..] {
        return Ok(Features::Images { pixels: file.data, shape });
    }
    Err(Error::OtherFeatures {
        found: format!("{} with images of {shape:?}", path.display()),
        expected: format!("images of {:?}", preparation.input),
    })
}
