//! What each command has found, as the document that `--json` prints.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::memory::{Limit, RunMemory, Textbook};
use crate::metrics::Metrics;

/// What `barun train` has done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainReport {
    /// The run folder; null where the run was not kept in one.
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
    /// Seconds of training, with its validation.
    pub seconds: f64,
    /// Training rows a second, over the whole run.
    pub samples_per_second: f64,
    /// The seed of the run.
    pub seed: u64,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// Why a callback stopped it before its epochs were over; null where none did.
    pub stopped: Option<String>,
    /// What was decided about the data: columns and rows that were left out, what the target was taken for.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What `barun eval` has found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvalReport {
    /// The model file.
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
    /// Seconds without reading the data.
    pub seconds: f64,
}

/// What `barun columns` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnsReport {
    /// The data.
    pub data: String,
    /// Its rows.
    pub rows: usize,
    /// The target.
    pub target: String,
    /// The class names; null where the target is a number.
    pub classes: Option<Vec<String>>,
    /// One for each column; none for images and drawn data.
    pub columns: Vec<ColumnReport>,
    /// How many numbers of a row the network takes.
    pub features: usize,
    /// What was decided when the data was read.
    pub notes: Vec<String>,
}

/// What a column is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnReport {
    /// Its name.
    pub name: String,
    /// What it was taken for, and why.
    pub read_as: String,
    /// What the network takes of it.
    pub becomes: String,
}

/// What `barun predict` says, one item for each row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictReport {
    /// The model file.
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

/// A class or a number.
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
            seconds: 1.0,
            samples_per_second: 100.0,
            seed: 7,
            interrupted: false,
            stopped: None,
            notes: Vec::new(),
        };
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"run":"runs/digits-mlp-1","params":10,"epochs":2,"best_epoch":2,"train":{"loss":0.25,"accuracy":0.97},"valid":{"loss":0.25,"accuracy":0.97},"test":null,"seconds":1.0,"samples_per_second":100.0,"seed":7,"interrupted":false,"stopped":null}"#
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
