//! Early stopping: training ends where the validation part no longer gets better, before the network learns the training
//! rows by heart. [REG-24]
//!
//! Real curves are noisy, so the first worse epoch says nothing: a run may go `patience` epochs without a better one.
//! [ERR-27] The weights of the best epoch are kept by the [trainer](crate::trainer), stopped or not.
//!
//! ```
//! # use barun_data::{Dataset, Split, Standardize};
//! # use barun_nn::{layers::*, losses::CrossEntropy, optimizers::AdamW, sequential};
//! use barun_train::{EarlyStopping, Trainer};
//! # let data = Dataset::open("moons")?.split(Split::stratified(0.8, 0.1, 0.1).seed(7))?.fit(Standardize::per_feature())?;
//! # let model = sequential![Linear::new(2, 16), Relu::default(), Linear::new(16, 2)];
//! let trained = Trainer::new(model, CrossEntropy::default())
//!     .optimizer(AdamW { lr: 1e-2, ..AdamW::default() })
//!     .epochs(200)
//!     .with(EarlyStopping::patience(3))
//!     .fit(&data)?;
//! assert!(trained.report().epochs < 200);
//! # Ok::<(), barun_train::Error>(())
//! ```

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::callback::{Callback, EpochEnd, Flow, Start};
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::recipe::{self, BestBy};

/// How long a run may go without a better epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// So many epochs.
    Epochs(usize),
    /// So many steps, looked at when an epoch ends.
    Steps(usize),
}

/// Ends a run that no longer gets better; see the [module](self).
#[derive(Clone, Debug)]
pub struct EarlyStopping {
    /// How long to wait.
    pub patience: Patience,
    /// What an epoch must be better by to count, in units of the figure that the run chooses its best epoch by.
    pub min_delta: f64,
    best_by: BestBy,
    best: Option<Best>,
}

/// The last epoch that counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Best {
    epoch: usize,
    step: usize,
    valid: Metrics,
}

impl EarlyStopping {
    /// Ends after `epochs` epochs in a row that were no better, by however little.
    pub fn patience(epochs: usize) -> EarlyStopping {
        EarlyStopping::after(Patience::Epochs(epochs), 0.0)
    }

    /// Ends after `steps` steps without a better epoch.
    pub fn patience_steps(steps: usize) -> EarlyStopping {
        EarlyStopping::after(Patience::Steps(steps), 0.0)
    }

    /// As the recipe says; none where it says nothing.
    pub fn of(recipe: &recipe::EarlyStopping) -> Option<EarlyStopping> {
        let epochs = recipe.patience.map(Patience::Epochs);
        let patience = epochs.or(recipe.patience_steps.map(Patience::Steps))?;
        Some(EarlyStopping::after(patience, recipe.min_delta))
    }

    fn after(patience: Patience, min_delta: f64) -> EarlyStopping {
        EarlyStopping { patience, min_delta, best_by: BestBy::Auto, best: None }
    }

    /// How long it has waited since `best`, and for how long it may.
    fn waited(&self, best: &Best, epoch: usize, step: usize) -> (usize, usize, &'static str) {
        match self.patience {
            Patience::Epochs(patience) => (epoch - best.epoch, patience, "epochs"),
            Patience::Steps(patience) => (step - best.step, patience, "steps"),
        }
    }
}

impl Callback for EarlyStopping {
    fn on_start(&mut self, event: &Start<'_>) -> Result<()> {
        (self.best_by, self.best) = (event.best_by, None);
        match event.valid_rows {
            0 => Err(Error::NothingToWatch),
            _ => Ok(()),
        }
    }

    fn on_epoch_end(&mut self, event: &EpochEnd<'_>) -> Result<Flow> {
        let record = event.record;
        let Some(valid) = record.valid else { return Ok(Flow::Continue) };
        let Some(best) =
            self.best.filter(|best| !self.best_by.is_better(&valid, &best.valid, self.min_delta))
        else {
            self.best = Some(Best { epoch: record.epoch, step: record.step, valid });
            return Ok(Flow::Continue);
        };
        let (waited, patience, unit) = self.waited(&best, record.epoch, record.step);
        Ok(match waited >= patience {
            true => Flow::Stop(format!("no better epoch than {} for {waited} {unit}", best.epoch)),
            false => Flow::Continue,
        })
    }

