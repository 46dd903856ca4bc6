//! Event files that TensorBoard opens: `tensorboard --logdir runs`.
//!
//! ```
//! use barun_view::Histogram;
//! use barun_view::tensorboard::{EventFile, HyperParameter};
//!
//! # let folder = tempfile::tempdir()?;
//! let mut events = EventFile::create(folder.path(), 0)?;
//! events.hyper_parameters(&[("train.lr".into(), HyperParameter::Number(1e-3))])?;
//! events.scalar(1, "loss", 0.5)?;
//! events.histogram(1, "hidden.weight", &Histogram::of([0.1, 0.2].into_iter()))?;
//! events.flush()?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A folder is what TensorBoard calls a run. Each process that writes to it writes a file of its own, after those that are
//! there; the files are read in the order of their names, and steps that come again in a later one take the place of the
//! earlier. A file that breaks off in the middle of a record is read as far as it goes.

mod messages;
mod record;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::Histogram;
use messages::{
    Event, HistogramProto, HyperParameters, HyperValue, PluginData, SessionLog, SessionStart, Shape, Size,
    Summary, SummaryMetadata, TensorProto, Value, event, hyper_parameters, hyper_value, summary_value,
};

/// How the names of event files begin; TensorBoard knows them by this.
pub const PREFIX: &str = "events.out.tfevents.";
/// The type of texts in a tensor.
const STRINGS: i32 = 7;
/// The status of a session that begins.
const START: i32 = 1;

/// What a run was set to.
#[derive(Clone, Debug, PartialEq)]
pub enum HyperParameter {
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// Anything else.
    Text(String),
}

/// An event file open for adding to.
#[derive(Debug)]
pub struct EventFile {
    out: BufWriter<File>,
    path: PathBuf,
}

impl EventFile {
    /// Begins the next file of `folder`, which is made where it does not exist. Of the files before, what they say of
    /// steps after `steps` no longer counts: 0 for a run that begins.
    pub fn create(folder: &Path, steps: u64) -> io::Result<EventFile> {
        fs::create_dir_all(folder)?;
        let (out, path) = next_file(folder)?;
        let mut file = EventFile { out: BufWriter::new(out), path };
        file.write(0, event::What::FileVersion("brain.Event:2".into()))?;
        if steps > 0 {
            let begins = SessionLog { status: START };
            file.write(steps as i64 + 1, event::What::SessionLog(begins))?;
        }
        file.flush()?;
        Ok(file)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A number at a step. TensorBoard shows what is not finite as such.
    pub fn scalar(&mut self, step: u64, tag: &str, number: f64) -> io::Result<()> {
        self.summary(step, tag, summary_value::What::SimpleValue(number as f32), None)
    }

    /// How numbers are distributed at a step.
    pub fn histogram(&mut self, step: u64, tag: &str, histogram: &Histogram) -> io::Result<()> {
        let total = histogram.total() as f64;
        let (mean, deviation) = (histogram.mean, histogram.deviation);
        let numbers = HistogramProto {
            min: histogram.low,
            max: histogram.high,
            num: total,
            sum: mean * total,
            sum_squares: (deviation * deviation + mean * mean) * total,
            bucket_limit: (0..histogram.counts.len()).map(|bin| histogram.bin(bin).1).collect(),
            bucket: histogram.counts.iter().map(|count| *count as f64).collect(),
        };
        self.summary(step, tag, summary_value::What::Histo(numbers), None)
    }

    /// A text, which may be Markdown.
    pub fn text(&mut self, step: u64, tag: &str, text: &str) -> io::Result<()> {
        let shape = Shape { dim: vec![Size { size: 1 }] };
        let tensor = TensorProto { dtype: STRINGS, tensor_shape: Some(shape), string_val: vec![text.into()] };
        self.summary(step, tag, summary_value::What::Tensor(tensor), Some(plugin("text", Vec::new())))
    }

    /// What the run was set to, for the page that compares runs.
    pub fn hyper_parameters(&mut self, set: &[(String, HyperParameter)]) -> io::Result<()> {
        let value = |parameter: &HyperParameter| HyperValue {
            kind: Some(match parameter {
                HyperParameter::Number(number) => hyper_value::Kind::Number(*number),
                HyperParameter::Flag(flag) => hyper_value::Kind::Flag(*flag),
                HyperParameter::Text(text) => hyper_value::Kind::Text(text.clone()),
            }),
        };
        let start = SessionStart {
            hparams: set.iter().map(|(name, parameter)| (name.clone(), value(parameter))).collect(),
            start_time_secs: seconds_now(),
        };
        let content = HyperParameters { version: 0, data: Some(hyper_parameters::Data::SessionStart(start)) };
        let metadata = plugin("hparams", content.encode_to_vec());
        // What counts is in the metadata; the tensor is what newer readers ask for besides.
        let empty = TensorProto {
            dtype: 1,
            tensor_shape: Some(Shape { dim: vec![Size { size: 0 }] }),
            string_val: vec![],
        };
        self.summary(0, "_hparams_/session_start_info", summary_value::What::Tensor(empty), Some(metadata))
    }

    /// Makes what was written so far visible to others.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn summary(
        &mut self,
        step: u64,
        tag: &str,
        what: summary_value::What,
        metadata: Option<SummaryMetadata>,
    ) -> io::Result<()> {
        let value = Value { tag: tag.to_string(), metadata, what: Some(what) };
        self.write(step as i64, event::What::Summary(Summary { value: vec![value] }))
    }

