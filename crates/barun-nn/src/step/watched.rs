//! What a watched step sums up, and how its sums become a record.
//!
//! Everything is a reduction that the compiler can put where the numbers already are: those of a parameter into the loops of
//! its norm and its update, those of a layer's output into the loop that makes it. Only reductions over the same axes share
//! a loop. So where a layer's units are looked at one by one, since they can die, the layer before it is summed up in the
//! same way; everything else is reduced to one number at once, which is the cheapest.

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
    has_zeros: bool,
    has_ends: bool,
}

/// The outputs of a parameter: the squares of weights and gradients, the absolute gradients, the squares of updates.
const OF_PARAMETER: usize = 4;
/// Those of every call: values, squares, largest absolute values.
const OF_CALL: usize = 3;
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
        // What is made of the gradient alone comes before the update, to be computed beside the norm.
        [squares(old), squares(gradient), gradient.abs().sum(..), squares(&(new - old))]
    }

    /// Adds what the layers gave, by their names; gives the outputs to be read as their records.
    pub fn calls<'a>(&mut self, calls: impl Iterator<Item = (String, &'a Call)>) -> Result<Vec<Tensor>> {
        let is_new = |call: &Call| call.output.dtype().is_float() && !only_rearranges(call.kind);
        let calls: Vec<(String, &Call)> = calls.filter(|(_, call)| is_new(call)).collect();
        let mut outputs = Vec::new();
        for (at, (path, call)) in calls.iter().enumerate() {
            let next = calls.get(at + 1);
            let by_unit = can_die(call.kind) || next.is_some_and(|(_, next)| can_die(next.kind));
            outputs.extend(self.call(path, call, by_unit)?);
        }
        Ok(outputs)
    }

    fn call(&mut self, path: &str, call: &Call, by_unit: bool) -> Result<Vec<Tensor>> {
        let shape = call.output.shape()?;
        let has_zeros = can_die(call.kind) || gives_zeros(call.kind);
        self.calls.push(CallPlan {
            path: path.to_string(),
            kind: call.kind,
            count: shape.elements(),
            can_die: can_die(call.kind),
            has_zeros,
            has_ends: ends(call.kind).is_some(),
        });
        let kept = usize::from(by_unit && shape.rank() > 1);
        let axes: Vec<i64> = (0..(shape.rank() - kept) as i64).collect();
        let values = call.output.cast(call.output.dtype().computed());
        let count = |mask: Tensor| mask.cast(values.dtype()).sum(&*axes);
        let mut outputs = vec![values.sum(&*axes), values.square().sum(&*axes), values.abs().max(&*axes)];
        if has_zeros {
            outputs.push(count(values.equal(&values.like(0.0))));
        }
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
            let [weights, gradients, absolute, updates] = std::array::from_fn(|_| next().iter().sum::<f64>());
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
        OF_CALL + usize::from(self.has_zeros) + usize::from(self.has_ends)
    }

    fn read(&self, next: &mut impl FnMut() -> Vec<f64>) -> ActivationRecord {
        let [values, squares, largest] = std::array::from_fn(|_| next());
        let share = |counts: Vec<f64>| counts.iter().sum::<f64>() / self.count.max(1) as f64;
        let [mean, square] = [values, squares].map(share);
        let silent = largest.iter().filter(|max| **max == 0.0).count() as f64 / largest.len().max(1) as f64;
        let zeros = if self.has_zeros { share(next()) } else { silent };
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
            zeros,
        }
    }
}

/// Whether a layer gives the numbers that it got in another order.
fn only_rearranges(kind: &str) -> bool {
    matches!(kind, "Flatten" | "ToSequence")
}

/// Whether a layer that cannot die gives exact zeros nevertheless.
fn gives_zeros(kind: &str) -> bool {
    matches!(kind, "Dropout" | "MaxPool2d" | "AvgPool2d")
}
