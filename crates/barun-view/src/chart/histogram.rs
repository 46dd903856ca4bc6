//! How numbers are distributed, now and before.

use super::frame::{Entry, Frame, Labels};
use crate::Histogram;
use crate::number::{short, thousands};
use crate::scale::{Axis, Scale};

/// A small histogram, in front of an earlier one where there is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramChart {
    /// What it is called.
    pub title: String,
    /// How the numbers are distributed now.
    pub now: Histogram,
    /// How they were before, and what is said of then: `start`.
    pub before: Option<(String, Histogram)>,
}

impl HistogramChart {
    /// The chart as an `svg` element.
    pub fn svg(&self) -> String {
        let before = self.before.iter().map(|(_, before)| before);
        let ends = before.chain([&self.now]).filter(|histogram| !histogram.counts.is_empty());
        let x = Axis::of(ends.flat_map(|histogram| [histogram.low, histogram.high]), Scale::Linear);
        // Bins differ in width, so what goes up is how densely numbers lie; how much that is says the pointer.
        let mut y = Axis::of([0.0, self.highest()].into_iter(), Scale::FromZero);
        y.ticks.clear();
        let legend: Vec<Entry<'_>> = match &self.before {
            Some((name, _)) => vec![
                Entry { name, class: "line before", is_line: true },
                Entry { name: "now", class: "bar", is_line: false },
            ],
            None => Vec::new(),
        };
        let labels = Labels { x: "", y: "", legend: &legend };
        let mut frame = Frame::new((300.0, 130.0), (x, y), &labels);
        let [_, _, _, bottom] = frame.area();
        for (bin, count) in self.now.counts.iter().enumerate() {
            let (from, to) = ends_of(&frame, &self.now, bin);
            let places = (frame.x_of(from), frame.x_of(to), frame.y_of(density(&self.now, bin, *count)));
            let (Some(from_x), Some(to_x), Some(top)) = places else { continue };
            let tip = format!("{} to {}\n{} numbers", short(from), short(to), thousands(*count));
            frame.picture.rect("bar", [from_x, top, (to_x - from_x - 0.4).max(0.6), bottom - top], &tip);
        }
        if let Some((_, before)) = &self.before {
            let mut steps = Vec::new();
            for (bin, count) in before.counts.iter().enumerate() {
                let ((from, to), height) = (ends_of(&frame, before, bin), density(before, bin, *count));
                // From the ground and back to it.
                steps.extend((bin == 0).then_some((from, 0.0)));
                steps.extend([(from, height), (to, height)]);
                steps.extend((bin + 1 == before.counts.len()).then_some((to, 0.0)));
            }
            let places: Vec<Option<(f64, f64)>> = steps.into_iter().map(|step| frame.point(step)).collect();
            frame.picture.path("line before", places.into_iter());
        }
        frame.picture.svg(&self.title)
    }

    fn highest(&self) -> f64 {
        let of = |histogram: &Histogram| {
            let densities = histogram.counts.iter().enumerate();
            densities.map(|(bin, count)| density(histogram, bin, *count)).fold(0.0, f64::max)
        };
        // A spike before, such as biases that all begin at 0, must not make what is now a flat line.
        let now = of(&self.now);
        self.before.as_ref().map_or(now, |(_, before)| now.max(of(before).min(2.0 * now)))
    }
}

/// The ends of a bin; of numbers that are all the same a narrow one around them.
fn ends_of(frame: &Frame, histogram: &Histogram, bin: usize) -> (f64, f64) {
    let (from, to) = histogram.bin(bin);
    let (low, high) = frame.x.range();
    let narrow = (high - low) / 200.0;
    if to > from { (from, to) } else { (from - narrow, to + narrow) }
}

/// The share of the numbers in a bin over its width; where it has none, the share alone.
fn density(histogram: &Histogram, bin: usize, count: u64) -> f64 {
    let (from, to) = histogram.bin(bin);
    let share = count as f64 / histogram.total().max(1) as f64;
    if to > from { share / (to - from) } else { share * f64::from(u16::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_is_bars_and_before_a_line() {
        let now = Histogram::of((0..100).map(|number| f64::from(number) / 50.0));
        let before = Histogram::of((0..100).map(|number| f64::from(number) / 100.0));
        let svg = HistogramChart { title: "w".into(), now, before: Some(("start".into(), before)) }.svg();
        assert_eq!(svg.matches("data-tip").count(), 40);
        assert_eq!(svg.matches("<path class=\"line before\"").count(), 1);
    }

    #[test]
    fn numbers_that_are_all_the_same_and_none_are_pictures_too() {
        for numbers in [&[0.0; 3][..], &[], &[f64::NAN]] {
            let now = Histogram::of(numbers.iter().copied());
            let before = Some(("start".to_string(), now.clone()));
            let svg = HistogramChart { title: "b".into(), now, before }.svg();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
