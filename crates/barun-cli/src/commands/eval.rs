//! `barun eval`: how good a trained model is on data.

use std::path::PathBuf;

use barun_train::judgement::{class_table, table};
use barun_train::progress::metrics_text;
use barun_train::request::{EvalRequest, Part};
use clap::{Args, ValueEnum};

use crate::common::Common;
use crate::error::Result;
use crate::{Outcome, output};

/// Measure a trained model
///
/// MODEL is a run folder or a .safetensors file of one. Without DATA it is measured on a part of the data it was trained on,
/// divided as then; with DATA on all of it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun eval runs/digits-mlp-1                       on the validation part
  barun eval runs/houses-mlp-1 new-houses.csv
  barun eval runs/digits-mlp-1 --part test --json

Choose between models on the validation part. A test part that is looked at again and again says less each time.
With --json: model, source, part, samples, loss, accuracy (or mae, rmse, r2), evaluation with all figures and their 95 %
bootstrap intervals, the classes and the confusion matrix, earlier_looks (at a test part), seconds.")]
pub struct Eval {
    /// A run folder or a model file
    model: PathBuf,

    /// Other data: a table with the model's columns and its target, in any order, or a name of `barun list data`
    #[arg(conflicts_with = "part")]
    data: Option<String>,

    /// Which part of the model's own data
    #[arg(long, value_enum, default_value = "valid")]
    part: PartName,

    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PartName {
    Train,
    Valid,
    Test,
}

impl Eval {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        let part = match self.part {
            PartName::Train => Part::Train,
            PartName::Valid => Part::Valid,
            PartName::Test => Part::Test,
        };
        let machine = self.common.machine()?;
        let request = EvalRequest { model: self.model, source: self.data, part, machine };
        let report = barun_train::evaluate(&request)?;
        if self.common.json {
            output::json(&report)?;
        } else {
            let of = format!("{} ({}, {} rows)", report.source, report.part, report.samples);
            output::text(&format!("{of}: {}\n", metrics_text(&report.metrics)))?;
            output::text(&table(&report.evaluation, &report.part, &[]))?;
            output::text(&class_table(&report.evaluation))?;
        }
        if let Some(note) = &report.note {
            eprintln!("note: {note}");
        }
        Ok(Outcome::Done)
    }
}
