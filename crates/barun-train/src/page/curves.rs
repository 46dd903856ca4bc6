//! How the run went: its figures by epoch, the loss by step, the learning rate.

use barun_view::Scale;
use barun_view::chart::{Chart, LineChart, Mark, Series};
use barun_view::report::{Block, Figure, Section, Table};

use super::Run;
use crate::log::EpochRecord;
use crate::metrics::Metrics;
use crate::progress::{figure_text, thousands};

pub(super) fn section(run: &Run) -> Option<Section> {
    let first = run.records.first()?;
    let figures: Vec<&'static str> = first.train.named().map(|(name, _)| name).collect();
    if run.records.len() == 1 {
        let charts = by_step(run).into_iter().collect();
        return Some(
            Section::new("Curves").block(Block::Table(one_epoch(first))).block(Block::Charts(charts)),
        );
    }
    let mut charts: Vec<Figure> = figures.into_iter().map(|figure| by_epoch(run, figure)).collect();
    charts.extend(by_step(run));
    charts.push(learning_rate(run));
    let section = Section::new("Curves").lead(
        "The training part is measured while the weights change and with dropout on, the validation part after each epoch \
         and without: so at first the validation part may look better.",
    );
    Some(section.block(Block::Charts(charts)))
}

/// One point is no curve.
fn one_epoch(record: &EpochRecord) -> Table {
    let mut table = Table::new(["after one epoch", "train", "valid"]);
    for (name, figure) in record.train.named() {
        let of_valid = record.valid.and_then(|valid| valid.named().find(|(other, _)| *other == name));
        let valid = of_valid.map_or("–".to_string(), |(_, figure)| figure_text(figure));
        table = table.row([name.to_string(), figure_text(figure), valid]);
    }
    table
}

fn by_epoch(run: &Run, figure: &'static str) -> Figure {
    let points = |metrics: &dyn Fn(&EpochRecord) -> Option<Metrics>| {
        let point = |record: &EpochRecord| {
            let found = metrics(record)?.named().find(|(name, _)| *name == figure)?.1;
            Some((record.epoch as f64, found))
        };
        run.records.iter().filter_map(point).collect::<Vec<(f64, f64)>>()
    };
    let parts = [
        Series { name: "train".into(), points: points(&|record| Some(record.train)) },
        Series { name: "valid".into(), points: points(&|record| record.valid) },
    ];
    let mark = run.best().map(|best| Mark { x: best.epoch as f64, label: format!("best: {}", best.epoch) });
    Figure::new(Chart::Line(LineChart {
        title: title_of(figure).into(),
        x_label: "epoch".into(),
        y_label: figure.into(),
        series: parts.into_iter().filter(|part| !part.points.is_empty()).collect(),
        mark,
        ..LineChart::default()
    }))
}

fn title_of(figure: &str) -> &str {
    match figure {
        "loss" => "Loss",
        "accuracy" => "Accuracy",
        "mae" => "Mean absolute error",
        "rmse" => "Root mean squared error",
        "r2" => "Explained variance, R2",
        other => other,
    }
}

fn by_step(run: &Run) -> Option<Figure> {
    let losses = &run.details.as_ref()?.losses;
    let points: Vec<(f64, f64)> = losses.points().collect();
    if points.len() < 2 {
        return None;
    }
    let caption = match losses.stride() {
        1 => String::new(),
        steps => format!("Each point is the mean of {} steps.", thousands(steps as f64)),
    };
    let series = vec![Series { name: "loss of a batch".into(), points }];
    let chart = LineChart {
        title: "Loss, step by step".into(),
        x_label: "step".into(),
        y_label: "loss".into(),
        series,
        ..LineChart::default()
    };
    Some(Figure::new(Chart::Line(chart)).caption(caption))
}

fn learning_rate(run: &Run) -> Figure {
    let points = run.records.iter().map(|record| (record.epoch as f64, record.lr)).collect();
    Figure::new(Chart::Line(LineChart {
        title: "Learning rate".into(),
        x_label: "epoch".into(),
        y_label: "at the epoch's last step".into(),
        y_scale: Scale::FromZero,
        series: vec![Series { name: "learning rate".into(), points }],
        ..LineChart::default()
    }))
}
