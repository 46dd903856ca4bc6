//! 1-D convolution.

use barun_engine::Conv2d as Geometry;

use crate::param::Parameter;
use crate::{Forward, Hyper, Id, Init, Module, Pass, Result, Tensor, Visitor};

/// 1-D convolution: each filter slides along a sequence, multiplies and sums.
///
/// ```text
/// y[n, t, o] = b[o] + sum_{u, c} x[n, t s + u d - p, c] W[u, c, o]
/// [n, length, in] -> [n, floor((length + 2 p - d (k - 1) - 1) / s) + 1, out],  W [k, in / groups, out]
/// ```
///
/// For signals and for neighbours in a text; a stack of it with growing dilation sees far at little cost. Stride 1 and no
/// padding unless set, as in PyTorch. Waibel et al., 1989, "Phoneme recognition using time-delay neural networks".
#[derive(Clone, Debug, Hyper)]
pub struct Conv1d {
    /// Channels of the input.
    #[hyper(at_least_one)]
    pub in_channels: usize,
    /// Filters, which is channels of the output.
    #[hyper(at_least_one)]
    pub out_channels: usize,
    /// Length of the filters.
    #[hyper(at_least_one)]
    pub kernel: usize,
    /// Places the filters move at a time.
    #[hyper(at_least_one)]
    pub stride: usize,
    /// Zeros before and after.
    pub padding: usize,
    /// Distance between the taps of a filter.
    #[hyper(at_least_one)]
    pub dilation: usize,
    /// Groups of channels that do not see each other.
    #[hyper(at_least_one)]
    pub groups: usize,
    /// Whether each filter adds a bias.
    pub bias: bool,
    /// First values of the filters.
    pub init: Init,
    /// First values of the biases.
    pub bias_init: Init,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Conv1d {
    /// Stride 1, no padding, with bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel: usize) -> Self {
        Conv1d {
            in_channels,
            out_channels,
            kernel,
            stride: 1,
            padding: 0,
            dilation: 1,
            groups: 1,
            bias: true,
            init: Init::Auto,
            bias_init: Init::Zeros,
            id: Id::new(),
        }
    }
}

impl Module for Conv1d {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        // No groups is an error that the convolution itself reports.
        let shape = [self.kernel, self.in_channels / self.groups.max(1), self.out_channels];
        visitor.layer(&self.id);
        visitor.parameter(&self.id, "weight", &Parameter::weight(shape, self.init));
        if self.bias {
            visitor.parameter(&self.id, "bias", &Parameter::bias([self.out_channels], self.bias_init));
        }
    }
}

impl Forward for Conv1d {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "Conv1d", |pass| {
            if x.check().is_ok() && x.rank() != 3 {
                let requirement = "sequences must be [n, length, channels]";
                return Ok(Tensor::error("conv1d", &[x], requirement, "a single one needs .unsqueeze(0)"));
            }
            // An image of one row.
            let geometry = Geometry {
                stride: [1, self.stride],
                padding: [(0, 0), (self.padding, self.padding)],
                dilation: [1, self.dilation],
                groups: self.groups,
            };
            let kernels = pass.rounded(&pass.parameter(&self.id, "weight")?).unsqueeze(0);
            let y = pass.rounded(x).unsqueeze(1).conv2d(&kernels, geometry);
            let [n, _, length, channels] = y.shape()?[..] else { return Ok(y) };
            let y = y.reshape([n, length, channels]);
            Ok(if self.bias { y + pass.parameter(&self.id, "bias")? } else { y })
        })
    }
}
