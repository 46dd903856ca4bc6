//! A training before it begins, with everything that an operator may break.

use barun_data::Scaling;
use barun_nn::StepOptions;
use barun_nn::hyper::{Hyper, Value};
use barun_nn::losses::{Loss, Task};
use barun_nn::optimizers::AnyOptimizer;
use barun_nn::schedules::Schedule;

use crate::error::Result;
use crate::network::{Network, Stage};
use crate::rows::{Answers, Parts};

/// A training.
#[derive(Clone)]
pub struct Plan {
    /// What it is called.
    pub name: String,
    /// The rows.
    pub parts: Parts,
    /// How the inputs are scaled, by what the training part is like.
    pub scaling: Scaling,
    /// Whether numbers to predict are standardised.
    pub scales_target: bool,
    /// The network.
    pub network: Network,
    /// What is minimised.
    pub loss: Box<dyn Loss>,
    /// How a gradient becomes a step.
    pub optimizer: AnyOptimizer,
    /// How the learning rate changes.
    pub schedule: Box<dyn Schedule>,
    /// How a step is compiled.
    pub options: StepOptions,
    /// How often each row is seen.
    pub epochs: usize,
    /// Rows of a step.
    pub batch_size: usize,
    /// The seed of everything random in the run.
    pub seed: u64,
}

impl Plan {
    /// The optimiser's learning rate.
    pub fn lr(&self) -> f64 {
        self.optimizer.lr()
    }

    /// Sets a number of the optimiser.
    ///
    /// # Errors
    /// A setting that it does not have, or a number that it does not take.
    pub fn set(&mut self, setting: &str, number: f64) -> Result<()> {
        Ok(self.optimizer.set(setting, &Value::Number(number)).map_err(barun_train::Error::from)?)
    }

    /// Whether classes are predicted.
    pub fn is_classes(&self) -> bool {
        matches!(self.parts.train.answers, Answers::Classes { .. })
    }

    /// How many outputs the network has.
    pub fn outputs(&self) -> usize {
        match (&self.parts.train.answers, self.loss.task()) {
            (Answers::Classes { classes, .. }, Task::Classes(_) | Task::Similarity) => *classes,
            _ => 1,
        }
    }

    /// Puts a stage after the last linear layer.
    pub fn after_head(&mut self, stage: Stage) {
        let at = (self.network.head() + 1).min(self.network.stages.len());
        self.network.stages.insert(at, stage);
    }

    /// Puts a stage before all others.
    pub fn before_all(&mut self, stage: Stage) {
        self.network.stages.insert(0, stage);
    }

    /// Every activation between the layers becomes the one called `name`.
    pub fn activate(&mut self, name: &'static str) {
        self.network.each(|stage| {
            if let Stage::Activation(own) = stage {
                *own = name;
            }
        });
    }

    /// Steps of an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.parts.train.len().div_ceil(self.batch_size.max(1))
    }
}

#[cfg(test)]
mod tests {
    use crate::bases::BASES;
    use crate::own::Times;
    use crate::sources::Library;

    #[test]
    fn a_loss_of_two_classes_that_is_multiplied_still_has_one_output() {
        let library = Library::new(None);
        for base in BASES.iter().filter(|base| library.has(base.source)) {
            let mut plan = base.plan(&library, 1).unwrap();
            let outputs = plan.outputs();
            plan.loss = Box::new(Times { of: plan.loss.clone(), factor: 2.0 });
            assert_eq!((plan.outputs(), outputs == 1), (outputs, base.is_numbers() || base.is_binary));
        }
    }
}
