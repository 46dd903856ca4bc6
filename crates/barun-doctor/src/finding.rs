//! What the doctor says: one cause, its evidence, its cure.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// What was measured.
    pub value: f64,
    /// What it was held against.
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

/// Something that mends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cure {
    /// What to do, as one would say it.
    pub advice: String,
    /// The lines of the recipe that do it, as `--set` takes them: `train.lr=0.001`. Empty where a recipe cannot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
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
