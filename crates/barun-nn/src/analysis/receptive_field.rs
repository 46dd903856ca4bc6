//! How much of the input a unit of a convolutional network sees. [CNN-19]

use crate::layers::{AvgPool2d, Conv1d, Conv2d, MaxPool2d};

/// A window that moves over an axis: what convolutions and poolings have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Points it takes in.
    pub size: usize,
    /// How far it moves.
    pub stride: usize,
    /// Distance between its points.
    pub dilation: usize,
}

impl Window {
    /// A convolution that moves by 1.
    pub fn conv(size: usize) -> Window {
        Window { size, stride: 1, dilation: 1 }
    }

    /// A pooling whose windows do not overlap.
    pub fn pool(size: usize) -> Window {
        Window { size, stride: size, dilation: 1 }
    }
}

macro_rules! window_of {
    ($($layer:ty: $at:ident => ($size:expr, $stride:expr, $dilation:expr)),* $(,)?) => { $(
        /// Along the height, where there are two axes.
        impl From<&$layer> for Window {
            fn from($at: &$layer) -> Window {
                Window { size: $size, stride: $stride, dilation: $dilation }
            }
        }
    )* };
}
window_of! {
    Conv1d: layer => (layer.kernel, layer.stride, layer.dilation),
    Conv2d: layer => (layer.kernel[0], layer.stride[0], layer.dilation[0]),
    MaxPool2d: layer => (layer.window[0], layer.stride[0], 1),
    AvgPool2d: layer => (layer.window[0], layer.stride[0], 1),
}

/// What a unit after some layers sees of the input, along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Points of the input that reach it, away from the border.
    pub size: usize,
    /// How many points further its neighbour's field begins.
    pub step: usize,
}

/// The receptive field after each of a chain of windows, first to last, along one axis.
///
/// ```text
/// size <- size + (window - 1) dilation step        step <- step stride        both 1 at the input
/// ```
///
/// What is between - activations, normalisations by channel - sees one point and changes nothing. Padding changes what
/// stands at the border, not the size. Araujo, Norris & Sim, 2019, "Computing receptive fields of convolutional neural
/// networks".
///
/// ```
/// use barun_nn::analysis::{Window, receptive_fields};
/// let fields = receptive_fields([Window::conv(3), Window::conv(3), Window::pool(2)]);
/// assert_eq!(fields.iter().map(|field| field.size).collect::<Vec<_>>(), [3, 5, 6]);
/// ```
pub fn receptive_fields(windows: impl IntoIterator<Item = Window>) -> Vec<Field> {
    let mut field = Field { size: 1, step: 1 };
    let after = |window: Window| {
        let reach = window.size.saturating_sub(1) * window.dilation * field.step;
        field = Field { size: field.size + reach, step: field.step * window.stride };
        field
    };
    windows.into_iter().map(after).collect()
}
