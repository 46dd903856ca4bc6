//! Layers: plain descriptions with public fields, one subject a file.

mod alpha_dropout;
mod attention;
mod batch_norm;
mod conv1d;
mod conv2d;
mod conv_transpose2d;
mod dropout;
mod embedding;
mod flatten;
mod gaussian_noise;
mod group_norm;
mod layer_norm;
mod linear;
mod maxout;
mod member_head;
mod member_scale;
mod periodic_embedding;
mod pool;
mod prelu;
mod recurrent;
mod residual;
mod rms_norm;
mod row_norm;
mod sequences;
mod sequential;
mod smooth_clip;

pub use crate::activations::things::*;
pub use alpha_dropout::AlphaDropout;
pub use attention::MultiHeadAttention;
pub use batch_norm::BatchNorm;
pub(crate) use batch_norm::{BATCH_COUNT, BATCH_MEAN, BATCH_VAR};
pub use conv_transpose2d::ConvTranspose2d;
pub use conv1d::Conv1d;
pub use conv2d::Conv2d;
pub use dropout::{Dropout, DropoutScaling};
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use gaussian_noise::GaussianNoise;
pub use group_norm::GroupNorm;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use maxout::Maxout;
pub use member_head::MemberHead;
pub use member_scale::MemberScale;
pub use periodic_embedding::PeriodicEmbedding;
pub use pool::{AvgPool2d, GlobalAvgPool, MaxPool2d};
pub use prelu::Prelu;
pub use recurrent::{Cell, Gru, Lstm, Returns, Rnn};
pub use residual::Residual;
pub use rms_norm::RmsNorm;
pub use sequences::{ColumnTokens, PositionEmbedding, SequenceMean, ToSequence};
pub use sequential::Sequential;
pub use smooth_clip::SmoothClip;

use crate::{Hyper, Layer, Shape, Tensor};

/// Two sizes, height and width; one number means both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(size: usize) -> Self {
        Pair([size, size])
    }
}

impl From<[usize; 2]> for Pair {
    fn from(sizes: [usize; 2]) -> Self {
        Pair(sizes)
    }
}

/// Equal padding on both sides of both axes.
fn on_both_sides(padding: [usize; 2]) -> [(usize, usize); 2] {
    padding.map(|size| (size, size))
}

/// The error of an input whose last axis is not the `features` of the layer; none where it is.
fn features_misfit(layer: &str, x: &Tensor, features: usize) -> Option<Tensor> {
    let shape = x.shape().ok()?;
    let requirement = format!("the last axis of the input must be the layer's {features} features");
    let fits = shape.rank() >= 2 && shape.last() == Some(&features);
    (!fits).then(|| Tensor::error(layer, &[x], requirement, "set the layer's features to fit"))
}

/// A layer that is known by name.
pub trait KnownLayer: Layer + Hyper {}

impl<T: Layer + Hyper> KnownLayer for T {}

/// A layer with settings as an example, and what it can be given: to show it and to try it.
pub struct Example {
    /// The layer.
    pub layer: Box<dyn KnownLayer>,
    /// The shape of a row of its input, without the batch.
    pub input: Shape,
    /// For a layer that looks things up: their number. Else its input is any numbers.
    pub things: Option<usize>,
}

impl Example {
    fn new(layer: impl KnownLayer + 'static, input: impl Into<Shape>) -> Example {
        Example { layer: Box::new(layer), input: input.into(), things: None }
    }
}

/// Every layer with example settings, for `barun list`, and for the tests that try every one.
pub fn examples() -> Vec<Example> {
    vec![
        Example::new(Linear::new(784, 50), [784]),
        Example::new(Conv2d::new(1, 32, 3), [8, 8, 1]),
        Example::new(Conv1d::new(3, 8, 3), [10, 3]),
        Example::new(ConvTranspose2d { stride: [2, 2], ..ConvTranspose2d::new(8, 4, 2) }, [4, 4, 8]),
        Example::new(MaxPool2d::new(2), [6, 6, 2]),
        Example::new(AvgPool2d::new(2), [6, 6, 2]),
        Example::new(GlobalAvgPool::default(), [4, 4, 3]),
        Example::new(Flatten::default(), [3, 2, 2]),
        Example::new(BatchNorm::new(50), [50]),
        Example::new(LayerNorm::new(50), [50]),
        Example::new(RmsNorm::new(50), [50]),
        Example::new(GroupNorm::new(4, 32), [3, 3, 32]),
        Example::new(Dropout::default(), [10]),
        Example::new(AlphaDropout::default(), [10]),
        Example::new(GaussianNoise::default(), [10]),
        Example::new(Prelu::new(50), [50]),
        Example::new(Maxout::default(), [10]),
        Example { things: Some(100), ..Example::new(Embedding::new(100, 16), [7]) },
        Example::new(Rnn::new(3, 16), [5, 3]),
        Example::new(Lstm::new(3, 16), [5, 3]),
        Example::new(Gru::new(3, 16), [5, 3]),
        Example::new(MultiHeadAttention::new(16, 4), [5, 16]),
        Example::new(ToSequence::default(), [4, 3, 2]),
        Example::new(ColumnTokens::new(6, 16), [6]),
        Example::new(PositionEmbedding::new(5, 16), [5, 16]),
        Example::new(SequenceMean::default(), [5, 16]),
        Example::new(SmoothClip::default(), [10]),
        Example::new(PeriodicEmbedding::new(8), [8]),
        Example::new(MemberScale::new(8, 32), [32]),
        Example::new(MemberHead::new(8, 256, 2), [8, 256]),
        Example::new(Sequential::default(), [10]),
        Example::new(Residual::new(Sequential::default()), [10]),
    ]
}
