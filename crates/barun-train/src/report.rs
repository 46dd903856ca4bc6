//! What each command has found, as the document that `--json` prints.

use std::path::{Path, PathBuf};

use barun_data::integrity::columns::Numbers;
use barun_data::integrity::{self, Finding};
use serde::{Deserialize, Serialize, Serializer};

use crate::diagnosis::Diagnosis;
use crate::judgement::Judgement;
use crate::memory::{Limit, RunMemory, Textbook};
use crate::metrics::{Evaluation, Metrics};
use crate::seeds::{MetricsSpread, Spreads};

/// A path in JSON: what of it is no Unicode is shown as well as it can be.
pub(crate) fn path_text<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.to_string_lossy())
}

fn option_text<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(to)
}

/// What `barun train` has done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainReport {
    /// The run folder; null where the run was not kept in one.
    #[serde(serialize_with = "option_text")]
    pub run: Option<PathBuf>,
    /// How many numbers the network learns.
    pub params: usize,
    /// Epochs completed.
    pub epochs: usize,
    /// The epoch whose weights were kept, from 1; 0 where none was completed.
    pub best_epoch: usize,
    /// The kept weights on the training part, as a new row would be met: without dropout. Of an interrupted run the
    /// figures of the unfinished epoch while training.
    pub train: Metrics,
    /// The kept weights on the validation part; null where there is none.
    pub valid: Option<Metrics>,
    /// The kept weights on the test part, looked at once; null where there is none, or the run was interrupted.
    pub test: Option<Metrics>,
    /// By how much the figures on the training part are better than on the validation part: the difference of their
    /// accuracies, or of their R2; null where there is no such part. [EVAL-08]
    pub gap: Option<f64>,
    /// What the checks of the data have found before training.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What the doctor says of the run; left out where none watched it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doctor: Option<Diagnosis>,
    /// All figures on unseen rows, with intervals and baselines; null where there are no such rows, or the run was
    /// interrupted.
    pub judgement: Option<Judgement>,
    /// Seconds of training, with its validation.
    pub seconds: f64,
    /// Training rows a second; of a resumed run since then.
    pub samples_per_second: f64,
    /// The seed of the run.
    pub seed: u64,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// Why it was stopped before its epochs were over, by a callback or because its time was up; null where it was not.
    pub stopped: Option<String>,
    /// Whether it was stopped because its time was up; with more it goes on.
    #[serde(default)]
    pub is_out_of_time: bool,
    /// What was decided about the data: columns and rows that were left out, what the target was taken for.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What `barun train --seeds` has done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeedsReport {
    /// The folder with a run folder for each seed.
    #[serde(serialize_with = "path_text")]
    pub run: PathBuf,
    /// The seeds whose runs are over.
    pub seeds: Vec<u64>,
    /// The figures of the kept weights on the training part.
    pub train: MetricsSpread,
    /// The same on the validation part.
    pub valid: MetricsSpread,
    /// The same on the test part, looked at once by each run.
    pub test: MetricsSpread,
    /// All figures on unseen rows.
    #[serde(default)]
    pub judged: Spreads,
    /// The seed whose run is best on the validation part; the first where there is no such part.
    pub best_seed: Option<u64>,
    /// Seconds of training in all.
    pub seconds: f64,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// What each run has done, in the order of the seeds.
    pub runs: Vec<TrainReport>,
}

/// What `barun export` has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportReport {
    /// The model file.
    #[serde(serialize_with = "path_text")]
    pub model: PathBuf,
    /// The file.
    #[serde(serialize_with = "path_text")]
    pub out: PathBuf,
    /// Its format.
    pub format: String,
    /// Its size.
    pub bytes: usize,
}

/// What cross-validation has found: a training for each fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldsReport {
    /// The folder with a run folder for each fold.
    #[serde(serialize_with = "path_text")]
    pub run: PathBuf,
    /// The figures on the folds' test parts, over the folds.
    pub judged: Spreads,
    /// The trainings.
    pub folds: Vec<TrainReport>,
    /// Whether the user stopped it.
    pub interrupted: bool,
}

/// What `barun check` tells of data before anything is trained on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The data in a line: rows, columns, target.
    pub about: String,
    /// The columns of a table; none of images.
    pub columns: Vec<ColumnReport>,
    /// How many numbers of a row the network takes.
    pub features: usize,
    /// What was decided when the data was read: rows that were left out, what the target was taken for.
    pub notes: Vec<String>,
    /// The classes of the target with their rows; none of numbers.
    pub classes: Vec<(String, usize)>,
    /// How often the test part of this data has been looked at; null where nobody could count.
    pub looks: Option<usize>,
    /// What the checks have found.
    #[serde(flatten)]
    pub report: integrity::Report,
    /// What the doctor says before the first step; left out where none was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doctor: Option<Diagnosis>,
}

/// A column of a table, before and after it is prepared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnReport {
    /// Its name.
    pub name: String,
    /// What its cells were taken for.
    pub holds: String,
    /// Why, as the end of a sentence; empty where nothing else was possible.
    pub why: String,
    /// How many rows have no value.
    pub missing: usize,
    /// How many different values there are; 0 where they were not kept.
    pub distinct: usize,
    /// Of numbers and dates (days since 1970-01-01): their range and middle; null for categories.
    pub numbers: Option<Numbers>,
    /// What the network takes of it.
    pub becomes: String,
}

