//! What the model is worth on rows it has not seen.

use barun_view::chart::{Chart, HeatMap, ReliabilityBin, ReliabilityChart};
use barun_view::report::{Block, Figure, Section, Table};

use super::Run;
use crate::judgement::Judgement;
use crate::metrics::{ClassFigures, Evaluation};
use crate::progress::{figure_text, thousands};

/// With more classes than this the table shows those that are found worst.
const MOST_CLASSES: usize = 40;

pub(super) fn section(run: &Run) -> Option<Section> {
    let judgement = run.outcome.as_ref()?.judgement.as_ref()?;
    let evaluation = &judgement.evaluation;
    let lead = format!(
        "The {} part, {} rows. Of 100 such intervals about {:.0} hold the figure that all rows of this kind would give.",
        judgement.part,
        thousands(evaluation.rows as f64),
        100.0 * evaluation.confidence
    );
    let section = Section::new("On unseen rows").lead(lead);
    Some(
        section
            .block(Block::Table(figures(judgement)))
            .block(Block::Charts(charts(evaluation)))
            .block(classes(evaluation)),
    )
}

fn figures(judgement: &Judgement) -> Table {
    let baselines = judgement.baselines.iter().map(|baseline| baseline.name.clone());
    let header = ["figure", "model", "interval"].map(str::to_string);
    let mut table = Table::new(header.into_iter().chain(baselines));
    for (measure, figure) in &judgement.evaluation.figures {
        let interval = match figure.low.is_finite() {
            true => format!("{} – {}", figure_text(figure.low), figure_text(figure.high)),
            false => "–".to_string(),
        };
        let others = judgement.baselines.iter().map(|baseline| {
            baseline.figures.get(measure).map_or("–".to_string(), |figure| shown(figure.value))
        });
        let own = [measure.name().replace('_', " "), shown(figure.value), interval];
        table = table.row(own.into_iter().chain(others));
    }
    let about: Vec<String> =
        judgement.baselines.iter().map(|baseline| format!("{}: {}", baseline.name, baseline.about)).collect();
    let unanswered = match judgement.evaluation.unanswered {
        0 => String::new(),
        rows => format!(" For {} rows the model gave no number.", thousands(rows as f64)),
    };
    let caption = if about.is_empty() { String::new() } else { format!("Baselines: {}.", about.join("; ")) };
    Table { caption: caption + &unanswered, ..table }
}

/// A figure, or a dash where there is none.
pub(super) fn shown(figure: f64) -> String {
    if figure.is_nan() { "–".to_string() } else { figure_text(figure) }
}

fn charts(evaluation: &Evaluation) -> Vec<Figure> {
    let mut charts = Vec::new();
    if !evaluation.confusion.is_empty() {
        let names = evaluation.classes.iter().map(|class| class.class.clone()).collect();
        let title = "What was taken for what".to_string();
        let chart = HeatMap { title, names, counts: evaluation.confusion.clone() };
        charts.push(
            Figure::new(Chart::Heat(chart))
                .caption("Right answers lie on the diagonal; shades are shares of a row."),
        );
    }
    if !evaluation.reliability.is_empty() {
        let bins = evaluation.reliability.iter().map(|bin| ReliabilityBin {
            low: bin.low,
            high: bin.high,
            rows: bin.rows,
            confidence: bin.confidence,
            accuracy: bin.accuracy,
        });
        let chart = ReliabilityChart { title: "Is it as sure as it is right?".into(), bins: bins.collect() };
        let caption = "Bars below the line: it is surer than right. The darker, the more rows.";
        charts.push(Figure::new(Chart::Reliability(chart)).caption(caption));
    }
    charts
}

fn classes(evaluation: &Evaluation) -> Block {
    let mut classes: Vec<(usize, &ClassFigures)> = evaluation.classes.iter().enumerate().collect();
    let mut caption = String::new();
    if classes.len() > MOST_CLASSES {
        caption = format!("The {MOST_CLASSES} of {} classes that are found worst.", classes.len());
        classes.sort_by(|(_, a), (_, b)| a.f1.total_cmp(&b.f1));
        classes.truncate(MOST_CLASSES);
    }
    let mut table = Table::new(["class", "rows", "precision", "recall", "f1", "most often taken for"]);
    for (at, class) in classes {
        let taken_for = taken_for(evaluation, at).map_or(String::new(), |(other, count)| {
            format!("{} ({})", evaluation.classes[other].class, thousands(count as f64))
        });
        table = table.row([
            class.class.clone(),
            thousands(class.rows as f64),
            shown(class.precision),
            shown(class.recall),
            shown(class.f1),
            taken_for,
        ]);
    }
    Block::Table(Table { caption, ..table })
}

/// For which other class a class is taken most often, of equals the first, and how often.
fn taken_for(evaluation: &Evaluation, class: usize) -> Option<(usize, u64)> {
    let counts = evaluation.confusion.get(class)?;
    let others = (0..counts.len()).filter(|&other| other != class && counts[other] > 0).rev();
    others.max_by_key(|&other| counts[other]).map(|other| (other, counts[other]))
}
