//! The vital signs of a whole run in bounded memory: every so-many-th check, and half of them whenever there would be too
//! many.

use barun_train::diagnosis::{Sign, Vitals};
use serde::{Deserialize, Serialize};

use crate::history::{Check, History};

/// So many points at most.
const MOST: usize = 96;

/// The vital signs so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VitalsLog {
    doublings: u32,
    seen: usize,
    points: Vec<Point>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Point {
    step: usize,
    activations: Vec<f32>,
    gradients: Vec<f32>,
    updates: Vec<f32>,
    dead: Vec<Option<f32>>,
}

impl VitalsLog {
    /// Takes the check if it is its turn.
    pub fn add(&mut self, check: &Check, dead: &[Option<f64>]) {
        let is_due = self.seen.is_multiple_of(1 << self.doublings);
        self.seen += 1;
        if !is_due {
            return;
        }
        let bounded =
            |value: f64| if value.is_finite() { value.min(f64::from(f32::MAX)) as f32 } else { f32::MAX };
        self.points.push(Point {
            step: check.step,
            activations: check.activations.iter().map(|layer| bounded(layer.std)).collect(),
            gradients: check.parameters.iter().map(|parameter| bounded(parameter.gradient)).collect(),
            updates: check
                .parameters
                .iter()
                .map(|parameter| bounded(parameter.update / parameter.weight.max(f64::MIN_POSITIVE)))
                .collect(),
            dead: dead.iter().map(|share| share.map(|share| share as f32)).collect(),
        });
        if self.points.len() == MOST {
            let mut at = 0;
            self.points.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.doublings += 1;
        }
    }
}

/// The vital signs as the report draws them: of the weights, not of biases and normalisations.
pub(crate) fn vitals(history: &History) -> Vitals {
    let points = &history.vitals.points;
    let shown = |value: Option<&f32>| value.copied().filter(|value| *value < f32::MAX);
    let sign = |path: &str, kind: &str, of: &dyn Fn(&Point) -> Option<f32>| Sign {
        path: path.to_string(),
        kind: kind.to_string(),
        values: points.iter().map(of).collect(),
    };
    let layers = history.activations.iter().enumerate();
    let weights = history.weight_indices();
    Vitals {
        steps: points.iter().map(|point| point.step).collect(),
        activations: layers
            .clone()
            .map(|(at, (path, kind))| sign(path, kind, &|point| shown(point.activations.get(at))))
            .collect(),
        gradients: weights
            .iter()
            .map(|&at| sign(&history.parameters[at], "", &|point| shown(point.gradients.get(at))))
            .collect(),
        updates: weights
            .iter()
            .map(|&at| sign(&history.parameters[at], "", &|point| shown(point.updates.get(at))))
            .collect(),
        dead: layers
            .filter(|(at, _)| history.can_die(*at))
            .map(|(at, (path, kind))| sign(path, kind, &|point| point.dead.get(at).copied().flatten()))
            .collect(),
    }
}
