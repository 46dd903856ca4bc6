//! Repair: what a finding's cures do to copies of the run, and whether the run itself is better off with one of them.
//!
//! When a finding above information stands, its cures become typed candidates: changes of the run's terms that keep
//! what it has learned. The two or three best of them race beside the unchanged run, all
//!
//! * from copies of the state - the candidates from the [state worth going back to](barun_train::mending::Mending::earlier) whose
//!   loss is lowest; where nothing has been learned, from the first weights, in which nothing has died -, on the same
//!   batches, with the same seeds,
//! * for up to 200 steps whose learning rates all fall to 0 in the end, since in a short race the smaller of two rates nearly
//!   always wins: it is less noisy, and what the larger one gains does not show yet,
//! * in 5 orders of the rows.
//!
//! What counts is the loss in eval mode on the validation part (at most 2048 rows; without one, training rows), one number
//! for each order, of which a gain counts as no more than twice the median one. A candidate is better if the mean of its gains over the unchanged run is above two standard errors and
//! above half a percent of the loss. The best of several looks better than it is, for it was chosen by the same noise; so
//! it must be better once more in 5 orders that had no part in choosing it. Else the run goes on as if nothing had been
//! tried, bit for bit.
//!
//! All trials together may take a tenth of the run's planned steps, or what [`budget`](crate::Doctor::budget) says; when it is used
//! up, the doctor only advises. Nothing of it depends on the time or on the number of threads.

mod edits;
mod surgery;
mod trial;

use barun_engine::random::{Stream, combine};
use barun_nn::State;
use barun_nn::fork::adopted;
use barun_train::Result;
use barun_train::changes::Changes;
use barun_train::diagnosis::Finding;
use barun_train::mending::{Mended, Mending};
use barun_train::repair::{Outcome, Repair};
use serde::{Deserialize, Serialize};

use crate::history::History;
use edits::{any_edit, candidates};
use trial::{Course, Way};

/// How many candidates race at once.
const MOST_CANDIDATES: usize = 3;
/// Batch orders of a race, and of its confirmation.
const ORDERS: usize = 5;
/// Steps of a race: as many as the budget allows between the least and the most; below the fair number rather one candidate
/// less.
const LEAST_STEPS: usize = 5;
const FAIR_STEPS: usize = 25;
const MOST_STEPS: usize = 200;
/// Below this part of the loss of knowing nothing something has been learned.
const LEARNED: f64 = 0.9;
/// The part of the loss that a gain must be to be worth anything.
const LEAST_GAIN: f64 = 0.005;

/// How a doctor repairs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// The steps of all trials, as a part of the run's planned steps.
    pub budget: f64,
    /// Instead of trials: an edit drawn with this seed, done blindly.
    pub by_chance: Option<u64>,
}

/// What is remembered of repairs; part of every checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Clinic {
    /// What was tried.
    pub repairs: Vec<Repair>,
    /// Whether something has been found since it was last thought about repairs.
    pub is_due: bool,
    /// Whether a rule is among it that had no part in the last attempt.
    #[serde(default)]
    pub is_new: bool,
    /// Nothing is tried before this step, unless it is for something new.
    wait_until: usize,
}

/// What came of an attempt.
pub(crate) struct Taken {
    /// What is told of it.
    pub repair: Repair,
    /// How the run goes on; none where that is unchanged.
    pub mended: Option<Mended>,
    /// The rule whose candidate it was.
    pub rule: Option<String>,
}

impl Clinic {
    /// Whether there is nothing to remember.
    pub fn is_idle(&self) -> bool {
        *self == Clinic::default()
    }

    /// Whether trials may be held after step `taken` of `total`.
    pub fn is_open(&self, terms: &Terms, taken: usize, total: usize) -> bool {
        // What is done by chance is done once.
        let is_over = terms.by_chance.is_some() && !self.repairs.is_empty();
        let is_in_time =
            self.is_due && !is_over && (self.is_new || taken >= self.wait_until) && taken < total;
        is_in_time && self.steps_left(terms, total) >= self.least(terms)
    }

