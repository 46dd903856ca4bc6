//! A data set: features, targets, and the test part it came with, if any.
//!
//! Images stay the bytes they are (`u8`, `[n, height, width, channels]`) until the compiled step converts them; they lie
//! in memory or are made when they are asked for. Rows are `f32`; a table keeps its columns as they were read until it is
//! prepared ([`Table`](crate::Table)). A class is its index, counted from 0, next to the list of class names.

mod features;
mod targets;

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::keys::{Groups, Times};
use crate::open::OpenOptions;
use crate::split::{Split, SplitData};
use crate::table::{Schema, SchemaColumn};

pub use features::{Features, FeaturesRef};
pub use targets::{Target, Targets, one_hot};

/// One sample: its features and its target.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'a> {
    /// The features.
    pub features: FeaturesRef<'a>,
    /// The target.
    pub target: Target,
}

/// Samples with their targets, whole and unscaled. See [`Dataset::open`] for where they come from.
///
/// A copy shares the data.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    name: String,
    features: Arc<Features>,
    targets: Arc<Targets>,
    pub(crate) groups: Option<Arc<Groups>>,
    pub(crate) times: Option<Arc<Times>>,
    pub(crate) given_valid: Arc<[usize]>,
    pub(crate) given_test: Arc<[usize]>,
    notes: Arc<[String]>,
}

impl Dataset {
    /// Opens a source by name or path with the default [`OpenOptions`].
    ///
    /// ```
    /// let digits = barun_data::Dataset::open("digits")?;
    /// assert_eq!(digits.len(), 12_000);
    /// # Ok::<(), barun_data::Error>(())
    /// ```
    pub fn open(source: impl AsRef<Path>) -> Result<Dataset> {
        OpenOptions::default().open(source)
    }

    /// Opens a source by name or path.
    ///
    /// # Errors
    /// See [`OpenOptions::open`].
    pub fn open_with(source: impl AsRef<Path>, options: &OpenOptions) -> Result<Dataset> {
        options.open(source)
    }

    /// A data set of your own.
    ///
    /// # Errors
    /// When there is no sample or no feature, sizes do not match, a label is not a class, or a number is not finite.
    pub fn new(name: impl Into<String>, features: Features, targets: Targets) -> Result<Dataset> {
        let name = name.into();
        match inconsistency(&features, &targets) {
            Some(problem) => Err(Error::Inconsistent { name, problem }),
            None => Ok(Dataset {
                name,
                features: Arc::new(features),
                targets: Arc::new(targets),
                groups: None,
                times: None,
                given_valid: Arc::default(),
                given_test: Arc::default(),
                notes: Arc::default(),
            }),
        }
    }

    /// Marks `test` as the test part this data was published with; every split keeps it as its test part.
    ///
    /// # Errors
    /// When the range is empty, out of bounds, or leaves nothing to train on.
    pub fn with_given_test(mut self, test: Range<usize>) -> Result<Dataset> {
        if test.is_empty() || test.end > self.len() || test.len() == self.len() {
            let problem = format!("the test part {test:?} does not lie within its {} samples", self.len());
            return Err(Error::Inconsistent { name: self.name, problem });
        }
        self.given_test = test.collect();
        Ok(self)
    }

    /// Takes the parts from a column that says `train`, `valid` or `test` of each sample. Without `valid` in it every
    /// split cuts a valid part from the training samples, and without `test` a test part.
    ///
    /// # Errors
    /// Another cell; no sample to train on; another number of cells than samples.
    pub fn with_part_column(mut self, column: &str, cells: &[String]) -> Result<Dataset> {
        self.check_cells(column, cells)?;
        let (mut valid, mut test) = (Vec::new(), Vec::new());
        for (row, cell) in cells.iter().enumerate() {
            match cell.trim().to_lowercase().as_str() {
                "train" | "training" => {}
                "valid" | "validation" | "val" => valid.push(row),
                "test" => test.push(row),
                _ => {
                    let (column, value) = (column.to_string(), cell.clone());
                    return Err(Error::NotAPart { column, row: row + 1, value });
                }
            }
        }
        if valid.len() + test.len() == self.len() {
            return Err(Error::NothingToTrainOn { column: column.to_string() });
        }
        (self.given_valid, self.given_test) = (valid.into(), test.into());
        Ok(self)
    }

    /// Keeps samples with the same cell in one part: those of a patient, a site, a session.
    ///
    /// # Errors
    /// Another number of cells than samples.
    pub fn with_groups(mut self, column: &str, cells: &[String]) -> Result<Dataset> {
        self.check_cells(column, cells)?;
        self.groups = Some(Arc::new(Groups::new(column, cells)));
        Ok(self)
    }

