//! Do the weights of a unit all move in one direction? [ACT-14, DIAG-15]
//!
//! The gradient of a unit's weights is the sum over rows of what comes back to the unit times its inputs. Where all inputs are
//! positive, as behind a sigmoid, and the rows pull one way, all weights of the unit can only grow together or shrink together:
//! a target that lies otherwise is reached on a zig-zag path. Inputs around 0 do not have this, which is why inputs are centred
//! and why tanh came to stand in for the sigmoid.

use crate::{Batch, Forward, Module, Result, State, Step};

/// How far the weights of each unit of a layer move in one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct ZigZag {
    /// The weight's path.
    pub path: String,
    /// The mean over the units of `|sum of gradients| / sum of |gradients|` over the unit's weights, from 0 to 1: 1 where all
    /// weights of a unit get gradients of one sign. Signs at random give about `1 / sqrt(weights)`.
    pub agreement: f64,
    /// The share of units whose weights all get gradients of one sign; those without gradient are not counted.
    pub one_sign: f64,
}

/// Looks at the gradients of one batch in training mode. One for each weight with two or more axes, of which the last is that
/// of the units; in the order of the model's parameters. Commits nothing.
///
/// ```
/// # use barun_nn::{Batch, Buffer, Step, analysis::zig_zag, layers::*, losses::Mse, optimizers::Sgd, sequential};
/// let step = Step::compile(sequential![Linear::new(3, 1)], &Sgd::default(), &Mse::default())?;
/// let positive = Batch { x: Buffer::new(&[0.2f32, 0.9, 0.5], [1, 3]), y: Buffer::new(&[5.0f32], [1, 1]) };
/// assert_eq!(zig_zag(&step, &step.init(1)?, &positive)?[0].one_sign, 1.0);
/// # Ok::<(), barun_nn::Error>(())
/// ```
///
/// # Errors
/// What the step reports of the batch.
pub fn zig_zag<M: Module + Forward>(step: &Step<M>, state: &State, batch: &Batch) -> Result<Vec<ZigZag>> {
    let gradients = step.gradients(state, batch)?;
    let weights = gradients.into_iter().filter(|(_, gradient)| gradient.shape().len() > 1);
    Ok(weights
        .filter_map(|(path, gradient)| of_weight(path, &gradient.to_f64(), gradient.shape().last().copied()?))
        .collect())
}

/// Of gradients `[..., units]`; none where there are no units, or none has a gradient.
fn of_weight(path: String, gradient: &[f64], units: usize) -> Option<ZigZag> {
    let mut sums = vec![(0.0, 0.0); units];
    for row in gradient.chunks_exact(units.max(1)) {
        for ((sum, size), value) in sums.iter_mut().zip(row) {
            (*sum, *size) = (*sum + value, *size + value.abs());
        }
    }
    let agreements: Vec<f64> = sums
        .into_iter()
        .filter(|(_, size)| *size > 0.0)
        .map(|(sum, size): (f64, f64)| sum.abs() / size)
        .collect();
    // Sums of equal signs differ by their rounding alone.
    let one_sign = agreements.iter().filter(|agreement| **agreement > 1.0 - 1e-6).count();
    let count = agreements.len();
    (count > 0).then(|| ZigZag {
        path,
        agreement: agreements.iter().sum::<f64>() / count as f64,
        one_sign: one_sign as f64 / count as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_compared_unit_by_unit() {
        // Two units with three weights each; the first moves one way.
        let found = of_weight("w".into(), &[1.0, 1.0, 2.0, -1.0, 3.0, 0.5], 2).unwrap();
        assert_eq!((found.agreement, found.one_sign), ((1.0 + 0.2) / 2.0, 0.5));
        assert_eq!(of_weight("w".into(), &[0.0; 4], 2), None, "what gets no gradient moves nowhere");
    }
}
