//! What a run leaves in its folder while it goes: the recipe, the log, the checkpoints.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use barun_engine::State;

use crate::changes::Changes;
use crate::checkpoint::{Checkpoint, tensors_beside, tensors_of};
use crate::error::Result;
use crate::log::{EpochRecord, Log};
use crate::mending::Earlier;
use crate::position::Position;
use crate::predictor::{CHANGES, DATA, POSITION, RECIPE};
use crate::preparation::Preparation;
use crate::recipe::{self, Recipe};
use crate::restore::{Expected, LayoutOf, Point, newest_point};
use crate::run::{RunFolder, Which, remove_report};

/// Where runs go that are given no folder.
pub(crate) const RUNS: &str = "runs";
/// Writing by time takes at most one part in so many of the run's time.
const SHARE: u32 = 20;

/// Where a run is to be kept. Nothing is written before [`open`](RunPlan::open).
#[derive(Debug)]
pub(crate) enum RunPlan {
    /// In a folder of its own.
    New {
        /// Not given: the next number under `runs/`.
        out: Option<PathBuf>,
        force: bool,
        recipe: Recipe,
    },
    /// Where it was, `seconds` of training ago.
    Resume { run: RunFolder, recipe: Recipe, seconds: f64 },
}

/// A run that may begin.
#[derive(Default)]
pub(crate) struct Opened {
    pub keeper: Option<Keeper>,
    pub point: Point,
}

impl RunPlan {
    /// Makes or opens the folder and finds where the run stands.
    pub fn open(self, preparation: &Preparation, layout_of: &LayoutOf<'_>) -> Result<Opened> {
        let (run, recipe, mut point) = match self {
            RunPlan::New { out, force, recipe } => {
                let run = match &out {
                    Some(out) => RunFolder::create(out, force)?,
                    None => RunFolder::create_numbered(Path::new(RUNS), &recipe.short_name())?,
                };
                (run, recipe, Point::default())
            }
            RunPlan::Resume { run, recipe, seconds } => {
                let point = newest_point(&run, &Expected { recipe: &recipe, preparation, layout_of })?;
                remove_report(run.path())?;
                (run, recipe, Point { seconds, ..point })
            }
        };
        run.write_recipe(&recipe)?;
        let (log, lines) = run.log(point.position.log_lines)?;
        if let Some(resumed) = &mut point.resumed
            && lines < point.position.log_lines
        {
            let lost = point.position.log_lines - lines;
            resumed.notes.push(format!("{lost} lines of the log are lost"));
            point.position.log_lines = lines;
        }
        let texts = [(RECIPE.to_string(), recipe.to_toml()), (DATA.to_string(), preparation.to_text())];
        let every = recipe.train.checkpoint.clone();
        let (written, took) = (Instant::now(), Duration::ZERO);
        let is_new = point.state.is_none();
        let keeper = Keeper {
            run,
            recipe,
            log,
            texts: texts.into(),
            every,
            is_new,
            written,
            took,
            steps: 0,
            epochs: 0,
        };
        Ok(Opened { keeper: Some(keeper), point })
    }
}

/// An open run folder.
pub(crate) struct Keeper {
    run: RunFolder,
    recipe: Recipe,
    log: Log,
    texts: BTreeMap<String, String>,
    every: recipe::Checkpoint,
    /// Whether there is no checkpoint yet.
    is_new: bool,
    /// When the last one was written, or the run began.
    written: Instant,
    /// How long that took.
    took: Duration,
    /// Steps and epochs since.
    steps: usize,
    epochs: usize,
}

impl Keeper {
    pub fn path(&self) -> &Path {
        self.run.path()
    }

    pub fn add_to_log(&mut self, record: &EpochRecord) -> Result<()> {
        self.log.add(record)
    }

    /// Whether a checkpoint is due, a step later.
    pub fn is_due_after_step(&mut self) -> bool {
        self.steps += 1;
        self.every.steps.is_some_and(|steps| self.steps >= steps) || self.is_due_by_time()
    }

    /// Whether a checkpoint is due after the last step of an epoch.
    pub fn is_due_after_epoch(&mut self) -> bool {
        self.epochs += 1;
        self.is_new | self.is_due_after_step() | self.every.epochs.is_some_and(|epochs| self.epochs >= epochs)
    }

    fn is_due_by_time(&self) -> bool {
        let interval = Duration::try_from_secs_f64(self.every.seconds).unwrap_or(Duration::MAX);
        self.written.elapsed() >= interval.max(SHARE * self.took)
    }

    /// Writes a checkpoint; of the last states the one before is kept.
    pub fn write(
        &mut self,
        which: Which,
        state: &State,
        position: &Position,
        changes: &Changes,
        earlier: &[Earlier],
    ) -> Result<()> {
        let begin = Instant::now();
        let mut checkpoint = self.checkpoint(state, position, changes);
        for (at, earlier) in earlier.iter().enumerate() {
            checkpoint.tensors.extend(tensors_beside(&earlier.state, at));
        }
        match which {
            Which::Last => {
                // The lines that the position counts must outlive it.
                self.log.sync()?;
                self.run.replace_last(&checkpoint)?;
                (self.written, self.steps, self.epochs, self.is_new) = (Instant::now(), 0, 0, false);
                self.took = begin.elapsed();
            }
            Which::Best | Which::Previous => checkpoint.write(&self.run.checkpoint(which))?,
        }
        Ok(())
    }

    /// Writes a checkpoint that nothing else of the run refers to.
    pub fn write_beside(
        &self,
        name: &str,
        state: &State,
        position: &Position,
        changes: &Changes,
    ) -> Result<()> {
        self.checkpoint(state, position, changes).write(&self.run.path().join(name))
    }

    /// Writes the recipe with `changes` in it.
    pub fn write_repaired_recipe(&self, changes: &Changes) -> Result<()> {
        self.run.write_repaired_recipe(&changes.recipe(&self.recipe)?)
    }

    fn checkpoint<'a>(&self, state: &'a State, position: &Position, changes: &Changes) -> Checkpoint<'a> {
        let mut metadata = self.texts.clone();
        metadata.insert(POSITION.to_string(), position.to_text());
        metadata.extend(changes.to_text().map(|text| (CHANGES.to_string(), text)));
        Checkpoint { tensors: tensors_of(state), metadata }
    }
}
