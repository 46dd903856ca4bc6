//! The arguments that say what to train: a recipe or data, and what is changed in it.

use std::path::Path;

use barun_train::{Draft, Recipe, files};
use clap::Args;

use crate::error::Result;

/// A recipe or data, with changes.
#[derive(Debug, Args)]
pub struct RecipeArguments {
    /// A recipe, or data
    #[arg(value_name = "RECIPE.toml | DATA")]
    what: String,

    /// The column of a table to predict [default: the last]
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,

    /// What the target is: classification, regression, or auto (few different whole numbers and text that repeats are
    /// classes) [default: auto]
    #[arg(long, value_name = "TASK")]
    task: Option<String>,

    /// A column of a table to leave out; may be repeated
    #[arg(long, value_name = "COLUMN")]
    ignore: Vec<String>,

    /// A model by name, in place of the recipe's [model]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    /// How many times each training row is seen
    #[arg(long, value_name = "N")]
    epochs: Option<u64>,

    /// The seed of everything random in training
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// f32 or f64
    #[arg(long, value_name = "TYPE")]
    precision: Option<String>,

    /// Set any key of the recipe, over the other options; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    assignments: Vec<String>,
}

impl RecipeArguments {
    /// The recipe they come to.
    pub fn resolve(&self) -> Result<Recipe> {
        let path = Path::new(&self.what);
        let is_recipe = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
        let mut draft = match is_recipe {
            true => Draft::from_toml(&files::read_text(path)?, &self.what)?,
            false => Draft::for_source(&self.what),
        };
        let texts = [
            ("data.target", "--target", &self.target),
            ("data.task", "--task", &self.task),
            ("model", "--model", &self.model),
            ("train.precision", "--precision", &self.precision),
        ];
        for (key, argument, text) in texts {
            if let Some(text) = text {
                draft.set_text(key, text, argument)?;
            }
        }
        if !self.ignore.is_empty() {
            draft.set_texts("data.ignore", &self.ignore, "--ignore")?;
        }
        for (key, argument, number) in
            [("train.epochs", "--epochs", self.epochs), ("train.seed", "--seed", self.seed)]
        {
            if let Some(number) = number {
                draft.set_value(key, &number.to_string(), argument)?;
            }
        }
        // Last, because `--model` replaces all of [model]: what is set in it must be set in the new one.
        for assignment in &self.assignments {
            draft.set(assignment)?;
        }
        Ok(draft.resolve()?)
    }
}
