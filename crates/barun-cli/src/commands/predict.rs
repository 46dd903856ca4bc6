//! `barun predict`: what a trained model says of new rows.

use std::path::PathBuf;

use barun_train::files::write_atomically;
use barun_train::report::{Answer, PredictReport};
use barun_train::request::PredictRequest;
use clap::Args;

use crate::common::Common;
use crate::error::{Error, Result};
use crate::{Outcome, output};

/// Ask a trained model about new data
///
/// MODEL is a run folder or a .safetensors file of one. It carries the preprocessing, the column names and the class names.
///
/// INPUT, by what the model was trained on:
///   a table: a .csv, .tsv or .parquet file with the model's columns by name, in any order; others are left aside, and the
///   target column may be missing;
///   images: image files, or folders of them.
///
/// The answer is CSV on standard output, one line for each row in the order of the input, under a header:
///   classes: input,prediction,probability;
///   numbers: input,prediction.
/// `input` is the row's number in a table, from 1, or the image's path.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  barun predict runs/houses-mlp-1 new-houses.csv
  barun predict runs/photos-cnn-1 cat.png dog.jpg --json
  barun predict runs/photos-cnn-1 inbox/ --out answers.csv

With --json: model, predictions[] with input, prediction and, for classes, probability and probabilities[].")]
pub struct Predict {
    /// A run folder or a model file
    model: PathBuf,

    /// Tables, images or folders of images
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,

    /// Write the answer to a file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write over an existing file
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    common: Common,
}

impl Predict {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        if let Some(out) = self.out.as_ref().filter(|out| !self.force && out.exists()) {
            return Err(Error::OutputExists(out.display().to_string()));
        }
        let machine = self.common.machine()?;
        let request = PredictRequest { model: self.model, inputs: self.inputs, machine };
        let report = barun_train::predict(&request)?;
        if let Some(out) = &self.out {
            write_atomically(out, &as_csv(&report)?)?;
        }
        if self.common.json {
            output::json(&report)?;
        } else if self.out.is_none() {
            output::text(&String::from_utf8_lossy(&as_csv(&report)?))?;
        }
        Ok(Outcome::Done)
    }
}

fn as_csv(report: &PredictReport) -> Result<Vec<u8>> {
    let failed = |error: csv::Error| Error::Output(error.into());
    let mut csv = csv::Writer::from_writer(Vec::new());
    match report.predictions.first().map(|first| &first.answer) {
        Some(Answer::Number { .. }) => csv.write_record(["input", "prediction"]).map_err(failed)?,
        _ => csv.write_record(["input", "prediction", "probability"]).map_err(failed)?,
    }
    for row in &report.predictions {
        match &row.answer {
            Answer::Class { prediction, probability, .. } => {
                csv.write_record([&row.input, prediction, &probability.to_string()]).map_err(failed)?;
            }
            Answer::Number { prediction } => {
                csv.write_record([&row.input, &prediction.to_string()]).map_err(failed)?;
            }
        }
    }
    csv.into_inner().map_err(|error| Error::Output(error.into_error()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use barun_train::report::Prediction;

    fn csv_of(answers: Vec<(&str, Answer)>) -> String {
        let row = |(input, answer): (&str, Answer)| Prediction { input: input.into(), answer };
        let report = PredictReport { model: "m".into(), predictions: answers.into_iter().map(row).collect() };
        String::from_utf8(as_csv(&report).unwrap()).unwrap()
    }

    #[test]
    fn predictions_are_csv_with_a_header() {
        let class = |name: &str| Answer::Class {
            prediction: name.into(),
            probability: 0.75,
            probabilities: vec![0.75, 0.25],
        };
        assert_eq!(
            csv_of(vec![("a, b.png", class("cat")), ("c.png", class("the \"dog\""))]),
            "input,prediction,probability\n\"a, b.png\",cat,0.75\nc.png,\"the \"\"dog\"\"\",0.75\n"
        );
        assert_eq!(csv_of(vec![("1", Answer::Number { prediction: 2.5 })]), "input,prediction\n1,2.5\n");
    }
}
