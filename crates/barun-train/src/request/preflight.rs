//! Short trainings before the long one: can the network learn a few rows by heart, and at which rate does it learn
//! fastest?
//!
//! Both train copies of weights that are thrown away; nothing is written.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use barun_data::{Loader, Part, PreparedData, Targets};
use barun_nn::layers::Sequential;
use barun_nn::lr_range::LrRange;
use barun_nn::{Batch, Buffer, DType, Step, Tensor};
use serde::Serialize;

use super::CheckRequest;
use super::rows::in_turn;
use super::train::{divided, prepare, trainer};
use crate::error::Result;
use crate::feed::Feed;
use crate::objective::{Objective, Reconstructed, Tally};
use crate::setup::Setup;

/// Rows to learn by heart.
const ROWS: usize = 16;
/// Steps it may take.
const STEPS: usize = 300;
/// The largest share of wrong answers with which they count as learned.
const MOST_ERRORS: f64 = 0.05;
/// Whether a few rows could be learned by heart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverfitReport {
    /// Whether they were.
    pub learned: bool,
    /// Rows.
    pub rows: usize,
    /// Steps that were taken; fewer than [`most_steps`](OverfitReport::most_steps) where they were enough.
    pub steps: usize,
    /// Steps there were.
    pub most_steps: usize,
    /// The learning rate.
    pub lr: f64,
    /// The loss of the rows at the end.
    pub loss: f64,
    /// The loss of the best answer that is the same for every row.
    pub loss_of_guessing: f64,
    /// For classes, the share of wrong answers at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<f64>,
    /// The loss before each step.
    pub losses: Vec<f64>,
}

impl OverfitReport {
    /// The largest part of the loss of guessing with which the rows count as learned.
    pub const MOST_OF_GUESSING: f64 = 0.1;
}

/// Trains the recipe's network on 16 rows of the training part for at most 300 steps, at the recipe's learning rate and
/// without anything that stands in the way of learning them by heart: dropout, noise, decay, penalties, augmentation,
/// label smoothing, averages. A network that cannot do that cannot learn the data either. [R06]
///
/// It has learned them when no more than 5 % of the answers are wrong and the loss is at most a tenth of that of the best
/// answer that is the same for every row. None if the user stopped it.
///
/// # Errors
/// Whatever is wrong with the recipe or its data.
pub fn overfit_batch(request: &CheckRequest) -> Result<Option<OverfitReport>> {
    let data = prepare(&request.recipe, divided(&request.recipe, &request.machine)?)?;
    let recipe = request.recipe.for_rows(data.train().len());
    let setup = trainer(&recipe, &data, &request.machine)?.without_regularisation()?.set_up(&data)?;
    let batch = few_rows(&setup)?;
    let rows = batch.x.shape().first().copied().unwrap_or(0);
    let loss_of_guessing = loss_of_guessing(&setup.step, setup.objective, &batch)?;
    let lr = setup.step.optimizer().lr();
    let mut state = setup.step.init(setup.seed)?;
    let mut report = OverfitReport {
        learned: false,
        rows,
        steps: 0,
        most_steps: STEPS,
        lr,
        loss: f64::NAN,
        loss_of_guessing,
        error_rate: None,
        losses: Vec::new(),
    };
    // One more than there are steps: the loss is known before a step.
    for _ in 0..=STEPS {
        if request.machine.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let output = setup.step.run(&mut state, &batch, lr)?;
        let mut tally = Tally::new(setup.objective);
        tally.add(output.loss, &output.metrics, rows, &batch.y);
        report.loss = output.loss;
        report.error_rate = tally.accuracy().map(|accuracy| 1.0 - accuracy);
        report.losses.push(output.loss);
        report.steps = report.losses.len() - 1;
        report.learned = output.loss <= OverfitReport::MOST_OF_GUESSING * loss_of_guessing
            && report.error_rate.is_none_or(|rate| rate <= MOST_ERRORS);
        if report.learned || !output.applied {
            break;
        }
    }
    Ok(Some(report))
}

/// Rows of the training part as a batch: of every class as many as can be, of numbers from the least to the greatest.
fn few_rows(setup: &Setup<'_, Sequential>) -> Result<Batch> {
    let part = setup.data.train();
    let dataset = part.dataset();
    let rows = match dataset.targets() {
        Targets::Classes { .. } => in_turn(&part, ROWS),
        Targets::Values { values, .. } => spread(&part, values),
    };
    let mut feed = Feed::new(setup.objective);
    Ok(feed.gather(dataset.features(), Some(dataset.targets()), &rows)?.clone())
}

/// Rows whose targets lie evenly between the least and the greatest.
fn spread(part: &Part, values: &[f32]) -> Vec<usize> {
    let mut rows = part.indices().to_vec();
    rows.sort_by(|a, b| values[*a].total_cmp(&values[*b]).then(a.cmp(b)));
    let count = ROWS.min(rows.len());
    (0..count).map(|at| rows[at * (rows.len() - 1) / (count - 1).max(1)]).collect()
}

