//! Where the model is wrong: its worst mistakes as pictures or rows, and of numbers how predictions lie beside targets.

use barun_view::Histogram;
use barun_view::chart::{Chart, Guide, HistogramChart, ScatterChart};
use barun_view::report::{Block, Card, Figure, Section, Table};

use super::Run;
use crate::details::{Input, Mistake, Mistakes};
use crate::progress::{figure_text, thousands};

pub(super) fn section(run: &Run) -> Option<Section> {
    let details = run.details.as_ref()?;
    let mistakes = details.mistakes.as_ref()?;
    let section = Section::new(match mistakes.wrong {
        Some(_) => "Worst mistakes",
        None => "Residuals and worst mistakes",
    });
    let rows = thousands(mistakes.rows as f64);
    let section = section.lead(match mistakes.wrong {
        Some(0) => format!("None: each of {rows} rows was found."),
        Some(1) => format!("1 of {rows} rows was taken for another class."),
        Some(wrong) => format!(
            "{} of {rows} rows were taken for another class; first those of whose true class the model was least sure.",
            thousands(wrong as f64)
        ),
        None => "A residual is a prediction minus what it should have been.".to_string(),
    });
    let section = section.block(Block::Charts(residuals(mistakes, &details.data.target)));
    let section = section.block(Block::Cards(mistakes.worst.iter().filter_map(card).collect()));
    let section = section.block(Block::Table(table(mistakes)));
    // That there is no mistake is worth a section too.
    Some(if section.is_empty() { section.block(Block::Text("Nothing to show.".into())) } else { section })
}

fn residuals(mistakes: &Mistakes, target: &str) -> Vec<Figure> {
    let pairs: Vec<(f64, f64)> =
        mistakes.pairs.iter().filter_map(|(actual, predicted)| Some((*actual, (*predicted)?))).collect();
    if pairs.is_empty() {
        return Vec::new();
    }
    let caption = match pairs.len() < mistakes.rows {
        true => format!("{} of {} rows.", thousands(pairs.len() as f64), thousands(mistakes.rows as f64)),
        false => String::new(),
    };
    let over_actual = ScatterChart {
        title: "Predicted over actual".into(),
        x_label: format!("actual {target}"),
        y_label: format!("predicted {target}"),
        points: pairs.clone(),
        guide: Guide::Diagonal,
    };
    let over_predicted = ScatterChart {
        title: "Residual over predicted".into(),
        x_label: format!("predicted {target}"),
        y_label: "residual".into(),
        points: pairs.iter().map(|(actual, predicted)| (*predicted, predicted - actual)).collect(),
        guide: Guide::Zero,
    };
    let now = Histogram::of(pairs.iter().map(|(actual, predicted)| predicted - actual));
    let spread = format!("Mean {}, deviation {}.", figure_text(now.mean), figure_text(now.deviation));
    let distribution = HistogramChart { title: "Residuals".into(), now, before: None };
    vec![
        Figure::new(Chart::Scatter(over_actual)).caption(caption.clone()),
        Figure::new(Chart::Scatter(over_predicted)).caption(caption),
        Figure::new(Chart::Histogram(distribution)).caption(spread),
    ]
}

fn card(mistake: &Mistake) -> Option<Card> {
    let Input::Picture(picture) = &mistake.input else { return None };
    let mut lines = vec![format!("{}, taken for {}", mistake.actual, mistake.predicted)];
    match (mistake.sure, mistake.error) {
        (Some((sure, truth)), _) => {
            lines.push(format!("{} sure", percent(sure)));
            lines.push(format!("{} for {}", percent(truth), mistake.actual));
        }
        (None, Some(error)) => {
            lines[0] = format!("{} for {}", mistake.predicted, mistake.actual);
            lines.push(format!("error {}", figure_text(error)));
        }
        (None, None) => {}
    }
    lines.push(format!("row {}", mistake.row));
    Some(Card { picture: picture.clone(), lines })
}

fn table(mistakes: &Mistakes) -> Table {
    let rows: Vec<(&Mistake, &Vec<(String, String)>)> = mistakes
        .worst
        .iter()
        .filter_map(|mistake| match &mistake.input {
            Input::Row(values) => Some((mistake, values)),
            Input::Picture(_) => None,
        })
        .collect();
    let Some((first, columns)) = rows.first() else { return Table::default() };
    let of_class = first.error.is_none() && mistakes.wrong.is_some();
    let mut header: Vec<String> = ["row", "actual", "predicted"].map(str::to_string).to_vec();
    header.extend(match of_class {
        true => vec!["sure".to_string(), "of the truth".to_string()],
        false => vec!["residual".to_string()],
    });
    header.extend(columns.iter().map(|(name, _)| name.clone()));
    let mut table = Table::new(header);
    for (mistake, values) in &rows {
        let mut cells = vec![mistake.row.to_string(), mistake.actual.clone(), mistake.predicted.clone()];
        match (of_class, mistake.sure) {
            (true, Some((sure, truth))) => cells.extend([percent(sure), percent(truth)]),
            (true, None) => cells.extend(["–".to_string(), "–".to_string()]),
            (false, _) => cells.push(mistake.error.map_or("–".to_string(), figure_text)),
        }
        cells.extend(values.iter().map(|(_, value)| value.clone()));
        table = table.row(cells);
    }
    Table { caption: "Rows are counted from 1; the line after a table's header is row 1.".into(), ..table }
}

fn percent(share: f64) -> String {
    match 100.0 * share {
        percent if percent < 0.1 => "< 0.1\u{a0}%".to_string(),
        percent if percent > 99.9 => "> 99.9\u{a0}%".to_string(),
        percent => format!("{percent:.1}\u{a0}%"),
    }
}
