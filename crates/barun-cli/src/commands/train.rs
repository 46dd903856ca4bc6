//! `barun train`: from data or a recipe to a run folder.

use std::path::PathBuf;

use barun_train::memory::parse_bytes;
use barun_train::progress::{self, metrics_text};
use barun_train::report::{Spread, TrainReport};
use barun_train::request::TrainRequest;
use clap::Args;

use crate::common::Common;
use crate::error::Result;
use crate::recipe::RecipeArguments;
use crate::{Outcome, output};

/// Train a network
///
/// What to train on is a recipe (a .toml file) or data: `digits`, `mnist` or another name of `barun list data`, or a .csv or
/// .tsv file with a header. `barun list keys` shows everything a recipe can say.
///
/// The run folder gets the resolved recipe, log.jsonl and checkpoints/{best,last}.safetensors. The weights of the best epoch
/// on the validation part are kept (classes: the highest accuracy, then the lowest loss; numbers: the lowest loss); the test
/// part is looked at once, at the end, and looks are counted over all runs. What is wrong with the data is told before anything
/// is trained; `barun check` tells it without training. Ctrl-C ends the run after the running step, its state saved.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun train digits
  barun train houses.csv --target price --epochs 100
  barun train mnist --model cnn --epochs 3 --data-dir ~/data --out runs/digits-by-cnn
  barun train recipe.toml --set train.lr=3e-4 --set model.hidden=[256,128]
  barun train digits --print-recipe > recipe.toml     a recipe to begin with

With --json the last thing on standard output is one document: run, params, epochs, train, valid, test (each with
loss and accuracy, or mae, rmse and r2), gap, findings[] of the data's checks, judgement (all figures on the test part
with 95 % bootstrap intervals, baselines[], earlier_looks), seconds, samples_per_second, seed. With --folds: run, test (mean
and deviation of each figure), folds[] of such documents.")]
pub struct Train {
    #[command(flatten)]
    recipe: RecipeArguments,

    /// The run folder [default: runs/DATA-MODEL-NUMBER]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,

    /// Train over an earlier run in the run folder
    #[arg(long)]
    force: bool,

    /// The memory it may take, such as 2GiB: more is refused before anything is trained [default: what is free]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    memory_limit: Option<usize>,

    /// Print the recipe with every default written out, and train nothing
    #[arg(long)]
    print_recipe: bool,

    #[command(flatten)]
    common: Common,
}

impl Train {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        let recipe = self.recipe.resolve()?;
        if self.print_recipe {
            if self.common.json {
                output::json(&recipe.to_json())?;
            } else {
                output::text(&recipe.to_toml())?;
            }
            return Ok(Outcome::Done);
        }
        let machine = self.common.machine()?;
        let request = TrainRequest {
            recipe,
            out: self.out,
            force: self.force,
            memory_limit: self.memory_limit,
            machine,
        };
        if request.recipe.data.split.folds > 0 && request.recipe.data.split.fold == 0 {
            return cross_validate(&request, self.common.json);
        }
        let report = barun_train::train(&request, progress::for_stderr().as_mut())?;
        if let Some(note) = report.judgement.as_ref().and_then(|judgement| judgement.note.as_ref()) {
            eprintln!("note: {note}");
        }
        if self.common.json {
            output::json(&report)?;
        } else {
            output::text(&summary(&report))?;
        }
        Ok(if report.interrupted { Outcome::Interrupted } else { Outcome::Done })
    }
}

fn summary(report: &TrainReport) -> String {
    let mut rows = vec![("train".to_string(), metrics_text(&report.train))];
    rows.extend(report.valid.map(|valid| ("valid".to_string(), metrics_text(&valid))));
    rows.extend(report.test.map(|test| ("test".to_string(), metrics_text(&test))));
    let ended = match (&report.stopped, report.interrupted) {
        (_, true) => "interrupted".to_string(),
        (Some(reason), false) => format!("stopped: {reason}"),
        (None, false) => "done".to_string(),
    };
    rows.extend(report.gap.map(|gap| ("gap".to_string(), gap_text(gap))));
    rows.extend(report.run.as_ref().map(|run| ("run".to_string(), run.display().to_string())));
    let judgement = report.judgement.as_ref().map_or(String::new(), |judgement| judgement.table());
    format!(
        "{ended} after {} epochs in {:.1} s ({:.0} samples/s), best epoch {}\n{}{judgement}",
        report.epochs,
        report.seconds,
        report.samples_per_second,
        report.best_epoch,
        output::columns(&rows),
    )
}

fn gap_text(gap: f64) -> String {
    format!("{gap:+.4} from valid to train")
}

/// Trains once for each fold, and tells how the folds spread.
fn cross_validate(request: &TrainRequest, json: bool) -> Result<Outcome> {
    let report = barun_train::cross_validate(request, progress::for_stderr().as_mut())?;
    if json {
        output::json(&report)?;
    } else {
        let mut text =
            format!("{} folds, mean and standard deviation on their test parts\n", report.folds.len());
        let rows: Vec<(String, String)> = report
            .test
            .iter()
            .map(|(measure, spread)| (measure.name().to_string(), spread_text(spread)))
            .chain([("run".to_string(), report.run.display().to_string())])
            .collect();
        text.push_str(&output::columns(&rows));
        output::text(&text)?;
    }
    Ok(if report.interrupted { Outcome::Interrupted } else { Outcome::Done })
}

fn spread_text(spread: &Spread) -> String {
    match spread.deviation {
        Some(deviation) => format!("{:.4} +- {deviation:.4}", spread.mean),
        None => format!("{:.4}", spread.mean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barun_train::metrics::Metrics;

    #[test]
    fn the_summary_names_the_figures_of_each_part_and_the_run() {
        let metrics = Metrics { loss: 0.25, accuracy: Some(0.97), ..Metrics::default() };
        let report = TrainReport {
            run: Some("runs/digits-mlp-1".into()),
            params: 10,
            epochs: 10,
            best_epoch: 9,
            train: metrics,
            valid: Some(metrics),
            test: Some(metrics),
            gap: Some(0.0),
            findings: Vec::new(),
            judgement: None,
            seconds: 12.34,
            samples_per_second: 1234.5,
            seed: 7,
            interrupted: false,
            stopped: None,
        };
        assert_eq!(
            summary(&report),
            "done after 10 epochs in 12.3 s (1234 samples/s), best epoch 9\n\
             \x20 train  loss 0.2500  accuracy 0.9700\n\
             \x20 valid  loss 0.2500  accuracy 0.9700\n\
             \x20 test   loss 0.2500  accuracy 0.9700\n\
             \x20 gap    +0.0000 from valid to train\n\
             \x20 run    runs/digits-mlp-1\n"
        );
        let interrupted = TrainReport { interrupted: true, test: None, ..report };
        assert!(summary(&interrupted).starts_with("interrupted after"));
    }
}
