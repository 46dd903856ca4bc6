//! Curves as lines of text, for a terminal that only passes by, a log, a mail.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::widgets::{Axis as Labelled, Chart, LegendPosition, Widget};

use super::board::Curve;
use super::view::{dataset, labels_of};
use crate::scale::{Axis, Scale};

/// Curves on one pair of axes.
///
/// ```
/// use barun_view::terminal::{Curve, Plot};
/// let points = (1..=20).map(|x| (f64::from(x), 1.0 / f64::from(x))).collect();
/// let plot = Plot { curves: vec![Curve { name: "loss".into(), points, is_faint: false }], ..Plot::default() };
/// let text = plot.text(60, 12);
/// assert_eq!(text.lines().count(), 12);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plot {
    /// How the horizontal axis is divided.
    pub x_scale: Scale,
    /// How the vertical axis is divided.
    pub y_scale: Scale,
    /// The curves. The faint ones are drawn below all others and do not stretch the vertical axis.
    pub curves: Vec<Curve>,
}

impl Plot {
    /// The curves in so many columns and lines, axes included.
    pub fn text(&self, columns: u16, lines: u16) -> String {
        let strong = || self.curves.iter().filter(|curve| !curve.is_faint);
        let shown: Vec<&Curve> =
            if strong().next().is_some() { strong().collect() } else { self.curves.iter().collect() };
        let x = Axis::of(self.curves.iter().flat_map(|curve| &curve.points).map(|(x, _)| *x), self.x_scale);
        let y = Axis::of(shown.iter().flat_map(|curve| &curve.points).map(|(_, y)| *y), self.y_scale);
        // The widget's axes are linear, so points are handed over by their places.
        let place = |&(a, b): &(f64, f64)| Some((x.place(a)?, y.place(b)?));
        let placed: Vec<Vec<(f64, f64)>> =
            self.curves.iter().map(|curve| curve.points.iter().filter_map(place).collect()).collect();
        let faint = self.curves.iter().filter(|curve| curve.is_faint).count();
        let datasets = self.curves.iter().zip(&placed).enumerate();
        let datasets =
            datasets.map(|(at, (curve, points))| dataset(at.saturating_sub(faint), curve, points)).collect();
        let always = (Constraint::Ratio(1, 1), Constraint::Ratio(1, 1));
        let chart = Chart::new(datasets)
            .legend_position((self.curves.len() > 1).then_some(LegendPosition::TopRight))
            .hidden_legend_constraints(always)
            .x_axis(Labelled::default().bounds([0.0, 1.0]).labels(labels_of(&x, columns / 6)))
            .y_axis(Labelled::default().bounds([0.0, 1.0]).labels(labels_of(&y, lines)));
        let area = Rect::new(0, 0, columns, lines);
        let mut buffer = Buffer::empty(area);
        chart.render(area, &mut buffer);
        let line = |y: u16| {
            let cells: String =
                (0..columns).filter_map(|x| buffer.cell((x, y))).map(|cell| cell.symbol()).collect();
            format!("{}\n", cells.trim_end())
        };
        (0..lines).map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_falling_curve_falls_and_its_axes_say_how_far() {
        let points = (0..=60).map(|at| (10f64.powf(at as f64 / 10.0 - 6.0), 60.0 - f64::from(at))).collect();
        let curve = Curve { name: "loss".into(), points, is_faint: false };
        let text = Plot { curves: vec![curve], ..Plot::default() }.text(60, 12);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 12);
        assert!(lines[11].contains("e-6"), "{text}");
        assert!(lines[0].trim_start().starts_with("60"), "{text}");
        let ink = |line: &str| line.chars().position(|c| ('\u{2801}'..='\u{28ff}').contains(&c));
        assert!(ink(lines[1]) < ink(lines[8]), "{text}");
    }

    #[test]
    fn nothing_to_show_is_an_empty_frame() {
        assert_eq!(Plot::default().text(40, 6).lines().count(), 6);
        assert_eq!(Plot::default().text(0, 0), "");
    }
}
