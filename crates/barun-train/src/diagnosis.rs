//! What a doctor says of a run: findings, each with its evidence and its cure, and the run's vital signs through time.
//!
//! The crate `barun-doctor` makes them; here they are so that logs, reports and `--json` can show them. A run's folder has
//! them in two files:
//!
//! * `findings.jsonl`: one [`Finding`] a line, as they arise;
//! * `doctor.json`: the [`Diagnosis`] of the whole run, the root cause first, with the [`Vitals`]. Written when the run ends,
//!   also when it fails.

use std::fmt;
use std::path::{Path, PathBuf};

use barun_data::table::counted;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files::{io_error, read, write_atomically};
use crate::log::Log;
use crate::recipe::as_arguments;
use crate::repair::Repair;
use crate::run::{diagnosis_of, findings_of};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing; nothing has to be done.
    Info,
    /// It costs accuracy or time.
    Warn,
    /// The run cannot end well.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Info => "info",
            Level::Warn => "warning",
            Level::Error => "error",
        })
    }
}

/// One thing found, as the log, the report and `--json` have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule: `R11`.
    pub rule: String,
    /// The rule's name: `DEAD_UNITS`.
    pub name: String,
    /// How bad it is.
    pub level: Level,
    /// The path of the layer, parameter or column, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// The step in which it was found; none before training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// What was measured; null where it is not finite.
    #[serde(deserialize_with = "number_or_null")]
    pub value: f64,
    /// What it was held against.
    #[serde(deserialize_with = "number_or_null")]
    pub threshold: f64,
    /// What is wrong, in one plain sentence that gives the numbers.
    pub message: String,
    /// Why it matters, in one plain sentence.
    pub why: String,
    /// What else points to it, one sentence each: the symptoms it explains, what forks showed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What to do, the best first.
    pub cure: Vec<Cure>,
}

/// JSON has no word for what is not finite.
fn number_or_null<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}

/// Something that mends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cure {
    /// What to do, as one would say it.
    pub advice: String,
    /// The lines of the recipe that do it, as `--set` takes them: `train.lr=0.001`. Empty where a recipe cannot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
}

impl Finding {
    /// A line for people: `warning R11 DEAD_UNITS at layer 2 (step 400): ...`.
    pub fn headline(&self) -> String {
        format!("{} {}.", self.level, self.sentence())
    }

    /// What is wrong, where and since when: `R11 DEAD_UNITS at layer 2 (step 400): ...`, without a full stop.
    pub fn sentence(&self) -> String {
        let step = self.step.map_or(String::new(), |step| format!(" (step {step})"));
        format!("{} {}{}{step}: {}", self.rule, self.name, self.place(), self.message)
    }

    /// ` at layer 2`, ` at head.weight`, or nothing. Layers of a list have numbers for names.
    pub fn place(&self) -> String {
        match &self.layer {
            None => String::new(),
            Some(layer) if layer.bytes().all(|letter| letter.is_ascii_digit()) => {
                format!(" at layer {layer}")
            }
            Some(layer) => format!(" at {layer}"),
        }
    }

    /// The headline, why it matters, the evidence and the cures, each in a line of its own.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.headline()];
        if !self.why.is_empty() {
            lines.push(format!("  why: {}.", self.why));
        }
        lines.extend(self.evidence.iter().map(|evidence| format!("  also: {evidence}.")));
        lines.extend(self.cure.iter().zip(1..).map(|(cure, number)| format!("  cure {number}: {cure}")));
        lines
    }
}

impl fmt::Display for Cure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.advice)?;
        match self.set.is_empty() {
            true if self.advice.ends_with(['.', '?', '!']) => Ok(()),
            true => write!(f, "."),
            false => write!(f, ": {}", as_arguments(&self.set)),
        }
    }
}

