//! A trained network for other programs: as an ONNX graph that runs elsewhere, or as its weights alone.

#[cfg(feature = "onnx")]
use barun_engine::{DType, Shape};
#[cfg(feature = "onnx")]
use barun_nn::{Forward, Module};

use crate::checkpoint::{Checkpoint, NamedTensor, tensors_of};
use crate::predictor::ModelFile;
#[cfg(feature = "onnx")]
use crate::{error::Result, predictor::Predictor, preparation::Preparation};

/// In which order an ONNX graph takes the axes of its images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImageLayout {
    /// `[batch, height, width, channels]`, as image files are read.
    #[default]
    Nhwc,
    /// `[batch, channels, height, width]`, as PyTorch has them.
    Nchw,
}

#[cfg(feature = "onnx")]
impl<M: Module + Forward> Predictor<M> {
    /// The network as the bytes of an `.onnx` file, preprocessing and probabilities included.
    ///
    /// Input: `image`, bytes 0 to 255 in `layout`, or `features`, `[batch, columns]`, f32: the columns of the metadata's
    /// `columns` in their order, numbers as they stand in the table, flags such as `port=C` as 0 or 1. What was done to
    /// categories, dates and gaps is in the metadata's `encoding`.
    /// Output: `logits` and `probabilities`, `[batch, classes]`, or `prediction`, `[batch, 1]`, in the target's unit. The
    /// batch is free. Columns, classes and the target's name are in the metadata.
    ///
    /// # Errors
    /// When the network computes something that ONNX cannot express.
    pub fn to_onnx(&self, layout: ImageLayout, doc: &str) -> Result<Vec<u8>> {
        use barun_onnx::{BATCHES, Source, encode};
        let preparation = &self.preparation;
        let is_table = preparation.columns.is_some();
        let [small, large] = [BATCHES.0, BATCHES.1].map(|batch| self.traced(layout, batch));
        let image = match layout {
            ImageLayout::Nhwc => "bytes from 0 to 255: batch, height, width, channels",
            ImageLayout::Nchw => "bytes from 0 to 255: batch, channels, height, width",
        };
        let input = match is_table {
            true => (
                "features",
                "numbers as in the table and flags of 0 or 1, in the order of the metadata's `columns`",
            ),
            false => ("image", image),
        };
        let source = Source {
            small: &small?,
            large: &large?,
            state: &self.state,
            input,
            outputs: self.objective.result_names(),
            metadata: &metadata(preparation),
            doc,
        };
        Ok(encode(&source)?)
    }

    /// The graph from raw input to results for so many rows.
    fn traced(&self, layout: ImageLayout, batch: usize) -> Result<barun_onnx::Traced> {
        let preparation = &self.preparation;
        let (shape, dtype) = match (&preparation.input[..], layout) {
            ([height, width, channels], ImageLayout::Nchw) => {
                (vec![batch, *channels, *height, *width], DType::U8)
            }
            (image @ [_, _, _], ImageLayout::Nhwc) => ([&[batch], image].concat(), DType::U8),
            (row, _) => ([&[batch], row].concat(), DType::F32),
        };
        let is_turned = layout == ImageLayout::Nchw && preparation.columns.is_none();
        let (_, offset) = preparation.unit_and_offset();
        let graph = self.step.graph(
            (&Shape::from(shape), dtype),
            |x| preparation.scaled(&if is_turned { x.permute(&[0, 2, 3, 1]) } else { x.clone() }),
            |outputs| self.objective.results(outputs, offset),
        )?;
        Ok(graph)
    }
}

#[cfg(feature = "onnx")]
fn metadata(preparation: &Preparation) -> Vec<(&'static str, String)> {
    let list =
        |names: &Option<Vec<String>>| names.as_ref().and_then(|names| serde_json::to_string(names).ok());
    let texts = [
        ("target", Some(preparation.target.clone())),
        ("classes", list(&preparation.classes)),
        ("columns", list(&preparation.columns)),
        ("encoding", preparation.encoding.as_ref().and_then(|encoding| serde_json::to_string(encoding).ok())),
    ];
    texts.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
}

impl ModelFile {
    /// The network's weights and statistics without what only training needs, still a model file.
    pub fn weights(&self) -> Checkpoint<'_> {
        let wanted = self.predictor.step.inventory().names();
        let is_wanted = |tensor: &NamedTensor<'_>| wanted.contains(&tensor.name);
        Checkpoint {
            tensors: tensors_of(&self.predictor.state).into_iter().filter(is_wanted).collect(),
            metadata: self.texts.clone(),
        }
    }
}
