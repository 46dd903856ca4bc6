//! `[model]`: the network, by name or as a list of layers.

use barun_nn::Init;

use super::chosen::Chosen;
use super::declare::tagged;
use super::defaults::Defaults;
use super::rules::{AT_LEAST_ONE, AT_LEAST_ONE_IF_GIVEN, BELOW_ONE, NOT_NEGATIVE, POSITIVE};
use super::setting::Fallback::{Is, Required};
use super::setting::{Setting, wrong_type};
use super::tree::{Node, Value};
use crate::error::Result;

/// A network of the library's with its settings.
pub type Architecture = Chosen<Box<dyn barun_nn::models::Architecture>>;

/// An activation with its settings.
pub type Activation = Chosen<Box<dyn barun_nn::activations::Activation>>;

tagged! {
    /// `[model]`: the network. A list of `layers` without a `name` is the model `layers`.
    pub enum Model, "a model", "name" or else (|d| d.model) otherwise Named(Architecture) {
        /// A list of layers of your own.
        "layers" => Layers {
            /// The layers from input to output. The last one must give one number for each class, or one for a number.
            layers: Vec<Layer> = Required;
            /// How the first weights are drawn.
            init: Init = Is(|_| Init::Auto);
        },
    }
}

tagged! {
    /// One layer of `model.layers`.
    pub enum Layer, "a layer", "type" otherwise Activation(Activation) {
        /// Convolution over height and width: `[height, width, channels]` to the same with other sizes.
        "conv" => Conv {
            /// Channels out.
            channels: usize = Required, AT_LEAST_ONE;
            /// Height and width of the window.
            kernel: usize = Is(|_| 3), AT_LEAST_ONE;
            /// How far the window moves.
            stride: usize = Is(|_| 1), AT_LEAST_ONE;
            /// Zeros added on each side.
            padding: usize = Is(|_| 0);
            /// Distance between the points of the window.
            dilation: usize = Is(|_| 1), AT_LEAST_ONE;
            /// Groups of channels that do not see each other.
            groups: usize = Is(|_| 1), AT_LEAST_ONE;
            /// Add a learned number to each channel.
            bias: bool = Is(|_| true);
        },
        /// Fully connected: `[features]` to `[units]`.
        "linear" => Linear {
            /// Features out: a number, or "classes" for as many as the data asks for.
            units: Units = Required;
            /// Add a learned number to each unit.
            bias: bool = Is(|_| true);
        },
        /// A leaky ReLU that learns its slope.
        "prelu" => Prelu {
            /// A slope for each channel instead of one for all.
            per_channel: bool = Is(|_| false);
        },
        /// The largest of a few inputs for each unit: `[units * pieces]` to `[units]`.
        "maxout" => Maxout {
            /// Inputs of each unit.
            pieces: usize = Is(|_| 2), AT_LEAST_ONE;
        },
        /// The largest value of each window.
        "maxpool" => MaxPool {
            /// Height and width of the window.
            size: usize = Is(|_| 2), AT_LEAST_ONE;
            /// How far the window moves. Not given: its size.
            stride: Option<usize> = Is(|_| None), AT_LEAST_ONE_IF_GIVEN;
        },
        /// The mean of each window.
        "avgpool" => AvgPool {
            /// Height and width of the window.
            size: usize = Is(|_| 2), AT_LEAST_ONE;
            /// How far the window moves. Not given: its size.
            stride: Option<usize> = Is(|_| None), AT_LEAST_ONE_IF_GIVEN;
        },
        /// The mean of each channel: `[height, width, channels]` to `[channels]`.
        "globalavgpool" => GlobalAvgPool,
        /// An image as one row of numbers.
        "flatten" => Flatten,
        /// Batch normalisation of each feature or channel.
        "batchnorm" => BatchNorm,
        /// Layer normalisation: of the features or channels of each place by itself.
        "layernorm" => LayerNorm,
        /// RMS normalisation: of the features or channels of each place by itself, divided by the root of their mean square.
        "rmsnorm" => RmsNorm,
        /// Group normalisation: of groups of channels of each image by itself.
        "groupnorm" => GroupNorm {
            /// Groups, which must divide the features or channels.
            groups: usize = Is(|_| 4), AT_LEAST_ONE;
        },
        /// Adds normal noise in each training step.
        "noise" => Noise {
            /// Its deviation.
            std: f64 = Is(|_| 0.1), NOT_NEGATIVE;
        },
        /// Dropout for SELU: silences a share of its input and keeps mean and variance.
        "alpha_dropout" => AlphaDropout {
            /// The share.
            rate: f64 = Is(|_| 0.1), BELOW_ONE;
        },
        /// Silences a share of its input in each training step.
        "dropout" => Dropout {
            /// The share.
            rate: f64 = Is(|_| 0.5), BELOW_ONE;
        },
        /// Bounds large values smoothly: `x / sqrt(1 + (x / bound)^2)`.
        "smooth_clip" => SmoothClip {
            /// What no value reaches.
            bound: f64 = Is(|_| 3.0), POSITIVE;
        },
        /// Makes of each column itself and a few mixtures of cosines of it: `[columns]` to `[columns size]`.
        "periodic" => Periodic {
            /// Values for each column.
            size: usize = Is(|_| 4), AT_LEAST_ONE;
            /// Cosines for each column.
            frequencies: usize = Is(|_| 16), AT_LEAST_ONE;
            /// The deviation of their first frequencies.
            sigma: f64 = Is(|_| 0.1), POSITIVE;
        },
        /// Makes of each row one for each member of an ensemble: `[features]` to `[members, features]`. The layers after
        /// it are shared, up to a `member_head`.
        "member_scale" => MemberScale {
            /// How many.
            members: usize = Is(|_| 8), AT_LEAST_ONE;
        },
        /// Fully connected, with weights for each member, whose mean is the answer: `[members, features]` to `[units]`.
        /// In training each member is compared with the target.
        "member_head" => MemberHead {
            /// Features out: a number, or "classes" for as many as the data asks for.
            units: Units = Is(|_| Units::Classes);
        },
        /// Adds its input to what the layers inside make of it; where the shapes differ the input passes a 1x1 convolution
        /// (or a linear layer) and batch normalisation first.
        "residual" => Residual {
            /// The layers inside.
            layers: Vec<Layer> = Required;
        },
    }
}

