//! What people ask for first: what was trained, for how long, and how good it is.

use std::path::Path;

use barun_view::report::{Notice, Severity, Tile};

use super::Run;
use super::judgement::shown;
use crate::judgement::Judgement;
use crate::metrics::{Figure, Measure, Metrics};
use crate::progress::{duration_text, thousands};
use crate::recipe::Recipe;

/// The name of the data without its folder.
pub(super) fn data_name(recipe: &Recipe) -> String {
    let source = Path::new(&recipe.data.source);
    source.file_name().map_or(recipe.data.source.clone(), |name| name.to_string_lossy().into_owned())
}

pub(super) fn lead(run: &Run) -> String {
    let trained = run.records.last().map_or(0, |record| record.epoch);
    let planned = run.recipe.train.epochs.unwrap_or(trained);
    let seconds = match (&run.outcome, run.records.last()) {
        (Some(outcome), _) => outcome.seconds,
        (None, Some(record)) => record.seconds,
        (None, None) => 0.0,
    };
    let mut lead = format!("Trained for {trained} of {planned} epochs in {}", time_text(seconds));
    if let Some(details) = &run.details {
        lead.push_str(&format!(" on {} rows", thousands(details.data.parts[0] as f64)));
        lead.push_str(&format!(" to predict '{}'", details.data.target));
    }
    if let Some(best) = run.best() {
        lead.push_str(&format!("; the weights of epoch {} were kept", best.epoch));
    }
    if let Some(details) = &run.details {
        lead.push_str(&format!(". {}", details.made_with.ended.replace('T', " ").replace('Z', " UTC")));
    }
    lead + "."
}

pub(super) fn tiles(run: &Run) -> Vec<Tile> {
    let mut tiles = Vec::new();
    let outcome = run.outcome.as_ref();
    if let Some(judgement) = outcome.and_then(|outcome| outcome.judgement.as_ref()) {
        tiles.extend(judged_tiles(judgement));
    }
    let best = run.best();
    let valid = outcome.and_then(|outcome| outcome.valid).or(best.and_then(|best| best.valid));
    let train = outcome.map(|outcome| outcome.train).or(best.map(|best| best.train));
    // An interrupted run has figures of an epoch on its way, or of none.
    let train = train.filter(|train| train.loss.is_finite());
    for (part, metrics) in [("valid", valid), ("train", train)] {
        tiles.extend(metrics.and_then(|metrics| part_tile(part, &metrics)));
    }
    if let Some(gap) = outcome.and_then(|outcome| outcome.gap)
        && let Some(tile) = tiles.last_mut().filter(|tile| tile.name.starts_with("train"))
    {
        tile.detail = format!("{gap:+.4} over valid");
    }
    if let Some(outcome) = outcome {
        let speed = format!("{} rows a second", thousands(outcome.samples_per_second));
        tiles.push(Tile { name: "time".into(), value: time_text(outcome.seconds), detail: speed });
        let params = thousands(outcome.params as f64);
        tiles.push(Tile { name: "parameters".into(), value: params, detail: String::new() });
    }
    tiles
}

/// The figure that people ask for first, and beside it what one gets without a network.
fn judged_tiles(judgement: &Judgement) -> Vec<Tile> {
    let figures = &judgement.evaluation.figures;
    let (first, second) = match figures.contains_key(&Measure::Accuracy) {
        true => (Measure::Accuracy, Measure::F1Macro),
        false => (Measure::Rmse, Measure::R2),
    };
    let tile = |measure: Measure, figure: &Figure| Tile {
        name: format!("{} {}", judgement.part, measure.name().replace('_', " ")),
        value: shown(figure.value),
        detail: match figure.low.is_finite() {
            true => format!("{} to {}", shown(figure.low), shown(figure.high)),
            false => String::new(),
        },
    };
    let mut tiles: Vec<Tile> = [first, second]
        .into_iter()
        .filter_map(|measure| Some(tile(measure, figures.get(&measure)?)))
        .collect();
    let of_baseline = |name: &str| {
        let baseline = judgement.baselines.iter().find(|baseline| baseline.name == name)?;
        Some((baseline, baseline.figures.get(&first)?))
    };
    if let Some((baseline, figure)) = of_baseline("linear").or_else(|| of_baseline("constant")) {
        tiles.push(Tile {
            name: format!("{} baseline", baseline.name),
            value: shown(figure.value),
            detail: format!("{} on the same rows", first.name()),
        });
    }
    tiles
}

fn part_tile(part: &str, metrics: &Metrics) -> Option<Tile> {
    let (name, value) = match (metrics.accuracy, metrics.rmse) {
        (Some(accuracy), _) => ("accuracy", accuracy),
        (None, Some(rmse)) => ("rmse", rmse),
        (None, None) => return None,
    };
    Some(Tile { name: format!("{part} {name}"), value: shown(value), detail: String::new() })
}

fn time_text(seconds: f64) -> String {
    if seconds < 60.0 { format!("{seconds:.1} s") } else { duration_text(seconds) }
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

pub(super) fn notices(run: &Run) -> Vec<Notice> {
    let notice = |severity, text: String, advice: &str| Notice::new(severity, text).advice(advice);
    let mut notices = Vec::new();
    match &run.outcome {
        None => notices.push(notice(
            Severity::Note,
            "The run has not come to its end, or broke off.".into(),
            "`barun resume` goes on with it; `barun report` writes this page anew.",
        )),
        Some(outcome) if outcome.interrupted => notices.push(notice(
            Severity::Note,
            "The run was interrupted.".into(),
            "`barun resume` goes on with it.",
        )),
        Some(outcome) => {
            if let Some(reason) = &outcome.stopped {
                notices.push(notice(Severity::Note, format!("The run was stopped: {reason}."), ""));
            }
        }
    }
    let skipped: usize = run.records.iter().map(|record| record.skipped_steps).sum();
    if skipped > 0 {
        notices.push(notice(
            Severity::Warning,
            format!(
                "{} steps were not taken, because their loss or gradient was not finite.",
                thousands(skipped as f64)
            ),
            "A smaller learning rate, or a look at the data's extreme values, helps in most cases.",
        ));
    }
    if let Some(judgement) = run.outcome.as_ref().and_then(|outcome| outcome.judgement.as_ref()) {
        if let Some(verdict) = judgement.verdict() {
            notices.push(notice(Severity::Warning, verdict, "What it has learnt can be had without it."));
        }
        if let Some(note) = &judgement.note {
            notices.push(notice(Severity::Note, sentence(note), ""));
        }
    }
    notices
}
