//! `barun train`: from data or a recipe to a run folder.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use barun_train::diagnosis::{Diagnosis, Finding, Level};
use barun_train::memory::parse_bytes;
use barun_train::progress::metrics_text;
use barun_train::report::{SeedsReport, TrainReport};
use barun_train::request::{TrainRequest, train_seeds};
use barun_train::run::page_of;
use barun_train::seeds::Spreads;
use clap::Args;

use crate::common::Common;
use crate::error::Result;
use crate::follow::Follow;
use crate::recipe::RecipeArguments;
use crate::{Outcome, output};

/// Train a network
///
/// What to train on is a recipe (a .toml file) or data: `digits`, `mnist` or another name of `barun list data`, a table (.csv,
/// .tsv, .parquet), NumPy arrays (.npy, .npz), or a folder (or its .zip) with a folder of images for each class. `barun list
/// keys` shows everything a recipe can say. What is decided about the data - columns and rows that are left out, what the
/// target is taken for, the size of images - is said on standard error.
///
/// The run folder gets the resolved recipe, log.jsonl, checkpoints/{best,last}.safetensors, report.html and event files for
/// TensorBoard. The weights of the best epoch
/// on the validation part are kept (classes: the highest accuracy, then the lowest loss; numbers: the lowest loss); the test
/// part is looked at once, at the end, and looks are counted over all runs. What is wrong with the data is told before anything
/// is trained; `barun check` tells it without training. The doctor looks into the network while it learns, tells what is wrong
/// as it arises and the root cause at the end, and changes nothing; `--doctor off` sends it away. With `--doctor repair` it also
/// tries what mends a finding on copies of the run, in at most a tenth of the planned steps (doctor.budget), and goes on with what
/// is better by more than chance. If an error of the doctor stands at the end, everything is written and the exit code is 3;
/// doctor.acknowledge names rules that are not to count. Ctrl-C ends the run after the running step, its state saved; `barun
/// resume` goes on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun train digits
  barun train houses.csv --target price --epochs 100
  barun train mnist --model cnn --epochs 3 --data-dir ~/data --out runs/digits-by-cnn
  barun train pets --model cnn --augment natural --image-size 64
  barun train recipe.toml --set train.lr=3e-4 --set model.hidden=[256,128]
  barun train houses.csv --target price --doctor repair --set doctor.budget=0.5
  barun train digits --print-recipe > recipe.toml     a recipe to begin with

With --json the last thing on standard output is one document: run, params, epochs, train, valid, test (each with
loss and accuracy, or mae, rmse and r2), gap, findings[] of the data's checks, doctor (mode, watched, findings[] with
rule, name, level, layer, step, value, threshold, message, why, evidence[], cure[]; repairs[] with step, findings[], outcome,
trials[] and confirmed with name, loss, unchanged_loss, gain, standard_error, orders, then trial_steps, cost_steps, back_to, set[],
before; repair_notes[], course[]), judgement (all figures on the test part with 95 % bootstrap intervals, baselines[],
earlier_looks), seconds, samples_per_second, seed, notes[], interrupted, stopped. With --seeds: run, seeds[],
train, valid, test, judged (of each figure mean, sd, min, max and runs), best_seed, runs[] with a document each. With
--folds: run, judged (likewise), folds[] with a document each.")]
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

    /// Show curves and progress on the whole terminal while it trains
    #[arg(long)]
    tui: bool,

    /// Write no report.html and no event files for TensorBoard
    #[arg(long)]
    no_report: bool,

    /// Train so many times, with the recipe's seed and those after it: figures with mean and spread, a run folder each
    #[arg(long, value_name = "N", conflicts_with = "print_recipe")]
    seeds: Option<NonZeroUsize>,

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
            report: !self.no_report,
            machine,
        };
        let follow = Follow::new(self.tui, &request.machine, &request.recipe);
        if let Some(seeds) = self.seeds {
            let seeds = seeds.get();
            let report = train_seeds(&request, seeds, &mut |number, seed| follow.seed(number, seeds, seed))?;
            return finish_seeds(&report, self.common.json);
        }
        if request.recipe.data.split.folds > 0 && request.recipe.data.split.fold == 0 {
            return cross_validate(&request, &follow, self.common.json);
        }
        let report = follow.through(|callback| barun_train::train(&request, callback))?;
        finish(&report, self.common.json)
    }
}

