//! From a run folder to the newest point from which the run can go on, whatever happened to it.
//!
//! Candidates are `last.safetensors`, then `previous.safetensors`, then the beginning, which is always one: a run is a pure
//! function of its recipe and its data. A candidate counts if it and the best epoch it refers to are intact, checksum and
//! all; what is not is told, never used. As the same steps give the same bits, whichever it is leads to the same weights.
//!
//! The best epoch's file may be *newer* than the candidate, where the run was killed between the two writes. Then the run
//! comes upon that epoch again; until then its weights are kept, and epochs are compared with the candidate's own best.

use std::path::Path;
use std::sync::Arc;

use barun_engine::{Layout, State};
use barun_nn::averaged;

use crate::callback::Resumed;
use crate::changes::Changes;
use crate::checkpoint::{Checkpoint, write_beside_into, write_into};
use crate::error::{Error, Result};
use crate::mending::Earlier;
use crate::metrics::Metrics;
use crate::position::Position;
use crate::predictor::{CHANGES, DATA, POSITION, RECIPE};
use crate::preparation::Preparation;
use crate::recipe::{Recipe, differences};
use crate::run::{RunFolder, Which};

/// Keys of a recipe that may change while a run goes on.
pub(crate) const MAY_CHANGE: &[&str] =
    &["train.epochs", "train.max_seconds", "train.early_stopping", "train.checkpoint"];

/// The state of the best epoch so far.
pub(crate) struct Best {
    pub epoch: usize,
    pub valid: Metrics,
    pub state: State,
    pub is_written: bool,
    /// What a better epoch must be better than: `valid`, but in a resumed run that is still to come upon this epoch again.
    pub bar: Metrics,
    /// What had been changed in the run.
    pub changes: Changes,
}

impl Best {
    /// Just found.
    pub fn new(epoch: usize, valid: Metrics, state: State, changes: Changes) -> Best {
        Best { epoch, valid, state, is_written: false, bar: valid, changes }
    }
}

/// Where a run begins, or goes on.
#[derive(Default)]
pub(crate) struct Point {
    pub position: Position,
    /// None at the beginning.
    pub state: Option<State>,
    /// What has been changed since the beginning.
    pub changes: Changes,
    /// States to go back to.
    pub earlier: Vec<Earlier>,
    pub best: Option<Best>,
    /// Seconds of training before.
    pub seconds: f64,
    /// None where the run is new.
    pub resumed: Option<Resumed>,
}

/// What a candidate must agree with.
pub(crate) struct Expected<'a> {
    pub recipe: &'a Recipe,
    pub preparation: &'a Preparation,
    pub layout_of: &'a LayoutOf<'a>,
}

/// The layout of the run's states after changes.
pub(crate) type LayoutOf<'a> = dyn Fn(&Changes) -> Result<Arc<Layout>> + 'a;

/// The newest point of the run from which everything it needs is intact.
///
/// # Errors
/// When the data or the recipe is no longer that of the run.
pub(crate) fn newest_point(run: &RunFolder, expected: &Expected<'_>) -> Result<Point> {
    let mut notes = Vec::new();
    for which in [Which::Last, Which::Previous] {
        let path = run.checkpoint(which);
        if !path.exists() {
            continue;
        }
        let found = match candidate(run, &path, expected) {
            Err(error @ Error::BadCheckpoint { .. }) => Err(error),
            Err(error @ (Error::OtherRecipe { .. } | Error::OtherData { .. })) => return Err(error),
            found => found,
        };
        match found {
            Ok(point) => {
                if which == Which::Previous {
                    notes.push(format!("the run goes on from {}", path.display()));
                }
                let (epochs, batches) = (point.position.epochs, point.position.batches());
                return Ok(Point { resumed: Some(Resumed { epochs, batches, notes }), ..point });
            }
            Err(error) => notes.push(told(&error)),
        }
    }
    notes.push("there is no checkpoint to go on from, so the run begins again".to_string());
    Ok(Point { resumed: Some(Resumed { notes, ..Resumed::default() }), ..Point::default() })
}

fn candidate(run: &RunFolder, path: &Path, expected: &Expected<'_>) -> Result<Point> {
    let file = Checkpoint::read(path)?;
    expected.check(&file, path)?;
    let position = position_in(&file, path)?;
    let changes = changes_in(&file, path)?;
    let layout = (expected.layout_of)(&changes)?;
    let mut state = State::zeros(&layout);
    write_into(&mut state, &file, path)?;
    let earlier = position.earlier.iter().enumerate().map(|(at, &taken)| {
        let mut state = State::zeros(&layout);
        write_beside_into(&mut state, at, &file, path)?;
        Ok(Earlier { taken, state })
    });
    let earlier = earlier.collect::<Result<Vec<Earlier>>>()?;
    let best = best_of(run, (&position, &state, &changes), expected)?;
    Ok(Point { position, state: Some(state), changes, earlier, best, ..Point::default() })
}

/// The best epoch that `position` refers to, or a newer one.
fn best_of(
    run: &RunFolder,
    (position, state, changes): (&Position, &State, &Changes),
    expected: &Expected<'_>,
) -> Result<Option<Best>> {
    let Some(bar) = position.best_valid else { return Ok(None) };
    if position.best_epoch == position.epochs && position.unfinished.is_none() {
        let state = averaged(state)?.into_owned();
        return Ok(Some(Best::new(position.best_epoch, bar, state, changes.clone())));
    }
    let path = run.checkpoint(Which::Best);
    let file = Checkpoint::read(&path)?;
    let found = position_in(&file, &path)?;
    let Some(valid) = found.best_valid.filter(|_| found.epochs >= position.best_epoch) else {
        let message = format!("it is of epoch {}, and the best was {}", found.epochs, position.best_epoch);
        return Err(Error::BadCheckpoint { path, message });
    };
    let changes = changes_in(&file, &path)?;
    let mut state = State::zeros(&(expected.layout_of)(&changes)?);
    write_into(&mut state, &file, &path)?;
    Ok(Some(Best { epoch: found.epochs, valid, state, is_written: true, bar, changes }))
}

fn position_in(file: &Checkpoint<'_>, path: &Path) -> Result<Position> {
    Position::from_text(file.text(POSITION, path)?).map_err(|error| Error::BadCheckpoint {
        path: path.to_path_buf(),
        message: format!("how far it came cannot be read: {error}"),
    })
}

/// What had been changed in the run whose state this is.
pub(crate) fn changes_in(file: &Checkpoint<'_>, path: &Path) -> Result<Changes> {
    Changes::from_text(file.metadata.get(CHANGES)).map_err(|error| Error::BadCheckpoint {
        path: path.to_path_buf(),
        message: format!("what was changed in the run cannot be read: {error}"),
    })
}

impl Expected<'_> {
    /// Another recipe or other data would continue another run.
    fn check(&self, file: &Checkpoint<'_>, path: &Path) -> Result<()> {
        let of = format!("the recipe in {}", path.display());
        let recipe = Recipe::from_toml(file.text(RECIPE, path)?, &of)?;
        let may_change =
            |key: &str| MAY_CHANGE.iter().any(|free| key == *free || key.starts_with(&format!("{free}.")));
        let other = differences(&recipe, self.recipe).into_iter().find(|other| !may_change(&other.path));
        if let Some(other) = other {
            return Err(Error::OtherRecipe { path: other.path, before: other.left, now: other.right });
        }
        match file.text(DATA, path)? == self.preparation.to_text() {
            true => Ok(()),
            false => Err(Error::OtherData { source_name: self.recipe.data.source.clone() }),
        }
    }
}

/// An error and its causes in one line.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
