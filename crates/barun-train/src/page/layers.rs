//! Inside the network: its layers, how their weights are distributed now and at the start, and what they give.

use barun_view::Histogram;
use barun_view::chart::{Chart, HistogramChart};
use barun_view::report::{Block, Figure, Section, Table};

use super::Run;
use crate::details::{Activations, Layers, Weights};
use crate::progress::{figure_text, thousands};

/// No more histograms than this of each kind are drawn.
const MOST: usize = 24;
/// Layers that only pass on what they get.
const PASSING: &[&str] = &["Flatten", "Dropout", "Identity"];

pub(super) fn section(run: &Run) -> Option<Section> {
    let layers = run.details.as_ref()?.layers.as_ref()?;
    let (rows, part) = &layers.rows;
    let section = Section::new("Inside the network")
        .block(Block::Table(calls(layers)))
        .block(Block::SmallCharts {
            heading: "Weights, as they were kept and before the first step".into(),
            figures: weights(&layers.weights),
        })
        .block(Block::SmallCharts {
            heading: format!("Activations, what layers give of {rows} rows of the {part} part"),
            figures: activations(layers),
        });
    Some(section)
}

fn calls(layers: &Layers) -> Table {
    let mut table = Table::new(["layer", "kind", "gives", "parameters"]);
    for call in &layers.calls {
        let shape = call.output.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
        table = table.row([call.path.clone(), call.kind.clone(), shape, thousands(call.params as f64)]);
    }
    table
}

fn weights(weights: &[Weights]) -> Vec<Figure> {
    // Of many parameters the matrices and kernels say most.
    let is_large = |weights: &&Weights| weights.shape.len() > 1;
    let shown: Vec<&Weights> = match weights.len() <= MOST {
        true => weights.iter().collect(),
        false => weights.iter().filter(is_large).take(MOST).collect(),
    };
    let figure = |weights: &&Weights| {
        let shape = weights.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
        // One number has no deviation.
        let (what, start, now) = match weights.now.total() {
            1 => ("value", weights.start.mean, weights.now.mean),
            _ => ("deviation", weights.start.deviation, weights.now.deviation),
        };
        let (start, now) = (figure_text(start), figure_text(now));
        let caption = format!("{shape}, {what} {start} → {now}{}", not_finite(&weights.now));
        let before = Some(("before".to_string(), weights.start.clone()));
        let chart = HistogramChart { title: weights.path.clone(), now: weights.now.clone(), before };
        Figure::new(Chart::Histogram(chart)).caption(caption)
    };
    shown.iter().map(figure).collect()
}

fn activations(layers: &Layers) -> Vec<Figure> {
    let kind_of = |path: &str| {
        let call = layers.calls.iter().find(|call| call.path == path);
        call.map_or(String::new(), |call| call.kind.clone())
    };
    let figure = |activations: &Activations| {
        let kind = kind_of(&activations.path);
        if PASSING.contains(&kind.as_str()) {
            return None;
        }
        let values = &activations.values;
        let zeros = 100.0 * values.zeros as f64 / values.total().max(1) as f64;
        let (mean, deviation) = (figure_text(values.mean), figure_text(values.deviation));
        let mut caption = format!("mean {mean}, deviation {deviation}");
        if zeros >= 0.05 {
            caption.push_str(&format!(", {zeros:.1} % zeros"));
        }
        let title = format!("{} {kind}", activations.path);
        let chart = HistogramChart { title, now: values.clone(), before: None };
        Some(Figure::new(Chart::Histogram(chart)).caption(caption + &not_finite(values)))
    };
    layers.activations.iter().filter_map(figure).take(MOST).collect()
}

fn not_finite(histogram: &Histogram) -> String {
    match histogram.not_finite {
        0 => String::new(),
        count => format!(", {} not finite", thousands(count as f64)),
    }
}
