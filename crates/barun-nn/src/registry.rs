//! Everything this crate knows by name, for `barun list`, for recipes, and for the test that checks every gradient, so
//! that nothing can be forgotten.

use crate::hyper::Setting;
use crate::{Hyper, Init, activations, layers, losses, models, optimizers, schedules};

/// What kind of thing a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the names say it
pub enum Family {
    Layer,
    Activation,
    Loss,
    Optimizer,
    Schedule,
    Initializer,
    Model,
}

impl Family {
    /// As a heading.
    pub fn name(self) -> &'static str {
        match self {
            Family::Layer => "layer",
            Family::Activation => "activation",
            Family::Loss => "loss",
            Family::Optimizer => "optimizer",
            Family::Schedule => "schedule",
            Family::Initializer => "initializer",
            Family::Model => "model",
        }
    }
}

/// One thing with a name.
#[derive(Clone, Debug)]
pub struct Item {
    /// What kind of thing.
    pub family: Family,
    /// Its name in recipes.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// Its settings with their defaults.
    pub settings: Vec<Setting>,
}

/// Everything, by family.
///
/// ```
/// use barun_nn::registry::{Family, catalog};
/// assert!(catalog().iter().any(|item| item.family == Family::Optimizer && item.name == "adam"));
/// ```
pub fn catalog() -> Vec<Item> {
    let mut items = Vec::new();
    let mut add = |family: Family, thing: &dyn Hyper| {
        items.push(Item { family, name: thing.name(), about: thing.about(), settings: thing.settings() });
    };
    layers::examples().iter().for_each(|layer| add(Family::Layer, layer));
    activations::all().iter().for_each(|activation| add(Family::Activation, activation));
    losses::all().iter().for_each(|loss| add(Family::Loss, loss));
    optimizers::all().iter().for_each(|optimizer| add(Family::Optimizer, optimizer));
    schedules::all().iter().for_each(|schedule| add(Family::Schedule, schedule));
    models::all().iter().for_each(|model| add(Family::Model, model));
    items.extend(Init::ALL.iter().map(|init| {
        let (name, about) = init.describe();
        Item { family: Family::Initializer, name, about, settings: Vec::new() }
    }));
    items
}
