//! Images whose channels seem to come first, where the network takes them last.
//!
//! The API's images are `[height, width, channels]`. An array written with channels first, `[3, 32, 32]`, is taken for a
//! strip of 3 rows and 32 channels; everything runs, and learns badly. Found where a convolution takes inputs whose first
//! size is 1, 3 or 4 and whose last two are equal and larger than 4.
//!
//! The other mistakes of shapes - a prediction `[n, 1]` against a target `[n]`, labels beyond the classes, labels that are no
//! whole numbers - are errors at once: losses refuse shapes that would be broadcast, and data sets such labels.
//!
//! Threshold: none, but that no camera makes images of 3 rows. WARN.
//!
//! Cannot see: heights and widths exchanged; channels first in what is not square.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule};
use crate::history::History;

/// See the [module](self).
pub struct ChannelOrder;

impl Rule for ChannelOrder {
    fn about(&self) -> About {
        About {
            id: "R05",
            name: "CHANNEL_ORDER",
            summary: "Images seem to have their channels first, and are taken to have them last.",
            kind: Kind::Static,
            persist: (1, 1),
            explains: &["R06", "R07", "R15", "R16", "R18"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let case = &history.case;
        let [height, width, channels] = case.inputs.shape[..] else { return None };
        let is_odd = matches!(height, 1 | 3 | 4) && width == channels && width > 4;
        if !is_odd || !case.calls.iter().any(|call| call.kind == "Conv2d") {
            return None;
        }
        let message = format!("inputs of shape [{height}, {width}, {channels}] are taken for {channels} channels of {height} rows");
        let why = "A convolution then slides over the wrong axes";
        let found = Found::new(Level::Warn, (height as f64, 4.0), message, why);
        Some(found.cure("Write the arrays with channels last: in NumPy `x.transpose(0, 2, 3, 1)`", &[]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Case, Inputs};
    use crate::testing::calls;

    #[test]
    fn channels_first_is_told_from_channels_last() {
        let judge = |shape: [usize; 3]| {
            let inputs = Inputs { shape: shape.to_vec(), ..Inputs::default() };
            ChannelOrder.judge(&History::of(Case { inputs, calls: calls(&["Conv2d"], 8), ..Case::default() }, None))
        };
        assert!(judge([3, 32, 32]).is_some());
        assert_eq!((judge([32, 32, 3]), judge([28, 28, 1]), judge([1, 20, 3])), (None, None, None));
    }
}
