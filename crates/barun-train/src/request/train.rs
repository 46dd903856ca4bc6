//! `barun train`.

use std::time::Duration;

use barun_data::{PreparedData, Targets};
use barun_nn::layers::Sequential;
use barun_nn::schedules::Span;

use super::{Machine, TrainRequest, data};
use crate::build;
use crate::callback::Callback;
use crate::early_stopping::EarlyStopping;
use crate::error::{Error, Result};
use crate::keeper::RunPlan;
use crate::memory::Limit;
use crate::objective::Objective;
use crate::recipe::Recipe;
use crate::report::TrainReport;
use crate::run::{RunFolder, write_report};
use crate::trainer::Trainer;

/// Trains a network and leaves it in a run folder. Nothing is written before data, network and settings have been checked.
pub fn train(request: &TrainRequest, callback: &mut dyn Callback) -> Result<TrainReport> {
    if let Some(out) = &request.out {
        RunFolder::check_free(out, request.force)?;
    }
    let prepared = prepare(&request.recipe, &request.machine)?;
    let recipe = &request.recipe.for_rows(prepared.train().len());
    let plan = RunPlan::New { out: request.out.clone(), force: request.force, recipe: recipe.clone() };
    run(recipe, &prepared, plan, (&request.machine, request.memory_limit), callback)
}

/// Trains as `recipe` says where `plan` says, and leaves in the folder how it ended.
pub(super) fn run(
    recipe: &Recipe,
    data: &PreparedData,
    plan: RunPlan,
    (machine, memory_limit): (&Machine, Option<usize>),
    callback: &mut dyn Callback,
) -> Result<TrainReport> {
    let mut trainer = trainer(recipe, data, machine)?.stop_when(machine.stop.clone()).keep(plan);
    if let Some(limit) = Limit::or_machine(memory_limit) {
        trainer = trainer.memory_limit(limit);
    }
    let mut callbacks: Vec<Box<dyn Callback + '_>> = vec![Box::new(callback)];
    if let Some(stopping) = EarlyStopping::of(&recipe.train.early_stopping) {
        callbacks.push(Box::new(stopping));
    }
    let trained = trainer.fit_with(data, &mut callbacks)?;
    let mut report = trained.report().clone();
    if !report.interrupted && !data.test().is_empty() {
        report.test = Some(trained.test(data)?);
    }
    if let Some(run) = &report.run {
        write_report(run, &report)?;
    }
    Ok(report)
}

/// The data of a recipe, divided and scaled.
pub(super) fn prepare(recipe: &Recipe, machine: &Machine) -> Result<PreparedData> {
    let dataset = data::open(recipe, &recipe.data.source, machine)?;
    let prepared =
        dataset.split(data::split(&recipe.data.split))?.fit(data::scaling(recipe.data.normalize))?;
    match prepared.dataset().targets() {
        Targets::Values { .. } => Ok(prepared.standardize_target()?),
        Targets::Classes { .. } => Ok(prepared),
    }
}

/// The training that a recipe describes.
pub(super) fn trainer(
    recipe: &Recipe,
    data: &PreparedData,
    machine: &Machine,
) -> Result<Trainer<Sequential>> {
    let targets = data.dataset().targets();
    let loss = build::loss(&recipe.train.loss, targets.classes().is_some());
    let objective = Objective::of(&*loss, targets, 1.0)?;
    let input = data.dataset().features().sample_shape();
    let network = build::network(&recipe.model, &input, objective.outputs(targets))?;
    let rows = data.train().len();
    check_steps(recipe, rows)?;
    let trainer = Trainer::new(network, loss)
        .optimizer((*recipe.train.optimizer).clone())
        .schedule(build::schedule(&recipe.train.schedule))
        .epochs(recipe.epochs(rows))
        .batch_size(recipe.batch_size(rows))
        .seed(recipe.train.seed)
        .best_by(recipe.train.best_by)
        .options(build::step_options(&recipe.train))
        .augment(build::augment(&recipe.data.augment))
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
    let (batch, epochs) = (recipe.batch_size(rows), recipe.epochs(rows));
    if batch > rows {
        return Err(Error::Setting {
            path: "train.batch_size",
            value: batch.to_string(),
            but: format!("the training part has {rows} rows"),
            fix: format!("choose at most that: --set train.batch_size={rows}"),
        });
    }
    let steps = epochs * rows.div_ceil(batch);
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