/// What a doctor says of a whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// What it may do: `advise` or `repair`.
    pub mode: String,
    /// What it looked at.
    pub watched: Watched,
    /// What it found, the root cause first; a symptom that a higher cause explains is among that one's evidence.
    pub findings: Vec<Finding>,
    /// What it tried to mend, in the order in which it did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<Repair>,
    /// What else is to be said of repairs: why none was tried, where the changed recipe is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repair_notes: Vec<String>,
    /// The rules that the user has acknowledged and that would have been found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acknowledged: Vec<String>,
    /// How learning went, in sentences: how fast the loss fell and where it stood still, why it rose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub course: Vec<String>,
    /// The vital signs; only in the run's folder.
    #[serde(default, skip_serializing_if = "Vitals::is_empty")]
    pub vitals: Vitals,
}

/// What a doctor looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Steps whose loss was seen.
    pub steps: usize,
    /// Steps that were looked at from inside.
    pub checks: usize,
    /// Evaluations on the validation part.
    pub evaluations: usize,
    /// Parameters.
    pub parameters: usize,
    /// Calls of layers.
    pub layers: usize,
    /// Rules that looked.
    pub rules: usize,
}

impl Diagnosis {
    /// Whether there is nothing that costs anything.
    pub fn is_healthy(&self) -> bool {
        self.findings.iter().all(|finding| finding.level == Level::Info)
    }

    /// The diagnosis without the vital signs, as `--json` has it.
    pub fn without_vitals(self) -> Diagnosis {
        Diagnosis { vitals: Vitals::default(), ..self }
    }

    /// In words, a line each: the findings, then how learning went; of a healthy run what was watched.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.is_healthy() {
            lines.push(self.healthy_line());
        } else {
            lines.push("doctor: what is wrong, the root cause first".to_string());
        }
        lines.extend(self.findings.iter().flat_map(Finding::lines));
        lines.extend(self.repair_lines());
        lines.extend(self.course.iter().map(|sentence| format!("course: {sentence}.")));
        if !self.acknowledged.is_empty() {
            lines.push(format!("acknowledged: {}", self.acknowledged.join(", ")));
        }
        lines
    }

    /// [`lines`](Diagnosis::lines) for the end of a run: of a healthy one what was watched, and whether there are notes.
    pub fn closing_lines(&self) -> Vec<String> {
        match self.is_healthy() {
            true => {
                let notes = match self.findings.len() {
                    0 => String::new(),
                    count => format!("; {} in the report", counted(count, "note")),
                };
                std::iter::once(self.healthy_line() + &notes).chain(self.repair_lines()).collect()
            }
            false => self.lines(),
        }
    }

    /// What was tried to mend the run, and what came of it.
    pub fn repair_lines(&self) -> Vec<String> {
        let notes = self.repair_notes.iter().map(|note| format!("repair: {note}."));
        self.repairs.iter().flat_map(Repair::lines).chain(notes).collect()
    }

    fn healthy_line(&self) -> String {
        let Watched { steps, checks, evaluations, parameters, layers, rules } = self.watched;
        format!(
            "doctor: nothing wrong found by {} in {} ({checks} looked at from inside: {}, {}), {}",
            counted(rules, "rule"),
            counted(steps, "step"),
            counted(parameters, "parameter"),
            counted(layers, "layer"),
            counted(evaluations, "evaluation")
        )
    }

    /// The diagnosis of the run at `path`; none where no doctor has watched it to its end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(path: &Path) -> Result<Option<Diagnosis>> {
        let path = diagnosis_of(path);
        if !path.exists() {
            return Ok(None);
        }
        let diagnosis = serde_json::from_slice(&read(&path)?);
        diagnosis.map(Some).map_err(|error| Error::BadDiagnosis { path, message: error.to_string() })
    }

    /// Writes it into the folder of the run at `path`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let path = diagnosis_of(path);
        let text = serde_json::to_vec(self).map_err(|error| io_error("write", &path, error.into()))?;
        write_atomically(&path, &text)
    }
}

