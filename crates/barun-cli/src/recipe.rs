//! The arguments that say what to train: a recipe or data, and what is changed in it.

use std::path::Path;
use std::time::Duration;

use barun_train::{Draft, Recipe, files};
use clap::Args;

use crate::common::parse_duration;
use crate::error::{Error, Result};

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
    #[arg(long, visible_alias = "drop", value_name = "COLUMN")]
    ignore: Vec<String>,

    /// How rows are divided: auto, random, stratified or time
    #[arg(long, value_name = "METHOD")]
    split: Option<String>,

    /// A column of a table whose rows with the same value stay in one part
    #[arg(long, value_name = "COLUMN")]
    group: Option<String>,

    /// A column of a table with numbers or dates: the earliest rows train, the latest test
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,

    /// A column of a table that says train, valid or test of each row
    #[arg(long, value_name = "COLUMN")]
    part_column: Option<String>,

    /// Data that is the valid part
    #[arg(long, value_name = "DATA")]
    valid_data: Option<String>,

    /// Data that is the test part
    #[arg(long, value_name = "DATA")]
    test_data: Option<String>,

    /// Cross-validation: train so many times, each time with another part of the rows to judge by
    #[arg(long, value_name = "K")]
    folds: Option<u64>,

    /// A model by name, in place of the recipe's [model]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    /// How training images are varied: digits, natural or none; single settings with --set data.augment.KEY=VALUE
    #[arg(long, value_name = "NAME")]
    augment: Option<String>,

    /// The size images are scaled to: a number for height and width, or HEIGHTxWIDTH [default: their own]
    #[arg(long, value_name = "SIZE")]
    image_size: Option<String>,

    /// Leave out image files that cannot be read
    #[arg(long)]
    skip_unreadable: bool,

    /// How many times each training row is seen
    #[arg(long, value_name = "N")]
    epochs: Option<u64>,

    /// End after so many epochs in a row without a better one on the validation part
    #[arg(long, value_name = "EPOCHS")]
    patience: Option<u64>,

    /// The seed of everything random in training
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// End after so long, such as 10m or 1h30m; `barun resume` goes on with more
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    max_time: Option<Duration>,

    /// What the doctor may do: advise, repair, or off [default: advise]
    #[arg(long, value_name = "MODE")]
    doctor: Option<String>,

    /// f32, bf16 or f64
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
            ("data.augment", "--augment", &self.augment),
            ("data.images.size", "--image-size", &self.image_size),
            ("model", "--model", &self.model),
            ("train.precision", "--precision", &self.precision),
            ("doctor.mode", "--doctor", &self.doctor),
            ("data.split.method", "--split", &self.split),
            ("data.split.group", "--group", &self.group),
            ("data.split.time", "--time", &self.time),
            ("data.split.part", "--part-column", &self.part_column),
            ("data.valid_source", "--valid-data", &self.valid_data),
            ("data.test_source", "--test-data", &self.test_data),
        ];
        for (key, argument, text) in texts {
            if let Some(text) = text {
                draft.set_text(key, text, argument)?;
            }
        }
        if !self.ignore.is_empty() {
            draft.set_texts("data.ignore", &self.ignore, "--ignore")?;
        }
        if self.skip_unreadable {
            draft.set_value("data.images.skip_unreadable", "true", "--skip-unreadable")?;
        }
        let numbers = [
            ("train.epochs", "--epochs", self.epochs),
            ("train.early_stopping.patience", "--patience", self.patience),
            ("train.seed", "--seed", self.seed),
            ("data.split.folds", "--folds", self.folds),
        ];
        for (key, argument, number) in numbers {
            if let Some(number) = number {
                draft.set_value(key, &number.to_string(), argument)?;
            }
        }
        if let Some(time) = self.max_time {
            draft.set_value("train.max_seconds", &format!("{:?}", time.as_secs_f64()), "--max-time")?;
        }
        // Last, because `--model` replaces all of [model]: what is set in it must be set in the new one.
        for assignment in &self.assignments {
            draft.set(assignment)?;
        }
        let recipe = draft.resolve()?;
        match barun_doctor::unknown_rule(&recipe.doctor.acknowledge) {
            Some(message) => Err(Error::Acknowledge(message)),
            None => Ok(recipe),
        }
    }
}
