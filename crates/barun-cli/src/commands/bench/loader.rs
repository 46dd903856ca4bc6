//! `barun bench loader`: whether the loader keeps up.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use barun_bench::{LoaderReport, LoaderSettings, Pace};
use clap::Args;

use super::Measuring;
use crate::error::Result;
use crate::{Outcome, output};

/// Measure an epoch over images from disk against its steps alone
///
/// The images are shuffled, and each is shifted by up to two pixels at random, on the loader's thread. The steps alone train
/// on one batch that waits in memory. If loading costs nothing the ratio of the two times is 1.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: data, model, threads, batch, steps, open_seconds, epoch_seconds, waiting_seconds (in which the step waited for
the loader), us_per_step_alone, ratio (epoch_seconds over those of its steps alone), images_per_second,
loader_images_per_second (when nothing else computes).")]
pub struct Loader {
    /// A set of images by name
    #[arg(value_name = "DATA", default_value = "mnist")]
    data: String,

    /// Folder with the data sets
    #[arg(long, value_name = "FOLDER", env = "BARUN_DATA")]
    data_dir: Option<PathBuf>,

    /// The model by name
    #[arg(long, value_name = "NAME", default_value = "cnn")]
    model: String,

    /// Images in a batch
    #[arg(long, value_name = "N", default_value = "64")]
    batch: NonZeroUsize,

    /// Train on so many images [default: all of the training set]
    #[arg(long, value_name = "N")]
    images: Option<NonZeroUsize>,

    #[command(flatten)]
    measuring: Measuring,
}

impl Loader {
    pub fn run(self) -> Result<Outcome> {
        let settings = LoaderSettings {
            data: self.data,
            data_dir: self.data_dir,
            model: self.model,
            batch: self.batch.get(),
            images: self.images.map(NonZeroUsize::get),
            threads: self.measuring.threads(),
        };
        let measure =
            |tell: &mut barun_bench::Tell<'_>| barun_bench::loader(&settings, &Pace::default(), tell);
        self.measuring.report(measure, table)
    }
}

fn table(report: &LoaderReport) -> String {
    let rows = [
        ("reading the files", format!("{:>10.2} s", report.open_seconds)),
        ("epoch", format!("{:>10.2} s  {:.0} images/s", report.epoch_seconds, report.images_per_second)),
        ("waiting for the loader", format!("{:>10.2} s", report.waiting_seconds)),
        ("a step alone", format!("{:>10.1} us", report.us_per_step_alone)),
        ("epoch over its steps alone", format!("{:>10.3} x", report.ratio)),
        ("the loader alone", format!("{:>10.0} images/s", report.loader_images_per_second)),
    ];
    let LoaderReport { data, model, steps, batch, threads, .. } = report;
    format!(
        "{data}, {model}, {steps} steps of {batch}, {threads} threads\n{}",
        output::columns(&rows.map(|(name, value)| (name.to_string(), value)))
    )
}
