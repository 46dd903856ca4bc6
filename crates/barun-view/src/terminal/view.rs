//! Drawing a board.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    Axis as Labelled, Block, Chart, Dataset, GraphType, LegendPosition, LineGauge, Paragraph,
};

use super::board::{Board, Curve, Curves};
use crate::number::short;
use crate::scale::Axis;

/// Below this many lines curves say nothing.
const LEAST_CHART: u16 = 6;
/// Charts stand beside each other where each has so many columns.
const LEAST_WIDTH: u16 = 30;
/// Most lines of messages.
const MESSAGES: usize = 4;
const FAINT: Style = Style::new().fg(Color::DarkGray);

/// Draws `board` into the whole of `frame`, in whatever room there is: figures go before curves, curves before messages.
pub fn draw(board: &Board, frame: &mut Frame<'_>) {
    let figures = board.figures.len() as u16;
    let messages = board.messages.len().min(MESSAGES) as u16;
    let [title, charts, bar, below, said, hint] = Layout::vertical([
        Constraint::Length(if board.lead.is_empty() { 1 } else { 2 }),
        Constraint::Fill(1),
        Constraint::Length(1),
        Constraint::Length(figures),
        Constraint::Length(messages),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let lines = vec![Line::styled(board.title.as_str(), bold), Line::styled(board.lead.as_str(), FAINT)];
    frame.render_widget(Paragraph::new(lines), title);
    draw_charts(&board.charts, frame, charts);
    draw_bar(board, frame, bar);
    frame.render_widget(Paragraph::new(named(&board.figures)), below);
    let first = board.messages.len() - messages as usize;
    let lines: Vec<Line<'_>> = board.messages[first..].iter().map(|text| Line::raw(text.as_str())).collect();
    frame.render_widget(Paragraph::new(lines), said);
    frame.render_widget(Paragraph::new("q or Ctrl-C stops; the state is saved").style(FAINT), hint);
}

fn named(figures: &[(String, String)]) -> Vec<Line<'_>> {
    let width = figures.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let line = |(name, text): &'_ (String, String)| {
        Line::from(vec![Span::styled(format!("{name:<width$}  "), FAINT), Span::raw(text.clone())])
    };
    figures.iter().map(line).collect()
}

fn draw_bar(board: &Board, frame: &mut Frame<'_>, area: Rect) {
    let share = if board.share.is_finite() { board.share.clamp(0.0, 1.0) } else { 0.0 };
    let pace = board.pace.chars().count() as u16;
    let [bar, text] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(pace + 2)]).areas(area);
    let gauge = LineGauge::default()
        .label(board.progress.as_str())
        .ratio(share)
        .filled_symbol("━")
        .unfilled_symbol("─")
        .filled_style(Style::new().fg(Color::Cyan))
        .unfilled_style(FAINT);
    frame.render_widget(gauge, bar);
    frame.render_widget(Paragraph::new(format!("  {}", board.pace)), text);
}

fn draw_charts(charts: &[Curves], frame: &mut Frame<'_>, area: Rect) {
    if charts.is_empty() || area.height < LEAST_CHART {
        return;
    }
    let fit = usize::from((area.width / LEAST_WIDTH).max(1)).min(charts.len());
    let areas = Layout::horizontal(vec![Constraint::Fill(1); fit]).spacing(1).split(area);
    for (curves, area) in charts.iter().zip(areas.iter()) {
        draw_chart(curves, frame, *area);
    }
}

fn draw_chart(curves: &Curves, frame: &mut Frame<'_>, area: Rect) {
    let strong = |curve: &&Curve| !curve.is_faint;
    let all = |curve: &Curve| curve.points.iter().map(|(_, y)| *y).collect::<Vec<f64>>();
    // Single batches may be anywhere; the axis is that of the means, where there are some.
    let mut numbers: Vec<f64> = curves.curves.iter().filter(strong).flat_map(all).collect();
    if numbers.len() < 3 {
        numbers = curves.curves.iter().flat_map(all).collect();
    }
    let axis = Axis::of(numbers.into_iter(), curves.scale);
    // The widget's axes are linear, so points are handed over by their places.
    let placed: Vec<Vec<(f64, f64)>> = curves
        .curves
        .iter()
        .map(|curve| curve.points.iter().filter_map(|&(x, y)| Some((x, axis.place(y)?))).collect())
        .collect();
    // A curve has the same colour in every chart, whatever lies below it.
    let faint = curves.curves.iter().filter(|curve| curve.is_faint).count();
    let datasets = curves.curves.iter().zip(&placed).enumerate();
    let datasets =
        datasets.map(|(at, (curve, points))| dataset(at.saturating_sub(faint), curve, points)).collect();
    let width = curves.width.max(1.0);
    let title =
        if axis.is_log() { format!(" {}, log scale ", curves.title) } else { format!(" {} ", curves.title) };
    let chart = Chart::new(datasets)
        .block(Block::bordered().border_style(FAINT).title(title))
        .legend_position(Some(LegendPosition::TopRight))
        .hidden_legend_constraints((Constraint::Ratio(1, 2), Constraint::Ratio(1, 2)))
        .x_axis(Labelled::default().bounds([0.0, width]).labels(epochs_of(width)).style(FAINT))
        .y_axis(Labelled::default().bounds([0.0, 1.0]).labels(labels_of(&axis, area.height)).style(FAINT));
    frame.render_widget(chart, area);
}

