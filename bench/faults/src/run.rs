//! Carrying a run out: train, score on fresh rows, and write down what the doctor said.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use barun_data::integrity::{self, Report};
use barun_data::{PreparedData, Split};
use barun_doctor::Doctor;
use barun_engine::Device;
use barun_train::callback::{Batch, Callback, EpochEnd, Flow, Start};
use barun_train::diagnosis::{Diagnosis, Finding, Level};
use barun_train::mending::{Mended, Mending};
use barun_train::metrics::Metrics;
use barun_train::repair::Repair;
use barun_train::report::TrainReport;
use barun_train::subject::Subject;
use barun_train::watching::{Skipped, Watched};
use barun_train::{Trained, Trainer};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::plan::Plan;
use crate::rows::{Answers, Rows};

/// A finding in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// The rule's number.
    pub rule: String,
    /// How grave it is.
    pub level: Level,
    /// What is wrong.
    pub message: String,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Accuracy, or the share of the variance that is explained (-1 at worst), on fresh rows; that of knowing nothing where
    /// the run failed.
    pub score: f64,
    /// The same on the test part.
    pub reported: f64,
    /// That of knowing nothing.
    pub trivial: f64,
    /// What the doctor said, the root cause first; none of a run that it did not watch.
    pub said: Option<Vec<Said>>,
    /// Whether the doctor has changed the run.
    #[serde(default)]
    pub is_mended: bool,
    /// Why the run failed.
    pub failed: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

/// Carries a plan out on one thread of `device`, watched by `doctor`.
///
/// # Errors
/// Data that the library does not take; a training that fails is an outcome.
pub fn carry_out(plan: Plan, device: &Device, doctor: Option<Doctor>) -> Result<Outcome> {
    let began = Instant::now();
    let (fresh, trivial) = (plan.parts.fresh.clone(), trivial(&plan.parts.train, &plan.parts.fresh));
    let (said, is_watched) = (Arc::new(Mutex::new(None)), doctor.is_some());
    let doctor = doctor.map(|doctor| Listening { doctor, said: Arc::clone(&said) });
    let trained = train(plan, device, doctor);
    let seconds = || began.elapsed().as_secs_f64();
    let diagnosis: Option<Diagnosis> = said.lock().unwrap_or_else(PoisonError::into_inner).take();
    let is_done = |repair: &Repair| repair.outcome != barun_train::repair::Outcome::Rejected;
    let is_mended = diagnosis.as_ref().is_some_and(|diagnosis| diagnosis.repairs.iter().any(is_done));
    let said = || diagnosis.as_ref().map(short);
    let failed = |error: String| Outcome {
        score: trivial,
        reported: trivial,
        trivial,
        said: is_watched.then(|| said().unwrap_or_default()),
        is_mended,
        failed: Some(error),
        seconds: seconds(),
    };
    let (trained, data) = match trained {
        Ok(trained) => trained,
        Err(error) => return Ok(failed(error.to_string())),
    };
    let rows: Vec<usize> = (0..fresh.len()).collect();
    let score = trained.measure(&fresh.dataset("fresh")?, &rows).map(|metrics| figure(&metrics));
    let reported = trained.test(&data).map(|metrics| figure(&metrics));
    match (score, reported) {
        (Ok(score), Ok(reported)) => {
            let said = said();
            Ok(Outcome { score, reported, trivial, said, is_mended, failed: None, seconds: seconds() })
        }
        (Err(error), _) | (_, Err(error)) => Ok(failed(error.to_string())),
    }
}

type Model = barun_nn::layers::Sequential;

fn train(plan: Plan, device: &Device, doctor: Option<Listening>) -> Result<(Trained<Model>, PreparedData)> {
    let (data, report) = prepare(&plan)?;
    let model = plan.network.build(plan.parts.train.form, plan.parts.train.width, plan.outputs())?;
    let mut trainer = Trainer::new(model, plan.loss)
        .optimizer(plan.optimizer)
        .schedule(plan.schedule)
        .options(plan.options)
        .epochs(plan.epochs)
        .batch_size(plan.batch_size)
        .seed(plan.seed)
        .device(device.clone())
        .name(plan.name);
    if let Some(mut listening) = doctor {
        listening.doctor.on_check(&report)?;
        trainer = trainer.with(listening);
    }
    Ok((trainer.fit(&data)?, data))
}