/// Layers that recipes call otherwise than programs do: the recipe's name, the library's.
pub const LIBRARY_NAMES: &[(&str, &str)] = &[
    ("conv", "conv2d"),
    ("maxpool", "max_pool2d"),
    ("avgpool", "avg_pool2d"),
    ("globalavgpool", "global_avg_pool"),
    ("batchnorm", "batch_norm"),
    ("layernorm", "layer_norm"),
    ("rmsnorm", "rms_norm"),
    ("groupnorm", "group_norm"),
    ("noise", "gaussian_noise"),
    ("periodic", "periodic_embedding"),
];

/// The width of a fully connected layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    /// So many.
    Count(usize),
    /// As many as the data asks for: one for each class, or one for a number.
    Classes,
}

impl Setting for Units {
    fn expects() -> String {
        "a whole number above 0, or \"classes\"".into()
    }
    fn read(node: &Node, path: &str, defaults: &Defaults) -> Result<Self> {
        match &node.value {
            Value::Text(text) if text == "classes" => Ok(Units::Classes),
            Value::Whole(number) if *number > 0 => usize::read(node, path, defaults).map(Units::Count),
            _ => Err(wrong_type(node, path, Self::expects())),
        }
    }
    fn write(&self) -> Option<Node> {
        match self {
            Units::Count(count) => count.write(),
            Units::Classes => "classes".to_string().write(),
        }
    }
}
