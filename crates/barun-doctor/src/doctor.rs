//! The doctor as a callback: asks the rules when it is their turn, remembers what they found, and says it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use barun_data::integrity;
use barun_nn::StepRecord;
use barun_train::answers::Answers;
use barun_train::callback::{Batch, Callback, EpochEnd, Flow, Start};
use barun_train::diagnosis::{Diagnosis, Finding, FindingsLog, Level, Watched as Seen};
use barun_train::log::{EpochRecord, read_log};
use barun_train::mending::{Mended, Mending};
use barun_train::recipe::{self, DoctorMode};
use barun_train::repair::{Repair, RepairsLog};
use barun_train::report::TrainReport;
use barun_train::request::OverfitReport;
use barun_train::run::log_of;
use barun_train::subject::Subject;
use barun_train::watching::{Skipped, WatchEvery, Watched};
use barun_train::{Error, Recipe, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::acknowledge::numbers;
use crate::case::{Case, Planned};
use crate::course;
use crate::gate::Looks;
use crate::history::{Evaluation, History, Modes, StepScalars};
use crate::labels::LabelCheck;
use crate::probe::probe;
use crate::ranking::rank;
use crate::repair::{Clinic, Terms};
use crate::rules::{About, Found, Kind, Rule, all};
use crate::vitals::vitals;

/// After the first steps every so-manieth is looked at from inside; in long runs a part of the run each time, up to so many steps
/// apart, and farther where steps are so short that looking would show. It follows from the work of the run, not from the time it
/// takes, so that a run is seen the same on every machine.
const EVERY: usize = 20;
const LOOKS: usize = 40;
const MOST_APART: usize = 50;
const MOST_APART_OF_SHORT: usize = 800;
/// A step is short if parameters times rows are fewer than this.
const SHORT: usize = 1 << 21;
/// How many steps apart the looks of a long run are, for a network of `parameters` trainable numbers and batches of `rows`.
pub fn farthest_apart(parameters: usize, rows: usize) -> usize {
    if parameters.saturating_mul(rows) < SHORT { MOST_APART_OF_SHORT } else { MOST_APART }
}

/// While the run is in trouble, costly looks are this many steps apart, and fewer in a run that would see few of them.
const PROBE_EVERY: usize = 100;
const PROBE_EVERY_OF_SHORT: usize = 20;
const PROBES: usize = 20;
/// A doctor that repairs keeps states to go back to a quarter of an epoch apart, and so many steps at least.
const KEEP_EVERY: usize = 25;
/// A symptom that held so often before the trouble began may be its cause.
const OFTEN: usize = 3;

/// The labels are looked at where there are no more classes, and no more probabilities in all, than this.
const MOST_CLASSES: usize = 1000;
const MOST_PROBABILITIES: usize = 1 << 22;

/// A loss above this part of that of knowing nothing is one of a run that has learned nothing.
const NOTHING_LEARNED: f64 = 0.9;

/// Watches a run and says what is wrong; see the [crate](crate).
pub struct Doctor {
    acknowledged: Vec<String>,
    abandons: bool,
    rules: Vec<(About, Box<dyn Rule>)>,
    every: WatchEvery,
    data: Option<integrity::Report>,
    overfit: Option<OverfitReport>,
    planned: Planned,
    /// The settings that this model has in a recipe.
    model_keys: Vec<String>,
    notes: Notes,
    /// How it repairs; none where it only advises.
    repair: Option<Terms>,
    /// What is still to be told to others.
    fresh: Vec<Finding>,
    tried: Vec<Repair>,
    run: Option<PathBuf>,
    log: Option<FindingsLog>,
    repairs: Option<RepairsLog>,
    is_resumed: bool,
    has_begun: bool,
}

/// What it remembers of a run; part of every checkpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Notes {
    history: History,
    looks: Looks,
    /// By the rule's number.
    entries: BTreeMap<String, Entry>,
    /// Lines of the log of findings.
    lines: usize,
    /// The step of the last costly look.
    probed: usize,
    #[serde(default, skip_serializing_if = "Clinic::is_idle")]
    clinic: Clinic,
}

/// What a rule has found so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    /// As of the last time it held, at the level that counts.
    finding: Finding,
    /// How bad it would be in a run that is in trouble.
    full: Level,
    is_certain: bool,
    /// How often it held.
    times: usize,
    /// The level that was told.
    told: Option<Level>,
    /// Whether it held when it last looked.
    holds: bool,
}