/// What `barun eval` has found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvalReport {
    /// The model file.
    #[serde(serialize_with = "path_text")]
    pub model: PathBuf,
    /// The data.
    pub source: String,
    /// Which part of it.
    pub part: String,
    /// Rows.
    pub samples: usize,
    /// The figures on them.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// All figures on them, with intervals.
    pub evaluation: Evaluation,
    /// How often the test part of this data has been looked at before; null for other parts.
    pub earlier_looks: Option<usize>,
    /// What is to be said of these looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Seconds without reading the data.
    pub seconds: f64,
}

/// What `barun predict` says, one item for each row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictReport {
    /// The model file.
    #[serde(serialize_with = "path_text")]
    pub model: PathBuf,
    /// The class names, in the order of the probabilities; left out where the target is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
    /// Columns of the input that the model does not know; they were left aside.
    pub ignored_columns: Vec<String>,
    /// What was decided about the input, such as values of categories that training did not have.
    #[serde(default)]
    pub notes: Vec<String>,
    /// One for each row, in the order of the input.
    pub predictions: Vec<Prediction>,
}

/// What a model says of one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The row: its number from 1; where there are several inputs, after the input's name and a colon.
    pub input: String,
    /// The answer.
    #[serde(flatten)]
    pub answer: Answer,
}

/// A class, a number, or the input again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// The class and how sure the model is.
    Class {
        /// The likeliest class.
        prediction: String,
        /// Its probability.
        probability: f64,
        /// The probability of every class, in the order of the model's class names.
        probabilities: Vec<f64>,
    },
    /// A number in the target's unit.
    Number {
        /// The number.
        prediction: f64,
    },
    /// Of a network that gives its input again.
    Row {
        /// The numbers of the row, as they were scaled.
        reconstruction: Vec<f64>,
    },
}

/// What `barun memory` tells of a training before it begins.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryReport {
    /// The model's name.
    pub model: String,
    /// The data.
    pub data: String,
    /// How many numbers the network learns.
    pub params: usize,
    /// What the training takes, by its parts.
    #[serde(flatten)]
    pub memory: RunMemory,
    /// The data set, which comes on top.
    pub data_bytes: usize,
    /// What the textbook formula says.
    pub textbook: Textbook,
    /// The plans of other batch sizes around this one.
    pub batches: Vec<BatchMemory>,
    /// What one more row in a batch takes, on average over these sizes; null where there is only one.
    pub bytes_per_further_sample: Option<f64>,
    /// What the training may take; null where it was not said and the machine does not say what it has free.
    pub limit: Option<Limit>,
    /// The largest batch within the limit; null where none is.
    pub largest_batch: Option<BatchMemory>,
    /// The next larger one, which is beyond the limit; null where all training rows fit in one batch.
    pub next_batch: Option<BatchMemory>,
}

/// What the training takes in batches of one size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BatchMemory {
    /// Rows of a batch.
    pub batch_size: usize,
    /// All that the run allocates.
    pub total_bytes: usize,
}

impl BatchMemory {
    pub(crate) fn of(memory: &RunMemory) -> BatchMemory {
        BatchMemory { batch_size: memory.batch_size, total_bytes: memory.total_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_a_training_has_the_promised_fields() {
        let metrics = Metrics { loss: 0.25, accuracy: Some(0.97), ..Metrics::default() };
        let report = TrainReport {
            run: Some("runs/digits-mlp-1".into()),
            params: 10,
            epochs: 2,
            best_epoch: 2,
            train: metrics,
            valid: Some(metrics),
            test: None,
            gap: Some(0.0),
            findings: Vec::new(),
            doctor: None,
            judgement: None,
            seconds: 1.0,
            samples_per_second: 100.0,
            seed: 7,
            interrupted: false,
            stopped: None,
            is_out_of_time: false,
            notes: Vec::new(),
        };
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"run":"runs/digits-mlp-1","params":10,"epochs":2,"best_epoch":2,"train":{"loss":0.25,"accuracy":0.97},"valid":{"loss":0.25,"accuracy":0.97},"test":null,"gap":0.0,"findings":[],"judgement":null,"seconds":1.0,"samples_per_second":100.0,"seed":7,"interrupted":false,"stopped":null,"is_out_of_time":false,"notes":[]}"#
        );
    }

    #[test]
    fn a_prediction_is_a_class_with_its_probability_or_a_number() {
        let class =
            Answer::Class { prediction: "cat".into(), probability: 0.75, probabilities: vec![0.75, 0.25] };
        let predictions = [
            Prediction { input: "a.png".into(), answer: class },
            Prediction { input: "1".into(), answer: Answer::Number { prediction: 2.5 } },
        ];
        let text = serde_json::to_string(&predictions).unwrap();
        assert_eq!(
            text,
            r#"[{"input":"a.png","prediction":"cat","probability":0.75,"probabilities":[0.75,0.25]},{"input":"1","prediction":2.5}]"#
        );
        assert_eq!(serde_json::from_str::<Vec<Prediction>>(&text).unwrap(), predictions);
    }
}
