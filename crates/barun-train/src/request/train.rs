//! `barun train`.

use barun_data::{PreparedData, Targets};
use barun_nn::layers::Sequential;

use super::{Machine, TrainRequest, data};
use crate::build;
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::keeper::RunPlan;
use crate::memory::Limit;
use crate::network::plan;
use crate::objective::Objective;
use crate::recipe::{Recipe, Schedule};
use crate::report::TrainReport;
use crate::run::RunFolder;
use crate::trainer::Trainer;

/// Trains a network and leaves it in a run folder. Nothing is written before data, network and settings have been checked.
pub fn train(request: &TrainRequest, callback: &mut dyn Callback) -> Result<TrainReport> {
    let recipe = &request.recipe;
    if let Some(out) = &request.out {
        RunFolder::check_free(out, request.force)?;
    }
    let prepared = prepare(recipe, &request.machine)?;
    let mut trainer = trainer(recipe, &prepared, &request.machine)?
        .stop_when(request.machine.stop.clone())
        .keep(RunPlan { out: request.out.clone(), force: request.force, recipe: recipe.clone() });
    if let Some(limit) = Limit::or_machine(request.memory_limit) {
        trainer = trainer.memory_limit(limit);
    }
    let trained = trainer.fit_with(&prepared, callback)?;
    let mut report = trained.report().clone();
    if !report.interrupted && !prepared.test().is_empty() {
        report.test = Some(trained.test(&prepared)?);
    }
    Ok(report)
}

/// The data of a recipe, divided and scaled.
pub(super) fn prepare(recipe: &Recipe, machine: &Machine) -> Result<PreparedData> {
    let dataset = data::open(recipe, &recipe.data.source, machine)?;
    let prepared = dataset.split(data::split(&recipe.data.split))?.fit(data::preprocess(&recipe.data))?;
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
    let loss = build::loss(recipe.train.loss, targets.classes().is_some());
    let objective = Objective::of(&*loss, targets, 1.0)?;
    let input = data.dataset().features().sample_shape();
    let planned = plan(&recipe.model, &input, objective.outputs(targets))?;
    let steps_per_epoch = check_steps(recipe, data)?;
    Ok(Trainer::new(build::model(&planned, recipe.model.init()), loss)
        .optimizer(build::optimizer(&recipe.train.optimizer))
        .schedule(build::schedule(&recipe.train.schedule, steps_per_epoch))
        .epochs(recipe.train.epochs)
        .batch_size(recipe.train.batch_size)
        .seed(recipe.train.seed)
        .precision(build::precision(recipe.train.precision))
        .device(machine.device()?)
        .name(recipe.model.name()))
}

/// Steps of an epoch, where the settings leave any.
fn check_steps(recipe: &Recipe, data: &PreparedData) -> Result<usize> {
    let (rows, batch) = (data.train().len(), recipe.train.batch_size);
    if batch > rows {
        return Err(Error::Setting {
            path: "train.batch_size",
            value: batch.to_string(),
            but: format!("the training part has {rows} rows"),
            fix: format!("choose at most that: --set train.batch_size={rows}"),
        });
    }
    let steps_per_epoch = rows.div_ceil(batch);
    let steps = recipe.train.epochs * steps_per_epoch;
    match recipe.train.schedule {
        Schedule::Cosine { warmup_steps, .. } if warmup_steps >= steps => Err(Error::Setting {
            path: "train.schedule.warmup_steps",
            value: warmup_steps.to_string(),
            but: format!("the whole run has {steps} steps"),
            fix: "warm up for fewer steps, or train longer".into(),
        }),
        _ => Ok(steps_per_epoch),
    }
}