impl Doctor {
    /// Says what is wrong and what mends it, and changes nothing.
    pub fn advise() -> Doctor {
        let rules = all().into_iter().map(|rule| (rule.about(), rule)).collect();
        Doctor {
            acknowledged: Vec::new(),
            abandons: false,
            rules,
            every: WatchEvery::steps(EVERY),
            data: None,
            overfit: None,
            planned: Planned::default(),
            model_keys: Vec::new(),
            notes: Notes::default(),
            repair: None,
            fresh: Vec::new(),
            tried: Vec::new(),
            run: None,
            log: None,
            repairs: None,
            is_resumed: false,
            has_begun: false,
        }
    }

    /// Says what is wrong and [mends](crate::repair) what it can, within a tenth of the run's planned steps: what is better on copies of
    /// the run, by more than chance, is done to the run itself.
    pub fn repair() -> Doctor {
        Doctor { repair: Some(Terms { budget: 0.1, by_chance: None }), ..Doctor::advise() }
    }

    /// The steps that all trials of repairs together may take, as a part of the run's planned steps; 0.1 unless set. Nothing to
    /// a doctor that only advises.
    pub fn budget(self, share: f64) -> Doctor {
        Doctor { repair: self.repair.map(|terms| Terms { budget: share.max(0.0), ..terms }), ..self }
    }

    /// The same without repairs.
    pub fn advising(self) -> Doctor {
        Doctor { repair: None, ..self }
    }

    /// Instead of trying what would mend a finding, does one edit to the run, drawn with `seed` from all that a repair can
    /// do: what repairs are to be held against. Nothing to a doctor that only advises.
    pub fn by_chance(self, seed: u64) -> Doctor {
        Doctor { repair: self.repair.map(|terms| Terms { by_chance: Some(seed), ..terms }), ..self }
    }

    /// As a recipe says; none where it is off.
    pub fn of(recipe: &recipe::Doctor) -> Option<Doctor> {
        let doctor = match recipe.mode {
            DoctorMode::Off => return None,
            DoctorMode::Advise => Doctor::advise(),
            DoctorMode::Repair => Doctor::repair().budget(recipe.budget),
        };
        Some(Doctor { abandons: recipe.abandon, ..doctor.acknowledging(&recipe.acknowledge) })
    }

    /// Ends runs that cannot end well: at the end of an epoch the run is in trouble, knows no more than how frequent each answer
    /// is, and an error stands that is not one of the data. In a search for hyper-parameters the hopeless values are given up early so. [HPO-09]
    pub fn abandoning(self) -> Doctor {
        Doctor { abandons: true, ..self }
    }

    /// Knows whether a few rows could be learned by heart, before the run begins. [R06]
    pub fn having_tried(self, overfit: OverfitReport) -> Doctor {
        Doctor { overfit: Some(overfit), ..self }
    }

    /// Rules, by number or name, whose findings are known and meant.
    pub fn acknowledging(self, rules: &[String]) -> Doctor {
        Doctor { acknowledged: numbers(rules), ..self }
    }

    /// Asks the rules of these kinds, and notes what they find.
    fn ask(&mut self, kinds: &[Kind]) -> Result<()> {
        let step = (self.notes.history.steps > 0).then_some(self.notes.history.steps);
        let asked: Vec<usize> =
            (0..self.rules.len()).filter(|at| kinds.contains(&self.rules[*at].0.kind)).collect();
        for &at in &asked {
            let (about, rule) = &self.rules[at];
            let found = rule.judge(&self.notes.history);
            let holds = self.notes.looks.add(about, found.is_some());
            let about = *about;
            match (holds, found) {
                (true, Some(found)) => self.note(&about, found, step),
                // It was true not long ago.
                (true, None) => {}
                (false, _) => {
                    if let Some(entry) = self.notes.entries.get_mut(about.id) {
                        entry.holds = false;
                    }
                }
            }
        }
        if self.repair.is_some() {
            let standing = self.standing();
            self.notes.clinic.consider(&standing, &self.notes.history);
        }
        self.tell()
    }