/// Where findings go as they arise: `findings.jsonl` in the run's folder.
pub struct FindingsLog {
    log: Log,
}

impl FindingsLog {
    /// Opens that of the run at `path`, and keeps its first `lines`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, lines: usize) -> Result<FindingsLog> {
        Ok(FindingsLog { log: Log::open(&findings_of(path), lines)?.0 })
    }

    /// Adds a finding; it is in the file when this returns.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, finding: &Finding) -> Result<()> {
        self.log.add(finding)
    }
}

/// Vital signs through time, thinned to a few dozen points: for each layer the deviation of what it gives, for each
/// weight the root mean square of its gradient and the ratio of its update to itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Vitals {
    /// The steps of the points.
    pub steps: Vec<usize>,
    /// The deviation of what layers give.
    pub activations: Vec<Sign>,
    /// The root mean square of gradients.
    pub gradients: Vec<Sign>,
    /// The root mean square of updates over that of the weights.
    pub updates: Vec<Sign>,
    /// Share of units that gave nothing, of layers that can die.
    pub dead: Vec<Sign>,
}

/// One vital sign.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sign {
    /// The layer's or parameter's path.
    pub path: String,
    /// The layer's kind; empty of parameters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Its values at the steps; null where there is none, or it is not finite.
    pub values: Vec<Option<f32>>,
}

impl Vitals {
    /// Whether there is nothing to see.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// The files a doctor leaves in the folder of the run at `path`.
pub fn files_of(path: &Path) -> [PathBuf; 2] {
    [findings_of(path), diagnosis_of(path)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding {
            rule: "R11".into(),
            name: "DEAD_UNITS".into(),
            level: Level::Warn,
            layer: Some("2".into()),
            step: Some(400),
            value: f64::NAN,
            threshold: 0.5,
            message: "60 of 100 units give nothing".into(),
            why: "They learn nothing any more".into(),
            evidence: vec!["the gradients before it are 0".into()],
            cure: vec![
                Cure { advice: "Lower the learning rate".into(), set: vec!["train.lr=0.001".into()] },
                Cure { advice: "Use another activation".into(), set: Vec::new() },
            ],
        }
    }

    #[test]
    fn a_finding_reads_as_a_few_lines_of_plain_words() {
        assert_eq!(
            finding().lines().join("\n"),
            "warning R11 DEAD_UNITS at layer 2 (step 400): 60 of 100 units give nothing.\n\
             \x20 why: They learn nothing any more.\n\
             \x20 also: the gradients before it are 0.\n\
             \x20 cure 1: Lower the learning rate: --set train.lr=0.001\n\
             \x20 cure 2: Use another activation."
        );
        let of = |layer: Option<&str>| Finding { layer: layer.map(String::from), ..finding() }.place();
        assert_eq!([of(None), of(Some("head.weight"))], ["", " at head.weight"]);
    }

    #[test]
    fn what_is_not_finite_is_null_in_json_and_comes_back() {
        let text = serde_json::to_string(&finding()).unwrap();
        assert!(text.contains(r#""value":null"#), "{text}");
        assert!(serde_json::from_str::<Finding>(&text).unwrap().value.is_nan());
    }

    #[test]
    fn a_diagnosis_is_kept_in_the_folder_and_says_what_was_watched_where_all_is_well() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Diagnosis::read(folder.path()).unwrap(), None);
        let watched = Watched { steps: 100, checks: 52, evaluations: 2, parameters: 4, layers: 3, rules: 20 };
        let diagnosis = Diagnosis { mode: "advise".into(), watched, ..Diagnosis::default() };
        diagnosis.write(folder.path()).unwrap();
        assert_eq!(Diagnosis::read(folder.path()).unwrap(), Some(diagnosis.clone()));
        assert_eq!(
            diagnosis.lines(),
            [
                "doctor: nothing wrong found by 20 rules in 100 steps (52 looked at from inside: 4 parameters, 3 layers), \
              2 evaluations"
            ]
        );
    }
}
