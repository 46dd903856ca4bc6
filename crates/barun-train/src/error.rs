//! What can go wrong, each message with what, where, and what to do.

use std::path::PathBuf;

use crate::memory::OutOfMemory;
use crate::recipe::{Place, short_number};

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong between a recipe and a trained model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The recipe is not TOML.
    #[error("{place}: this is not TOML: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the TOML reader says.
        message: String,
    },
    /// A key that no recipe has.
    #[error("{place}: unknown key `{path}`; {hint}")]
    UnknownKey {
        /// Where.
        place: Place,
        /// The key's whole path.
        path: String,
        /// The nearest key, or the keys there are.
        hint: String,
    },
    /// A key that the recipe must have.
    #[error("{place}: `{path}` is missing; it takes {expected}")]
    MissingKey {
        /// Where.
        place: Place,
        /// The key's whole path.
        path: String,
        /// What to write there.
        expected: String,
    },
    /// A value of another type.
    #[error("{place}: `{path}` is {found}; expected {expected}")]
    WrongType {
        /// Where.
        place: Place,
        /// The key's whole path.
        path: String,
        /// What is there.
        found: String,
        /// What should be there.
        expected: String,
    },
    /// A picture of images where there are none.
    #[error(
        "'{name}' has rows of numbers, and a gallery shows images; name a set of images, such as `digits`"
    )]
    NoImages {
        /// The data.
        name: String,
    },
    /// A value of the right type that cannot be meant.
    #[error("{place}: `{path}` is {value}; it must be {allowed}")]
    BadValue {
        /// Where.
        place: Place,
        /// The key's whole path.
        path: String,
        /// What is there.
        value: String,
        /// What is allowed there.
        allowed: String,
    },
    /// A name that nothing has.
    #[error("{place}: `{path}` is \"{name}\", which is not {noun}; {hint}")]
    UnknownName {
        /// Where.
        place: Place,
        /// The key's whole path.
        path: String,
        /// The name.
        name: String,
        /// What the name should be the name of, with its article.
        noun: &'static str,
        /// The nearest name, or the names there are.
        hint: String,
    },
    /// Two settings that exclude each other.
    #[error("{place}: {message}")]
    Contradiction {
        /// Where.
        place: Place,
        /// Which two, and what to do.
        message: String,
    },
    /// `--set` without a key or a value.
    #[error("--set {assignment}: {message}; write it as key=value, for example --set train.lr=3e-4")]
    BadAssignment {
        /// What was given.
        assignment: String,
        /// What is wrong with it.
        message: String,
    },
    /// A layer that does not fit what comes before it.
    #[error("`{path}` ({layer}) {requires}, but {got}; {fix}")]
    Shape {
        /// The layer's place in the recipe.
        path: String,
        /// The layer's type.
        layer: &'static str,
        /// What it needs, with the shape.
        requires: String,
        /// What it gets or gives instead.
        got: String,
        /// What to do.
        fix: String,
    },
    /// Reading or writing a file failed.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// "read", "write", ...
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder for the run already holds something.
    #[error(
        "{} already exists and is not empty; choose another folder with --out, or give --force to train over it",
        path.display()
    )]
    RunExists {
        /// The folder.
        path: PathBuf,
    },
    /// Another process is writing the run.
    #[error(
        "{} is in use by {owner}; wait until it ends, or choose another folder with --out",
        path.display()
    )]
    RunLocked {
        /// The folder.
        path: PathBuf,
        /// Who holds it, as far as known.
        owner: String,
    },
    /// The path is no run folder.
    #[error("{} is not a run: {message}", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// What is missing, and what to do.
        message: String,
    },
    /// The recipe of a run has been changed while the run was not finished.
    #[error(
        "`{path}` was {before} when the run began and is {now} now, which would be another run; put it back, or train anew with --out"
    )]
    OtherRecipe {
        /// The key.
        path: String,
        /// Its value in the checkpoint.
        before: String,
        /// Its value in recipe.toml.
        now: String,
    },
    /// The data of a run has changed while the run was not finished.
    #[error(
        "the data {source_name} is not what the run was trained on (its columns, classes or values have changed); put it back, or train anew with --out"
    )]
    OtherData {
        /// The data, as the recipe names it.
        source_name: String,
    },
    /// A file that is not to be written over.
    #[error("{} already exists; choose another name with --out, or give --force to write over it", path.display())]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// A training for several seeds without any.
    #[error("there is no seed to train with; give at least one")]
    NoSeeds,
    /// A run that has nothing left to do.
    #[error("{} is complete: {how}; {fix}", path.display())]
    RunComplete {
        /// The run.
        path: PathBuf,
        /// How it ended.
        how: String,
        /// What to do to go on nevertheless.
        fix: &'static str,
    },
    /// A line of the log that cannot be read.
    #[error("{}:{line}: this is not a record of barun's log: {message}", path.display())]
    BadLog {
        /// The log.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// A model file that cannot be read.
    #[error("{}: {message}", path.display())]
    BadCheckpoint {
        /// The model file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        message: String,
    },
    /// The data cannot be read, split or loaded.
    #[error(transparent)]
    Data(#[from] barun_data::Error),
    /// The network cannot be built or run.
    #[error(transparent)]
    Network(#[from] barun_nn::Error),
    /// The network has no counterpart in ONNX.
    #[cfg(feature = "onnx")]
    #[error(transparent)]
    Onnx(#[from] barun_onnx::Error),
    /// The engine refuses.
    #[error(transparent)]
    Engine(#[from] barun_engine::Error),
    /// A gap that the model cannot fill.
    #[error(
        "row {row}, column '{column}': there is no value, and the model has not learned what to do then; fill it in or remove the row"
    )]
    MissingValue {
        /// The row, from 1.
        row: usize,
        /// The column.
        column: String,
    },
    /// A loss that does not suit the target.
    #[error("the loss {loss} needs {needs}, but the target '{target}' has {has}; {fix}")]
    Loss {
        /// The loss.
        loss: &'static str,
        /// What it needs.
        needs: &'static str,
        /// The target.
        target: String,
        /// What the target has.
        has: String,
        /// What to do.
        fix: &'static str,
    },
    /// A target that is the same for all training rows.
    #[error(
        "the target '{target}' is {value} in every training row, so there is nothing to learn; choose another target"
    )]
    ConstantTarget {
        /// The target.
        target: String,
        /// Its value.
        value: f64,
    },
    /// A setting that the data does not allow.
    #[error("`{path}` is {value}, but {but}; {fix}")]
    Setting {
        /// The key in a recipe.
        path: &'static str,
        /// Its value.
        value: String,
        /// What is in the way.
        but: String,
        /// What to do.
        fix: String,
    },
    /// The diagnosis of a run cannot be read.
    #[error("{}: this is no diagnosis of a run: {message}; it may be of another version of barun: remove it to do without, or train anew", path.display())]
    BadDiagnosis {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// Early stopping without a validation part.
    #[error(
        "early stopping looks at the validation part, and the split left none; give it a share, such as 0.1"
    )]
    NothingToWatch,
    /// The terminal does not let itself be drawn on.
    #[cfg(feature = "terminal")]
    #[error("cannot draw on the terminal; train without --tui")]
    Terminal(#[source] std::io::Error),
    /// Details of a run that are not barun's, or damaged.
    #[cfg(feature = "report")]
    #[error("{}: these are no details of a run: {message}; remove the file to have the report without them", path.display())]
    BadDetails {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// What a callback remembered cannot be read again.
    #[error("what a callback remembered cannot be read: {0}")]
    Memory(String),
    /// Images scaled pixel by pixel.
    #[error(
        "images are scaled by {numbers} numbers; a network takes 1 for all pixels or one for each of the {channels} channels; use Standardize::global()"
    )]
    ScalingOfPixels {
        /// How many.
        numbers: usize,
        /// Channels of the images.
        channels: usize,
    },
    /// Data that the model was not trained for.
    #[error("the model takes {expected}, but this is {found}; give it data like that it was trained on")]
    OtherFeatures {
        /// What the data has.
        found: String,
        /// What the model takes.
        expected: String,
    },
    /// A target that the model was not trained for.
    #[error(
        "the model knows {expected}, but the target '{target}' has {found}; give it data like that it was trained on"
    )]
    OtherTarget {
        /// The target.
        target: String,
        /// What it has.
        found: String,
        /// What the model knows.
        expected: String,
    },
    /// A table without the column that would be compared with.
    #[error(
        "{}: there is no column '{target}', so there is nothing to compare with; add it, or ask `barun predict`",
        path.display()
    )]
    NoTarget {
        /// The table.
        path: PathBuf,
        /// The missing column.
        target: String,
    },
    /// The counts of looks at test parts are damaged.
    #[error("{} does not hold counts of looks at test parts ({message}); remove it to begin anew", path.display())]
    BadLooks {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// More memory than there is, or may be taken.
    #[error(transparent)]
    OutOfMemory(Box<OutOfMemory>),
    /// The loss has left the finite numbers and does not come back.
    #[error(
        "the loss or its gradient was not finite in {steps} steps in a row (epoch {epoch}, step {step}, learning rate {}); \
         the weights are those before them.{} A smaller learning rate usually helps: --set train.lr={}",
        short_number(*lr, 2),
        found.as_ref().map_or_else(String::new, |found| format!(" What came first: {found}.")),
        short_number(*smaller, 2)
    )]
    NotFinite {
        /// How many.
        steps: usize,
        /// The epoch, from 1.
        epoch: usize,
        /// The last of the steps, since the beginning of the run, from 1.
        step: usize,
        /// The learning rate of that step.
        lr: f64,
        /// A learning rate to try.
        smaller: f64,
        /// What was not finite first in the last of them, where that could be found.
        found: Option<Box<barun_nn::NonFinite>>,
    },
}

impl From<OutOfMemory> for Error {
    fn from(error: OutOfMemory) -> Self {
        Error::OutOfMemory(Box::new(error))
    }
}
