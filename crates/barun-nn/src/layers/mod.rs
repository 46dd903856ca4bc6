//! Layers: plain descriptions with public fields, one subject a file.

mod batch_norm;
mod conv2d;
mod dropout;
mod flatten;
mod linear;
mod maxout;
mod member_head;
mod member_scale;
mod periodic_embedding;
mod pool;
mod prelu;
mod residual;
mod sequential;
mod smooth_clip;

pub use crate::activations::kinds::*;
pub use batch_norm::BatchNorm;
pub use conv2d::Conv2d;
pub use dropout::{Dropout, DropoutScaling};
pub use flatten::Flatten;
pub use linear::Linear;
pub use maxout::Maxout;
pub use member_head::MemberHead;
pub use member_scale::MemberScale;
pub use periodic_embedding::PeriodicEmbedding;
pub use pool::{AvgPool2d, GlobalAvgPool, MaxPool2d};
pub use prelu::Prelu;
pub use residual::Residual;
pub use sequential::Sequential;
pub use smooth_clip::SmoothClip;

use crate::Hyper;

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

/// Every layer with example settings, for `barun list`.
pub fn examples() -> Vec<Box<dyn Hyper>> {
    vec![
        Box::new(Linear::new(784, 50)),
        Box::new(Conv2d::new(1, 32, 3)),
        Box::new(MaxPool2d::new(2)),
        Box::new(AvgPool2d::new(2)),
        Box::new(GlobalAvgPool::default()),
        Box::new(Flatten::default()),
        Box::new(BatchNorm::new(50)),
        Box::new(Dropout::default()),
        Box::new(Prelu::new(50)),
        Box::new(Maxout::default()),
        Box::new(SmoothClip::default()),
        Box::new(PeriodicEmbedding::new(8)),
        Box::new(MemberScale::new(8, 32)),
        Box::new(MemberHead::new(8, 256, 2)),
        Box::new(Sequential::default()),
        Box::new(Residual::new(Sequential::default())),
    ]
}
