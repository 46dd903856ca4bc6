//! What the layers of a network give: how large, how alike, how many units are dead or saturated.
//!
//! The numbers to look at when weights are chosen by hand, or when a network does not learn. [INIT-24, ACT-12, ACT-15]

use std::fmt;

use crate::activations::{can_die, ends};
use crate::{Batch, DType, Forward, Module, Result, State, Step, summary};

/// The outputs of one layer for one batch.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerActivity {
    /// The layer's path.
    pub path: String,
    /// The layer's kind.
    pub kind: &'static str,
    /// The mean of its outputs.
    pub mean: f64,
    /// Their standard deviation.
    pub std: f64,
    /// Of a layer that sets values to 0, the part of its units that are 0 for every row: they learn nothing. [ACT-15]
    pub dead: Option<f64>,
    /// Of a layer with two ends, the part of its outputs within a twentieth of them, where the slope is small. [ACT-12]
    pub saturated: Option<f64>,
}

/// The layers in the order of their calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// One for each call.
    pub layers: Vec<LayerActivity>,
}

/// Looks at what every layer gives for `batch`, in training mode. Changes nothing.
///
/// ```
/// use barun_nn::{Batch, Buffer, Init, Step, activity, layers::*, losses::Mse, optimizers::Sgd, sequential};
/// let wide = Linear { init: Init::Normal(10.0), ..Linear::new(2, 50) };
/// let step = Step::compile(sequential![wide, Tanh::default(), Linear::new(50, 1)], &Sgd::default(), &Mse::default())?;
/// let batch = Batch { x: Buffer::new(&[1.0f32, 2.0, -1.0, 0.5], [2, 2]), y: Buffer::new(&[0.0f32, 1.0], [2, 1]) };
/// let activity = activity(&step, &step.init(1)?, &batch)?;
/// assert!(activity.layers[1].saturated > Some(0.5), "{activity}");
/// # Ok::<(), barun_nn::Error>(())
/// ```
pub fn activity<M: Module + Forward>(step: &Step<M>, state: &State, batch: &Batch) -> Result<Activity> {
    let calls = summary(step.model(), batch.x.shape().clone(), DType::F32)?.rows;
    let seen = step.watch(state, batch, None)?;
    let mut layers = Vec::new();
    let mut seen = seen.iter();
    for call in calls {
        // What was probed comes after all layers, which come in the order of their calls.
        let Some((name, output)) = seen.next() else { break };
        if output.dtype().is_float() {
            let units = output.shape().last().copied().unwrap_or(1);
            layers.push(of_layer(name, call.kind, &output.to_f64(), units.max(1)));
        }
    }
    Ok(Activity { layers })
}

fn of_layer(path: &str, kind: &'static str, values: &[f64], units: usize) -> LayerActivity {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let part = |is: &dyn Fn(f64) -> bool| values.iter().filter(|value| is(**value)).count() as f64 / count;
    let saturated = ends(kind).map(|[low, high]| {
        let near = (high - low) / 20.0;
        part(&|value| !(low + near..=high - near).contains(&value))
    });
    let dead = can_die(kind).then(|| {
        let is_dead = |unit: usize| values.iter().skip(unit).step_by(units).all(|value| *value == 0.0);
        (0..units).filter(|unit| is_dead(*unit)).count() as f64 / units as f64
    });
    LayerActivity { path: path.to_string(), kind, mean, std: variance.sqrt(), dead, saturated }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            |of: &dyn Fn(&LayerActivity) -> usize| self.layers.iter().map(of).max().unwrap_or(0).max(5);
        let (path, kind) = (width(&|layer| layer.path.len()), width(&|layer| layer.kind.len()));
        writeln!(
            f,
            "{:<path$}  {:<kind$}  {:>10}  {:>10}  dead    saturated",
            "layer", "kind", "mean", "std"
        )?;
        let percent = |part: Option<f64>| part.map_or(String::new(), |part| format!("{:.1} %", 100.0 * part));
        for layer in &self.layers {
            let line = format!(
                "{:<path$}  {:<kind$}  {:>10.4}  {:>10.4}  {:<6}  {}",
                layer.path,
                layer.kind,
                layer.mean,
                layer.std,
                percent(layer.dead),
                percent(layer.saturated)
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
