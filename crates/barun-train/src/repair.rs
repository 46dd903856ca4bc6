//! What a doctor has tried to mend a run, and what came of it: part of a [`Diagnosis`](crate::diagnosis::Diagnosis), and a line
//! each of `repairs.jsonl` in the run's folder.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::log::Log;
use crate::metrics::null_is_nan;
use crate::recipe::as_arguments;
use crate::run::repairs_of;

/// An attempt to mend a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repair {
    /// The steps that had been taken.
    pub step: usize,
    /// The findings that gave rise to it, `R13 UPDATE_RATIO`, the root cause first.
    pub findings: Vec<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// What was tried beside going on unchanged.
    pub trials: Vec<Trial>,
    /// The best of them once more, on batch orders that had no part in choosing it; none where nothing was better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Trial>,
    /// Annealed steps of each trial in each batch order.
    pub trial_steps: usize,
    /// Steps that all trials took together.
    pub cost_steps: usize,
    /// The step whose weights the run went back to; none where it went on from where it stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_to: Option<usize>,
    /// The lines of the recipe that ask for the run's terms from the beginning, after this repair and all before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// The state from before, a file in the run's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was better, and the run goes on with it.
    Accepted,
    /// Nothing was better by more than chance, and the run goes on unchanged.
    Rejected,
    /// It was done without a trial.
    Untried,
}

/// How a change went beside the unchanged run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// What was changed: `learning rate / 3`.
    pub name: String,
    /// The mean loss in the end; null where it was not finite.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// The mean loss of the unchanged run in the same batch orders.
    #[serde(deserialize_with = "null_is_nan")]
    pub unchanged_loss: f64,
    /// By how much its loss was lower, in the mean over batch orders.
    pub gain: f64,
    /// The standard error of that mean.
    pub standard_error: f64,
    /// Batch orders.
    pub orders: usize,
}

impl Repair {
    /// The trial that decided, if there was one.
    fn best(&self) -> Option<&Trial> {
        self.confirmed.as_ref().or_else(|| self.trials.iter().max_by(|a, b| a.gain.total_cmp(&b.gain)))
    }

    /// A line for people, and where to go back.
    pub fn lines(&self) -> Vec<String> {
        let findings = self.findings.join(", ");
        let head = format!("repair after step {} for {findings}:", self.step);
        let Repair { trial_steps, cost_steps, .. } = self;
        let name = self.best().map_or("nothing", |trial| &trial.name);
        let told = self.best().map(Trial::told).unwrap_or_default();
        let mut lines = vec![match self.outcome {
            Outcome::Accepted => format!("{head} {name}; {told}, after {trial_steps} steps annealed to 0."),
            Outcome::Untried => format!("{head} {name}, untried."),
            Outcome::Rejected => {
                let names: Vec<&str> = self.trials.iter().map(|trial| trial.name.as_str()).collect();
                let (tried, best) = match names[..] {
                    [only] => (format!("{only} was not better"), String::new()),
                    _ => (format!("none of {} was better", names.join(", ")), format!("the best: {name}, ")),
                };
                format!(
                    "{head} {tried} by more than chance in {cost_steps} steps of trial, so the run goes on unchanged; \
                     {best}{told}."
                )
            }
        }];
        if self.outcome == Outcome::Rejected {
            return lines;
        }
        lines.extend(self.back_to.map(|step| match step {
            0 => "  from: the first weights.".to_string(),
            step => format!("  from: the weights after step {step}."),
        }));
        if !self.set.is_empty() {
            lines.push(format!("  the same from the beginning: {}", as_arguments(&self.set)));
        }
        lines.extend(self.before.as_ref().map(|before| format!("  the state from before: {before}")));
        lines
    }
}

impl Trial {
    fn told(&self) -> String {
        let number =
            |loss: f64| if loss.is_finite() { format!("{loss:.4}") } else { "not finite".to_string() };
        let Trial { loss, unchanged_loss, gain, standard_error, orders, .. } = self;
        let (loss, unchanged) = (number(*loss), number(*unchanged_loss));
        format!(
            "loss {loss} against {unchanged} unchanged ({gain:+.4} better, standard error {standard_error:.4}, {orders} batch orders)"
        )
    }
}

/// Where repairs go as they are tried: `repairs.jsonl` in the run's folder.
pub struct RepairsLog(Log);

impl RepairsLog {
    /// Opens that of the run at `path`, and keeps its first `lines`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, lines: usize) -> Result<RepairsLog> {
        Ok(RepairsLog(Log::open(&repairs_of(path), lines)?.0))
    }

    /// Adds a repair; it is in the file when this returns.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, repair: &Repair) -> Result<()> {
        self.0.add(repair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(name: &str, gain: f64) -> Trial {
        let (loss, unchanged_loss) = (2.0 - gain, 2.0);
        Trial { name: name.into(), loss, unchanged_loss, gain, standard_error: 0.05, orders: 5 }
    }

    fn repair(outcome: Outcome) -> Repair {
        Repair {
            step: 120,
            findings: vec!["R13 UPDATE_RATIO".into()],
            outcome,
            trials: vec![trial("clip at 1", 0.1), trial("learning rate / 3", 0.5)],
            confirmed: (outcome == Outcome::Accepted).then(|| trial("learning rate / 3", 0.4)),
            trial_steps: 40,
            cost_steps: 1000,
            back_to: Some(0),
            set: vec!["train.lr=0.1".into()],
            before: Some("checkpoints/before-repair-1.safetensors".into()),
        }
    }

    #[test]
    fn a_repair_tells_what_was_better_by_how_much_and_how_to_go_back() {
        assert_eq!(
            repair(Outcome::Accepted).lines().join("\n"),
            "repair after step 120 for R13 UPDATE_RATIO: learning rate / 3; loss 1.6000 against 2.0000 unchanged (+0.4000 \
             better, standard error 0.0500, 5 batch orders), after 40 steps annealed to 0.\n\
             \x20 from: the first weights.\n\
             \x20 the same from the beginning: --set train.lr=0.1\n\
             \x20 the state from before: checkpoints/before-repair-1.safetensors"
        );
        let rejected = repair(Outcome::Rejected).lines();
        assert_eq!(rejected.len(), 1);
        assert!(rejected[0].contains("none of clip at 1, learning rate / 3 was better"), "{rejected:?}");
    }

    #[test]
    fn a_loss_that_is_not_finite_comes_back_from_json() {
        let lost = Trial { unchanged_loss: f64::INFINITY, ..trial("x", 1.0) };
        let text = serde_json::to_string(&lost).unwrap();
        assert!(serde_json::from_str::<Trial>(&text).unwrap().unchanged_loss.is_nan());
    }
}