/// The parts as the library takes them, and what its checks say of them.
fn prepare(plan: &Plan) -> Result<(PreparedData, Report)> {
    let parts = [(&plan.parts.train, "train"), (&plan.parts.valid, "valid"), (&plan.parts.test, "test")];
    let mut all = plan.parts.train.only(&[]);
    let mut names = Vec::new();
    for (rows, name) in parts {
        all.extend(rows);
        names.extend(vec![name.to_string(); rows.len()]);
    }
    let data = all.dataset(&plan.name)?.with_part_column("part", &names).map_err(barun_train::Error::from)?;
    let split = data.split(Split::default()).map_err(barun_train::Error::from)?;
    let report = integrity::inspect(&split).map_err(barun_train::Error::from)?;
    let mut data = split.fit(plan.scaling).map_err(barun_train::Error::from)?;
    if plan.scales_target {
        data = data.standardize_target().map_err(barun_train::Error::from)?;
    }
    Ok((data, report))
}

fn figure(metrics: &Metrics) -> f64 {
    let figure = metrics.accuracy.or(metrics.r2).unwrap_or(-1.0);
    if figure.is_finite() { figure.max(-1.0) } else { -1.0 }
}

/// The figure of always saying what is most frequent, or the mean.
fn trivial(train: &Rows, fresh: &Rows) -> f64 {
    match (&train.answers, &fresh.answers) {
        (Answers::Classes { labels, classes }, Answers::Classes { labels: fresh, .. }) => {
            let count = |class: usize| labels.iter().filter(|label| **label == class).count();
            let most = (0..*classes).max_by_key(|class| count(*class)).unwrap_or(0);
            fresh.iter().filter(|label| **label == most).count() as f64 / fresh.len().max(1) as f64
        }
        _ => 0.0,
    }
}

fn short(diagnosis: &Diagnosis) -> Vec<Said> {
    let said = |finding: &Finding| Said {
        rule: finding.rule.clone(),
        level: finding.level,
        message: finding.message.clone(),
    };
    diagnosis.findings.iter().map(said).collect()
}

/// The doctor, whose last word is also heard when the run fails.
struct Listening {
    doctor: Doctor,
    said: Arc<Mutex<Option<Diagnosis>>>,
}

impl Listening {
    fn listen(&self) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = self.doctor.diagnosis();
    }
}

impl Callback for Listening {
    fn on_start(&mut self, event: &Start<'_>) -> barun_train::Result<()> {
        self.doctor.on_start(event)
    }

    fn on_subject(&mut self, subject: &Subject<'_>) -> barun_train::Result<()> {
        self.doctor.on_subject(subject)
    }

    fn watches(&self, step: usize) -> bool {
        self.doctor.watches(step)
    }

    fn on_batch(&mut self, event: &Batch) -> barun_train::Result<Flow> {
        self.doctor.on_batch(event)
    }

    fn on_watch(&mut self, event: &Watched<'_>) -> barun_train::Result<Flow> {
        self.doctor.on_watch(event)
    }

    fn on_skip(&mut self, event: &Skipped<'_>) -> barun_train::Result<Flow> {
        self.doctor.on_skip(event)
    }

    fn wants_answers(&self, epoch: usize) -> bool {
        self.doctor.wants_answers(epoch)
    }

    fn on_answers(&mut self, event: &barun_train::answers::Answers<'_>) -> barun_train::Result<()> {
        self.doctor.on_answers(event)
    }

    fn on_epoch_end(&mut self, event: &EpochEnd<'_>) -> barun_train::Result<Flow> {
        self.doctor.on_epoch_end(event)
    }

    fn on_end(&mut self, report: &TrainReport) -> barun_train::Result<()> {
        self.listen();
        self.doctor.on_end(report)
    }

    fn on_failure(&mut self, error: &barun_train::Error) {
        self.doctor.on_failure(error);
        self.listen();
    }

    fn keeps_state(&self, step: usize) -> bool {
        self.doctor.keeps_state(step)
    }

    fn wants_to_mend(&self) -> bool {
        self.doctor.wants_to_mend()
    }

    fn mend(&mut self, run: &Mending<'_>) -> barun_train::Result<Option<Mended>> {
        self.doctor.mend(run)
    }

    fn on_mended(&mut self, subject: &Subject<'_>) -> barun_train::Result<()> {
        self.doctor.on_mended(subject)
    }

    fn repairs(&mut self) -> Vec<Repair> {
        self.doctor.repairs()
    }

    fn findings(&mut self) -> Vec<Finding> {
        self.doctor.findings()
    }
}
