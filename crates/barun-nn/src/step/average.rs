//! Averages of the weights along a run, which often predict better than the weights themselves.

use std::borrow::Cow;
use std::fmt;

use crate::hyper::{HyperValue, Value};
use crate::optimizers::ema;
use crate::pass::position;
use crate::{Result, State, Tensor};

/// How the weights of a run are averaged; recipes write `"ema(0.999)"` or `"mean(1000)"`.
///
/// The average is kept in the state beside the weights and never changes them; [`averaged`] gives the state to
/// evaluate and to keep. Running statistics of normalisations are averaged with them, so no second pass is needed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WeightAverage {
    /// `a <- decay a + (1 - decay) p`, from the first weights on. Polyak & Juditsky, 1992; as PyTorch's AveragedModel with
    /// `get_ema_multi_avg_fn`.
    Ema {
        /// The part of the average that is kept at each update.
        decay: f64,
    },
    /// The plain mean of the weights after update `from`, and after each `every`-th from there on: stochastic weight
    /// averaging. Before that it is the weights themselves. Izmailov et al., 2018, "Averaging weights leads to wider optima
    /// and better generalization".
    Mean {
        /// The first update whose weights count, from 1.
        from: u64,
        /// Updates from one to the next.
        every: u64,
    },
}

impl WeightAverage {
    /// The average `old` with the weights `new` of update `step` (from 1, an f64 scalar) in it.
    pub fn update(self, old: &Tensor, new: &Tensor, step: &Tensor) -> Tensor {
        match self {
            WeightAverage::Ema { decay } => step.equal(&step.like(1.0)).where_(new, &ema(decay, old, new)),
            WeightAverage::Mean { from, every } => {
                let since = step - from as f64;
                let before = (&since / every.max(1) as f64).floor();
                let is_counted = since.equal(&(&before * every.max(1) as f64));
                let share = (before + 1.0).recip().cast(old.dtype());
                let mean = old + (new - old) * share;
                let later = is_counted.where_(&mean, old);
                since.less(&since.like(0.0)).where_(new, &later)
            }
        }
    }
}

/// The state with the averaged weights in place of the weights, to evaluate or to keep; the same state where nothing is
/// averaged or no step was taken yet.
pub fn averaged(state: &State) -> Result<Cow<'_, State>> {
    let layout = state.layout();
    let averages = layout.slots().iter().enumerate();
    let averages = averages.filter_map(|(index, slot)| Some((index, slot.name.strip_prefix(PREFIX)?)));
    let averages: Vec<(usize, &str)> = averages.collect();
    let count = state.read(position(layout, crate::state::STEP)?);
    if averages.is_empty() || count.to_f64() == [0.0] {
        return Ok(Cow::Borrowed(state));
    }
    let mut averaged = state.clone();
    for (index, path) in averages {
        averaged.write(position(layout, path)?, &state.read(index))?;
    }
    Ok(Cow::Owned(averaged))
}

const PREFIX: &str = "average/";

/// The name under which the average of what is at `path` is kept.
pub(super) fn average_name(path: &str) -> String {
    format!("{PREFIX}{path}")
}

impl fmt::Display for WeightAverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WeightAverage::Ema { decay } => write!(f, "ema({decay})"),
            WeightAverage::Mean { from, every: 1 } => write!(f, "mean({from})"),
            WeightAverage::Mean { from, every } => write!(f, "mean({from}, {every})"),
        }
    }
}

impl HyperValue for WeightAverage {
    const EXPECTED: &'static str =
        "ema(0.999), or mean(1000): of all weights from step 1000 on; mean(1000, 50): of every 50th";
    fn to_value(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Text(text) = value else { return None };
        let (name, rest) = text.trim().split_once('(')?;
        let arguments: Vec<&str> = rest.strip_suffix(')')?.split(',').map(str::trim).collect();
        let count = |text: &str| text.parse().ok().filter(|count: &u64| *count > 0);
        match (name.trim(), &arguments[..]) {
            ("ema", [decay]) => {
                let decay = decay.parse().ok().filter(|decay| (0.0..1.0).contains(decay))?;
                Some(WeightAverage::Ema { decay })
            }
            ("mean", [from]) => Some(WeightAverage::Mean { from: count(from)?, every: 1 }),
            ("mean", [from, every]) => Some(WeightAverage::Mean { from: count(from)?, every: count(every)? }),
            _ => None,
        }
    }
}
