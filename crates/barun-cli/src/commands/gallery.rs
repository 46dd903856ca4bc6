//! `barun gallery`: a picture of what a network gets to see.

use std::path::PathBuf;

use barun_train::request::{GalleryRequest, gallery};
use clap::Args;

use crate::common::Common;
use crate::error::{Error, Result};
use crate::recipe::RecipeArguments;
use crate::{Outcome, output};

/// Write a picture of training images, as they are and as augmentation varies them
///
/// Each row shows one image of the training part, then what the first epochs would make of it. Without augmentation every
/// image is a different one. Nothing is trained.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun gallery digits --augment digits --out digits.png
  barun gallery pets --augment natural --set data.augment.cutmix=1 --out pets.png
  barun gallery recipe.toml --out look.png --rows 12 --variants 8

With --json: picture, rows[] (the class of each), columns, varied.")]
pub struct Gallery {
    #[command(flatten)]
    recipe: RecipeArguments,

    /// The PNG file to write
    #[arg(long, value_name = "FILE", default_value = "gallery.png")]
    out: PathBuf,

    /// Write over an existing file
    #[arg(long)]
    force: bool,

    /// How many images
    #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u16).range(1..=100))]
    rows: u16,

    /// How many variants of each
    #[arg(long, value_name = "N", default_value = "7", value_parser = clap::value_parser!(u16).range(1..=100))]
    variants: u16,

    #[command(flatten)]
    common: Common,
}

impl Gallery {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        let recipe = self.recipe.resolve()?;
        if self.out.exists() && !self.force {
            return Err(Error::OutputExists(self.out.display().to_string()));
        }
        let machine = self.common.machine()?;
        let (rows, variants) = (self.rows.into(), self.variants.into());
        let report = gallery(&GalleryRequest { recipe, out: self.out, rows, variants, machine })?;
        if self.common.json {
            output::json(&report)?;
        } else {
            let shown = match report.varied {
                true => format!("an image in each row and {} variants of it", report.columns - 1),
                false => "images as they are; --augment digits shows them varied".to_string(),
            };
            output::text(&format!(
                "{}: {shown}, from the top {}\n",
                report.picture.display(),
                report.rows.join(", ")
            ))?;
        }
        Ok(Outcome::Done)
    }
}
