//! What the bench says of the doctor.
//!
//! - A fault counts if it **harms**: over five seeds the run is worse on fresh rows than the same run without it - or, where an
//!   operator harms the estimate, what is reported of the test part is further from what fresh rows give - by more than
//!   [`MARGIN`], in a paired test at 5 %.
//! - It is **detected** if anything above information is said of the run with the first seed, and its **cause is first** if
//!   the first finding is of a rule that the operator names.
//! - A healthy run counts if it was in fact well: it has [`WELL`] of what its base as it is has above knowing nothing. Anything
//!   above information said of it is a **false alarm**.

use barun_train::diagnosis::Level;

use crate::bases::Part;
use crate::case::{Case, Deed, SEEDS, faults, healthy};
use crate::operators::Harms;
use crate::results::Results;
use crate::run::{Outcome, Said};
use crate::sources::Library;
use crate::statistics::is_above;

/// What counts as worse: two points of accuracy, or of the variance that is explained.
pub const MARGIN: f64 = 0.02;
/// What counts as well.
pub const WELL: f64 = 0.7;

/// A fault and what was said of it.
pub struct Judged {
    /// The run with the first seed.
    pub case: Case,
    /// Whether it harms.
    pub is_harmful: bool,
    /// By how much, in the mean over the seeds.
    pub harm: f64,
    /// What was said above information, the first first.
    pub said: Vec<Said>,
}

/// A healthy run and what was said of it.
pub struct Well {
    /// The run.
    pub case: Case,
    /// Its score.
    pub score: f64,
    /// Whether it was in fact well.
    pub is_well: bool,
    /// What was said above information.
    pub said: Vec<Said>,
}

/// A fault left alone, repaired, and edited by chance, with a fresh seed.
pub struct Treated {
    /// The run that is left alone.
    pub case: Case,
    /// Its score.
    pub alone: f64,
    /// The score with repairs; none where there was no repair.
    pub repaired: Option<f64>,
    /// The score with an edit drawn by chance; none where there was none.
    pub by_chance: Option<f64>,
}

/// What the bench says of a part.
pub struct Score {
    /// Which.
    pub part: Part,
    /// The faults.
    pub faults: Vec<Judged>,
    /// The healthy runs.
    pub healthy: Vec<Well>,
    /// The faults that harm the run, treated; those that have been.
    pub treated: Vec<Treated>,
    /// Seconds of all runs together, on one thread each.
    pub seconds: f64,
    /// Runs.
    pub runs: usize,
}

impl Judged {
    /// Whether anything was said.
    pub fn is_detected(&self) -> bool {
        !self.said.is_empty()
    }

    /// Whether the first thing that was said is a cause.
    pub fn is_right(&self) -> bool {
        let causes = self.case.operator().map_or(&[][..], |operator| operator.causes);
        self.said.first().is_some_and(|first| causes.contains(&first.rule.as_str()))
    }

    /// The operator's name.
    pub fn operator(&self) -> &str {
        match &self.case.deed {
            Deed::Fault(name, _) => name,
            Deed::Change(_) => "",
        }
    }

    /// How strongly it was applied.
    pub fn strength(&self) -> &str {
        match &self.case.deed {
            Deed::Fault(_, strength) => strength,
            Deed::Change(_) => "",
        }
    }
}

impl Score {
    /// Of the runs that are over; those whose seeds are not all there are left out.
    pub fn of(part: Part, library: &Library, results: &Results) -> Score {
        let (broken, well) = (faults(part, library), healthy(part, library));
        let over: Vec<&Outcome> = broken.iter().chain(&well).filter_map(|case| results.get(case)).collect();
        let (seconds, runs) = (over.iter().map(|outcome| outcome.seconds).sum(), over.len());
        let faults = broken.iter().filter(|case| case.seed == 0).filter_map(|case| judged(case, results));
        let healthy = well.iter().filter_map(|case| watched(case, results));
        let mut score = Score {
            part,
            faults: faults.collect(),
            healthy: healthy.collect(),
            treated: Vec::new(),
            seconds,
            runs,
        };
        score.treated = score.to_treat().filter_map(|case| treated(case, results)).collect();
        score
    }

    /// The faults that can be treated: those that harm the run, and not what is said of it.
    pub fn to_treat(&self) -> impl Iterator<Item = &Case> {
        let harms_run =
            |case: &Case| case.operator().is_some_and(|operator| matches!(operator.harms, Harms::Run));
        self.harmful().map(|fault| &fault.case).filter(move |case| harms_run(case))
    }

    /// The faults that count.
    pub fn harmful(&self) -> impl Iterator<Item = &Judged> {
        self.faults.iter().filter(|fault| fault.is_harmful)
    }

    /// The healthy runs that count.
    pub fn well(&self) -> impl Iterator<Item = &Well> {
        self.healthy.iter().filter(|run| run.is_well)
    }
}

fn treated(case: &Case, results: &Results) -> Option<Treated> {
    let [alone, repaired, by_chance] = case.treatments();
    let [own, mended, drawn] = [results.get(&alone)?, results.get(&repaired)?, results.get(&by_chance)?];
    let changed = |outcome: &Outcome| outcome.is_mended.then_some(outcome.score);
    Some(Treated { case: alone, alone: own.score, repaired: changed(mended), by_chance: changed(drawn) })
}

fn above_information(outcome: &Outcome) -> Option<Vec<Said>> {
    Some(outcome.said.as_ref()?.iter().filter(|said| said.level > Level::Info).cloned().collect())
}

fn judged(case: &Case, results: &Results) -> Option<Judged> {
    let operator = case.operator()?;
    let badness = |outcome: &Outcome| match operator.harms {
        Harms::Run => -outcome.score,
        Harms::Estimate => (outcome.reported - outcome.score).abs(),
    };
    let difference = |seed| {
        let case = Case { seed, ..case.clone() };
        Some(badness(results.get(&case)?) - badness(results.get(&case.twin())?))
    };
    let differences = (0..SEEDS).map(difference).collect::<Option<Vec<f64>>>()?.try_into().ok()?;
    Some(Judged {
        case: case.clone(),
        is_harmful: is_above(&differences, MARGIN),
        harm: differences.iter().sum::<f64>() / differences.len() as f64,
        said: above_information(results.get(case)?)?,
    })
}

fn watched(case: &Case, results: &Results) -> Option<Well> {
    let outcome = results.get(case)?;
    let twins = (0..SEEDS).map(|seed| Some(results.get(&Case { seed, ..case.twin() })?.score));
    let usual = twins.collect::<Option<Vec<f64>>>()?.iter().sum::<f64>() / SEEDS as f64;
    let needed = outcome.trivial + WELL * (usual - outcome.trivial);
    Some(Well {
        case: case.clone(),
        score: outcome.score,
        is_well: outcome.score >= needed && usual > outcome.trivial && outcome.failed.is_none(),
        said: above_information(outcome)?,
    })
}
