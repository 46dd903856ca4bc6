//! Transposed 2-D convolution.

use barun_engine::Conv2d as Geometry;

use super::{Pair, on_both_sides};
use crate::param::Parameter;
use crate::{Forward, Hyper, Id, Init, Module, Pass, Result, Tensor, Visitor};

/// Transposed convolution: each pixel paints its multiple of the filters; with a stride the image grows.
///
/// ```text
/// y[n, i s + u d - p, j s + v d - p, o] += x[n, i, j, c] W[u, v, c, o],  then + b[o]
/// [n, h, w, in] -> [n, (h - 1) s - 2 p + d (k - 1) + output_padding + 1, .., out],  W [kh, kw, in, out / groups]
/// ```
///
/// The way back of a convolution with the same settings, so it undoes its change of shape: for decoders and generators. A
/// kernel that the stride divides avoids the checkerboard that others paint. Stride 1, no padding unless set, as in PyTorch.
/// Zeiler et al., 2010, "Deconvolutional networks"; Dumoulin & Visin, 2016, "A guide to convolution arithmetic".
///
/// ```
/// use barun_nn::layers::ConvTranspose2d;
/// // 7 x 7 to 14 x 14
/// let twice = ConvTranspose2d { stride: [2, 2], ..ConvTranspose2d::new(16, 8, 2) };
/// assert_eq!(barun_nn::parameters(&twice)?[0].shape, [2, 2, 16, 8].into());
/// # Ok::<(), barun_nn::Error>(())
/// ```
#[derive(Clone, Debug, Hyper)]
pub struct ConvTranspose2d {
    /// Channels of the input.
    #[hyper(at_least_one)]
    pub in_channels: usize,
    /// Channels of the output.
    #[hyper(at_least_one)]
    pub out_channels: usize,
    /// Height and width of the filters.
    #[hyper(at_least_one)]
    pub kernel: [usize; 2],
    /// Rows and columns between what neighbouring pixels paint.
    #[hyper(at_least_one)]
    pub stride: [usize; 2],
    /// Rows and columns cut off on each side of the output.
    pub padding: [usize; 2],
    /// Rows more at the bottom and columns more at the right, less than the stride: a convolution with a stride gives several
    /// sizes the same one, and this says which was meant.
    pub output_padding: [usize; 2],
    /// Distance between the taps of a filter.
    #[hyper(at_least_one)]
    pub dilation: [usize; 2],
    /// Groups of channels that do not see each other.
    #[hyper(at_least_one)]
    pub groups: usize,
    /// Whether each channel of the output adds a bias.
    pub bias: bool,
    /// First values of the filters.
    pub init: Init,
    /// First values of the biases.
    pub bias_init: Init,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl ConvTranspose2d {
    /// Stride 1, no padding, with bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel: impl Into<Pair>) -> Self {
        ConvTranspose2d {
            in_channels,
            out_channels,
            kernel: kernel.into().0,
            stride: [1, 1],
            padding: [0, 0],
            output_padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
            bias: true,
            init: Init::Auto,
            bias_init: Init::Zeros,
            id: Id::new(),
        }
    }

    /// Height or width of the output for that of the input; none where the padding cuts all of it off.
    fn size(&self, axis: usize, from: usize) -> Option<usize> {
        let painted = from.checked_sub(1)? * self.stride[axis]
            + self.dilation[axis] * self.kernel[axis].checked_sub(1)?;
        (painted + self.output_padding[axis] + 1).checked_sub(2 * self.padding[axis]).filter(|size| *size > 0)
    }

    fn misfit(&self, x: &Tensor) -> Option<Tensor> {
        let shape = x.shape().ok()?;
        if shape.rank() != 4 || shape[3] != self.in_channels {
            let requirement = format!("images must be [n, h, w, {}]", self.in_channels);
            let help = "set the layer's in_channels to fit";
            return Some(Tensor::error("conv_transpose2d", &[x], requirement, help));
        }
        if (0..2).any(|axis| self.output_padding[axis] >= self.stride[axis]) {
            let requirement = format!(
                "its output_padding {:?} must be less than its stride {:?}",
                self.output_padding, self.stride
            );
            return Some(Tensor::error("conv_transpose2d", &[x], requirement, ""));
        }
        if (0..2).any(|axis| self.size(axis, shape[axis + 1]).is_none()) {
            let requirement = format!("its padding {:?} must leave something of the image", self.padding);
            return Some(Tensor::error("conv_transpose2d", &[x], requirement, "use less padding"));
        }
        None
    }
}

impl Module for ConvTranspose2d {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        let [height, width] = self.kernel;
        // No groups is an error that the convolution itself reports.
        let shape = [height, width, self.in_channels, self.out_channels / self.groups.max(1)];
        visitor.layer(&self.id);
        visitor.parameter(&self.id, "weight", &Parameter::weight(shape, self.init));
        if self.bias {
            visitor.parameter(&self.id, "bias", &Parameter::bias([self.out_channels], self.bias_init));
        }
    }
}

impl Forward for ConvTranspose2d {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "ConvTranspose2d", |pass| {
            if let Some(error) = self.misfit(x) {
                return Ok(error);
            }
            let [_, height, width, _] = x.shape()?[..] else { return Ok(x.clone()) };
            let geometry = Geometry {
                stride: self.stride,
                padding: on_both_sides(self.padding),
                dilation: self.dilation,
                groups: self.groups,
            };
            // As the convolution from the output to the input has them.
            let kernels = pass.rounded(&pass.parameter(&self.id, "weight")?).permute(&[0, 1, 3, 2]);
            let size = [(0, height), (1, width)].map(|(axis, from)| self.size(axis, from).unwrap_or(0));
            let y = pass.rounded(x).conv2d_transpose(&kernels, size, geometry);
            Ok(if self.bias { y + pass.parameter(&self.id, "bias")? } else { y })
        })
    }
}
