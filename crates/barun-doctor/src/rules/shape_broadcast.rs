//! Shapes that fit by accident.
//!
//! - Images whose channels seem to come first, where the network takes them last. The API's images are `[height, width, channels]`.
//!   An array written with channels first, `[3, 32, 32]`, is taken for a strip of 3 rows and 32 channels; everything runs, and
//!   learns badly. Found where a convolution takes inputs whose first size is 1, 3 or 4 and whose last two are equal and larger
//!   than 4: WARN.
//! - A loss of one's own that does not like right answers better than a guess, though it likes wrong ones less: it seems to compare
//!   each prediction with the answers of other rows, as `[rows, 1]` against `[1, rows]` does: ERROR.
//!
//! The other mistakes of shapes - a prediction `[n, 1]` against a target `[n]` in a loss of the library, labels beyond the classes, labels that are no
//! whole numbers - are errors at once: losses refuse shapes that would be broadcast, and data sets such labels.
//!
//! Threshold: none, but that no camera makes images of 3 rows.
//!
//! Cannot see: heights and widths exchanged; channels first in what is not square.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, short};
use crate::history::History;

/// See the [module](self).
pub struct ShapeBroadcast;

impl Rule for ShapeBroadcast {
    fn about(&self) -> About {
        About {
            id: "R05",
            name: "SHAPE_BROADCAST",
            summary: "Shapes that fit by accident: channels first, or a loss that compares predictions with the answers of other rows.",
            kind: Kind::Static,
            persist: (1, 1),
            explains: &["R06", "R07", "R15", "R16", "R18", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        crossed(history).or_else(|| channels_first(history))
    }
}

fn crossed(history: &History) -> Option<Found> {
    // Labels that are smoothed away have no right answer left; that is another finding.
    let is_smoothed = history.case.loss.label_smoothing > 0.0;
    let known = history.case.known_answers.filter(|known| known.ignores_right_ones() && !is_smoothed)?;
    let (right, guess) = (short(known.right), short(known.guess));
    let message = format!("the loss is {right} where every answer is right, and {guess} where all are the same guess");
    let why = "It does not compare an answer with its own row: are predictions and targets of one shape?";
    let found = Found::new(Level::Error, (known.right, known.guess), message, why);
    Some(found.cure("Give both the shape [rows, 1], or both [rows], before they meet", &[]))
}

fn channels_first(history: &History) -> Option<Found> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Case, Inputs, Loss};
    use crate::known_answers::KnownAnswers;
    use crate::testing::calls;

    #[test]
    fn a_loss_that_does_not_like_right_answers_is_told() {
        let judge = |right: f64| {
            let known_answers = Some(KnownAnswers { guess: 1.0, right, wrong: 100.0, ignored: None });
            ShapeBroadcast.judge(&History::of(Case { known_answers, ..Case::default() }, None))
        };
        assert_eq!(judge(2.0).unwrap().level, Level::Error);
        assert_eq!(judge(0.0), None);
        let loss = Loss { label_smoothing: 0.999, ..Loss::default() };
        let known_answers = Some(KnownAnswers { guess: 1.0, right: 1.0, wrong: 1.1, ignored: None });
        let smoothed = History::of(Case { known_answers, loss, ..Case::default() }, None);
        assert_eq!(ShapeBroadcast.judge(&smoothed), None);
    }

    #[test]
    fn channels_first_is_told_from_channels_last() {
        let judge = |shape: [usize; 3]| {
            let inputs = Inputs { shape: shape.to_vec(), ..Inputs::default() };
            ShapeBroadcast.judge(&History::of(Case { inputs, calls: calls(&["Conv2d"], 8), ..Case::default() }, None))
        };
        assert!(judge([3, 32, 32]).is_some());
        assert_eq!((judge([32, 32, 3]), judge([28, 28, 1]), judge([1, 20, 3])), (None, None, None));
    }
}