pub(super) fn dataset<'a>(at: usize, curve: &'a Curve, points: &'a [(f64, f64)]) -> Dataset<'a> {
    const COLORS: [Color; 3] = [Color::Cyan, Color::Yellow, Color::Magenta];
    let dataset = Dataset::default().data(points);
    if curve.is_faint {
        return dataset.marker(Marker::Dot).graph_type(GraphType::Scatter).style(FAINT);
    }
    // Without colours the curves still differ in their marks.
    let marker = if at.is_multiple_of(2) { Marker::Braille } else { Marker::HalfBlock };
    let kind = if points.len() > 1 { GraphType::Line } else { GraphType::Scatter };
    dataset
        .name(curve.name.as_str())
        .marker(marker)
        .graph_type(kind)
        .style(Style::new().fg(COLORS[at % COLORS.len()]))
}

fn epochs_of(width: f64) -> Vec<String> {
    match width as u64 {
        width @ 0..=3 => (0..=width).map(|epoch| epoch.to_string()).collect(),
        width if width % 2 == 0 => vec!["0".into(), (width / 2).to_string(), width.to_string()],
        width => vec!["0".into(), width.to_string()],
    }
}

/// What is written at an axis, from below, in equal steps.
pub(super) fn labels_of(axis: &Axis, height: u16) -> Vec<String> {
    let (low, high) = axis.range();
    if axis.is_log() {
        return [low, (low * high).sqrt(), high].map(two_digits).to_vec();
    }
    let labels: Vec<String> = axis.ticks.iter().map(|(_, label)| label.clone()).collect();
    let fits = labels.len() <= usize::from(height.saturating_sub(3)) / 2;
    match (fits, labels.first(), labels.last()) {
        (false, Some(first), Some(last)) => vec![first.clone(), last.clone()],
        _ => labels,
    }
}

fn two_digits(number: f64) -> String {
    short(format!("{number:.1e}").parse().unwrap_or(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scale::Scale;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn board() -> Board {
        let points = |from: f64| (1..=5).map(|epoch| (f64::from(epoch), from / f64::from(epoch))).collect();
        let curves = |title: &str, from: f64| Curves {
            title: title.into(),
            width: 10.0,
            scale: Scale::Auto,
            curves: vec![
                Curve { name: "train".into(), points: points(from), is_faint: false },
                Curve { name: "valid".into(), points: points(1.2 * from), is_faint: false },
            ],
        };
        Board {
            title: "mlp on digits".into(),
            lead: "535,818 parameters".into(),
            charts: vec![curves("loss", 0.9), curves("accuracy", 0.5)],
            progress: "epoch  5/10".into(),
            share: 0.5,
            pace: "12,345 samples/s  0:12 left".into(),
            figures: vec![("train".into(), "loss 0.1800".into()), ("valid".into(), "loss 0.2160".into())],
            messages: vec!["resumed after epoch 2".into()],
        }
    }

    fn drawn(board: &Board, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(board, frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn a_board_shows_its_curves_figures_bar_and_messages() {
        let text = drawn(&board(), 100, 26);
        for part in [
            "mlp on digits",
            " loss ",
            " accuracy ",
            "train",
            "valid",
            "epoch  5/10",
            "━",
            "0:12 left",
            "loss 0.2160",
            "resumed after epoch 2",
            "q or Ctrl-C stops",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(text.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "{text}");
    }

    #[test]
    fn in_little_room_the_figures_stay_and_nothing_fails() {
        let small = drawn(&board(), 60, 9);
        assert!(small.contains("loss 0.1800") && !small.contains(" accuracy "), "{small}");
        for (width, height) in [(1, 1), (5, 3), (20, 5), (31, 40), (250, 80)] {
            drawn(&board(), width, height);
        }
    }

    #[test]
    fn a_run_that_has_just_begun_or_gone_wrong_is_drawn_too() {
        let mut board = board();
        board.share = f64::NAN;
        for curve in board.charts.iter_mut().flat_map(|curves| &mut curves.curves) {
            curve.points = vec![(1.0, f64::NAN), (2.0, f64::INFINITY)];
        }
        drawn(&board, 100, 26);
        drawn(&Board::default(), 100, 26);
        board.charts[0].curves[0].points = vec![(0.1, 2.3)];
        drawn(&board, 100, 26);
    }
}
