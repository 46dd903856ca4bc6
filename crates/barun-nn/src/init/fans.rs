//! How many inputs and outputs a unit has.

use crate::Shape;

/// Inputs and outputs of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fans {
    /// Values that flow into one output.
    pub fan_in: usize,
    /// Values that one input flows into.
    pub fan_out: usize,
}

impl Fans {
    /// Of weights `[in, out]` or kernels `[.., in, out]`.
    pub fn of(shape: &Shape) -> Fans {
        match shape.rank() {
            0 => Fans { fan_in: 1, fan_out: 1 },
            1 => Fans { fan_in: shape[0], fan_out: shape[0] },
            rank => {
                let taps: usize = shape[..rank - 2].iter().product();
                Fans { fan_in: taps * shape[rank - 2], fan_out: taps * shape[rank - 1] }
            }
        }
    }
}
