//! `barun runs`: what has been trained, and in what runs differ.

use std::path::PathBuf;

use barun_train::metrics::Metrics;
use barun_train::progress::{duration_text, figure_text, metrics_text};
use barun_train::runs::{Comparison, RunSummary, compare, list};
use clap::Args;

use crate::error::Result;
use crate::{Outcome, output};

/// List runs, or compare some
///
/// With a folder its runs are listed, those of several seeds too. With two or more runs they are compared: the keys in which
/// their recipes differ, and their figures.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun runs
  barun runs ~/experiments --json
  barun runs runs/digits-mlp-1 runs/digits-mlp-2     what differs

With --json: runs[] with run, data, model, seed, status, epochs, epochs_planned, best_epoch, valid, test, seconds;
unreadable[]; of compared runs differences[] with path and values[] in the order of runs[].")]
pub struct Runs {
    /// A folder of runs [default: runs], or several runs
    #[arg(value_name = "FOLDER")]
    paths: Vec<PathBuf>,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Runs {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        if self.paths.len() > 1 {
            let comparison = compare(&self.paths)?;
            return self.show(&comparison, comparison_text(&comparison));
        }
        let folder = self.paths.first().cloned().unwrap_or("runs".into());
        let found = list(&folder)?;
        found.unreadable.iter().for_each(|unreadable| output::note(&format!("not readable: {unreadable}")));
        let text = match found.runs.is_empty() {
            true => format!("there are no runs in {}\n", folder.display()),
            false => table(&found.runs),
        };
        self.show(&found, text)
    }

    fn show(&self, document: &impl serde::Serialize, text: String) -> Result<Outcome> {
        if self.json {
            output::json(document)?;
        } else {
            output::text(&text)?;
        }
        Ok(Outcome::Done)
    }
}

fn table(runs: &[RunSummary]) -> String {
    let header = ["run", "data", "model", "seed", "epochs", "best", "valid", "test", "time", "status"];
    let row = |run: &RunSummary| {
        vec![
            run.run.display().to_string(),
            run.data.clone(),
            run.model.clone(),
            run.seed.to_string(),
            format!("{}/{}", run.epochs, run.epochs_planned),
            run.best_epoch.map_or("-".to_string(), |epoch| epoch.to_string()),
            headline(run.valid.as_ref()),
            headline(run.test.as_ref()),
            duration_text(run.seconds),
            run.status.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> =
        std::iter::once(header.map(str::to_string).to_vec()).chain(runs.iter().map(row)).collect();
    output::table(&rows)
}

/// The figure that people ask for first.
fn headline(metrics: Option<&Metrics>) -> String {
    let named = |name: &str, figure: Option<f64>| Some(format!("{name} {}", figure_text(figure?)));
    let text = metrics
        .and_then(|metrics| named("accuracy", metrics.accuracy).or_else(|| named("rmse", metrics.rmse)));
    text.unwrap_or("-".to_string())
}

fn comparison_text(comparison: &Comparison) -> String {
    let names = comparison.runs.iter().map(|run| run.run.display().to_string());
    let mut rows = vec![std::iter::once(String::new()).chain(names).collect::<Vec<String>>()];
    let mut add = |name: &str, values: Vec<String>| {
        rows.push(std::iter::once(name.to_string()).chain(values).collect());
    };
    let mut of_runs = |name: &str, value: &dyn Fn(&RunSummary) -> String| {
        add(name, comparison.runs.iter().map(value).collect());
    };
    let figures = |metrics: &Option<Metrics>| metrics.as_ref().map_or("-".to_string(), metrics_text);
    of_runs("valid", &|run| figures(&run.valid));
    of_runs("test", &|run| figures(&run.test));
    of_runs("epochs", &|run| format!("{}/{}", run.epochs, run.epochs_planned));
    of_runs("time", &|run| duration_text(run.seconds));
    of_runs("status", &|run| run.status.to_string());
    for key in &comparison.differences {
        add(&key.path, key.values.clone());
    }
    let same = if comparison.differences.is_empty() { "their recipes are the same\n" } else { "" };
    output::table(&rows) + same
}