    fn memory(&self) -> Value {
        serde_json::to_value(self.best).unwrap_or_default()
    }

    fn recall(&mut self, memory: &Value) -> Result<()> {
        self.best = Option::deserialize(memory).map_err(|error| Error::Memory(error.to_string()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::EpochRecord;

    fn record(epoch: usize, loss: f64) -> EpochRecord {
        EpochRecord {
            epoch,
            step: 10 * epoch,
            samples: 100 * epoch,
            lr: 0.1,
            train: Metrics { loss: 1.0 / epoch as f64, ..Metrics::default() },
            valid: Some(Metrics { loss, ..Metrics::default() }),
            best: false,
            skipped_steps: 0,
            seconds: 1.0,
            samples_per_second: 1.0,
        }
    }

    /// The epoch at whose end it stops, and why.
    fn stops(mut stopping: EarlyStopping, losses: &[f64]) -> Option<(usize, String)> {
        losses.iter().zip(1..).find_map(|(&loss, epoch)| {
            match stopping.on_epoch_end(&EpochEnd { record: &record(epoch, loss) }).unwrap() {
                Flow::Stop(reason) => Some((epoch, reason)),
                Flow::Continue => None,
            }
        })
    }

    /// Falls to its minimum at epoch 4 and rises again, with a bump before.
    const CURVE: [f64; 9] = [1.0, 0.6, 0.7, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

    /// REG-24
    #[test]
    fn a_curve_with_its_minimum_at_epoch_k_ends_at_k_plus_patience() {
        for patience in 2..=5 {
            let (epoch, reason) = stops(EarlyStopping::patience(patience), &CURVE).unwrap();
            assert_eq!(epoch, 4 + patience);
            assert_eq!(reason, format!("no better epoch than 4 for {patience} epochs"));
        }
        assert_eq!(
            stops(EarlyStopping::patience(1), &CURVE).unwrap().0,
            3,
            "a bump is enough for no patience"
        );
        assert_eq!(stops(EarlyStopping::patience(6), &CURVE), None);
    }

    #[test]
    fn patience_in_steps_ends_at_the_first_epoch_that_has_used_it_up() {
        // Ten steps an epoch: 25 are over in the third epoch after the best.
        let (epoch, reason) = stops(EarlyStopping::patience_steps(25), &CURVE).unwrap();
        assert_eq!((epoch, reason.as_str()), (7, "no better epoch than 4 for 30 steps"));
    }

    #[test]
    fn a_gain_below_min_delta_does_not_renew_the_patience() {
        let stopping = EarlyStopping { min_delta: 0.3, ..EarlyStopping::patience(3) };
        assert_eq!(stops(stopping, &CURVE).unwrap().0, 5, "since epoch 2 nothing was better by 0.3");
    }

    #[test]
    fn what_it_remembers_lets_it_go_on_where_it_was() {
        let mut first = EarlyStopping::patience(3);
        for epoch in 1..=5 {
            first.on_epoch_end(&EpochEnd { record: &record(epoch, CURVE[epoch - 1]) }).unwrap();
        }
        let text = first.memory().to_string();
        let mut second = EarlyStopping::patience(3);
        second.recall(&serde_json::from_str(&text).unwrap()).unwrap();
        for epoch in 6..=7 {
            let event = record(epoch, CURVE[epoch - 1]);
            let event = EpochEnd { record: &event };
            assert_eq!(first.on_epoch_end(&event).unwrap(), second.on_epoch_end(&event).unwrap());
        }
        assert_eq!(first.best, second.best);
        assert!(second.recall(&serde_json::json!({ "epoch": "four" })).is_err());
    }
}
