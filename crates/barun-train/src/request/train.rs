//! `barun train`.

use std::time::Duration;

use barun_data::{Dataset, PreparedData, SplitData, Targets, integrity};
use barun_nn::Learns;
use barun_nn::layers::Sequential;
use barun_nn::schedules::Span;

use super::judge::judge;
use super::record::Record;
use super::{Machine, ResumeRequest, TrainRequest, data};
use crate::build;
use crate::callback::Callback;
use crate::early_stopping::EarlyStopping;
use crate::error::{Error, Result};
use crate::keeper::RunPlan;
use crate::memory::Limit;
use crate::objective::Objective;
use crate::preparation::Preparation;
use crate::recipe::Recipe;
use crate::report::TrainReport;
use crate::run::{RunFolder, write_report};
use crate::trainer::Trainer;

/// Trains a network and leaves it in a run folder. Nothing is written before data, network and settings have been checked.
pub fn train(request: &TrainRequest, callback: &mut dyn Callback) -> Result<TrainReport> {
    if let Some(out) = &request.out {
        RunFolder::check_free(out, request.force)?;
    }
    let checked = Checked::open(&request.recipe, &request.machine)?;
    let recipe = &request.recipe.for_rows(checked.data.train().len());
    callback.on_check(&checked.report)?;
    let plan = RunPlan::New { out: request.out.clone(), force: request.force, recipe: recipe.clone() };
    run(recipe, &checked, plan, Terms::of(request), callback)
}

/// On what terms a run goes.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub machine: &'a Machine,
    pub memory_limit: Option<usize>,
    /// Whether a report and event files are written.
    pub report: bool,
}

