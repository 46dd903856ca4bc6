//! The one error type of the crate: every message says what is wrong, where, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::read::Format;
use crate::suggest::Suggestion;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where in a file something is, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of a text file.
    Line(u64),
    /// A row of a file that has no lines, its header not counted.
    Row(u64),
}

impl Place {
    /// The line of a text file, or the row of another.
    pub(crate) fn in_file(path: &Path, number: u64) -> Place {
        match Format::of(path) {
            Some(Format::Parquet | Format::Numpy) => Place::Row(number),
            _ => Place::Line(number),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(line) => write!(f, "line {line}"),
            Place::Row(row) => write!(f, "row {row}"),
        }
    }
}

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
        "{name}: not found in {}; put {} there{}, or name another data directory \
         (--data-dir or $BARUN_DATA). `digits` needs no files",
        folder.display(), missing.join(", "), if *may_be_packed { " (plain or with .gz)" } else { "" }
    )]
    MissingFiles { name: String, folder: PathBuf, missing: Vec<String>, may_be_packed: bool },

    #[error("{} is a folder; name a file in it", path.display())]
    IsFolder { path: PathBuf },

    #[error("{} is empty: it has 0 bytes; check that it was written or fetched whole", path.display())]
    EmptyFile { path: PathBuf },

    #[error(
        "{} cannot be read by this build, which leaves out the feature '{feature}'; build barun with it, or convert the file to CSV",
        path.display()
    )]
    NotBuiltIn { path: PathBuf, feature: &'static str },

    #[error(
        "'{name}' is not a data source{suggestion}; known are {}, or the path of a .csv, .tsv, .parquet, .npy or .npz file, a folder of class folders of images, or a .zip of one",
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

    // ---- image files -------------------------------------------------------------------------------------------
    #[error(
        "{path}: not an image that can be read: {problem}; mend or remove it, or leave such files out (--skip-unreadable)"
    )]
    ImageFile { path: String, problem: String },

    #[error("{} is no set of images: {problem}", path.display())]
    NoImages { path: PathBuf, problem: String },

    #[cfg(feature = "images")]
    #[error("{}: the zip archive is damaged or of an unknown kind ({source}); pack or fetch it again", path.display())]
    Zip { path: PathBuf, source: Box<zip::result::ZipError> },

    #[cfg(feature = "images")]
    #[error("the picture {} cannot be written ({source})", path.display())]
    Picture { path: PathBuf, source: Box<image::ImageError> },

    #[error("{name}: reading images needs the feature `images`, which this program was built without")]
    WithoutImages { name: String },

    #[error("{}, record {record}: {problem}; the file is damaged or not CIFAR-10, fetch it again", path.display())]
    Cifar { path: PathBuf, record: usize, problem: String },

    // ---- fetching ----------------------------------------------------------------------------------------------
    #[cfg(feature = "download")]
    #[error(
        "{file} cannot be fetched:\n{}put it into {} by hand, or try again later; what has come so far is kept",
        tried.iter().map(|line| format!("  {line}\n")).collect::<String>(), folder.display()
    )]
    Fetch { file: String, folder: PathBuf, tried: Vec<String> },

    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },

    // ---- tables ------------------------------------------------------------------------------------------------
    #[error(
        "{}, line {line} (byte {offset}): not UTF-8 text; save the table as UTF-8, or set data.table.encoding = \"latin-1\" if it is that",
        path.display()
    )]
    NotUtf8 { path: PathBuf, line: u64, offset: u64 },

    #[error("{}, byte 0: this is {found} text; save the table as UTF-8", path.display())]
    OtherEncoding { path: PathBuf, found: &'static str },

    #[error(
        "{}, line {line}: a record of more than {mebibytes} MiB begins here; look for a quote that is not closed",
        path.display()
    )]
    EndlessRecord { path: PathBuf, line: u64, mebibytes: usize },

    #[error("{} has changed while it was read; try again when nobody writes it", path.display())]
    Changed { path: PathBuf },

    #[error(
        "{}, line 1: columns {first} and {second} are both called '{name}'; rename one",
        path.display()
    )]
    DuplicateColumn { path: PathBuf, name: String, first: usize, second: usize },

    #[error("{}: no rows after the header; a table needs data", path.display())]
    NoRows { path: PathBuf },

    #[error("{}: no column is left to learn from besides the target '{target}'", path.display())]
    NoFeatureColumns { path: PathBuf, target: String },

    #[error("{}: no row has a value in the target '{column}'; choose another target", path.display())]
    EmptyTarget { path: PathBuf, column: String },

    #[error(
        "{}, line {line}: {found} fields where the header has {expected}; look for a missing or extra delimiter or an open quote",
        path.display()
    )]
    RaggedRow { path: PathBuf, line: u64, expected: usize, found: usize },

    #[error(
        "{}, {place}, column '{column}': there is no value, which this model does not know how to take; fill it in or remove the row",
        path.display()
    )]
    EmptyCell { path: PathBuf, place: Place, column: String },

    #[error(
        "{}, {place}, column '{column}': '{value}' is not a number; correct it, name it in data.table.missing if it means that \
         there is no value, name the column in data.table.categorical if it holds categories, or leave it out (--ignore)",
        path.display()
    )]
    NotANumber { path: PathBuf, place: Place, column: String, value: String },

    #[error(
        "{}, {place}, column '{column}': '{value}' is not a date written as in training; correct it or remove the row",
        path.display()
    )]
    NotADate { path: PathBuf, place: Place, column: String, value: String },

    #[error(
        "{}, {place}, column '{column}': {value} is not a finite 32-bit number; correct it or remove the row",
        path.display()
    )]
    NotFinite { path: PathBuf, place: Place, column: String, value: String },

    #[error(
        "{}: there is no column '{name}'{suggestion}; the columns are {}",
        path.display(), columns.join(", ")
    )]
    MissingColumn { path: PathBuf, name: String, suggestion: Suggestion, columns: Vec<String> },

    #[error(
        "{}: column '{column}' is named in data.table.categorical and in data.table.numeric; keep one",
        path.display()
    )]
    TwoKinds { path: PathBuf, column: String },

    #[error(
        "{}: target '{column}' is text with {distinct} different values in {rows} rows (first on {place}: '{value}'), too many to be classes; choose another target, or ask for classes (--task classification)",
        path.display()
    )]
    TargetNotClasses {
        path: PathBuf,
        column: String,
        distinct: usize,
        rows: usize,
        place: Place,
        value: String,
    },

    #[error(
        "{}, {place}, column '{column}': class '{value}' was not in the training data{suggestion}; correct it or remove the column",
        path.display()
    )]
    UnknownClass { path: PathBuf, place: Place, column: String, value: String, suggestion: Suggestion },

    #[error("nothing is left to learn from: {}", reasons.join("; "))]
    NothingToLearnFrom { reasons: Vec<String> },

    #[error("the model takes a column '{name}'{suggestion}, which is not there")]
    NoSuchColumn { name: String, suggestion: Suggestion },

    #[error("the model takes {expected} in column '{name}', which holds something else")]
    OtherColumn { name: String, expected: &'static str },

    #[error("cannot {doing} a temporary file in {}: {source}; make room there, or choose another folder (data.table.scratch)", folder.display())]
    Scratch { doing: &'static str, folder: PathBuf, source: std::io::Error },

    // ---- arrays and Parquet ------------------------------------------------------------------------------------
    #[error("{}: {problem}", path.display())]
    Array { path: PathBuf, problem: String },

    #[error("{}: {problem}", path.display())]
    Parquet { path: PathBuf, problem: String },

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

    #[error("quantile scaling is for the columns of tables; choose standard, robust or minmax here")]
    QuantileOfArrays,

    #[error("{values} values cannot be scaled: scaling was fitted on {features} features a row")]
    ScalingWidth { values: usize, features: usize },

    // ---- augmentation ------------------------------------------------------------------------------------------
    #[error("augmentation: {setting} = {value} is out of bounds; choose {allowed}")]
    Augment { setting: &'static str, value: f64, allowed: &'static str },

    #[error("augmentation varies images, but '{name}' has rows of numbers; use augment = \"none\"")]
    AugmentRows { name: String },

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