/// Tells how the trainings of several seeds have ended.
pub fn finish_seeds(report: &SeedsReport, as_json: bool) -> Result<Outcome> {
    if as_json {
        output::json(report)?;
    } else {
        output::text(&seeds_summary(report))?;
    }
    Ok(outcome(report.interrupted, report.runs.iter()))
}

/// How trainings ended: an error that stands in any of them is one of all.
fn outcome<'a>(interrupted: bool, mut runs: impl Iterator<Item = &'a TrainReport>) -> Outcome {
    // What the checks of the data find is told before training, and says that figures mean less, not that the run failed.
    let is_of_data = |finding: &Finding| matches!(finding.rule.as_str(), "R24" | "R25" | "R26");
    let is_grave = |finding: &Finding| finding.level == Level::Error && !is_of_data(finding);
    let is_sick =
        |run: &TrainReport| run.doctor.as_ref().is_some_and(|doctor| doctor.findings.iter().any(is_grave));
    match interrupted {
        true => Outcome::Interrupted,
        false if runs.any(is_sick) => Outcome::Sick,
        false => Outcome::Done,
    }
}

fn seeds_summary(report: &SeedsReport) -> String {
    let mut rows = Vec::new();
    for (part, spread) in [("train", &report.train), ("valid", &report.valid), ("test", &report.test)] {
        if !spread.is_empty() {
            rows.push((part.to_string(), spread.to_string()));
        }
    }
    rows.extend(spread_rows(&report.judged));
    rows.push(("runs".to_string(), report.run.display().to_string()));
    if report.interrupted {
        rows.push(("go on".to_string(), format!("barun resume {}", report.run.display())));
    }
    let ended = if report.interrupted { "interrupted" } else { "done" };
    let best = report.best_seed.map_or(String::new(), |seed| format!(", best seed {seed}"));
    let (seeds, seconds) = (report.seeds.len(), report.seconds);
    format!(
        "{ended} with {seeds} seeds in {seconds:.1} s{best}; mean +- deviation\n{}",
        output::columns(&rows)
    )
}

/// Tells how a training has ended.
pub fn finish(report: &TrainReport, as_json: bool) -> Result<Outcome> {
    if let Some(note) = report.judgement.as_ref().and_then(|judgement| judgement.note.as_ref()) {
        output::note(note);
    }
    if as_json {
        output::json(report)?;
    } else {
        output::text(&summary(report))?;
    }
    Ok(outcome(report.interrupted, std::iter::once(report)))
}

/// What the doctor says in the end, under a table.
fn diagnosis_text(diagnosis: &Diagnosis) -> String {
    diagnosis.closing_lines().iter().map(|line| format!("{line}\n")).collect()
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
    let page = report.run.as_ref().map(|run| page_of(run)).filter(|page| page.is_file());
    rows.extend(page.map(|page| ("report".to_string(), page.display().to_string())));
    if let Some(run) = report.run.as_ref().filter(|_| report.interrupted || report.is_out_of_time) {
        rows.push(("go on".to_string(), format!("barun resume {}", run.display())));
    }
    let judgement = report.judgement.as_ref().map_or(String::new(), |judgement| judgement.table());
    let doctor = report.doctor.as_ref().map_or(String::new(), diagnosis_text);
    format!(
        "{ended} after {} epochs in {:.1} s ({:.0} samples/s), best epoch {}\n{}{judgement}{doctor}",
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
fn cross_validate(request: &TrainRequest, follow: &Follow, json: bool) -> Result<Outcome> {
    let report = follow.through(|callback| barun_train::cross_validate(request, callback))?;
    if json {
        output::json(&report)?;
    } else {
        let ended = if report.interrupted { "interrupted" } else { "done" };
        let mut rows = spread_rows(&report.judged);
        rows.push(("runs".to_string(), report.run.display().to_string()));
        let (folds, rows) = (report.folds.len(), output::columns(&rows));
        output::text(&format!("{ended} with {folds} folds; mean +- deviation on the rows left out\n{rows}"))?;
    }
    Ok(outcome(report.interrupted, report.folds.iter()))
}

fn spread_rows(judged: &Spreads) -> Vec<(String, String)> {
    judged.iter().map(|(measure, spread)| (measure.name().to_string(), spread.to_string())).collect()
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
            doctor: None,
            judgement: None,
            seconds: 12.34,
            samples_per_second: 1234.5,
            seed: 7,
            interrupted: false,
            stopped: None,
            is_out_of_time: false,
            notes: Vec::new(),
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
