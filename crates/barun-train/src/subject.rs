//! What is about to be trained, for those who look at it before the first step.

use std::fmt;

use barun_data::{BatchFeatures, Part, Targets};
use barun_nn::losses::Loss;
use barun_nn::optimizers::AnyOptimizer;
use barun_nn::{DType, Forward, Inventory, Module, Step, StepOptions, SummaryRow, summary};

use crate::changes::Changes;
use crate::error::Result;

/// A training before its first step: the network, what it learns from, and how.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What the network has.
    pub inventory: &'a Inventory,
    /// What is minimised.
    pub loss: &'a dyn Loss,
    /// How a gradient becomes a step.
    pub optimizer: &'a AnyOptimizer,
    /// How a step is compiled.
    pub options: &'a StepOptions,
    /// What has been changed since the run began.
    pub changes: &'a Changes,
    /// Rows of a step.
    pub batch_size: usize,
    /// The rows that it learns from.
    pub train: &'a Part,
    /// The rows that it is judged by while it learns; may be empty.
    pub valid: &'a Part,
    calls: &'a (dyn Fn() -> Result<Vec<SummaryRow>> + 'a),
}

/// Inputs as the network gets them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// The shape of one.
    pub shape: Vec<usize>,
    /// Their numbers, row after row.
    pub values: Vec<f32>,
}

impl<'a> Subject<'a> {
    /// Of a training by `step`, whose layers `calls` tells.
    pub(crate) fn new<M: Module + Forward>(
        step: &'a Step<M>,
        (train, valid): (&'a Part, &'a Part),
        batch_size: usize,
        changes: &'a Changes,
        calls: &'a (dyn Fn() -> Result<Vec<SummaryRow>> + 'a),
    ) -> Subject<'a> {
        Subject {
            inventory: step.inventory(),
            loss: step.loss(),
            optimizer: step.optimizer(),
            options: step.options(),
            changes,
            batch_size,
            train,
            valid,
            calls,
        }
    }

    /// The calls of the network's layers, in their order, for one row.
    ///
    /// # Errors
    /// When the network does not take such rows.
    pub fn calls(&self) -> Result<Vec<SummaryRow>> {
        (self.calls)()
    }

    /// The first rows, at most `most`, as the network gets them: scaled as the compiled step does it.
    ///
    /// # Errors
    /// Rows of a table on disk that cannot be read.
    pub fn inputs(&self, most: usize) -> Result<Inputs> {
        self.inputs_of(self.train, &self.train.indices()[..self.train.len().min(most)])
    }

    /// Rows of a part, which count in its data set, as the network gets them.
    ///
    /// # Errors
    /// As of [`inputs`](Subject::inputs).
    pub fn inputs_of(&self, part: &Part, rows: &[usize]) -> Result<Inputs> {
        let features = part.dataset().features();
        let mut batch = features.batch();
        features.gather(rows, &mut batch)?;
        let mut values: Vec<f32> = match batch {
            BatchFeatures::Images(bytes) => bytes.into_iter().map(f32::from).collect(),
            BatchFeatures::Rows(values) => values,
        };
        if let Some(transform) = &self.options.input {
            let of = |numbers: &[f64], at: usize| match numbers {
                [] => 0.0,
                _ => numbers[at % numbers.len()] as f32,
            };
            for (at, value) in values.iter_mut().enumerate() {
                *value = *value * of(&transform.scale, at) + of(&transform.shift, at);
            }
        }
        Ok(Inputs { shape: features.sample_shape(), values })
    }

    /// What it is to predict of each row.
    pub fn targets(&self) -> &Targets {
        self.train.dataset().targets()
    }
}

/// The calls of `step`'s layers for one row of `part`.
pub(crate) fn calls_of<M: Module + Forward>(step: &Step<M>, part: &Part) -> Result<Vec<SummaryRow>> {
    let input = [&[1], &part.dataset().features().sample_shape()[..]].concat();
    Ok(summary(step.model(), input, DType::F32)?.rows)
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("loss", &self.loss)
            .field("optimizer", &self.optimizer)
            .field("batch_size", &self.batch_size)
            .finish_non_exhaustive()
    }
}