    fn note(&mut self, about: &About, found: Found, step: Option<usize>) {
        let (full, is_certain) = (found.level, found.is_certain);
        let mut finding = found.finding(about, step);
        finding.cure.iter_mut().for_each(|cure| cure.set.retain(|set| self.fits(set)));
        let entry = self.notes.entries.entry(about.id.to_string()).or_insert_with(|| Entry {
            finding: finding.clone(),
            full,
            is_certain,
            times: 0,
            told: None,
            holds: true,
        });
        // The numbers are the last of the gravest level it had, the step is the first.
        if full >= entry.full || !entry.holds {
            entry.finding = Finding { step: entry.finding.step, ..finding };
            (entry.full, entry.is_certain) = (full, is_certain);
        }
        (entry.holds, entry.times) = (true, entry.times + 1);
    }

    /// Whether this model has the setting of a cure; advice without one stands for itself.
    fn fits(&self, set: &str) -> bool {
        let key = set.split_once('=').map_or(set, |(key, _)| key);
        !key.starts_with("model.") || self.model_keys.iter().any(|known| known == key)
    }

    /// Whether the run is in trouble now: its loss says so, or a part of the network has died.
    fn is_in_trouble(&self) -> bool {
        let has_died = |id: &str| {
            let entry = self.notes.entries.get(id);
            entry.is_some_and(|entry| entry.holds && entry.full == Level::Error && entry.is_certain)
        };
        self.notes.looks.is_in_trouble(self.rules.iter().map(|(about, _)| about))
            || has_died("R11")
            || has_died("R14")
    }

    fn about(&self, id: &str) -> Option<&About> {
        self.rules.iter().map(|(about, _)| about).find(|about| about.id == id)
    }

    /// How bad a finding is, now that the run is in trouble or not.
    fn level(&self, entry: &Entry, in_trouble: bool) -> Level {
        let is_symptom = self.about(&entry.finding.rule).is_some_and(|about| about.kind == Kind::Symptom);
        match is_symptom && !entry.is_certain {
            false => entry.full,
            true if in_trouble && (entry.holds || entry.times >= OFTEN) => entry.full,
            true => Level::Info,
        }
    }

    /// Tells what has become worse than what was told.
    fn tell(&mut self) -> Result<()> {
        let in_trouble = self.is_in_trouble();
        let is_known = |id: &String| self.acknowledged.contains(id);
        let due: Vec<(String, Level)> = self
            .notes
            .entries
            .iter()
            .filter(|(id, _)| !is_known(id))
            .map(|(id, entry)| (id.clone(), self.level(entry, in_trouble)))
            .filter(|(id, level)| self.notes.entries[id].told.is_none_or(|told| told < *level))
            .collect();
        for (id, level) in due {
            let is_of_data = self.about(&id).is_some_and(|about| matches!(about.kind, Kind::Data));
            let Some(entry) = self.notes.entries.get_mut(&id) else { continue };
            entry.told = Some(level);
            let finding = Finding { level, ..entry.finding.clone() };
            if let Some(log) = &mut self.log {
                log.add(&finding)?;
                self.notes.lines += 1;
            }
            // What the checks of the data say has been told by them.
            let is_told = is_of_data && finding.rule != "R01";
            if !is_told {
                self.fresh.push(finding);
            }
        }
        Ok(())
    }

    /// What is to be said at the end, not yet in order.
    fn final_findings(&self) -> Vec<Finding> {
        let in_trouble = self.is_in_trouble();
        let entries = self.notes.entries.iter().filter(|(id, _)| !self.acknowledged.contains(id));
        let findings = entries.filter_map(|(_, entry)| {
            let level = self.level(entry, in_trouble);
            let kind = self.about(&entry.finding.rule)?.kind;
            let lasts = entry.holds || matches!(kind, Kind::Static | Kind::Data | Kind::FirstStep);
            let is_past = !(lasts || in_trouble && kind == Kind::Symptom);
            match (is_past, level) {
                (false, level) => Some(Finding { level, ..entry.finding.clone() }),
                (true, Level::Info) => None,
                (true, _) => {
                    let message = format!("{}; it has passed since", entry.finding.message);
                    Some(Finding { level: Level::Info, message, ..entry.finding.clone() })
                }
            }
        });
        findings.collect()
    }

