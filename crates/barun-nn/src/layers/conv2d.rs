//! 2-D convolution.

use barun_engine::Conv2d as Geometry;

use super::{Pair, on_both_sides};
use crate::param::Parameter;
use crate::{Forward, Hyper, Id, Init, Module, Pass, Result, Tensor, Visitor};

/// 2-D convolution: each filter slides over the image, multiplies patch and filter, and sums.
///
/// ```text
/// y[n, i, j, o] = b[o] + sum_{u, v, c} x[n, i s + u d - p, j s + v d - p, c] W[u, v, c, o]
/// [n, h, w, in] -> [n, floor((h + 2 p - d (k - 1) - 1) / s) + 1, .., out],  W [kh, kw, in / groups, out]
/// ```
///
/// With as many groups as channels it is depthwise: each filter sees one channel ([`Conv2d::depthwise`]); a dilation sees
/// further with as many weights. Defaults follow PyTorch. LeCun et al., 1989, "Backpropagation applied to handwritten zip
/// code recognition". [CNN-01 .. CNN-09, CNN-15]
///
/// ```
/// use barun_nn::layers::Conv2d;
/// let same_size = Conv2d { padding: [1, 1], ..Conv2d::new(1, 32, 3) };
/// assert_eq!(barun_nn::parameters(&same_size)?[0].shape, [3, 3, 1, 32].into());
/// # Ok::<(), barun_nn::Error>(())
/// ```
#[derive(Clone, Debug, Hyper)]
pub struct Conv2d {
    /// Channels of the input.
    pub in_channels: usize,
    /// Filters, which is channels of the output.
    pub out_channels: usize,
    /// Height and width of the filters.
    pub kernel: [usize; 2],
    /// Rows and columns the filters move at a time.
    pub stride: [usize; 2],
    /// Rows above and below, columns left and right.
    pub padding: [usize; 2],
    /// What the padding is filled with; anything but 0 puts something into the image that is not there. [CNN-06]
    pub pad_value: f64,
    /// Distance between the taps of a filter.
    pub dilation: [usize; 2],
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// Whether each filter adds a bias. [CNN-07]
    pub bias: bool,
    /// First values of the filters.
    pub init: Init,
    /// First values of the biases.
    pub bias_init: Init,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Conv2d {
    /// Stride 1, no padding, with bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel: impl Into<Pair>) -> Self {
        Conv2d {
            in_channels,
            out_channels,
            kernel: kernel.into().0,
            stride: [1, 1],
            padding: [0, 0],
            pad_value: 0.0,
            dilation: [1, 1],
            groups: 1,
            bias: true,
            init: Init::Auto,
            bias_init: Init::Zeros,
            id: Id::new(),
        }
    }
}

impl Conv2d {
    /// A filter for each channel by itself, which sees no other: stride 1, no padding, with bias.
    pub fn depthwise(channels: usize, kernel: impl Into<Pair>) -> Self {
        Conv2d { groups: channels, ..Conv2d::new(channels, channels, kernel) }
    }
}

impl Module for Conv2d {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        let [height, width] = self.kernel;
        // No groups is an error that the convolution itself reports.
        let shape = [height, width, self.in_channels / self.groups.max(1), self.out_channels];
        visitor.layer(&self.id);
        visitor.parameter(&self.id, "weight", &Parameter::weight(shape, self.init));
        if self.bias {
            visitor.parameter(&self.id, "bias", &Parameter::bias([self.out_channels], self.bias_init));
        }
    }
}

impl Forward for Conv2d {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "Conv2d", |pass| {
            let [rows, columns] = self.padding;
            let pads_itself = self.pad_value != 0.0 && self.padding != [0, 0];
            let padding = if pads_itself { [0, 0] } else { self.padding };
            let images = if pads_itself && x.rank() == 4 {
                let around = [0, rows, columns, 0];
                (x - self.pad_value).pad(&around, &around, &[0; 4]) + self.pad_value
            } else {
                x.clone()
            };
            let geometry = Geometry {
                stride: self.stride,
                padding: on_both_sides(padding),
                dilation: self.dilation,
                groups: self.groups,
            };
            let kernels = pass.rounded(&pass.parameter(&self.id, "weight")?);
            let y = pass.rounded(&images).conv2d(&kernels, geometry);
            Ok(if self.bias { y + pass.parameter(&self.id, "bias")? } else { y })
        })
    }
}
