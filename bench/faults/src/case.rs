//! The runs of the bench: every one by its name, which is all that is needed to carry it out again.

use std::fmt;

use barun_doctor::Doctor;
use barun_engine::random::Stream;
use serde::{Deserialize, Serialize};

use crate::bases::{self, BASES, Base, Part};
use crate::changes::{self, AS_IT_IS};
use crate::error::{Error, Result};
use crate::operators::{self, Operator};
use crate::plan::Plan;
use crate::sources::Library;

/// Seeds with which harm is shown; the doctor is judged on the first.
pub const SEEDS: u64 = 5;
/// Seeds of a healthy run with a change; bases as they are have all of [`SEEDS`].
const SEEDS_OF_CHANGES: u64 = 2;

/// What is done to a base.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Deed {
    /// A change that leaves it well.
    Change(String),
    /// An operator, and how strongly.
    Fault(String, String),
}

/// What the doctor does in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Care {
    /// It says what is wrong, where it watches at all.
    #[default]
    Advice,
    /// It mends what it can, on evidence.
    Repair,
    /// It does an edit drawn by chance, untried, where it would have repaired.
    Chance,
}

/// Steps that the trials of repairs may take, as a part of the planned ones: runs of some hundred steps, of a tenth of which no
/// trial can be made.
pub const BUDGET: f64 = 3.0;

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Case {
    /// The base.
    pub base: String,
    /// What is done to it.
    pub deed: Deed,
    /// The run's seed, counted from 0 in each part.
    pub seed: u64,
    /// What the doctor does.
    #[serde(default)]
    pub care: Care,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.deed {
            Deed::Change(change) => write!(f, "{} {change} {}", self.base, self.seed)?,
            Deed::Fault(operator, strength) => {
                write!(f, "{} {operator}@{strength} {}", self.base, self.seed)?
            }
        }
        f.write_str(match self.care {
            Care::Advice => "",
            Care::Repair => " repaired",
            Care::Chance => " by chance",
        })
    }
}

impl Case {
    fn of(base: &Base, deed: &Deed, seed: u64) -> Case {
        Case { base: base.name(), deed: deed.clone(), seed, care: Care::Advice }
    }

    /// The same fault with a seed that nothing was judged by, left alone, repaired, and edited by chance.
    pub fn treatments(&self) -> [Case; 3] {
        [Care::Advice, Care::Repair, Care::Chance].map(|care| Case { seed: SEEDS, care, ..self.clone() })
    }

    /// Whether the doctor watches it: healthy runs, broken ones with the first seed, and those it mends.
    pub fn is_watched(&self) -> bool {
        matches!(self.deed, Deed::Change(_)) || self.seed == 0 || self.care != Care::Advice
    }

    /// The doctor of the run; none where nobody watches.
    pub fn doctor(&self) -> Option<Doctor> {
        self.is_watched().then(|| match self.care {
            Care::Advice => Doctor::advise(),
            Care::Repair => Doctor::repair().budget(BUDGET),
            Care::Chance => Doctor::repair().budget(BUDGET).by_chance(self.seed),
        })
    }

    /// The same base with the same seed and nothing done to it.
    pub fn twin(&self) -> Case {
        Case { deed: Deed::Change(AS_IT_IS.into()), care: Care::Advice, ..self.clone() }
    }

    /// The base.
    ///
    /// # Errors
    /// A name that no base has.
    pub fn base(&self) -> Result<&'static Base> {
        bases::by_name(&self.base).ok_or_else(|| Error::Data(format!("there is no base {}", self.base)))
    }

    /// The operator; none of a healthy run.
    pub fn operator(&self) -> Option<&'static Operator> {
        match &self.deed {
            Deed::Fault(operator, _) => operators::by_name(operator),
            Deed::Change(_) => None,
        }
    }

    /// The training.
    ///
    /// # Errors
    /// Data that cannot be read, names of nothing, an operator that does not fit.
    pub fn plan(&self, library: &Library) -> Result<Plan> {
        let base = self.base()?;
        let mut plan = base.plan(library, base.part.first_seed() + self.seed)?;
        match &self.deed {
            Deed::Change(name) => {
                let change = changes::by_name(name);
                (change.ok_or_else(|| Error::Data(format!("there is no change {name}")))?.apply)(&mut plan)?;
            }
            Deed::Fault(name, strength) => {
                let operator = operators::by_name(name);
                let operator = operator.ok_or_else(|| Error::Data(format!("there is no operator {name}")))?;
                let mut random = Stream::new(plan.seed, name);
                let strength = strength.parse().map_err(|_| {
                    Error::Data(format!("{name} has the strength {strength}, which is no number"))
                })?;
                (operator.apply)(&mut plan, strength, &mut random)?;
            }
        }
        Ok(plan)
    }
}

/// The healthy runs of a part, as far as this machine has their data.
pub fn healthy(part: Part, library: &Library) -> Vec<Case> {
    let mut cases = Vec::new();
    for base in BASES.iter().filter(|base| base.part == part && library.has(base.source)) {
        for change in changes::of(part).filter(|change| (change.fits)(base)) {
            let seeds = if change.name == AS_IT_IS { SEEDS } else { SEEDS_OF_CHANGES };
            let deed = Deed::Change(change.name.into());
            cases.extend((0..seeds).map(|seed| Case::of(base, &deed, seed)));
        }
    }
    cases
}

/// The broken runs of a part, as far as this machine has their data.
pub fn faults(part: Part, library: &Library) -> Vec<Case> {
    let mut cases = Vec::new();
    for operator in operators::all().filter(|operator| operator.part == part) {
        for base in operator.bases().filter(|base| library.has(base.source)) {
            for strength in operator.strengths {
                let deed = Deed::Fault(operator.name.into(), format!("{strength}"));
                cases.extend((0..SEEDS).map(|seed| Case::of(base, &deed, seed)));
            }
        }
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_runs_tell_them_apart() {
        let library = Library::new(None);
        for part in [Part::Tuning, Part::Scored] {
            let cases = [healthy(part, &library), faults(part, &library)].concat();
            let names: std::collections::BTreeSet<String> = cases.iter().map(Case::to_string).collect();
            assert_eq!(names.len(), cases.len());
        }
    }
}
