//! `barun explain NAME`: what a thing is, from its own documentation.

use barun_nn::registry::{Item, catalog, explain};
use clap::Args;
use serde::Serialize;

use crate::error::Result;
use crate::{Outcome, output};

/// Explain a layer, activation, loss, optimizer, schedule, initializer or model: formula, settings, when to use it, source
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun explain adamw
  barun explain gelu --json
  barun list                  the names

With --json: a list, for each thing of that name family, name, about, doc and settings[] with name, default, about, takes.")]
pub struct Explain {
    /// The name, as `barun list` shows it
    name: String,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Explained<'a> {
    family: &'a str,
    name: &'a str,
    about: &'a str,
    doc: String,
    settings: Vec<ExplainedSetting>,
}

#[derive(Serialize)]
struct ExplainedSetting {
    name: &'static str,
    default: String,
    about: String,
    takes: String,
}

impl Explain {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        let items = explain(&self.name, catalog()).map_err(barun_train::Error::from)?;
        match self.json {
            true => output::json(&items.iter().map(explained).collect::<Vec<_>>())?,
            false => output::text(&items.iter().map(text).collect::<Vec<_>>().join("\n"))?,
        }
        Ok(Outcome::Done)
    }
}

fn explained(item: &Item) -> Explained<'_> {
    let settings = item.settings.iter().map(|setting| ExplainedSetting {
        name: setting.name,
        default: setting.value.to_string(),
        about: format!("{}.", setting.about),
        takes: setting.takes(),
    });
    Explained {
        family: item.family.name(),
        name: item.name,
        about: item.about,
        doc: item.plain_doc(),
        settings: settings.collect(),
    }
}

fn text(item: &Item) -> String {
    let mut text = format!("{} ({})\n\n{}\n", item.name, item.family.name(), item.plain_doc());
    if !item.settings.is_empty() {
        text.push_str("\nSettings, with their defaults:\n");
        let left = |setting: &barun_nn::hyper::Setting| format!("{} = {}", setting.name, setting.value);
        let rows: Vec<_> = item.settings.iter().map(|s| (left(s), format!("{}.", s.about))).collect();
        text.push_str(&output::columns(&rows));
    }
    text
}