    /// Takes in what stands now and can be mended.
    pub fn consider(&mut self, findings: &[Finding], history: &History) {
        self.is_due = !findings.is_empty() && is_mendable(findings, history);
        let last = self.repairs.last();
        let is_known = |rule: &str| {
            last.is_some_and(|repair| repair.findings.iter().any(|known| known.starts_with(rule)))
        };
        self.is_new = findings.iter().any(|finding| !is_known(&finding.rule));
    }

    /// Steps of the fewest trials there can be.
    fn least(&self, terms: &Terms) -> usize {
        if terms.by_chance.is_some() { 0 } else { cost(1, LEAST_STEPS) }
    }

    /// What the trials have cost.
    fn spent(&self) -> usize {
        self.repairs.iter().map(|repair| repair.cost_steps).sum()
    }

    fn steps_left(&self, terms: &Terms, total: usize) -> usize {
        ((terms.budget * total as f64) as usize).saturating_sub(self.spent())
    }

    /// What is to be said of repairs that were not tried, in a run of `total` steps with standing findings.
    pub fn notes(&self, terms: &Terms, total: usize, is_healthy: bool) -> Vec<String> {
        let mut notes = Vec::new();
        if self.repairs.iter().any(|repair| repair.before.is_some()) {
            notes.push(
                "the recipe that begins with these changes is recipe-repaired.toml in the run's folder; recipe.toml is as it was"
                    .to_string(),
            );
        }
        let (left, least) = (self.steps_left(terms, total), self.least(terms));
        if !is_healthy && left < least && total > 0 {
            let budget = (terms.budget * total as f64) as usize;
            let enough = (10.0 * (self.spent() + cost(1, FAIR_STEPS)) as f64 / total as f64).ceil() / 10.0;
            notes.push(format!(
                "a trial takes at least {least} steps, and {left} are left of the budget of {budget}; \
                 `--set doctor.budget={enough}` allows more"
            ));
        }
        notes
    }

