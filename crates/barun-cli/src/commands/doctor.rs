//! `barun doctor`: what was wrong with a run.

use std::path::PathBuf;

use barun_doctor::{Diagnosis, diagnosis_of_log};
use barun_train::run::recipe_of;
use clap::Args;

use crate::error::{Error, Result};
use crate::{Outcome, output};

/// Tell what is wrong with a run, the root cause first
///
/// RUN is a run folder. A run that a doctor has watched has its diagnosis in it (doctor.json), with evidence and cures; what was
/// found on the way is in findings.jsonl, a line each, as it arose. Of a run that none has watched the figures of its epochs are
/// looked at, which tells less. `barun list rules` has the rules, `barun explain R11` one of them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun doctor runs/digits-mlp-1
  barun doctor runs/digits-mlp-1 --json

With --json: mode, watched, findings[] (rule, name, level, layer, step, value, threshold, message, why, evidence[], cure[] with
advice and set[]), acknowledged[], course[], vitals (steps[], and of each layer or weight the values at them: activations[],
gradients[], updates[], dead[]).")]
pub struct Doctor {
    /// A run folder
    run: PathBuf,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
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