    /// What stands and costs something, the root cause first, its symptoms after it.
    fn standing(&self) -> Vec<Finding> {
        let abouts: Vec<About> = self.rules.iter().map(|(about, _)| *about).collect();
        let costly: Vec<Finding> =
            self.final_findings().into_iter().filter(|finding| finding.level > Level::Info).collect();
        let mut standing = rank(costly.clone(), &abouts);
        let is_new = |finding: &Finding| standing.iter().all(|known| known.rule != finding.rule);
        let symptoms: Vec<Finding> = costly.iter().filter(|finding| is_new(finding)).cloned().collect();
        standing.extend(symptoms);
        standing
    }

    /// Why the run is given up, if that is wished and it cannot end well.
    fn reason_to_abandon(&self) -> Option<String> {
        if !self.abandons || !self.is_in_trouble() {
            return None;
        }
        let history = &self.notes.history;
        let (loss, of_knowing_nothing) = (history.smooth_loss()?, history.loss_scale()?);
        if loss < NOTHING_LEARNED * of_knowing_nothing {
            return None;
        }
        let is_of_run =
            |finding: &Finding| self.about(&finding.rule).is_some_and(|about| about.kind != Kind::Data);
        let mut errors = self.standing().into_iter().filter(|finding| finding.level == Level::Error);
        let error = errors.find(is_of_run)?;
        Some(format!("the doctor gives it up: {} {}: {}", error.rule, error.name, error.message))
    }

    /// Begins to look anew, now that the run is mended by a candidate of `rule`: what was found of its steps was found under
    /// other terms. What was found of the data stands, unless it was that, and what was found of the first step, unless all weights are
    /// `redrawn`.
    fn forget(&mut self, rule: &str, redrawn: bool) {
        self.notes.looks = Looks::default();
        let stays = |id: &String| {
            let kind = self.rules.iter().find(|(about, _)| about.id == id).map(|(about, _)| about.kind);
            id != rule && (kind == Some(Kind::Data) || kind == Some(Kind::FirstStep) && !redrawn)
        };
        let entries = std::mem::take(&mut self.notes.entries);
        self.notes.entries = entries.into_iter().filter(|(id, _)| stays(id)).collect();
    }

    /// What there is to say of the run so far.
    fn conclude(&self) -> Diagnosis {
        let abouts: Vec<About> = self.rules.iter().map(|(about, _)| *about).collect();
        let history = &self.notes.history;
        let acknowledged = self.notes.entries.keys().filter(|id| self.acknowledged.contains(id));
        let findings = rank(self.final_findings(), &abouts);
        let is_healthy = findings.iter().all(|finding| finding.level == Level::Info);
        let (mode, repair_notes) = match &self.repair {
            Some(terms) => {
                let total = history.case.total_steps();
                (DoctorMode::Repair, self.notes.clinic.notes(terms, total, is_healthy))
            }
            None => (DoctorMode::Advise, Vec::new()),
        };
        Diagnosis {
            mode: mode.name().to_string(),
            repairs: self.notes.clinic.repairs.clone(),
            repair_notes,
            watched: Seen {
                steps: history.steps,
                checks: history.checked,
                evaluations: history.evaluations.len(),
                parameters: history.parameters.len(),
                layers: history.activations.len(),
                rules: abouts.len(),
            },
            findings,
            acknowledged: acknowledged.cloned().collect(),
            course: course::sentences(history),
            vitals: vitals(history),
        }
    }

    fn write(&self) -> Result<()> {
        match &self.run {
            Some(run) => self.conclude().write(run),
            None => Ok(()),
        }
    }

    fn open_log(&mut self) -> Result<()> {
        self.has_begun = true;
        if let Some(run) = &self.run {
            self.log = Some(FindingsLog::open(run, self.notes.lines)?);
            if self.repair.is_some() {
                self.repairs = Some(RepairsLog::open(run, self.notes.clinic.repairs.len())?);
            }
        }
        Ok(())
    }

    /// What can be said before the first step.
    fn begin(&mut self) -> Result<()> {
        self.open_log()?;
        self.ask(&[Kind::Static, Kind::Data, Kind::Evaluation])
    }

