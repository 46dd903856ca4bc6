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
    /// All of its documentation: formula, defaults, when to use it, source.
    pub doc: &'static str,
    /// Its settings with their defaults.
    pub settings: Vec<Setting>,
}

impl Item {
    /// Its documentation as plain text: formulas indented, links by their words, without the marks for requirements.
    pub fn plain_doc(&self) -> String {
        let mut lines = Vec::new();
        let mut is_formula = false;
        for line in self.doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)) {
            match line.trim_start().starts_with("```") {
                true => is_formula = !is_formula,
                false if is_formula => lines.push(format!("    {line}")),
                false => lines.push(without_links(line)),
            }
        }
        without_marks(&lines.join("\n")).trim().to_string()
    }
}

/// ``[`Relu`](super::Relu)`` to `` `Relu` ``.
fn without_links(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('[') {
        text.push_str(before);
        match after.split_once("](").and_then(|(words, after)| Some((words, after.split_once(')')?.1))) {
            Some((words, after)) if !words.contains(']') => {
                text.push_str(words);
                rest = after;
            }
            _ => {
                text.push('[');
                rest = after;
            }
        }
    }
    text + rest
}

/// Without ` [OPT-23 .. OPT-25]`: brackets of capitals, a dash and numbers.
fn without_marks(text: &str) -> String {
    let is_mark = |inside: &str| {
        inside.split([',', ' ']).filter(|word| !word.is_empty() && *word != "..").all(|word| {
            word.split_once('-').is_some_and(|(letters, digits)| {
                !letters.is_empty()
                    && letters.chars().all(|c| c.is_ascii_uppercase())
                    && digits.chars().all(|c| c.is_ascii_digit())
            })
        })
    };
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        match after.split_once(']') {
            Some((inside, after)) if !inside.is_empty() && is_mark(inside) => {
                plain.push_str(before.trim_end());
                rest = after;
            }
            _ => {
                plain.push_str(before);
                plain.push('[');
                rest = after;
            }
        }
    }
    plain + rest
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
        items.push(Item {
            family,
            name: thing.name(),
            about: thing.about(),
            doc: thing.doc(),
            settings: thing.settings(),
        });
    };
    layers::examples().iter().for_each(|example| add(Family::Layer, &*example.layer));
    activations::all().iter().for_each(|activation| add(Family::Activation, activation));
    losses::all().iter().for_each(|loss| add(Family::Loss, loss));
    optimizers::all().iter().for_each(|optimizer| add(Family::Optimizer, optimizer));
    schedules::all().iter().for_each(|schedule| add(Family::Schedule, schedule));
    models::all().iter().for_each(|model| add(Family::Model, model));
    items.extend(Init::ALL.iter().map(|init| {
        let (name, about, doc) = (init.name(), init.about(), init.doc());
        Item { family: Family::Initializer, name, about, doc, settings: Vec::new() }
    }));
    items
}