    fn write(&mut self, step: i64, what: event::What) -> io::Result<()> {
        let event = Event { wall_time: seconds_now(), step, what: Some(what) };
        record::write(&mut self.out, &event.encode_to_vec())
    }
}

fn plugin(name: &str, content: Vec<u8>) -> SummaryMetadata {
    SummaryMetadata { plugin_data: Some(PluginData { plugin_name: name.to_string(), content }) }
}

fn seconds_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// `events.out.tfevents.000003`: the first number that no file has.
fn next_file(folder: &Path) -> io::Result<(File, PathBuf)> {
    for number in 0_u32.. {
        let path = folder.join(format!("{PREFIX}{number:06}"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return Ok((opened?, path)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events_of(path: &Path) -> Vec<Event> {
        let bytes = fs::read(path).unwrap();
        record::read(&bytes).iter().map(|record| Event::decode(&record[..]).unwrap()).collect()
    }

    #[test]
    fn a_file_begins_with_its_version_and_holds_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::create(folder.path(), 0).unwrap();
        file.scalar(3, "loss", 0.25).unwrap();
        file.histogram(3, "w", &Histogram::of([1.0, 2.0, 3.0].into_iter())).unwrap();
        file.text(0, "recipe", "# 한국어").unwrap();
        file.flush().unwrap();
        let events = events_of(file.path());
        assert_eq!(events[0].what, Some(event::What::FileVersion("brain.Event:2".into())));
        let value = |event: &Event| match &event.what {
            Some(event::What::Summary(summary)) => summary.value[0].clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!((events[1].step, value(&events[1]).tag.as_str()), (3, "loss"));
        assert_eq!(value(&events[1]).what, Some(summary_value::What::SimpleValue(0.25)));
        let Some(summary_value::What::Histo(numbers)) = value(&events[2]).what else { panic!() };
        assert_eq!((numbers.num, numbers.sum, numbers.min, numbers.max), (3.0, 6.0, 1.0, 3.0));
        assert!((numbers.sum_squares - 14.0).abs() < 1e-12);
        assert_eq!(numbers.bucket.len(), numbers.bucket_limit.len());
        assert_eq!(value(&events[3]).metadata.unwrap().plugin_data.unwrap().plugin_name, "text");
    }

    #[test]
    fn a_run_that_goes_on_has_a_further_file_that_says_from_where() {
        let folder = tempfile::tempdir().unwrap();
        let first = EventFile::create(folder.path(), 0).unwrap();
        let second = EventFile::create(folder.path(), 40).unwrap();
        assert!(first.path() < second.path());
        let events = events_of(second.path());
        let begins = event::What::SessionLog(SessionLog { status: START });
        assert_eq!((events[1].step, events[1].what.clone()), (41, Some(begins)));
        assert_eq!(events_of(first.path()).len(), 1);
    }

    #[test]
    fn a_histogram_of_nothing_is_written_too() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::create(folder.path(), 0).unwrap();
        file.histogram(1, "w", &Histogram::default()).unwrap();
        file.scalar(1, "loss", f64::NAN).unwrap();
        file.flush().unwrap();
        assert_eq!(events_of(file.path()).len(), 3);
    }
}