    /// Adds what a step showed, and asks those who look at it.
    fn check(&mut self, at: (usize, usize), scalars: StepScalars, record: &StepRecord) -> Result<()> {
        let history = &mut self.notes.history;
        history.add_check(at, scalars, record);
        if history.checked == 1 {
            self.ask(&[Kind::FirstStep])?;
        }
        self.ask(&[Kind::Trouble])?;
        // A step that was not taken shows nothing of the weights: what was found before it stands.
        if scalars.applied { self.ask(&[Kind::Step, Kind::Symptom]) } else { Ok(()) }
    }
}

fn evaluation_of(record: &EpochRecord) -> Evaluation {
    Evaluation { epoch: record.epoch, step: record.step, train: record.train, valid: record.valid }
}

/// The diagnosis of a run that no doctor has watched, from the figures of its epochs alone; none where it has no log.
///
/// # Errors
/// When the log cannot be read.
pub fn diagnosis_of_log(run: &Path) -> Result<Option<Diagnosis>> {
    let log = log_of(run);
    if !log.is_file() {
        return Ok(None);
    }
    let mut doctor = Doctor::advise();
    for record in read_log::<EpochRecord>(&log)? {
        doctor.notes.history.add_evaluation(evaluation_of(&record));
        doctor.ask(&[Kind::Evaluation])?;
    }
    Ok(Some(doctor.conclude()))
}

impl Callback for Doctor {
    fn on_check(&mut self, report: &integrity::Report) -> Result<()> {
        self.data = Some(report.clone());
        Ok(())
    }

    fn on_start(&mut self, event: &Start<'_>) -> Result<()> {
        self.notes = Notes::default();
        (self.fresh, self.tried) = (Vec::new(), Vec::new());
        (self.log, self.repairs) = (None, None);
        let Start { epochs, steps_per_epoch, valid_rows, .. } = *event;
        self.planned = Planned { epochs, steps_per_epoch, valid_rows };
        let is_of_model = |only_for: Option<&str>| only_for.is_none_or(|model| model == event.model);
        let keys = Recipe::keys().into_iter().filter(|key| is_of_model(key.only_for.as_deref()));
        self.model_keys = keys.map(|key| key.path).filter(|path| path.starts_with("model.")).collect();
        self.run = event.run.map(Path::to_path_buf);
        (self.is_resumed, self.has_begun) = (event.resumed.is_some(), false);
        Ok(())
    }

    fn on_subject(&mut self, subject: &Subject<'_>) -> Result<()> {
        let case = Case::of(subject, self.planned)?;
        let steps = self.planned.epochs.saturating_mul(self.planned.steps_per_epoch);
        let most = farthest_apart(subject.inventory.trainable(), subject.batch_size);
        self.every = WatchEvery::steps((steps / LOOKS).clamp(EVERY, most));
        self.notes.history = History::of(case, self.data.clone());
        self.notes.history.overfit = self.overfit.clone();
        // A resumed run goes on with what it remembers, if it does.
        if self.is_resumed { Ok(()) } else { self.begin() }
    }

    fn watches(&self, step: usize) -> bool {
        self.every.is_due(step)
    }

    fn on_batch(&mut self, event: &Batch) -> Result<Flow> {
        if !self.has_begun {
            self.begin()?;
        }
        let Batch { batch_loss, gradient_norm, lr, applied, .. } = *event;
        self.notes.history.add_step(StepScalars { loss: batch_loss, gradient_norm, lr, applied });
        Ok(Flow::Continue)
    }

    fn on_watch(&mut self, event: &Watched<'_>) -> Result<Flow> {
        let rows = event.look().batch().x.shape().first().copied().unwrap_or(0);
        let Watched { step, loss, gradient_norm, lr, applied, record, .. } = *event;
        self.check((step, rows), StepScalars { loss, gradient_norm, lr, applied }, record)?;
        let steps = self.planned.epochs * self.planned.steps_per_epoch;
        let apart = (steps / PROBES).clamp(PROBE_EVERY_OF_SHORT, PROBE_EVERY);
        if applied && self.is_in_trouble() && step >= self.notes.probed + apart {
            self.notes.probed = step;
            let optimizer = &self.notes.history.case.optimizer;
            let with_sharpness = !optimizer.is_adaptive();
            // What cannot be looked at is not known, and no reason to end the run.
            if let Ok(probe) = probe(event, with_sharpness) {
                self.notes.history.add_probe(probe);
                self.ask(&[Kind::Symptom])?;
            }
        }
        let history = &mut self.notes.history;
        if applied
            && history.case.calls.iter().any(|call| call.kind == "BatchNorm")
            && history.modes_may_differ()
        {
            let look = event.look();
            if let Ok(outcome) = look.step().evaluate(look.state(), look.batch()) {
                history.add_modes(Modes { step, train: loss, eval: outcome.loss });
            }
        }
        Ok(Flow::Continue)
    }

