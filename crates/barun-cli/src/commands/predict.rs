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
///   a table: a .csv, .tsv, .parquet, .npy or .npz file with the model's columns by name, in any order. A missing column is
///   an error; columns that the model does not know are left aside, and a value that a column of categories did not have
///   in training is none of those it had; both are said on standard error. The target column may be there or not;
///   images: PNG, JPEG and WebP files, or folders of them, which are brought to the model's size; or an IDX file or NumPy
///   array of images of the model's size, plain or with .gz;
///   both: a name of `barun list data`, which is taken whole; or `-`, the same bytes from standard input.
///
/// The answer is CSV on standard output, one line for each row in the order of the input, under a header:
///   classes: input, prediction, probability; with --probabilities that of every class too, under `p(CLASS)`;
///   numbers: input, prediction, in the target's own unit;
///   rows given again, as by an autoencoder: input and the numbers of the scaled row, `reconstruction 1` and so on.
/// `input` is the row's number, from 1; with several INPUTs it follows the input's name and a colon. Of an image file it
/// is the path.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  barun predict runs/houses-mlp-1 new-houses.csv
  barun predict runs/mnist-cnn-1 t10k-images-idx3-ubyte.gz --json
  barun predict runs/pets-cnn-1 rex.jpg holidays/
  barun predict runs/houses-mlp-1 a.csv b.csv --out answers.csv
  head -3 new-flowers.csv | barun predict runs/flowers-mlp-1 - --probabilities

With --json: model, classes[], ignored_columns[], notes[], predictions[] with input, prediction and, for classes, probability and
probabilities[] in the order of classes[]; of rows given again input and reconstruction[].")]
pub struct Predict {
    /// A run folder or a model file
    model: PathBuf,

    /// Tables, image files, folders of them, IDX files, names of data sets, or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,

    /// In CSV also the probability of every class; JSON always has them
    #[arg(long)]
    probabilities: bool,

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
        for note in &report.notes {
            eprintln!("note: {note}");
        }
        if !report.ignored_columns.is_empty() {
            let ignored = report.ignored_columns.join(", ");
            output::note(&format!("columns that the model does not know were left aside: {ignored}"));
        }
        if let Some(out) = &self.out {
            write_atomically(out, &as_csv(&report, self.probabilities)?)?;
        }
        if self.common.json {
            output::json(&report)?;
        } else if self.out.is_none() {
            output::text(&String::from_utf8_lossy(&as_csv(&report, self.probabilities)?))?;
        }
        Ok(Outcome::Done)
    }
}

/// With `all` the probability of every class.
fn as_csv(report: &PredictReport, all: bool) -> Result<Vec<u8>> {
    let failed = |error: csv::Error| Error::Output(error.into());
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut header = vec!["input".to_string()];
    match report.predictions.first().map(|row| &row.answer) {
        Some(Answer::Row { reconstruction }) => {
            header.extend((1..=reconstruction.len()).map(|place| format!("reconstruction {place}")));
        }
        _ => header.push("prediction".to_string()),
    }
    if let Some(classes) = &report.classes {
        header.push("probability".to_string());
        header.extend(classes.iter().filter(|_| all).map(|class| format!("p({class})")));
    }
    csv.write_record(&header).map_err(failed)?;
    for row in &report.predictions {
        let mut fields = vec![row.input.clone()];
        match &row.answer {
            Answer::Class { prediction, probability, probabilities } => {
                fields.extend([prediction.clone(), probability.to_string()]);
                fields.extend(probabilities.iter().filter(|_| all).map(f64::to_string));
            }
            Answer::Number { prediction } => fields.push(prediction.to_string()),
            Answer::Row { reconstruction } => fields.extend(reconstruction.iter().map(f64::to_string)),
        }
        csv.write_record(&fields).map_err(failed)?;
    }
    csv.into_inner().map_err(|error| Error::Output(error.into_error()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use barun_train::report::Prediction;

    fn csv_of(classes: Option<&[&str]>, answers: Vec<(&str, Answer)>, all: bool) -> String {
        let row = |(input, answer): (&str, Answer)| Prediction { input: input.into(), answer };
        let report = PredictReport {
            model: "m".into(),
            classes: classes.map(|classes| classes.iter().map(|class| class.to_string()).collect()),
            ignored_columns: Vec::new(),
            notes: Vec::new(),
            predictions: answers.into_iter().map(row).collect(),
        };
        String::from_utf8(as_csv(&report, all).unwrap()).unwrap()
    }

    #[test]
    fn predictions_are_csv_with_a_header() {
        let class = |name: &str| Answer::Class {
            prediction: name.into(),
            probability: 0.75,
            probabilities: vec![0.75, 0.25],
        };
        assert_eq!(
            csv_of(
                Some(&["cat", "the \"dog\""]),
                vec![("a, b.csv:1", class("cat")), ("2", class("the \"dog\""))],
                true
            ),
            "input,prediction,probability,p(cat),\"p(the \"\"dog\"\")\"\n\
             \"a, b.csv:1\",cat,0.75,0.75,0.25\n2,\"the \"\"dog\"\"\",0.75,0.75,0.25\n"
        );
        assert_eq!(
            csv_of(Some(&["cat", "dog"]), vec![("1", class("cat"))], false),
            "input,prediction,probability\n1,cat,0.75\n"
        );
        assert_eq!(
            csv_of(None, vec![("1", Answer::Number { prediction: 2.5 })], true),
            "input,prediction\n1,2.5\n"
        );
    }
}
