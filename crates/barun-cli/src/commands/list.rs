//! `barun list`: what barun knows, by name.

use std::collections::BTreeMap;

use barun_data::{SOURCES, about};
use barun_nn::Init;
use barun_nn::optimizers::AnyOptimizer;
use barun_nn::registry::catalog;
use barun_train::Recipe;
use barun_train::recipe::{
    Activation, Chosen, Key, Layer, LossChoice, Model, Normalize, Precision, Preset, Scheduled,
};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::error::Result;
use crate::{Outcome, output};

/// Show what barun knows: data, models, layers, losses, optimizers, the doctor's rules, ... and the keys of a recipe
///
/// The names are those that a recipe or the command line takes; `library` has those of Rust programs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun list
  barun list optimizers
  barun list keys --json
  barun list library")]
pub struct List {
    /// What to show [default: everything but `keys` and `library`]
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
    Augmentations,
    Precisions,
    /// What the doctor looks for
    Rules,
    /// Everything a recipe can say, with defaults
    Keys,
    /// What Rust programs can use, by its names and settings there
    Library,
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
            None => {
                let shown = |topic: &Topic| !matches!(topic, Topic::Keys | Topic::Library);
                Topic::value_variants().iter().copied().filter(shown).collect()
            }
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
            Topic::Activations => of_pairs(Activation::choices()),
            Topic::Initializers => {
                of_pairs(Init::ALL.iter().map(|init| (init.name(), format!("{}.", init.about()))).collect())
            }
            Topic::Losses => of_pairs(LossChoice::choices()),
            Topic::Optimizers => of_pairs(Chosen::<AnyOptimizer>::choices()),
            Topic::Schedules => of_pairs(Scheduled::choices()),
            Topic::Normalize => of_names!(Normalize),
            Topic::Augmentations => augmentations(),
            Topic::Precisions => of_names!(Precision),
            Topic::Rules => rules(),
            Topic::Keys => Vec::new(),
            Topic::Library => {
                let items = catalog().into_iter();
                items
                    .map(|item| Item {
                        name: format!("{} {}", item.family.name(), item.name),
                        doc: library_doc(&item),
                    })
                    .collect()
            }
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

/// What it is, and its settings with their defaults.
fn library_doc(item: &barun_nn::registry::Item) -> String {
    let settings: Vec<String> =
        item.settings.iter().map(|setting| format!("{} = {}", setting.name, setting.value)).collect();
    match settings.is_empty() {
        true => item.about.to_string(),
        false => format!("{} ({})", item.about, settings.join(", ")),
    }
}

/// The doctor's rules: number, name, kind, what they find.
fn rules() -> Vec<Item> {
    let item = |about: barun_doctor::rules::About| Item {
        name: about.id.to_string(),
        doc: format!("{} ({}): {}", about.name, about.kind, about.summary),
    };
    barun_doctor::rules::all().iter().map(|rule| item(rule.about())).collect()
}

/// The presets, then the single settings.
fn augmentations() -> Vec<Item> {
    let presets = Preset::ALL.iter().map(|preset| Item { name: preset.name().into(), doc: preset.doc() });
    let settings = Recipe::keys().into_iter().filter_map(|key| {
        let setting = key.path.strip_prefix("data.augment.").filter(|setting| *setting != "preset")?;
        Some(Item { name: format!("augment.{setting}"), doc: key.doc })
    });
    presets.chain(settings).collect()
}

/// The sources by name, and the files that are data.
fn data_sets() -> Vec<(&'static str, String)> {
    let sources = SOURCES.map(|source| (source, about(source).unwrap_or_default().to_string()));
    let files = [
        ("FILE.csv", "A table; also .tsv, .parquet, .npy and .npz."),
        ("FOLDER", "Images: a folder for each class, with PNG, JPEG or WebP files; also a .zip of one."),
    ];
    sources.into_iter().chain(files.map(|(name, about)| (name, about.to_string()))).collect()
}