impl<'a> Terms<'a> {
    pub fn of(request: &'a TrainRequest) -> Terms<'a> {
        Terms { machine: &request.machine, memory_limit: request.memory_limit, report: request.report }
    }

    pub fn of_resumed(request: &'a ResumeRequest) -> Terms<'a> {
        Terms { machine: &request.machine, memory_limit: request.memory_limit, report: request.report }
    }
}

/// No more bytes of rows than this are kept beside the prepared ones.
const MOST_KEPT_BYTES: usize = 1 << 28;

/// The data of a recipe, ready for training, and what was found in it.
pub(super) struct Checked {
    pub data: PreparedData,
    pub report: integrity::Report,
    /// Rows as they were read, to show them to people; none where they are the prepared ones, or too many to be kept twice.
    #[cfg_attr(not(feature = "report"), allow(dead_code))]
    pub raw: Option<Dataset>,
    /// By which looks at the test part are counted; none where this one belongs to a look that was counted.
    pub fingerprint: Option<u64>,
}

impl Checked {
    pub fn open(recipe: &Recipe, machine: &Machine) -> Result<Checked> {
        let split = divided(recipe, machine)?;
        let report = integrity::inspect(&split)?;
        // All folds of a cross-validation are one look.
        let is_new = recipe.data.split.fold <= 1;
        let fingerprint = is_new.then(|| integrity::fingerprint(split.dataset()));
        let is_small = split.dataset().features().bytes() <= MOST_KEPT_BYTES;
        let is_prepared = split.dataset().features().image_shape().is_some();
        let raw = (is_small && !is_prepared).then(|| split.dataset().clone());
        Ok(Checked { data: prepare(recipe, split)?, report, raw, fingerprint })
    }
}

/// Trains as `recipe` says where `plan` says, and leaves in the folder how it ended.
pub(super) fn run(
    recipe: &Recipe,
    checked: &Checked,
    plan: RunPlan,
    terms: Terms<'_>,
    callback: &mut dyn Callback,
) -> Result<TrainReport> {
    let (data, machine) = (&checked.data, terms.machine);
    let mut trainer = trainer(recipe, data, machine)?.stop_when(machine.stop.clone()).keep(plan);
    if let Some(limit) = Limit::or_machine(terms.memory_limit) {
        trainer = trainer.memory_limit(limit);
    }
    let mut record = Record::new(recipe, terms.report);
    let mut callbacks: Vec<Box<dyn Callback + '_>> = vec![Box::new(callback)];
    callbacks.extend(record.followers());
    if let Some(stopping) = EarlyStopping::of(&recipe.train.early_stopping) {
        callbacks.push(Box::new(stopping));
    }
    let trained = trainer.fit_with(data, &mut callbacks)?;
    drop(callbacks);
    let mut report = TrainReport { findings: checked.report.findings.clone(), ..trained.report().clone() };
    let run = report.run.clone().unwrap_or_default();
    let mut said = None;
    if !report.interrupted {
        if !data.test().is_empty() {
            report.test = Some(trained.test(data)?);
        }
        (report.judgement, said) = judge(recipe, checked, &trained, &run, machine)?.unzip();
    }
    write_report(&run, &report)?;
    record.write(&run, checked, &trained, said.as_ref())?;
    Ok(report)
}

/// The data of a recipe, divided.
pub(super) fn divided(recipe: &Recipe, machine: &Machine) -> Result<SplitData> {
    data::divide(recipe, data::open(recipe, machine)?)
}

/// The data of a recipe, as a network takes it.
pub(super) fn prepare(recipe: &Recipe, split: SplitData) -> Result<PreparedData> {
    let prepared = split.fit(data::preprocess(&recipe.data))?;
    match prepared.dataset().targets() {
        Targets::Values { .. } => Ok(prepared.standardize_target()?),
        Targets::Classes { .. } => Ok(prepared),
    }
}

/// Whether classes are learned.
fn is_of_classes(recipe: &Recipe, targets: &Targets) -> bool {
    build::learns(recipe.data.task) == Learns::Target && targets.classes().is_some()
}

/// The training that a recipe describes.
pub(super) fn trainer(
    recipe: &Recipe,
    data: &PreparedData,
    machine: &Machine,
) -> Result<Trainer<Sequential>> {
    let targets = data.dataset().targets();
    let loss = build::loss(&recipe.train.loss, is_of_classes(recipe, targets));
    let learns = build::learns(recipe.data.task);
    let objective = Objective::for_data(learns, &*loss, targets, &Preparation::of(data)?)?;
    let input = data.dataset().features().sample_shape();
    let network = build::network(&recipe.model, &input, objective.outputs(targets, &input))?;
    let rows = data.train().len();
    check_steps(recipe, rows)?;
    let trainer = Trainer::new(network, loss)
        .optimizer((*recipe.train.optimizer).clone())
        .schedule(build::schedule(&recipe.train.schedule))
        .epochs(recipe.epochs(rows))
        .batch_size(recipe.batch_size(rows))
        .seed(recipe.train.seed)
        .best_by(recipe.train.best_by)
        .augment(recipe.data.augment.settings())
        .exact_statistics(recipe.train.exact_statistics)
        .options(build::step_options(recipe))
        .device(machine.device()?)
        .name(recipe.model.name());
    Ok(match recipe.train.max_seconds {
        // More than a duration can hold is no limit.
        Some(seconds) => trainer.max_time(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)),
        None => trainer,
    })
}

/// Whether the settings leave steps to take.
fn check_steps(recipe: &Recipe, rows: usize) -> Result<()> {
    let batch = recipe.batch_size(rows);
    if batch > rows {
        return Err(Error::Setting {
            path: "train.batch_size",
            value: batch.to_string(),
            but: format!("the training part has {rows} rows"),
            fix: format!("choose at most that: --set train.batch_size={rows}"),
        });
    }
    let steps = recipe.epochs(rows) * rows.div_ceil(batch);
    match recipe.train.schedule.warmup {
        Span::Steps(warmup) if warmup >= steps as u64 => Err(Error::Setting {
            path: "train.schedule.warmup",
            value: format!("{warmup} steps"),
            but: format!("the whole run has {steps} steps"),
            fix: "warm up for fewer steps, or train longer".into(),
        }),
        _ => Ok(()),
    }
}
