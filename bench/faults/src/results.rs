//! What runs have come to, in a file that only grows: a run that is in it is not carried out again.

use std::collections::BTreeMap;
use std::path::Path;

use barun_train::files;
use barun_train::log::{Log, read_log};
use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::error::{Error, Result};
use crate::run::Outcome;

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    case: Case,
    #[serde(flatten)]
    outcome: Outcome,
}

/// The outcomes of all runs so far.
pub struct Results {
    log: Log,
    outcomes: BTreeMap<Case, Outcome>,
}

const NAME: &str = "results.jsonl";

impl Results {
    /// Those of a folder, which is made where there is none; with `forgets_doctor` without what the doctor has watched, so
    /// that it is asked again. A last line that was cut off is left out.
    ///
    /// # Errors
    /// A folder or file that cannot be read or written, and a file with other lines than the bench writes.
    pub fn open(folder: &Path, forgets_doctor: bool) -> Result<Results> {
        let path = folder.join(NAME);
        std::fs::create_dir_all(folder).map_err(|source| Error::File {
            doing: "make the folder",
            path: folder.to_path_buf(),
            source,
        })?;
        let lines: Vec<Line> = if path.is_file() { read_log(&path)? } else { Vec::new() };
        let outcomes: BTreeMap<Case, Outcome> = lines
            .into_iter()
            .filter(|line| !(forgets_doctor && line.case.is_watched()))
            .map(|line| (line.case, line.outcome))
            .collect();
        let mut kept = Vec::new();
        for (case, outcome) in &outcomes {
            let line = Line { case: case.clone(), outcome: outcome.clone() };
            let failed = |error: serde_json::Error| Error::File {
                doing: "write",
                path: path.clone(),
                source: error.into(),
            };
            serde_json::to_writer(&mut kept, &line).map_err(failed)?;
            kept.push(b'\n');
        }
        files::write_atomically(&path, &kept)?;
        let (log, _) = Log::open(&path, outcomes.len())?;
        Ok(Results { log, outcomes })
    }

    /// Adds a run.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add(&mut self, case: Case, outcome: Outcome) -> Result<()> {
        let line = Line { case, outcome };
        self.log.add(&line)?;
        self.outcomes.insert(line.case, line.outcome);
        Ok(())
    }

    /// What a run came to.
    pub fn get(&self, case: &Case) -> Option<&Outcome> {
        self.outcomes.get(case)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Care, Deed};

    #[test]
    fn what_was_written_is_there_again_and_a_torn_line_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let case = |seed| Case {
            base: "moons/mlp".into(),
            deed: Deed::Fault("zeros".into(), "1".into()),
            seed,
            care: Care::Advice,
        };
        let outcome = Outcome { score: 0.5, ..Outcome::default() };
        let mut results = Results::open(folder.path(), false).unwrap();
        (0..3).for_each(|seed| results.add(case(seed), outcome.clone()).unwrap());
        drop(results);
        let path = folder.path().join(NAME);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 9]).unwrap();
        let results = Results::open(folder.path(), false).unwrap();
        assert_eq!((results.get(&case(1)), results.get(&case(2))), (Some(&outcome), None));
        let again = Results::open(folder.path(), true).unwrap();
        assert_eq!(
            (again.get(&case(0)), again.get(&case(1))),
            (None, Some(&outcome)),
            "seed 0 is the doctor's"
        );
        std::fs::write(&path, "{\"case\": 1}\n{}\n").unwrap();
        let error = Results::open(folder.path(), false).err().unwrap().to_string();
        assert!(error.contains("results.jsonl:1: "), "another file is not written over: {error}");
    }
}
