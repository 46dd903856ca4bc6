//! `barun explain NAME`: what a thing is, from its own documentation.

use barun_doctor::rules::{self, About};
use barun_nn::registry::{Family, Item, catalog};
use barun_train::nearest::nearest;
use barun_train::recipe::{LIBRARY_NAMES, as_arguments};
use clap::Args;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::errors::{ErrorEntry, errors};
use crate::{Outcome, output};

/// Explain a layer, activation, loss, optimizer, schedule, initializer, model, rule of the doctor or error: formula, settings, source, cure
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun explain adamw
  barun explain gelu --json
  barun explain R11           a rule of the doctor, also by name: dead-units
  barun explain NotFinite     an error, and what to do about it
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
        if let Some(rule) = rules::by_name(&self.name) {
            return self.rule(rule.about());
        }
        let errors: Vec<ErrorEntry> =
            errors().into_iter().filter(|error| error.name.eq_ignore_ascii_case(&self.name)).collect();
        let items = match called(&self.name) {
            Err(_) if !errors.is_empty() => return self.errors(&errors),
            items => items?,
        };
        match self.json {
            true => output::json(&items.iter().map(explained).collect::<Vec<_>>())?,
            false => output::text(&items.iter().map(text).collect::<Vec<_>>().join("\n"))?,
        }
        Ok(Outcome::Done)
    }

    /// Of errors, what they mean and say.
    fn errors(&self, errors: &[ErrorEntry]) -> Result<Outcome> {
        if self.json {
            let explained = errors.iter().map(|error| Explained {
                family: "error",
                name: &error.name,
                about: &error.doc,
                doc: error.message.clone(),
                settings: Vec::new(),
            });
            output::json(&explained.collect::<Vec<_>>())?;
            return Ok(Outcome::Done);
        }
        let text = |error: &ErrorEntry| {
            let mut text = format!("{} (error of {})\n", error.name, error.area);
            if !error.doc.is_empty() {
                text.push_str(&format!("\n{}\n", error.doc));
            }
            if !error.message.is_empty() {
                text.push_str(&format!("\nIt says, with the braces filled in:\n    {}\n", error.message));
            }
            text
        };
        output::text(&errors.iter().map(text).collect::<Vec<_>>().join("\n"))?;
        Ok(Outcome::Done)
    }

    /// Of a rule, what its own documentation says, and when it is asked.
    fn rule(&self, about: About) -> Result<Outcome> {
        let About { id, name, summary, kind, persist: (times, of), explains } = about;
        let doc = rules::explanation(id);
        if self.json {
            let settings = Vec::new();
            output::json(&[Explained { family: "rule", name, about: summary, doc, settings }])?;
            return Ok(Outcome::Done);
        }
        let mut text = format!("{id} {name} (rule of the doctor: {kind})\n\n{doc}\n");
        if of > 1 {
            text.push_str(&format!("\nIt must be true in {times} of {of} looks.\n"));
        }
        if !explains.is_empty() {
            text.push_str(&format!("It can be the cause of: {}.\n", explains.join(", ")));
        }
        let known = as_arguments(&[format!("doctor.acknowledge=[\"{id}\"]")]);
        text.push_str(&format!("Known and meant? {known}\n"));
        output::text(&text)?;
        Ok(Outcome::Done)
    }
}

/// Everything of this name, the recipe's or the library's.
fn called(name: &str) -> Result<Vec<Item>> {
    let catalog = catalog();
    let in_library = LIBRARY_NAMES.iter().find(|(own, _)| *own == name).map_or(name, |(_, name)| name);
    let found: Vec<Item> = catalog.iter().filter(|item| item.name == in_library).cloned().collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let names = catalog.iter().map(|item| item.name).chain(LIBRARY_NAMES.iter().map(|(own, _)| *own));
    let of_rules: Vec<&str> =
        rules::all().iter().flat_map(|rule| [rule.about().id, rule.about().name]).collect();
    let names = names.chain(of_rules);
    let hint = nearest(name, names).map_or(String::new(), |near| format!(" (did you mean `{near}`?)"));
    Err(Error::UnknownName { name: name.to_string(), hint })
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
        // Of a layer the sizes have no default.
        let of = if item.family == Family::Layer { "as in an example" } else { "with their defaults" };
        text.push_str(&format!("\nSettings, {of}:\n"));
        let left = |setting: &barun_nn::hyper::Setting| format!("{} = {}", setting.name, setting.value);
        let rows: Vec<_> = item.settings.iter().map(|s| (left(s), format!("{}.", s.about))).collect();
        text.push_str(&output::columns(&rows));
    }
    text
}