    /// Gives each sample its moment, so that splits can make the future the test. Cells are numbers, or dates such as
    /// `2024-05-31` and `2024-05-31 18:30:00`.
    ///
    /// # Errors
    /// A cell that is neither; another number of cells than samples.
    pub fn with_times(mut self, column: &str, cells: &[String]) -> Result<Dataset> {
        self.check_cells(column, cells)?;
        self.times = Some(Arc::new(Times::new(column, cells)?));
        Ok(self)
    }

    fn check_cells(&self, column: &str, cells: &[String]) -> Result<()> {
        if cells.len() == self.len() {
            return Ok(());
        }
        let problem = format!("column '{column}' has {} cells for {} samples", cells.len(), self.len());
        Err(Error::Inconsistent { name: self.name.clone(), problem })
    }

    /// Under another name.
    #[cfg_attr(not(feature = "images"), allow(dead_code))]
    pub(crate) fn with_name(self, name: &str) -> Dataset {
        Dataset { name: name.to_string(), ..self }
    }

    /// Adds what was decided when it was read, a sentence each.
    pub fn with_notes(mut self, notes: Vec<String>) -> Dataset {
        self.notes = self.notes.iter().cloned().chain(notes).collect();
        self
    }

    /// What was decided when it was read, for people: rows and files that were left out, what the
    /// target was taken for, the size and colours of images.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What the data set is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of samples, a given test part included. [DATA-10]
    pub fn len(&self) -> usize {
        self.features.len()
    }

    /// Never: a data set has at least one sample.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Sample `index`. [DATA-10]
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn get(&self, index: usize) -> Result<Sample<'_>> {
        let features = self.features.get(index)?;
        let target = self.targets.get(index).ok_or(Error::OutOfRange { index, len: self.len() })?;
        Ok(Sample { features, target })
    }

    /// All features.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// All targets.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// The samples that came as the test part (the 10,000 of MNIST), ascending; none where none did.
    pub fn given_test(&self) -> &[usize] {
        &self.given_test
    }

    /// The samples that came as the valid part, ascending; none where none did.
    pub fn given_valid(&self) -> &[usize] {
        &self.given_valid
    }

    /// The groups that no split divides.
    pub fn groups(&self) -> Option<&Groups> {
        self.groups.as_deref()
    }

    /// The moments along which a split cuts.
    pub fn times(&self) -> Option<&Times> {
        self.times.as_deref()
    }

    /// Columns, target and classes, by which more rows of the same kind are read; `None` for images. A model takes those
    /// columns of a table of which something is [made](crate::Encoding::schema).
    pub fn schema(&self) -> Option<Schema> {
        let (columns, unused) = match &*self.features {
            Features::Images { .. } | Features::Lazy(_) => return None,
            Features::Rows { names, .. } => (names.iter().map(SchemaColumn::number).collect(), Vec::new()),
            Features::Table(table) => SchemaColumn::of(table.columns()),
        };
        let classes = self.targets.classes().map(<[String]>::to_vec);
        Some(Schema { columns, unused, target: self.targets.name().to_string(), classes })
    }

    /// Cuts the samples into train, valid and test parts.
    ///
    /// # Errors
    /// When the fractions are wrong or a part would be empty; see [`Split`].
    pub fn split(self, split: Split) -> Result<SplitData> {
        SplitData::cut(self, split)
    }

    /// Cuts the samples `k` times for cross-validation: each sample is in the test part of exactly one split, and what
    /// is left of a split is divided into train and valid in their proportion. A test part that came with the data stays
    /// out of all of them.
    ///
    /// # Errors
    /// As [`split`](Dataset::split); fewer than 2 folds or more than samples or groups; folds of data cut by time.
    pub fn folds(self, k: usize, split: Split) -> Result<Vec<SplitData>> {
        SplitData::folds(self, k, split)
    }

    /// The same samples with other features or targets of the same length; for scaling.
    pub(crate) fn replaced(&self, features: Option<Features>, targets: Option<Targets>) -> Dataset {
        let mut copy = self.clone();
        if let Some(features) = features {
            copy.features = Arc::new(features);
        }
        if let Some(targets) = targets {
            copy.targets = Arc::new(targets);
        }
        copy
    }
}

/// One line for people: `iris: 150 rows x 4 columns, target 'species' with 3 classes`.
impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.features.image_shape() {
            Some([h, w, c]) => write!(f, "{}: {} images of {h} x {w} x {c}", self.name, self.len())?,
            None => write!(f, "{}: {} rows x {} columns", self.name, self.len(), self.features.width())?,
        }
        write!(f, ", target '{}' with ", self.targets.name())?;
        match self.targets.classes() {
            Some(classes) => write!(f, "{} classes", classes.len()),
            None => write!(f, "numbers"),
        }
    }
}

