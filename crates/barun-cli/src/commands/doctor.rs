//! `barun doctor`: what was wrong with a run, and what is in its tensors.

use std::path::PathBuf;

use barun_doctor::{Diagnosis, diagnosis_of_log};
use barun_nn::Column;
use barun_train::run::recipe_of;
use barun_train::tensors::tensors;
use clap::Args;

use crate::error::{Error, Result};
use crate::{Outcome, output};

/// Tell what is wrong with a run, the root cause first
///
/// RUN is a run folder. A run that a doctor has watched has its diagnosis in it (doctor.json), with evidence and cures; what was
/// found on the way is in findings.jsonl, a line each, as it arose. Of a run that none has watched the figures of its epochs are
/// looked at, which tells less. With --tensors the numbers of the weights themselves are shown, one tensor a line; that takes a
/// model file as well. `barun list rules` has the rules, `barun explain R11` one of them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun doctor runs/digits-mlp-1
  barun doctor runs/digits-mlp-1 --json
  barun doctor runs/digits-mlp-1 --tensors               shape, least, greatest, mean, deviation of each tensor
  barun doctor runs/digits-mlp-1/checkpoints/last.safetensors --tensors --sort std

With --json: mode, watched, findings[] (rule, name, level, layer, step, value, threshold, message, why, evidence[], cure[] with
advice and set[]), repairs[] and repair_notes[] (as of barun train), acknowledged[], course[], vitals (steps[], and of each layer
or weight the values at them: activations[], gradients[], updates[], dead[]).")]
pub struct Doctor {
    /// A run folder
    run: PathBuf,

    /// Show what is in the tensors of the best epoch, or of a model file
    #[arg(long, conflicts_with = "json")]
    tensors: bool,

    /// The column that tensors are sorted by: name, size, dtype, min, max, mean, std or not_finite
    #[arg(long, value_name = "COLUMN", requires = "tensors", default_value = "name")]
    sort: Column,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        if self.tensors {
            output::text(&tensors(&self.run)?.sorted_by(self.sort).to_string())?;
            return Ok(Outcome::Done);
        }
        recipe_of(&self.run)?;
        let diagnosis = match Diagnosis::read(&self.run)? {
            Some(diagnosis) => Some(diagnosis),
            None => {
                output::note(
                    "no doctor has watched this run to its end; only the figures of its epochs are looked at",
                );
                diagnosis_of_log(&self.run)?
            }
        };
        let diagnosis = diagnosis.ok_or_else(|| Error::NoDiagnosis(self.run.display().to_string()))?;
        match self.json {
            true => output::json(&diagnosis)?,
            false => output::text(&(diagnosis.lines().join("\n") + "\n"))?,
        }
        Ok(Outcome::Done)
    }
}
