//! A cloud of points: predicted over actual numbers, or how far they are apart.

use super::frame::{Frame, Labels};
use crate::number::short;
use crate::scale::{Axis, Scale};

/// Points, and a line where they would lie if all were well.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScatterChart {
    /// What it is called.
    pub title: String,
    /// What goes to the right: `actual`.
    pub x_label: String,
    /// What goes up: `predicted`.
    pub y_label: String,
    /// The points. One that has no place is left out.
    pub points: Vec<(f64, f64)>,
    /// Where they would lie.
    pub guide: Guide,
}

/// Where points would lie if all were well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guide {
    /// Where both numbers are the same.
    #[default]
    Diagonal,
    /// Where the second is 0.
    Zero,
}

impl ScatterChart {
    /// The chart as an `svg` element.
    pub fn svg(&self) -> String {
        let mut x = Axis::of(self.points.iter().map(|(x, _)| *x), Scale::Linear);
        let zero = (self.guide == Guide::Zero).then_some(0.0);
        let mut y = Axis::of(self.points.iter().map(|(_, y)| *y).chain(zero), Scale::Linear);
        if self.guide == Guide::Diagonal {
            x = Axis::shared(&x, &y);
            y = x.clone();
        }
        let ((low, high), labels) = (x.range(), Labels { x: &self.x_label, y: &self.y_label, legend: &[] });
        let mut frame = Frame::new((460.0, 320.0), (x, y), &labels);
        let ends = match self.guide {
            Guide::Diagonal => [(low, low), (high, high)],
            Guide::Zero => [(low, 0.0), (high, 0.0)],
        };
        if let [Some(from), Some(to)] = ends.map(|end| frame.point(end)) {
            frame.picture.line("guide", from, to);
        }
        for &(x, y) in &self.points {
            let Some(place) = frame.point((x, y)) else { continue };
            let tip = format!("{} {}\n{} {}", self.x_label, short(x), self.y_label, short(y));
            frame.picture.circle("point", place, 2.8, &tip);
        }
        frame.picture.svg(&self.title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_without_a_place_are_left_out() {
        let points = vec![(1.0, 1.5), (2.0, f64::NAN), (3.0, 2.5)];
        for guide in [Guide::Diagonal, Guide::Zero] {
            let svg = ScatterChart { points: points.clone(), guide, ..ScatterChart::default() }.svg();
            assert_eq!(svg.matches("<circle").count(), 2);
            assert_eq!(svg.matches("class=\"guide\"").count(), 1);
        }
    }
}