fn inconsistency(features: &Features, targets: &Targets) -> Option<String> {
    let product = |shape: [usize; 3]| shape.iter().try_fold(1usize, |p, &s| p.checked_mul(s));
    let (count, stored) = match features {
        Features::Images { pixels, shape } => (product(*shape), pixels.len()),
        Features::Lazy(images) => {
            let width = product(images.shape());
            (width, width.unwrap_or(0).saturating_mul(images.len()))
        }
        Features::Rows { values, names } => (Some(names.len()), values.len()),
        Features::Table(table) => (Some(table.width()), table.len() * table.width()),
    };
    let Some(width) = count.filter(|&width| width > 0) else {
        return Some("a sample has no features".to_string());
    };
    if stored == 0 {
        return Some("there are no samples".to_string());
    }
    if stored % width != 0 {
        return Some(format!("{stored} values do not divide into samples of {width}"));
    }
    let len = stored / width;
    if targets.len() != len {
        return Some(format!("{len} samples but {} targets", targets.len()));
    }
    if let Features::Rows { values, .. } = features
        && let Some(at) = values.iter().position(|value| !value.is_finite())
    {
        return Some(format!("sample {}, column {}: {} is not finite", at / width, at % width, values[at]));
    }
    match targets {
        Targets::Classes { labels, classes, .. } => labels
            .iter()
            .position(|label| usize::try_from(*label).map_or(true, |label| label >= classes.len()))
            .map(|at| format!("label {} of sample {at} is outside 0..{}", labels[at], classes.len())),
        Targets::Values { values, .. } => values
            .iter()
            .position(|value| !value.is_finite())
            .map(|at| format!("target {} of sample {at} is not finite", values[at])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(labels: &[i64]) -> Targets {
        Targets::Classes {
            name: "label".into(),
            labels: labels.to_vec(),
            classes: vec!["a".into(), "b".into()],
        }
    }

    fn images() -> Dataset {
        let features = Features::Images { pixels: (0..12).collect(), shape: [2, 3, 1] };
        Dataset::new("tiny", features, classes(&[0, 1])).unwrap()
    }

    #[test]
    fn data_10_length_and_items_and_an_error_out_of_range() {
        let data = images();
        assert_eq!(data.len(), 2);
        let sample = data.get(1).unwrap();
        assert_eq!(sample.features, FeaturesRef::Image((&[6, 7, 8, 9, 10, 11]).into()));
        assert_eq!(sample.target, Target::Class(1));
        assert!(matches!(data.get(2), Err(Error::OutOfRange { index: 2, len: 2 })));
        assert!(matches!(data.get(usize::MAX), Err(Error::OutOfRange { .. })));
    }

    #[test]
    fn data_12_label_3_of_10_is_e3_and_a_wrong_label_is_an_error() {
        let row = one_hot(&[3], 10).unwrap();
        assert_eq!(row, [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(matches!(one_hot(&[0, -1], 2), Err(Error::LabelOutOfRange { position: 1, label: -1, .. })));
        assert!(one_hot(&[2], 2).is_err());
    }

    #[test]
    fn data_27_flattening_only_changes_the_shape() {
        let data = images();
        assert_eq!(data.features().sample_shape(), [2, 3, 1]);
        assert_eq!(data.features().width(), 6);
    }

    #[test]
    fn data_that_does_not_fit_together_is_refused() {
        let rows =
            |values: &[f32]| Features::Rows { values: values.to_vec(), names: vec!["x".into(), "y".into()] };
        let message = |features, targets| Dataset::new("odd", features, targets).unwrap_err().to_string();
        assert!(message(rows(&[1.0, 2.0, 3.0]), classes(&[0])).contains("do not divide"));
        assert!(message(rows(&[1.0, 2.0]), classes(&[0, 1])).contains("1 samples but 2 targets"));
        assert!(message(rows(&[1.0, f32::NAN]), classes(&[0])).contains("not finite"));
        assert!(message(rows(&[1.0, 2.0]), classes(&[2])).contains("outside 0..2"));
        assert!(message(rows(&[]), classes(&[])).contains("no samples"));
        let nameless = Features::Rows { values: vec![], names: vec![] };
        assert!(message(nameless, classes(&[])).contains("no features"));
        assert!(images().with_given_test(1..3).is_err());
        assert!(images().with_given_test(0..2).is_err());
    }

    #[test]
    fn a_data_set_describes_itself_in_a_line() {
        assert_eq!(images().to_string(), "tiny: 2 images of 2 x 3 x 1, target 'label' with 2 classes");
    }
}
