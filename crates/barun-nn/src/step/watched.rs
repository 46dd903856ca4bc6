//! What a watched step sums up, and how its sums become a record.
//!
//! Everything is a reduction that the compiler can put where the numbers already are: those of a parameter into the loop of
//! its update, those of a layer's output into the loop that makes it. All reductions of a layer's output go over the same
//! axes, all but the last, since only such share a loop; what is left for here is a few numbers for each unit.

use super::record::{ActivationRecord, ParameterRecord, StepRecord};
use crate::activations::{can_die, ends};
use crate::pass::Call;
use crate::{Buffer, ParameterEntry, Result, Tensor};

/// What the outputs of a watched step are, in their order.
#[derive(Default)]
pub(super) struct RecordPlan {
    parameters: Vec<(String, usize)>,
    calls: Vec<CallPlan>,
}

struct CallPlan {
    path: String,
    kind: &'static str,
    /// Elements of its output.
    count: usize,
    can_die: bool,
    has_ends: bool,
}

/// The outputs of a parameter: the squares of weights, gradients and updates, and the absolute gradients.
const OF_PARAMETER: usize = 4;
/// Those of a call: values, squares, largest absolute values, zeros.
const OF_CALL: usize = 4;
/// How near to its ends a sigmoid is flat: beyond sigmoid(5).
const NEAR_OF_SIGMOID: f64 = 0.0067;
/// How near to its ends a hyperbolic tangent is flat: beyond tanh(2.65).
const NEAR_OF_TANH: f64 = 0.01;

impl RecordPlan {
    /// How many outputs it has.
    pub fn outputs(&self) -> usize {
        self.parameters.len() * OF_PARAMETER + self.calls.iter().map(CallPlan::outputs).sum::<usize>()
    }

    /// Adds a parameter; gives the outputs to be read as its record.
    pub fn parameter(
        &mut self,
        entry: &ParameterEntry,
        old: &Tensor,
        gradient: &Tensor,
        new: &Tensor,
    ) -> [Tensor; OF_PARAMETER] {
        self.parameters.push((entry.path.clone(), entry.count()));
        let squares = |tensor: &Tensor| tensor.square().sum(..);
        [squares(old), squares(gradient), squares(&(new - old)), gradient.abs().sum(..)]
    }

    /// Adds what a layer gave, if it is something new; gives the outputs to be read as its record.
    pub fn call(&mut self, path: String, call: &Call) -> Result<Vec<Tensor>> {
        let shape = call.output.shape()?;
        if !call.output.dtype().is_float() || only_rearranges(call.kind) || shape.elements() == 0 {
            return Ok(Vec::new());
        }
        let plan = CallPlan {
            path,
            kind: call.kind,
            count: shape.elements(),
            can_die: can_die(call.kind),
            has_ends: ends(call.kind).is_some(),
        };
        self.calls.push(plan);
        // A single axis is that of the rows.
        let rows: Vec<i64> =
            (0..shape.rank().max(2) as i64 - 1).filter(|axis| *axis < shape.rank() as i64).collect();
        let values = call.output.cast(call.output.dtype().computed());
        let count = |mask: Tensor| mask.cast(values.dtype()).sum(&*rows);
        let mut outputs = vec![
            values.sum(&*rows),
            values.square().sum(&*rows),
            values.abs().max(&*rows),
            count(values.equal(&values.like(0.0))),
        ];
        if let Some([low, high]) = ends(call.kind) {
            let near = if low == 0.0 { NEAR_OF_SIGMOID } else { NEAR_OF_TANH };
            let (middle, reach) = ((low + high) / 2.0, (high - low) / 2.0);
            let distance = (&values - middle).abs();
            outputs.push(count(distance.greater(&distance.like(reach - near))));
        }
        Ok(outputs)
    }

    /// The record of a step with these outputs.
    pub fn read(&self, outputs: &[Buffer]) -> StepRecord {
        let mut outputs = outputs.iter().map(Buffer::to_f64);
        let mut next = || outputs.next().unwrap_or_default();
        let parameters = self.parameters.iter().map(|(path, count)| {
            let [weights, gradients, updates, absolute] = std::array::from_fn(|_| next().iter().sum::<f64>());
            let mean = |sum: f64| sum / (*count).max(1) as f64;
            ParameterRecord {
                path: path.clone(),
                count: *count,
                weight_rms: mean(weights).sqrt(),
                gradient_rms: mean(gradients).sqrt(),
                gradient_mean_abs: mean(absolute),
                update_rms: mean(updates).sqrt(),
            }
        });
        let parameters = parameters.collect();
        let activations = self.calls.iter().map(|call| call.read(&mut next)).collect();
        StepRecord { parameters, activations }
    }
}

impl CallPlan {
    fn outputs(&self) -> usize {
        OF_CALL + usize::from(self.has_ends)
    }

    fn read(&self, next: &mut impl FnMut() -> Vec<f64>) -> ActivationRecord {
        let [values, squares, largest, zeros] = std::array::from_fn(|_| next());
        let share = |counts: Vec<f64>| counts.iter().sum::<f64>() / self.count as f64;
        let [mean, square] = [values, squares].map(share);
        ActivationRecord {
            path: self.path.clone(),
            kind: self.kind.to_string(),
            mean,
            std: (square - mean * mean).max(0.0).sqrt(),
            max_abs: largest.iter().copied().fold(0.0, |a, b| if a.is_nan() || a > b { a } else { b }),
            unit_max_abs: if self.can_die {
                largest.iter().map(|&max| max as f32).collect()
            } else {
                Vec::new()
            },
            saturated: self.has_ends.then(|| share(next())),
            zeros: share(zeros),
        }
    }
}

/// Whether a layer gives the numbers that it got in another order.
fn only_rearranges(kind: &str) -> bool {
    matches!(kind, "Flatten" | "ToSequence")
}
