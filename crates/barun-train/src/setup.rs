//! What stands before the first step: the compiled step, and which shapes it will meet.

use std::collections::BTreeSet;
use std::sync::Arc;

use barun_data::{Augment, LastBatch, Loader, LoaderOptions, Part, PreparedData};
use barun_engine::{DType, Device, MemoryPlan, Options};
use barun_nn::losses::Loss;
use barun_nn::optimizers::AnyOptimizer;
use barun_nn::{Forward, Mode, Module, Shape, Step, StepOptions};

use crate::error::Result;
use crate::memory::{Found, Limit, OutOfMemory, Remedy, RunMemory, Sources, largest_batch};
use crate::objective::Objective;
use crate::preparation::Preparation;

/// A training that could begin.
pub(crate) struct Setup<'a, M> {
    pub step: Arc<Step<M>>,
    pub preparation: Preparation,
    pub objective: Objective,
    pub data: &'a PreparedData,
    pub seed: u64,
    pub augment: Augment,
    /// Whether steps will be watched.
    pub is_watched: bool,
}

impl<'a, M: Module + Forward> Setup<'a, M> {
    /// Checks that all fits together; compiles nothing yet.
    pub fn new(
        model: M,
        loss: &impl Loss,
        optimizer: &AnyOptimizer,
        options: StepOptions,
        device: Option<Device>,
        data: &'a PreparedData,
        seed: u64,
    ) -> Result<Self> {
        let preparation = Preparation::of(data)?;
        let targets = data.dataset().targets();
        let objective = Objective::of(loss, targets, preparation.unit_and_offset().0)?;
        let options = StepOptions {
            input: preparation.transform(),
            metrics: objective.metrics(),
            engine: Options { device, ..Options::default() },
            ..options
        };
        let step = Arc::new(Step::with(model, optimizer, loss, options)?);
        Ok(Setup { step, preparation, objective, data, seed, augment: Augment::NONE, is_watched: false })
    }

    /// Training images are varied.
    pub fn augment(self, augment: Augment) -> Self {
        Setup { augment, ..self }
    }

    /// Somebody watches steps.
    pub fn watched(self, is_watched: bool) -> Self {
        Setup { is_watched, ..self }
    }

    /// The training part in batches. Under batch normalisation a single last row joins the batch before.
    pub fn loader(&self, batch_size: usize) -> Result<Loader> {
        let last = if self.has_statistics() { LastBatch::JoinSingle } else { LastBatch::Keep };
        let options = LoaderOptions {
            batch: batch_size,
            seed: self.seed,
            last,
            augment: self.augment,
            ..LoaderOptions::default()
        };
        Ok(self.data.train().loader(options)?)
    }

    /// Compiles a program for every shape that training in such batches will meet - so a mistake shows before anything
    /// is written - and tells what the run will take.
    pub fn memory(&self, batch_size: usize) -> Result<RunMemory> {
        let loader = self.loader(batch_size)?;
        let plans = self.plans(&loader)?;
        Ok(RunMemory::of(&Sources {
            batch_size,
            state: self.step.state_memory(),
            keeps_best: !self.data.valid().is_empty(),
            loader: &loader,
            plans: &plans,
        }))
    }

    /// Refuses what takes more than `limit`. [DEV-15]
    pub fn check(&self, needed: RunMemory, limit: Limit) -> Result<()> {
        if needed.total_bytes <= limit.bytes() {
            return Ok(());
        }
        let remedy = match self.largest_batch(limit.bytes(), needed.batch_size)? {
            Found::Fits(fits, _) => Remedy::Batches(fits.batch_size),
            Found::Nothing(smallest) => Remedy::None(smallest),
        };
        Err(OutOfMemory { needed, limit, remedy }.into())
    }

    /// Searches the largest batch size up to `most` that takes no more than `limit` bytes. [DEV-13]
    pub fn largest_batch(&self, limit: usize, most: usize) -> Result<Found> {
        let least = self.smallest_batch().min(most);
        largest_batch(limit, (least, most), |batch_size| self.memory(batch_size))
    }

    /// A single row has no statistics.
    fn smallest_batch(&self) -> usize {
        if self.has_statistics() { 2.min(self.data.train().len()) } else { 1 }
    }

    fn has_statistics(&self) -> bool {
        !self.step.inventory().stats.is_empty()
    }

    /// Of the training step for each size of batch, the whole one first, then of the evaluations.
    fn plans(&self, loader: &Loader) -> Result<Vec<MemoryPlan>> {
        let batch_size = loader.options().batch;
        let sizes: BTreeSet<usize> = loader.batch_sizes().into_iter().collect();
        let trained = sizes.into_iter().rev().map(|rows| (Mode::Train, rows));
        let parts = [self.data.train(), self.data.valid(), self.data.test()];
        let measured: BTreeSet<usize> = parts.iter().flat_map(|part| chunk_sizes(part, batch_size)).collect();
        let measured = measured.into_iter().rev().map(|rows| (Mode::Eval, rows));
        let plans: Result<Vec<Vec<MemoryPlan>>> =
            trained.chain(measured).map(|(mode, rows)| self.plans_of(mode, rows)).collect();
        Ok(plans?.into_iter().flatten().collect())
    }

    /// Of the program for batches of so many rows, and of the one that is watched where it is.
    fn plans_of(&self, mode: Mode, rows: usize) -> Result<Vec<MemoryPlan>> {
        let x = Shape::from([&[rows], &self.preparation.input[..]].concat());
        let x_type = if self.preparation.columns.is_some() { DType::F32 } else { DType::U8 };
        let (y, y_type) = match mode {
            Mode::Train if self.augment.mixes() => {
                self.objective.mixed_target(rows, self.preparation.classes.as_ref().map_or(1, Vec::len))
            }
            _ => (self.objective.target_shape(rows), self.objective.target_dtype()),
        };
        let (x, y) = ((&x, x_type), (&Shape::from(y), y_type));
        let mut plans = vec![self.step.program(mode, x, y)?.memory()];
        if self.is_watched && mode == Mode::Train {
            plans.push(self.step.watched_program(x, y)?.memory());
        }
        Ok(plans)
    }
}

/// The sizes in which a part is measured: whole batches, and the rest.
fn chunk_sizes(part: &Part, batch_size: usize) -> impl Iterator<Item = usize> + use<> {
    let rows = part.len();
    [if rows < batch_size { 0 } else { batch_size }, rows % batch_size].into_iter().filter(|&rows| rows > 0)
}
