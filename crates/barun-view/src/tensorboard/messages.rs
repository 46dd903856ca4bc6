//! The messages of an event file, by hand: field numbers and types from TensorBoard's `event.proto`, `summary.proto`,
//! `tensor.proto` and the hparams plugin's `plugin_data.proto`.
//!
//! Protocol buffers are read by their numbers, so what is left out here is simply not written.

use std::collections::BTreeMap;

use prost::{Message, Oneof};

/// Something that happened at a step.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    #[prost(int64, tag = "2")]
    pub step: i64,
    #[prost(oneof = "event::What", tags = "3, 5, 7")]
    pub what: Option<event::What>,
}

pub mod event {
    use super::*;

    #[derive(Clone, PartialEq, Oneof)]
    pub enum What {
        #[prost(string, tag = "3")]
        FileVersion(String),
        #[prost(message, tag = "5")]
        Summary(Summary),
        #[prost(message, tag = "7")]
        SessionLog(SessionLog),
    }
}

/// That a session begins.
#[derive(Clone, PartialEq, Message)]
pub struct SessionLog {
    #[prost(int32, tag = "1")]
    pub status: i32,
}

/// Values by tag.
#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<Value>,
}

/// A value.
#[derive(Clone, PartialEq, Message)]
pub struct Value {
    #[prost(string, tag = "1")]
    pub tag: String,
    #[prost(message, optional, tag = "9")]
    pub metadata: Option<SummaryMetadata>,
    #[prost(oneof = "summary_value::What", tags = "2, 5, 8")]
    pub what: Option<summary_value::What>,
}

pub mod summary_value {
    use super::*;

    #[derive(Clone, PartialEq, Oneof)]
    pub enum What {
        #[prost(float, tag = "2")]
        SimpleValue(f32),
        #[prost(message, tag = "5")]
        Histo(HistogramProto),
        #[prost(message, tag = "8")]
        Tensor(TensorProto),
    }
}

/// Which of TensorBoard's plugins shows a value.
#[derive(Clone, PartialEq, Message)]
pub struct SummaryMetadata {
    #[prost(message, optional, tag = "1")]
    pub plugin_data: Option<PluginData>,
}

/// A plugin's name and what it is told.
#[derive(Clone, PartialEq, Message)]
pub struct PluginData {
    #[prost(string, tag = "1")]
    pub plugin_name: String,
    #[prost(bytes = "vec", tag = "2")]
    pub content: Vec<u8>,
}

/// Numbers in bins, each up to its limit.
#[derive(Clone, PartialEq, Message)]
pub struct HistogramProto {
    #[prost(double, tag = "1")]
    pub min: f64,
    #[prost(double, tag = "2")]
    pub max: f64,
    #[prost(double, tag = "3")]
    pub num: f64,
    #[prost(double, tag = "4")]
    pub sum: f64,
    #[prost(double, tag = "5")]
    pub sum_squares: f64,
    #[prost(double, repeated, tag = "6")]
    pub bucket_limit: Vec<f64>,
    #[prost(double, repeated, tag = "7")]
    pub bucket: Vec<f64>,
}

/// A tensor of texts.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    #[prost(message, optional, tag = "2")]
    pub tensor_shape: Option<Shape>,
    #[prost(string, repeated, tag = "8")]
    pub string_val: Vec<String>,
}

/// A shape.
#[derive(Clone, PartialEq, Message)]
pub struct Shape {
    #[prost(message, repeated, tag = "2")]
    pub dim: Vec<Size>,
}

/// The size of one axis.
#[derive(Clone, PartialEq, Message)]
pub struct Size {
    #[prost(int64, tag = "1")]
    pub size: i64,
}

/// What the hparams plugin is told.
#[derive(Clone, PartialEq, Message)]
pub struct HyperParameters {
    #[prost(int32, tag = "1")]
    pub version: i32,
    #[prost(oneof = "hyper_parameters::Data", tags = "3")]
    pub data: Option<hyper_parameters::Data>,
}

pub mod hyper_parameters {
    use super::*;

    #[derive(Clone, PartialEq, Oneof)]
    pub enum Data {
        #[prost(message, tag = "3")]
        SessionStart(SessionStart),
    }
}

/// What a session was set to.
#[derive(Clone, PartialEq, Message)]
pub struct SessionStart {
    #[prost(btree_map = "string, message", tag = "1")]
    pub hparams: BTreeMap<String, HyperValue>,
    #[prost(double, tag = "5")]
    pub start_time_secs: f64,
}

/// `google.protobuf.Value`.
#[derive(Clone, PartialEq, Message)]
pub struct HyperValue {
    #[prost(oneof = "hyper_value::Kind", tags = "2, 3, 4")]
    pub kind: Option<hyper_value::Kind>,
}

pub mod hyper_value {
    use super::*;

    #[derive(Clone, PartialEq, Oneof)]
    pub enum Kind {
        #[prost(double, tag = "2")]
        Number(f64),
        #[prost(string, tag = "3")]
        Text(String),
        #[prost(bool, tag = "4")]
        Flag(bool),
    }
}
