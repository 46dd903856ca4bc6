//! Graphs of barun as [ONNX](https://onnx.ai) models, which other programs run.
//!
//! It is the engine's graph that is translated, primitive by primitive, not a list of layers: whatever a model's `forward`
//! computes, preprocessing and probabilities included, becomes nodes of the ONNX graph, and a new layer or activation needs
//! nothing here.
//!
//! * **The batch is free.** A graph of the engine has fixed sizes, so it is traced for batches of two sizes; what differs
//!   between the two is the batch.
//! * **Constants are computed now.** What depends on weights alone (the factor of a batch normalisation) is evaluated, so the
//!   model holds its value.
//! * **Layout.** Convolution and pooling are NHWC and HWIO here, NCHW and OIHW there: each is put between two transpositions,
//!   which ONNX runtimes cancel against each other.
//!
//! * **Loops stay loops.** A scan becomes ONNX's `Scan`, its body a graph inside; what is the same in each turn is not handed
//!   in, the body sees it by its name.
//!
//! Operators are those of opset 17. What has no counterpart (random numbers, gradients) is refused by name.

mod constants;
mod proto;
mod scan;
mod translate;

use barun_engine::graph::Graph;
use barun_engine::{Buffer, DType, State};
use prost::Message;
use std::sync::Arc;

pub use translate::Error;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A graph traced for one size of batch, with the given data that it refers to. Feed 0 is the input.
pub type Traced = (Graph, Vec<Arc<Buffer>>);

/// What to translate.
pub struct Source<'a> {
    /// The graph for batches of [`BATCHES`]`.0` rows.
    pub small: &'a Traced,
    /// The same for batches of [`BATCHES`]`.1` rows.
    pub large: &'a Traced,
    /// The weights.
    pub state: &'a State,
    /// The name of the input, and what it is.
    pub input: (&'a str, &'a str),
    /// The same of each output.
    pub outputs: &'a [(&'a str, &'a str)],
    /// Texts for the model's metadata.
    pub metadata: &'a [(&'a str, String)],
    /// What the model is.
    pub doc: &'a str,
}

/// The sizes of batch for which a graph is traced.
pub const BATCHES: (usize, usize) = (2, 3);

/// The bytes of an `.onnx` file.
///
/// # Errors
/// An operation without a counterpart in ONNX, or whose shape depends on the batch in a way that cannot be told.
pub fn encode(source: &Source<'_>) -> Result<Vec<u8>> {
    let graph = translate::translate(source)?;
    let entry = |(key, value): &(&str, String)| proto::Entry { key: key.to_string(), value: value.clone() };
    let model = proto::Model {
        ir_version: 8,
        producer_name: "barun".to_string(),
        producer_version: env!("CARGO_PKG_VERSION").to_string(),
        doc: source.doc.to_string(),
        graph: Some(graph),
        opsets: vec![proto::Opset { domain: String::new(), version: 17 }],
        metadata: source.metadata.iter().map(entry).collect(),
    };
    Ok(model.encode_to_vec())
}

/// The number by which ONNX knows a type.
fn dtype_number(dtype: DType) -> i32 {
    match dtype {
        DType::F32 => 1,
        DType::U8 => 2,
        DType::I64 => 7,
        DType::Bool => 9,
        DType::F64 => 11,
        DType::BF16 => 16,
    }
}

#[cfg(test)]
mod tests;
