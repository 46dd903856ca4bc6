//! Parameters that get an optimiser of their own.

use super::options::is_at_or_below;
use super::{Step, StepOptions};
use crate::optimizers::AnyOptimizer;
use crate::{Forward, Module, ParameterEntry, Role};

/// Which parameters of a model are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// Those at this path or below it, such as `trunk` or `0.weight`.
    Path(String),
    /// Those of this role: weights, biases, or scales and shifts of normalisations.
    Role(Role),
}

impl Select {
    fn takes(&self, entry: &ParameterEntry) -> bool {
        match self {
            Select::Path(path) => is_at_or_below(&entry.path, path),
            Select::Role(role) => entry.role == *role,
        }
    }
}

/// Parameters that get an optimiser, a learning rate or a weight decay of their own; the others get the step's.
///
/// The learning rate of a group keeps its ratio to that of the step's optimiser, so a schedule moves all alike.
///
/// ```
/// use barun_nn::{Group, Select, Step, StepOptions, layers::*, losses::Mse, optimizers::*, sequential};
/// let slow_trunk = Group {
///     parameters: vec![Select::Path("0".into())],
///     optimizer: AdamW { lr: 1e-5, ..AdamW::default() }.into(),
/// };
/// let options = StepOptions { groups: vec![slow_trunk], ..StepOptions::default() };
/// let model = sequential![Linear::new(8, 8), Relu::default(), Linear::new(8, 1)];
/// let step = Step::with(model, &AdamW::default(), &Mse::default(), options)?;
/// # Ok::<(), barun_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Group {
    /// Which parameters. One that several groups take belongs to the first of them.
    pub parameters: Vec<Select>,
    /// How they are updated.
    pub optimizer: AnyOptimizer,
}

impl Group {
    /// Whether it takes a parameter.
    pub fn takes(&self, entry: &ParameterEntry) -> bool {
        self.parameters.iter().any(|select| select.takes(entry))
    }
}

impl StepOptions {
    /// The optimiser of a parameter, where that of the step is `optimizer`.
    pub(super) fn optimizer_of<'a>(
        &'a self,
        entry: &ParameterEntry,
        optimizer: &'a AnyOptimizer,
    ) -> &'a AnyOptimizer {
        self.groups.iter().find(|group| group.takes(entry)).map_or(optimizer, |group| &group.optimizer)
    }
}

impl<M: Module + Forward> Step<M> {
    /// The optimiser of a parameter, and its learning rate over that of the step's.
    pub(super) fn optimizer_of(&self, entry: &ParameterEntry) -> (&AnyOptimizer, f64) {
        let own = self.options.optimizer_of(entry, &self.optimizer);
        (own, own.lr() / self.optimizer.lr())
    }
}