/// The loss of the best of a few answers that are the same for every row: of classes their shares, of numbers mean and
/// median, of inputs that are to be given again the mean of each number.
fn loss_of_guessing(step: &Step<Sequential>, objective: Objective, batch: &Batch) -> Result<f64> {
    let [x, y] = [&batch.x, &batch.y].map(|buffer| Tensor::new(buffer.clone()));
    let y = step.options().prepare_target(&x, &y);
    let y = if y.dtype().is_float() { y.cast(DType::F64) } else { y }.eval()?;
    let targets = y.to_f64();
    let rows = y.shape().first().copied().unwrap_or(0).max(1);
    let share = |class: usize| targets.iter().filter(|y| **y == class as f64).count() as f64 / rows as f64;
    let mean = targets.iter().sum::<f64>() / rows as f64;
    let answers: Vec<Vec<f64>> = match objective {
        Objective::Classes => {
            let classes = targets.iter().fold(0.0, |a: f64, b| a.max(*b)) as usize + 1;
            let scores = |least: f64| (0..classes).map(|class| share(class).max(least).ln()).collect();
            vec![scores(1e-9), vec![0.0; classes]]
        }
        Objective::Binary => vec![vec![score(mean)], vec![0.0]],
        Objective::Numbers { .. } => {
            let mut sorted = targets.clone();
            sorted.sort_by(f64::total_cmp);
            vec![vec![mean], vec![sorted[rows / 2]]]
        }
        Objective::Input { outputs, .. } => {
            let width = targets.len() / rows;
            let means = (0..width).map(|column| {
                let mean = targets.iter().skip(column).step_by(width).sum::<f64>() / rows as f64;
                match outputs {
                    Reconstructed::Numbers => mean,
                    Reconstructed::Scores => score(mean),
                }
            });
            vec![means.collect()]
        }
    };
    let losses = answers.iter().map(|answer| {
        let same: Vec<f64> = (0..rows).flat_map(|_| answer.iter().copied()).collect();
        let prediction = Tensor::new(Buffer::new(&same, [rows, answer.len()]));
        let found = step.loss().loss(&prediction, &Tensor::new((*y).clone()))?;
        Ok(found.eval()?.to_f64().first().copied().unwrap_or(f64::NAN))
    });
    let losses: Result<Vec<f64>> = losses.collect();
    Ok(losses?.into_iter().fold(f64::INFINITY, f64::min))
}

/// The logit whose sigmoid is this share; of 0 and 1 a large one.
fn score(share: f64) -> f64 {
    (share / (1.0 - share)).ln().clamp(-30.0, 30.0)
}

/// What training at rising rates has shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LrFindReport {
    /// The rate at which the loss fell steepest; none if it never fell.
    pub suggestion: Option<f64>,
    /// The rate at which the loss blew up; none if it did not.
    pub blew_up_at: Option<f64>,
    /// The recipe's rate.
    pub recipe_lr: f64,
    /// The steps that were taken.
    pub points: Vec<LrFindPoint>,
}

/// A step at a rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LrFindPoint {
    /// The rate.
    pub lr: f64,
    /// The loss of the batch, before the step.
    pub loss: f64,
    /// The running mean of the losses, single outliers left out.
    pub smoothed: f64,
}

/// Trains a copy of the recipe's network on its batches at a rate that rises from step to step until the loss blows up:
/// where it falls steepest is a good rate to train with. Everything else is as in the training itself. Smith, 2015,
/// "Cyclical learning rates for training neural networks". None if the user stopped it.
///
/// # Errors
/// Whatever is wrong with the recipe or its data.
pub fn find_lr(request: &CheckRequest, range: &LrRange) -> Result<Option<LrFindReport>> {
    let data: PreparedData = prepare(&request.recipe, divided(&request.recipe, &request.machine)?)?;
    let recipe = &request.recipe.for_rows(data.train().len());
    let augment = recipe.data.augment.settings();
    let setup = trainer(recipe, &data, &request.machine)?.set_up(&data)?.augment(augment);
    let loader = setup.loader(recipe.batch_size(data.train().len()))?;
    let problem = Cell::new(None);
    let stop = &request.machine.stop;
    let batches = batches(&loader, setup.objective)
        .take_while(|_| !stop.load(Ordering::Relaxed))
        .map_while(|batch| batch.map_err(|error| problem.set(Some(error))).ok().map(Ok));
    let found = range.run(&setup.step, &setup.step.init(setup.seed)?, batches);
    if let Some(error) = problem.take() {
        return Err(error);
    }
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let found = found?;
    let points = found.points.iter().map(|point| LrFindPoint {
        lr: point.lr,
        loss: point.loss,
        smoothed: point.smoothed,
    });
    Ok(Some(LrFindReport {
        suggestion: found.suggestion,
        blew_up_at: found.blew_up_at,
        recipe_lr: setup.step.optimizer().lr(),
        points: points.collect(),
    }))
}

/// The batches of one epoch after the other, without end.
fn batches(loader: &Loader, objective: Objective) -> impl Iterator<Item = Result<Batch>> {
    let mut feed = Feed::new(objective);
    let gathered = (0..).flat_map(|epoch| loader.epoch(epoch));
    gathered.map(move |gathered| Ok(feed.fill(&gathered?).clone()))
}
