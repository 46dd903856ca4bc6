//! What a check has found, and the report of all checks.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::split::SplitData;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// The figures may be too good, or the model worse than it could be.
    Warning,
    /// The figures on the test part do not say what they seem to say.
    Error,
}

/// A share of contaminated rows from which the figures on a part say little.
const GRAVE_SHARE: f64 = 0.01;

impl Severity {
    /// Of `count` rows of a part of `of` that have been seen before.
    pub(super) fn of_contamination(count: usize, of: usize) -> Severity {
        if count as f64 >= GRAVE_SHARE * of as f64 { Severity::Error } else { Severity::Warning }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            // Not "error": training goes on, and the figures come with this beside them.
            Severity::Error => "serious",
        })
    }
}

/// What kind of thing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// Identical features in two parts.
    CopiesAcrossParts,
    /// Identical features within the parts.
    CopiesWithinParts,
    /// Images that are nearly those of another part.
    NearCopiesAcrossParts,
    /// Identical features, different classes.
    ConflictingLabels,
    /// Rows of one group in two parts.
    GroupOverlap,
    /// A part to judge by that is not later than what was trained on.
    TimeOverlap,
    /// Columns that give the target away.
    TargetLeak,
    /// A column that says which row it is, not what it is like.
    Identifier,
    /// A column with one value.
    ConstantColumn,
    /// Values far from all others of their column.
    ExtremeValues,
    /// A number that seems to stand for what is missing.
    MissingMark,
    /// A class many times as frequent as another.
    ClassImbalance,
    /// A class that a part does not have.
    AbsentClass,
    /// Columns that are distributed otherwise in another part.
    Drift,
    /// Labels or target values that are distributed otherwise in another part.
    TargetDrift,
    /// Parts that a linear classifier tells apart by all columns together.
    DistinguishableParts,
}

/// Rows that show a finding, numbered from 1 in the order of the data: of a table, the line after the header is row 1.
/// Rows that show it together, such as a row and its copy, stand in one list. A few of many.
pub type Examples = Vec<Vec<usize>>;

/// Something that a check has found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// What was found, in a sentence.
    pub message: String,
    /// What to do about it, in a sentence.
    pub advice: String,
    /// How many rows, columns or classes it concerns.
    pub count: usize,
    /// Of how many.
    pub of: usize,
    /// The columns it concerns, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Rows that show it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Examples,
}

/// No more examples than this are kept of a finding.
pub(super) const MOST_EXAMPLES: usize = 10;

impl Finding {
    /// Without columns and examples.
    pub(super) fn new(kind: Kind, severity: Severity, (count, of): (usize, usize)) -> Finding {
        let (message, advice) = Default::default();
        Finding { kind, severity, message, advice, count, of, columns: Vec::new(), examples: Vec::new() }
    }

    pub(super) fn says(self, message: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { message: message.into(), advice: advice.into(), ..self }
    }

    pub(super) fn columns(self, columns: Vec<String>) -> Finding {
        Finding { columns, ..self }
    }

    /// Takes lists of row indices from 0 and keeps the first.
    pub(super) fn examples(self, rows: impl IntoIterator<Item = Vec<usize>>) -> Finding {
        let numbered = |rows: Vec<usize>| rows.into_iter().take(MOST_EXAMPLES).map(|row| row + 1).collect();
        Finding { examples: rows.into_iter().take(MOST_EXAMPLES).map(numbered).collect(), ..self }
    }
}

/// What leaves columns out, as it is typed.
pub(super) fn drop_flags<'a>(columns: impl IntoIterator<Item = &'a str>) -> String {
    let is_plain = |name: &str| name.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
    let flag =
        |name: &str| if is_plain(name) { format!("--drop {name}") } else { format!("--drop '{name}'") };
    columns.into_iter().map(flag).collect::<Vec<_>>().join(" ")
}

/// `3 of 10 rows are`, `1 of 10 rows is`.
pub(super) fn so_many(count: usize, of: usize, rows: &str) -> String {
    format!("{count} of {of} {rows} {}", if count == 1 { "is" } else { "are" })
}

/// `warning: ... (rows 3 and 17; ...). What to do.`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.message)?;
        if !self.examples.is_empty() {
            const SHOWN: usize = 3;
            let groups = self.examples.iter().take(SHOWN).map(|rows| {
                let rows: Vec<String> = rows.iter().take(SHOWN).map(usize::to_string).collect();
                rows.join(" and ")
            });
            let more = if self.examples.len() > SHOWN { ", ..." } else { "" };
            write!(f, " (such as rows {}{more})", groups.collect::<Vec<_>>().join(", "))?;
        }
        write!(f, ". {}", self.advice)
    }
}

/// What all checks have found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What the data is called.
    pub data: String,
    /// Rows of the train, valid and test part.
    pub parts: [usize; 3],
    /// What was found, the gravest first.
    pub findings: Vec<Finding>,
    /// What was only looked at in part, a sentence each.
    pub sampled: Vec<String>,
}

impl Report {
    pub(super) fn of(split: &SplitData) -> Report {
        let parts = [split.train().len(), split.valid().len(), split.test().len()];
        Report { data: split.dataset().name().to_string(), parts, findings: Vec::new(), sampled: Vec::new() }
    }

    /// Whether there is nothing beyond notes.
    pub fn is_clean(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }

    /// The findings of one kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_sentence_with_rows_and_what_to_do() {
        let finding = Finding::new(Kind::ConflictingLabels, Severity::Warning, (2, 10))
            .says("2 inputs have two labels", "Correct them")
            .examples([vec![0, 4], vec![2, 7]]);
        assert_eq!(
            finding.to_string(),
            "warning: 2 inputs have two labels (such as rows 1 and 5, 3 and 8). Correct them"
        );
        let text = serde_json::to_string(&finding).unwrap();
        assert!(
            text.starts_with(r#"{"kind":"conflicting-labels","severity":"warning","message":"#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Finding>(&text).unwrap(), finding);
    }
}