    /// Tries what mends `findings`, the root cause first; none where there is nothing to try. A run that is to end meanwhile is
    /// left as it is, and so is what is remembered: it is tried again when the run is resumed.
    pub fn treat(
        &mut self,
        terms: &Terms,
        run: &Mending<'_>,
        history: &History,
        findings: &[Finding],
    ) -> Result<Option<Taken>> {
        let (was_due, was_new) = (self.is_due, self.is_new);
        (self.is_due, self.is_new) = (false, false);
        let mut candidates = candidates(findings, history, run.changes());
        if candidates.is_empty() {
            return Ok(None);
        }
        if let Some(seed) = terms.by_chance {
            return self.by_chance(seed, run, history, findings).map(Some);
        }
        let tried = self.tried();
        candidates.retain(|candidate| !tried.contains(&candidate.name()));
        // Before states are measured: a finding that stands is thought about again and again.
        if candidates.is_empty() {
            return Ok(None);
        }
        let start = best_start(run, history)?;
        // What cannot be compiled or done to this network is left out.
        let ways = candidates.iter().filter_map(|candidate| {
            Some((candidate.rule.as_str(), Way::of(candidate, run, history, &start.0).ok()??))
        });
        let mut ways: Vec<(&str, Way<'_>)> = ways.take(MOST_CANDIDATES).collect();
        let left = self.steps_left(terms, run.total());
        let Some((count, steps)) = affordable(ways.len(), left, run.total() - run.taken()) else {
            return Ok(None);
        };
        ways.truncate(count);
        let taken = self.race(run, history, findings, (&ways, start.1), steps)?;
        if taken.is_none() {
            (self.is_due, self.is_new) = (was_due, was_new);
        }
        Ok(taken)
    }

    /// What was tried since the run was last mended: in vain.
    fn tried(&self) -> Vec<String> {
        let since = self.repairs.iter().rev().take_while(|repair| repair.outcome == Outcome::Rejected);
        since.flat_map(|repair| repair.trials.iter().map(|trial| trial.name.clone())).collect()
    }

    /// The race of the candidates, and the confirmation of the best; none where it is broken off.
    fn race(
        &mut self,
        run: &Mending<'_>,
        history: &History,
        findings: &[Finding],
        (ways, back_to): (&[(&str, Way<'_>)], Option<usize>),
        steps: usize,
    ) -> Result<Option<Taken>> {
        let unchanged = Way::unchanged(run);
        let course = Course { run, steps, worst: 10.0 * history.loss_scale().unwrap_or(f64::MAX / 10.0) };
        let orders = 0..ORDERS as u64;
        let Some(first) = course.losses(&unchanged, orders.clone())? else { return Ok(None) };
        let mut trials = Vec::new();
        for (_, way) in ways {
            let Some(trial) = course.trial(way, &first, orders.clone())? else { return Ok(None) };
            trials.push(trial);
        }
        let best = (0..trials.len())
            .filter(|at| trials[*at].is_better(LEAST_GAIN))
            .max_by(|a, b| trials[*a].gain().total_cmp(&trials[*b].gain()));
        let mut cost_steps = (1 + trials.len()) * ORDERS * steps;
        let mut confirmed = None;
        if let Some(best) = best {
            let orders = orders.end..2 * orders.end;
            let Some(fresh) = course.losses(&unchanged, orders.clone())? else { return Ok(None) };
            let Some(trial) = course.trial(&ways[best].1, &fresh, orders)? else { return Ok(None) };
            confirmed = Some(trial);
            cost_steps += 2 * ORDERS * steps;
        }
        let chosen = best.filter(|_| confirmed.as_ref().is_some_and(|trial| trial.is_better(LEAST_GAIN)));
        let mut repair = Repair {
            outcome: if chosen.is_some() { Outcome::Accepted } else { Outcome::Rejected },
            trials: trials.iter().map(trial::Gains::told).collect(),
            confirmed: confirmed.as_ref().map(trial::Gains::told),
            trial_steps: steps,
            cost_steps,
            ..in_vain(run, findings)
        };
        let chosen = chosen.map(|at| &ways[at]);
        let rule = chosen.map(|(rule, _)| rule.to_string());
        let mended = match chosen {
            Some((_, way)) => Some(self.accept(&mut repair, run, &way.changes, &way.state, back_to)?),
            None => None,
        };
        self.wait(run, mended.is_some());
        self.repairs.push(repair.clone());
        Ok(Some(Taken { repair, mended, rule }))
    }

    /// An edit drawn by chance from all that could be done here, done without a trial.
    fn by_chance(
        &mut self,
        seed: u64,
        run: &Mending<'_>,
        history: &History,
        findings: &[Finding],
    ) -> Result<Taken> {
        let start = best_start(run, history)?;
        let mut stream = Stream::new(combine(seed, run.taken() as u64), "an edit by chance");
        let mut taken = None;
        // Some edits cannot be done to some networks; the unchanged run is not drawn.
        for _ in 0..20 {
            let candidate = any_edit(&mut stream, history, run);
            if let Ok(Some(way)) = Way::of(&candidate, run, history, &start.0) {
                taken = Some((candidate, way.changes, way.state));
                break;
            }
        }
        let name = taken.as_ref().map(|(candidate, ..)| candidate.name());
        let mut repair = Repair {
            outcome: if taken.is_some() { Outcome::Untried } else { Outcome::Rejected },
            trials: name.map(trial::untried).into_iter().collect(),
            ..in_vain(run, findings)
        };
        let mended = match &taken {
            Some((_, changes, state)) => Some(self.accept(&mut repair, run, changes, state, start.1)?),
            None => None,
        };
        self.wait(run, mended.is_some());
        self.repairs.push(repair.clone());
        Ok(Taken { repair, mended, rule: taken.map(|(candidate, ..)| candidate.rule) })
    }

    /// How the run goes on, and where what it was before is kept.
    fn accept(
        &self,
        repair: &mut Repair,
        run: &Mending<'_>,
        changes: &Changes,
        state: &State,
        back_to: Option<usize>,
    ) -> Result<Mended> {
        repair.back_to = back_to;
        repair.set = changes.settings(run.base_lr())?;
        let earlier = self.repairs.iter().filter(|repair| repair.outcome != Outcome::Rejected).count();
        repair.before = run.is_kept().then(|| barun_train::run::before_repair(earlier + 1));
        Ok(Mended { changes: changes.clone(), state: state.clone() })
    }

    /// What was done, or not, needs time to show.
    fn wait(&mut self, run: &Mending<'_>, is_mended: bool) {
        let (least, share) = if is_mended { (50, 20) } else { (100, 10) };
        self.wait_until = run.taken() + least.max(run.total() / share);
    }
}

/// An attempt to do something about `findings` in which nothing has been tried.
fn in_vain(run: &Mending<'_>, findings: &[Finding]) -> Repair {
    Repair {
        step: run.taken(),
        findings: findings.iter().map(|finding| format!("{} {}", finding.rule, finding.name)).collect(),
        outcome: Outcome::Rejected,
        trials: Vec::new(),
        confirmed: None,
        trial_steps: 0,
        cost_steps: 0,
        back_to: None,
        set: Vec::new(),
        before: None,
    }
}

/// Whether a repair can do something about any of `findings`.
fn is_mendable(findings: &[Finding], history: &History) -> bool {
    !candidates(findings, history, &Changes::default()).is_empty()
}

/// Steps that a race of `candidates`, with its confirmation, costs.
fn cost(candidates: usize, steps: usize) -> usize {
    (1 + candidates + 2) * ORDERS * steps
}

/// How many candidates can race over how many steps; half of the budget is left for later where that is fair enough.
fn affordable(candidates: usize, budget: usize, left: usize) -> Option<(usize, usize)> {
    let most = candidates.min(MOST_CANDIDATES);
    if most == 0 {
        return None;
    }
    let steps_of = |budget: usize, count: usize| (budget / cost(count, 1)).min(MOST_STEPS).min(left);
    let fair = [budget / 2, budget].into_iter().find_map(|budget| {
        (1..=most)
            .rev()
            .find(|count| steps_of(budget, *count) >= FAIR_STEPS.min(left))
            .map(|count| (count, steps_of(budget, count)))
    });
    fair.or_else(|| Some((1, steps_of(budget, 1))))
        .filter(|(_, steps)| *steps >= LEAST_STEPS.min(left) && *steps > 0)
}

/// The state to begin from, and the step it is of where that is not the one the run stands at: that with the lowest loss, or the
/// first where none has learned anything.
fn best_start(run: &Mending<'_>, history: &History) -> Result<(State, Option<usize>)> {
    let finite = |loss: f64| if loss.is_finite() { loss } else { f64::INFINITY };
    let mut best = (finite(run.loss(run.step(), run.state())?), None);
    // No step back for next to nothing.
    let mut bar = best.0 * (1.0 - LEAST_GAIN);
    for earlier in run.earlier() {
        let loss = finite(run.loss(run.step(), &earlier.state)?);
        if loss < bar {
            best = (loss, Some(earlier));
            bar = loss;
        }
    }
    let knows_nothing = history.loss_scale().is_none_or(|scale| best.0 >= LEARNED * scale);
    if let Some(first) = run.earlier().first().filter(|_| knows_nothing) {
        best.1 = Some(first);
    }
    Ok(match best.1 {
        Some(earlier) => (earlier.state.clone(), Some(earlier.taken).filter(|taken| *taken != run.taken())),
        None => (run.state().clone(), None),
    })
}

/// A state for a step under other changes.
fn moved(run: &Mending<'_>, changes: &Changes, state: &State) -> Result<State> {
    match changes.need_another_step() || run.changes().need_another_step() {
        true => Ok(adopted(state, &run.under(changes)?)?),
        false => Ok(state.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_says_how_many_candidates_race_over_how_many_steps() {
        assert_eq!(affordable(5, 100_000, 10_000), Some((3, 200)));
        assert_eq!(affordable(3, 1500, 10_000), Some((3, 25)), "half is left for later");
        assert_eq!(affordable(3, 600, 10_000), Some((1, 30)), "rather fewer candidates");
        assert_eq!(affordable(3, 150, 10_000), Some((1, 7)));
        assert_eq!(affordable(3, 60, 10_000), None);
        assert_eq!(affordable(0, 60_000, 10_000), None);
        assert_eq!(affordable(3, 100_000, 12), Some((3, 12)), "no longer than the run");
    }
}
