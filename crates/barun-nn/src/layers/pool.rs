//! Pooling: one value for each window of an image. No parameters. [CNN-25]

use barun_engine::Pool2d as Geometry;

use super::{Pair, on_both_sides};
use crate::{Feeds, Forward, Hyper, Id, Module, Pass, Result, Tensor, Visitor};

macro_rules! transparent_layer {
    ($type:ident) => {
        impl Module for $type {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                visitor.layer(&self.id);
            }
            fn feeds(&self) -> Feeds {
                Feeds::Through
            }
        }
    };
}
transparent_layer!(MaxPool2d);
transparent_layer!(AvgPool2d);
transparent_layer!(GlobalAvgPool);

/// The maximum of each window: `[n, h, w, c] -> [n, h', w', c]`; the gradient goes to the maximum.
///
/// As PyTorch's MaxPool2d. Weng, Ahuja & Huang, 1992, "Cresceptron". [CNN-10]
#[derive(Clone, Debug, Hyper)]
pub struct MaxPool2d {
    /// Height and width of the window.
    pub window: [usize; 2],
    /// Rows and columns the window moves at a time; the window's own size unless set, so that windows do not overlap.
    pub stride: [usize; 2],
    /// Rows above and below, columns left and right; they never are the maximum.
    pub padding: [usize; 2],
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl MaxPool2d {
    /// Windows that touch and do not overlap.
    pub fn new(window: impl Into<Pair>) -> Self {
        let window = window.into().0;
        MaxPool2d { window, stride: window, padding: [0, 0], id: Id::new() }
    }
}

impl Forward for MaxPool2d {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let geometry = Geometry {
            window: self.window,
            stride: self.stride,
            padding: on_both_sides(self.padding),
            count_include_pad: false,
        };
        pass.layer(&self.id, "MaxPool2d", |pass| Ok(pass.rounded(x).max_pool2d(geometry)))
    }
}

/// The mean of each window: `[n, h, w, c] -> [n, h', w', c]`; the gradient is shared equally.
///
/// As PyTorch's AvgPool2d. LeCun et al., 1989, "Handwritten digit recognition with a back-propagation network". [CNN-11]
#[derive(Clone, Debug, Hyper)]
pub struct AvgPool2d {
    /// Height and width of the window.
    pub window: [usize; 2],
    /// Rows and columns the window moves at a time; the window's own size unless set.
    pub stride: [usize; 2],
    /// Rows above and below, columns left and right.
    pub padding: [usize; 2],
    /// Whether padded places count as zeros (PyTorch's default) or are left out of the mean.
    pub count_include_pad: bool,
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl AvgPool2d {
    /// Windows that touch and do not overlap.
    pub fn new(window: impl Into<Pair>) -> Self {
        let window = window.into().0;
        AvgPool2d { window, stride: window, padding: [0, 0], count_include_pad: true, id: Id::new() }
    }
}

impl Forward for AvgPool2d {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let geometry = Geometry {
            window: self.window,
            stride: self.stride,
            padding: on_both_sides(self.padding),
            count_include_pad: self.count_include_pad,
        };
        pass.layer(&self.id, "AvgPool2d", |_| Ok(x.avg_pool2d(geometry)))
    }
}

/// The mean of each channel over the whole image: `[n, h, w, c] -> [n, c]`.
///
/// Lin, Chen & Yan, 2013, "Network in network".
#[derive(Clone, Debug, Default, Hyper)]
pub struct GlobalAvgPool {
    /// The identity.
    #[hyper(skip)]
    pub id: Id,
}

impl Forward for GlobalAvgPool {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "GlobalAvgPool", |_| {
            if x.check().is_ok() && x.rank() != 4 {
                let help = "a single image needs .unsqueeze(0)";
                return Ok(Tensor::error(
                    "global_avg_pool",
                    &[x],
                    "images must be [n, h, w, channels]",
                    help,
                ));
            }
            Ok(x.mean([1, 2]))
        })
    }
}
