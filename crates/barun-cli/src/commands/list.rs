//! `barun list`: what barun knows, by name.

use std::collections::BTreeMap;

use barun_train::Recipe;
use barun_train::recipe::{
    Activation, Init, Key, Layer, Loss, Model, Normalize, Optimizer, Precision, Schedule,
};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::error::Result;
use crate::{Outcome, output};

/// Show what barun knows: models, layers, losses, optimizers, ... and the keys of a recipe
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun list
  barun list optimizers
  barun list keys --json")]
pub struct List {
    /// What to show [default: everything but the keys]
    #[arg(value_enum)]
    topic: Option<Topic>,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Topic {
    Data,
    Models,
    Layers,
    Activations,
    Initializers,
    Losses,
    Optimizers,
    Schedules,
    Normalize,
    Precisions,
    Keys,
}

#[derive(Serialize)]
struct Item {
    name: String,
    doc: String,
}

impl List {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        let topics: Vec<Topic> = match self.topic {
            Some(topic) => vec![topic],
            None => Topic::value_variants().iter().copied().filter(|topic| *topic != Topic::Keys).collect(),
        };
        if self.json {
            let documents: BTreeMap<Topic, serde_json::Value> =
                topics.into_iter().map(|topic| (topic, topic.document())).collect();
            output::json(&documents)?;
        } else {
            output::text(&topics.iter().map(|topic| topic.text()).collect::<Vec<_>>().join("\n"))?;
        }
        Ok(Outcome::Done)
    }
}

impl Topic {
    fn items(self) -> Vec<Item> {
        let of_pairs = |pairs: Vec<(&'static str, String)>| {
            pairs.into_iter().map(|(name, doc)| Item { name: name.into(), doc }).collect()
        };
        macro_rules! of_names {
            ($Type:ty) => {
                of_pairs(<$Type>::ALL.iter().map(|choice| (choice.name(), choice.doc())).collect())
            };
        }
        match self {
            Topic::Data => of_pairs(data_sets()),
            Topic::Models => of_pairs(Model::choices()),
            Topic::Layers => of_pairs(Layer::choices()),
            Topic::Activations => of_names!(Activation),
            Topic::Initializers => of_names!(Init),
            Topic::Losses => of_names!(Loss),
            Topic::Optimizers => of_pairs(Optimizer::choices()),
            Topic::Schedules => of_pairs(Schedule::choices()),
            Topic::Normalize => of_names!(Normalize),
            Topic::Precisions => of_names!(Precision),
            Topic::Keys => Vec::new(),
        }
    }

    fn document(self) -> serde_json::Value {
        match self {
            Topic::Keys => serde_json::json!(Recipe::keys()),
            _ => serde_json::json!(self.items()),
        }
    }

    fn text(self) -> String {
        if self == Topic::Keys {
            return Recipe::keys().iter().map(key_text).collect();
        }
        let rows: Vec<_> = self.items().into_iter().map(|item| (item.name, item.doc)).collect();
        let title = self.to_possible_value().map_or(String::new(), |value| value.get_name().to_string());
        format!("{title}\n{}", output::columns(&rows))
    }
}

fn key_text(key: &Key) -> String {
    let only_for = key.only_for.as_ref().map_or(String::new(), |name| format!(" ({name})"));
    format!("{}{only_for} = {}\n    {}\n    Takes {}.\n", key.path, key.default, key.doc, key.expects)
}

fn data_sets() -> Vec<(&'static str, String)> {
    [
        ("digits", "Handwritten-like digits, drawn by barun itself: needs no download."),
        ("mnist", "Handwritten digits, 28 by 28."),
        ("fashion-mnist", "Pieces of clothing, 28 by 28."),
        ("cifar10", "Ten kinds of things in colour, 32 by 32."),
        ("FILE.csv", "A table; also .tsv and .parquet."),
        ("FOLDER", "One folder of images for each class."),
    ]
    .map(|(name, doc)| (name, doc.to_string()))
    .into()
}
