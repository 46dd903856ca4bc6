//! A figure over epochs or steps, of one or several parts.

use super::frame::{Entry, Frame, Labels, width_of};
use crate::number::short;
use crate::scale::{Axis, Scale};

/// Curves over one axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineChart {
    /// What it is called.
    pub title: String,
    /// What is counted to the right: `epoch`.
    pub x_label: String,
    /// What goes up: `loss`.
    pub y_label: String,
    /// How the horizontal axis is divided; at whole numbers unless given.
    pub x_scale: Option<Scale>,
    /// How the vertical axis is divided.
    pub y_scale: Scale,
    /// The curves. Their order gives them their colours.
    pub series: Vec<Series>,
    /// A place worth pointing at.
    pub mark: Option<Mark>,
}

/// A curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// What it shows: `train`.
    pub name: String,
    /// Its points from left to right. Where the second number is not finite, the curve is broken.
    pub points: Vec<(f64, f64)>,
}

/// A place on the horizontal axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Where.
    pub x: f64,
    /// What is there: `best`.
    pub label: String,
}

/// So many points are shown as dots as well.
const DOTS: usize = 30;

impl LineChart {
    /// The chart as an `svg` element.
    pub fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = Axis::of(points().map(|(x, _)| *x), self.x_scale.unwrap_or(Scale::Whole));
        let y = Axis::of(points().map(|(_, y)| *y), self.y_scale);
        let classes: Vec<String> =
            (0..self.series.len()).map(|number| format!("line line{}", number % 6)).collect();
        let entries = self.series.iter().zip(&classes);
        let legend: Vec<Entry<'_>> =
            entries.map(|(series, class)| Entry { name: &series.name, class, is_line: true }).collect();
        let legend = if legend.len() > 1 { &legend[..] } else { &[] };
        let labels = Labels { x: &self.x_label, y: &self.y_label, legend };
        let mut frame = Frame::new((460.0, 260.0), (x, y), &labels);
        self.draw_mark(&mut frame);
        for (series, class) in self.series.iter().zip(&classes) {
            let places: Vec<Option<(f64, f64)>> =
                series.points.iter().map(|point| frame.point(*point)).collect();
            frame.picture.path(class, places.iter().copied());
            let is_alone = |at: usize| {
                let is_gap = |other: Option<&Option<(f64, f64)>>| other.is_none_or(Option::is_none);
                is_gap(at.checked_sub(1).and_then(|before| places.get(before))) && is_gap(places.get(at + 1))
            };
            for (at, place) in places.iter().enumerate() {
                if let Some(place) = place.filter(|_| places.len() <= DOTS || is_alone(at)) {
                    let dot = class.replace("line", "dot");
                    frame.picture.circle(&dot, place, 2.4, "");
                }
            }
        }
        self.draw_columns(&mut frame);
        frame.picture.svg(&self.title)
    }

    fn draw_mark(&self, frame: &mut Frame) {
        let Some((mark, x)) = self.mark.as_ref().and_then(|mark| Some((mark, frame.x_of(mark.x)?))) else {
            return;
        };
        let [_, top, right, bottom] = frame.area();
        frame.picture.line("mark", (x, top), (x, bottom));
        let fits = x + 6.0 + width_of(&mark.label) <= right;
        let (anchor, at) = if fits { ("start", x + 4.0) } else { ("end", x - 4.0) };
        // Where the curves leave room.
        let here = self.series.iter().flat_map(|series| &series.points).filter(|(x, _)| *x == mark.x);
        let is_taken = here.filter_map(|(_, y)| frame.y_of(*y)).any(|y| y < top + 24.0);
        let y = if is_taken { bottom - 6.0 } else { top + 10.0 };
        frame.picture.text("tick", anchor, (at, y), &mark.label);
    }

    /// Invisible columns under the pointer that say the values there.
    fn draw_columns(&self, frame: &mut Frame) {
        let mut all: Vec<f64> =
            self.series.iter().flat_map(|series| &series.points).map(|(x, _)| *x).collect();
        all.retain(|x| x.is_finite());
        all.sort_by(f64::total_cmp);
        all.dedup();
        let [left, top, right, bottom] = frame.area();
        let places: Vec<f64> = all.iter().filter_map(|x| frame.x_of(*x)).collect();
        for (at, x) in all.iter().enumerate() {
            let Some(&place) = places.get(at) else { continue };
            let from = if at == 0 { left } else { (places[at - 1] + place) / 2.0 };
            let to = places.get(at + 1).map_or(right, |next| (place + next) / 2.0);
            let mut tip = format!("{} {}", self.x_label, short(*x));
            for series in &self.series {
                let here = series.points.iter().find(|(other, _)| other == x);
                if let Some((_, y)) = here {
                    tip.push_str(&format!("\n{} {}", series.name, short(*y)));
                }
            }
            frame.picture.rect("column", [from, top, to - from, bottom - top], &tip);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: &[(f64, f64)]) -> LineChart {
        LineChart {
            title: "loss".into(),
            x_label: "epoch".into(),
            y_label: "loss".into(),
            series: vec![
                Series { name: "train".into(), points: points.to_vec() },
                Series { name: "valid".into(), points: points.to_vec() },
            ],
            mark: Some(Mark { x: 2.0, label: "best".into() }),
            ..LineChart::default()
        }
    }

    #[test]
    fn each_curve_is_a_path_and_each_epoch_says_its_values() {
        let svg = chart(&[(1.0, 0.5), (2.0, 0.25), (3.0, 0.3)]).svg();
        assert_eq!(svg.matches("<path").count(), 2);
        assert!(svg.contains("data-tip=\"epoch 2\ntrain 0.25\nvalid 0.25\""), "{svg}");
        assert!(svg.contains(">best</text>"));
        assert_eq!(svg.matches("class=\"dot dot").count(), 6);
    }

    #[test]
    fn a_loss_that_is_no_number_breaks_the_curve() {
        let svg = chart(&[(1.0, 0.5), (2.0, 0.4), (3.0, f64::NAN), (4.0, 0.3), (5.0, 0.2)]).svg();
        let path = svg.split("<path").nth(1).unwrap();
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn a_long_legend_takes_several_rows_and_leaves_the_label_alone() {
        let mut chart = chart(&[(1.0, 0.5), (2.0, 0.25)]);
        chart.y_label = "standard deviation".into();
        chart.series = (0..6)
            .map(|at| Series { name: format!("{at} linear layer"), ..chart.series[0].clone() })
            .collect();
        let svg = chart.svg();
        let heights: std::collections::BTreeSet<&str> = svg
            .split("<text")
            .filter(|text| text.contains("linear layer"))
            .filter_map(|text| text.split(" y=\"").nth(1)?.split('"').next())
            .collect();
        assert!(heights.len() > 1, "{heights:?}");
    }

    #[test]
    fn one_epoch_or_none_is_a_picture_too() {
        assert_eq!(chart(&[(1.0, 0.5)]).svg().matches("<circle").count(), 2);
        assert!(chart(&[]).svg().ends_with("</svg>"));
    }
}
