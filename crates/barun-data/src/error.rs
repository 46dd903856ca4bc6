//! The one error type of the crate: every message says what is wrong, where, and what to do.

use std::path::PathBuf;

use crate::suggest::Suggestion;

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// What can be wrong with data, or with what was asked of it.
///
/// Lines and columns are counted from 1, byte offsets and sample indices from 0.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the message of each variant names its fields")]
pub enum Error {
    // ---- files -------------------------------------------------------------------------------------------------
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },

    #[error(
        "{name}: not found in {}; put {} there (plain or with .gz), or name another data directory \
         (--data-dir or $BARUN_DATA). `digits` needs no files",
        folder.display(), missing.join(", ")
    )]
    MissingFiles { name: String, folder: PathBuf, missing: Vec<String> },

    #[error(
        "'{name}' is not a data source{suggestion}; known are {}, or the path of a .csv or .tsv file",
        known.join(", ")
    )]
    UnknownSource { name: String, suggestion: Suggestion, known: Vec<&'static str> },

    #[error("there is no file {}{suggestion}; check the path", path.display())]
    NoSuchFile { path: PathBuf, suggestion: Suggestion },

    // ---- IDX ---------------------------------------------------------------------------------------------------
    #[error(
        "{}, byte {offset}: the gzip stream is damaged ({source}); fetch the file again",
        path.display()
    )]
    Gzip { path: PathBuf, offset: u64, source: std::io::Error },

    #[error(
        "{}, byte 0: not an IDX file (it starts with {found:02x?}, IDX starts with 00 00); check that it is the right file",
        path.display()
    )]
    IdxMagic { path: PathBuf, found: [u8; 2] },

    #[error(
        "{}, byte 2: element type 0x{found:02x} is not supported; only unsigned bytes (0x08) are",
        path.display()
    )]
    IdxType { path: PathBuf, found: u8 },

    #[error(
        "{}, byte 3: the file has {found} dimensions, {expected} are needed; are images and labels swapped?",
        path.display()
    )]
    IdxRank { path: PathBuf, expected: usize, found: usize },

    #[error(
        "{}, byte 4: dimensions {dims:?} are {problem}; the header is damaged or not IDX",
        path.display()
    )]
    IdxSize { path: PathBuf, dims: Vec<u32>, problem: &'static str },

    #[error(
        "{}, byte {found}: the file ends early, {expected} bytes were announced; fetch the file again",
        path.display()
    )]
    IdxTruncated { path: PathBuf, expected: u64, found: u64 },

    #[error(
        "{}, byte {expected}: the file goes on after the {expected} bytes its header announced; it is damaged or not this data set",
        path.display()
    )]
    IdxTrailing { path: PathBuf, expected: u64 },

    #[error(
        "{} holds {image_count} images but {} holds {label_count} labels; the two files do not belong together",
        images.display(), labels.display()
    )]
    CountMismatch { images: PathBuf, image_count: usize, labels: PathBuf, label_count: usize },

    #[error(
        "{} holds {found:?} pixel images but {expected:?} are needed here; the files do not belong together",
        path.display()
    )]
    ImageSize { path: PathBuf, expected: Vec<usize>, found: Vec<usize> },

    #[error(
        "{}, byte {offset}: label {label} is outside 0..{classes}; the file is damaged or not this data set",
        path.display()
    )]
    LabelByte { path: PathBuf, offset: usize, label: u8, classes: usize },

    // ---- tables ------------------------------------------------------------------------------------------------
    #[error("{}, line {line} (byte {offset}): not UTF-8 text; save the table as UTF-8", path.display())]
    NotUtf8 { path: PathBuf, line: u64, offset: usize },

    #[error("{}: the table cannot be parsed ({source})", path.display())]
    Csv { path: PathBuf, source: csv::Error },

    #[error(
        "{}, line 1: '{value}' is a number where a column name belongs; the first line must name the columns",
        path.display()
    )]
    NoHeader { path: PathBuf, value: String },

    #[error("{}, line 1: column {column} has no name; give it one or remove it", path.display())]
    UnnamedColumn { path: PathBuf, column: usize },

    #[error(
        "{}, line 1: columns {first} and {second} are both called '{name}'; rename one",
        path.display()
    )]
    DuplicateColumn { path: PathBuf, name: String, first: usize, second: usize },

    #[error("{}: no rows after the header; a table needs data", path.display())]
    NoRows { path: PathBuf },

    #[error("{}: no column is left to learn from besides the target '{target}'", path.display())]
    NoFeatureColumns { path: PathBuf, target: String },

    #[error(
        "{}, line {line}: {found} fields where the header has {expected}; look for a missing or extra delimiter or an open quote",
        path.display()
    )]
    RaggedRow { path: PathBuf, line: u64, expected: usize, found: usize },

    #[error(
        "{}, line {line}, column '{column}': the cell is empty; fill it in, remove the row, or leave the column out (--ignore)",
        path.display()
    )]
    EmptyCell { path: PathBuf, line: u64, column: String },

    #[error(
        "{}, line {line}, column '{column}': '{value}' is not a number; correct it, encode the column as numbers, or leave the column out (--ignore)",
        path.display()
    )]
    NotANumber { path: PathBuf, line: u64, column: String, value: String },

    #[error(
        "{}, line {line}, column '{column}': {value} is not a finite 32-bit number; correct it or remove the row",
        path.display()
    )]
    NotFinite { path: PathBuf, line: u64, column: String, value: String },

    #[error(
        "{}: there is no column '{name}'{suggestion}; the columns are {}",
        path.display(), columns.join(", ")
    )]
    MissingColumn { path: PathBuf, name: String, suggestion: Suggestion, columns: Vec<String> },

    #[error(
        "{}: target '{column}' is text with {distinct} different values in {rows} rows (first on line {line}: '{value}'), too many to be classes; choose another target, or ask for classes",
        path.display()
    )]
    TargetNotClasses { path: PathBuf, column: String, distinct: usize, rows: usize, line: u64, value: String },

    #[error(
        "{}, line {line}, column '{column}': class '{value}' was not in the training data{suggestion}; correct it or remove the column",
        path.display()
    )]
    UnknownClass { path: PathBuf, line: u64, column: String, value: String, suggestion: Suggestion },

    // ---- data sets in memory -----------------------------------------------------------------------------------
    #[error("data set '{name}': {problem}")]
    Inconsistent { name: String, problem: String },

    #[error("sample {index} is out of range; there are {len} samples, 0..{len}")]
    OutOfRange { index: usize, len: usize },

    #[error("label {label} at position {position} is outside 0..{classes}; labels count from 0")]
    LabelOutOfRange { position: usize, label: i64, classes: usize },

    #[error("{samples} samples of '{name}' were asked for; choose between {least} and {most}")]
    SampleCount { name: &'static str, samples: usize, least: usize, most: usize },

    // ---- splitting and scaling ---------------------------------------------------------------------------------
    #[error(
        "split {train}/{valid}/{test}: fractions must lie in 0..1, add up to at most 1, and leave something to train on"
    )]
    Fractions { train: f64, valid: f64, test: f64 },

    #[error(
        "the {part} part would be empty: {fraction} of {samples} samples rounds to none; raise the fraction, set it to 0, or get more data"
    )]
    EmptyPart { part: &'static str, fraction: f64, samples: usize },

    #[error("a stratified split needs classes, but '{target}' holds numbers; use Split::random")]
    StratifiedValues { target: String },

    #[error(
        "class '{class}' has {rows} rows, too few for a stratified split into {parts} parts: get more of them, remove the class, or divide at random"
    )]
    RareClass { class: String, rows: usize, parts: usize },

    #[error(
        "column '{column}' has {groups} groups, too few for {parts} parts of whole groups: ask for fewer parts (a share of 0), or divide by another column"
    )]
    TooFewGroups { column: String, groups: usize, parts: usize },

    #[error("a split by time needs a column of times, and the data has none: name one (--time COLUMN)")]
    NoTimes,

    #[error(
        "'{time}' and '{group}' cannot both divide the rows: a group may reach from the past into the future; name one of them"
    )]
    TimesAndGroups { time: String, group: String },

    #[error(
        "column '{column}', row {row}: '{value}' is neither a number nor a date like 2024-05-31 or 2024-05-31 18:30:00; correct it, or divide by another column"
    )]
    NotATime { column: String, row: usize, value: String },

    #[error("column '{column}', row {row}: '{value}' is no part; write train, valid or test")]
    NotAPart { column: String, row: usize, value: String },

    #[error("column '{column}' leaves nothing to train on: mark some rows as train")]
    NothingToTrainOn { column: String },

    #[error("{folds} folds of {samples} samples; choose between 2 and {most}")]
    FoldCount { folds: usize, samples: usize, most: usize },

    #[error(
        "cross-validation of data cut by time would train on the future: leave out the folds or the column of times"
    )]
    FoldsOfTime,

    #[error(
        "the data brings its own valid part, so its rows cannot be divided into folds: leave out the folds or the part"
    )]
    FoldsOfGiven,

    #[error(
        "the rows cannot be divided by '{column}': it is the target; name another column, or another target"
    )]
    DividesByTarget { column: String },

    #[error("{name} has no columns by which rows could be divided, so there is no '{column}'")]
    NoColumns { name: String, column: String },

    #[error("the target '{target}' holds classes; only numbers can be standardised")]
    TargetIsClasses { target: String },

    #[error("{values} values cannot be scaled: scaling was fitted on {features} features a row")]
    ScalingWidth { values: usize, features: usize },

    // ---- loading -----------------------------------------------------------------------------------------------
    #[error("batch size 0; choose at least 1")]
    ZeroBatch,

    #[error("there is nothing to load: the split left no {part} part; give it a fraction above 0")]
    NothingToLoad { part: &'static str },

    #[error(
        "batch size {batch} is larger than the {samples} samples of the {part} part; choose at most {samples}"
    )]
    BatchTooLarge { batch: usize, samples: usize, part: &'static str },

    #[error("the loader's thread ended unexpectedly ({reason}); please report this")]
    Loader { reason: String },
}