    fn on_skip(&mut self, event: &Skipped<'_>) -> Result<Flow> {
        // It goes through the step op by op: the first time is enough.
        if self.notes.history.skipped.0 == 1 {
            let place = event.locate().ok().flatten();
            self.notes.history.non_finite = place.map(|place| format!("what came first: {place}"));
        }
        self.ask(&[Kind::Trouble])?;
        Ok(Flow::Continue)
    }

    fn wants_answers(&self, _epoch: usize) -> bool {
        let (rows, classes) = (self.planned.valid_rows, self.notes.history.case.classes());
        classes > 1 && classes <= MOST_CLASSES && rows.saturating_mul(classes) <= MOST_PROBABILITIES
    }

    fn on_answers(&mut self, event: &Answers<'_>) -> Result<()> {
        if self.notes.history.is_best_so_far(event.valid) {
            self.notes.history.labels = LabelCheck::of(event);
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, event: &EpochEnd<'_>) -> Result<Flow> {
        self.notes.history.add_evaluation(evaluation_of(event.record));
        self.ask(&[Kind::Static, Kind::Evaluation, Kind::Outcome])?;
        Ok(self.reason_to_abandon().map_or(Flow::Continue, Flow::Stop))
    }

    fn on_end(&mut self, _: &TrainReport) -> Result<()> {
        self.write()
    }

    fn on_failure(&mut self, _: &Error) {
        // The failure itself is what is told.
        let _ = self.write();
    }

    fn findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.fresh)
    }

    fn keeps_state(&self, step: usize) -> bool {
        let every = KEEP_EVERY.max(self.planned.steps_per_epoch / 4);
        let last = self.notes.history.recent.back();
        self.repair.is_some()
            && step.is_multiple_of(every)
            && last.is_some_and(|step| step.applied)
            && !self.is_in_trouble()
    }

    fn wants_to_mend(&self) -> bool {
        let (taken, total) = (self.notes.history.steps, self.notes.history.case.total_steps());
        self.repair.is_some_and(|terms| self.notes.clinic.is_open(&terms, taken, total))
    }

    fn mend(&mut self, run: &Mending<'_>) -> Result<Option<Mended>> {
        let Some(terms) = self.repair else { return Ok(None) };
        let findings = self.standing();
        let Some(taken) = self.notes.clinic.treat(&terms, run, &self.notes.history, &findings)? else {
            return Ok(None);
        };
        if let Some(log) = &mut self.repairs {
            log.add(&taken.repair)?;
        }
        self.tried.push(taken.repair);
        if let Some(rule) = taken.rule {
            let is_redrawn = taken.mended.as_ref().is_some_and(|mended| mended.changes.is_redrawn);
            self.forget(&rule, is_redrawn);
        }
        Ok(taken.mended)
    }

    fn on_mended(&mut self, subject: &Subject<'_>) -> Result<()> {
        let case = Case::of(subject, self.planned)?;
        self.notes.history = self.notes.history.after_repair(case);
        self.ask(&[Kind::Static, Kind::Data])
    }

    fn repairs(&mut self) -> Vec<Repair> {
        std::mem::take(&mut self.tried)
    }

    fn diagnosis(&self) -> Option<Diagnosis> {
        Some(self.conclude())
    }

    fn memory(&self) -> Value {
        serde_json::to_value(&self.notes).unwrap_or_default()
    }

    fn recall(&mut self, memory: &Value) -> Result<()> {
        // A run that began without a doctor has nothing to remember.
        if memory.is_null() {
            return Ok(());
        }
        let notes = Notes::deserialize(memory).map_err(|error| Error::Memory(error.to_string()))?;
        let (case, data) = (std::mem::take(&mut self.notes.history.case), self.data.clone());
        self.notes = notes;
        (self.notes.history.case, self.notes.history.data) = (case, data);
        self.open_log()
    }
}
