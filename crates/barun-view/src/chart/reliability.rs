//! Whether probabilities are what they say: of the rows of which a model is 80 % sure, are 80 % right?

use super::frame::{Entry, Frame, Labels};
use crate::number::thousands;
use crate::scale::{Axis, Scale};

/// Bins of rows by how sure the model was of them. DeGroot and Fienberg, 1983, "The comparison and evaluation of
/// forecasters".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReliabilityChart {
    /// What it is called.
    pub title: String,
    /// The bins; one without rows is not drawn.
    pub bins: Vec<ReliabilityBin>,
}

/// Rows of which a model was about equally sure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReliabilityBin {
    /// The least probability of the bin.
    pub low: f64,
    /// The largest.
    pub high: f64,
    /// How many rows there are.
    pub rows: u64,
    /// The mean of their highest probabilities.
    pub confidence: f64,
    /// The share of them that is right.
    pub accuracy: f64,
}

impl ReliabilityChart {
    /// The chart as an `svg` element: bars as high as the share that is right, on a diagonal where they should end. The
    /// more rows a bin has, the darker it is.
    pub fn svg(&self) -> String {
        let unit = || Axis::of([0.0, 1.0].into_iter(), Scale::Linear);
        let legend = [
            Entry { name: "share that is right", class: "cell", is_line: false },
            Entry { name: "as sure as right", class: "guide", is_line: true },
        ];
        let labels = Labels { x: "how sure the model was", y: "", legend: &legend };
        let mut frame = Frame::new((460.0, 320.0), (unit(), unit()), &labels);
        let [_, _, _, bottom] = frame.area();
        let most = self.bins.iter().map(|bin| bin.rows).max().unwrap_or(0).max(1) as f64;
        for bin in self.bins.iter().filter(|bin| bin.rows > 0) {
            let places = (frame.x_of(bin.low), frame.x_of(bin.high), frame.y_of(bin.accuracy));
            let (Some(from), Some(to), Some(top)) = places else { continue };
            let tip = format!(
                "{} rows of which it was {:.0} to {:.0} % sure\nmean {:.1} %, right {:.1} %",
                thousands(bin.rows),
                100.0 * bin.low,
                100.0 * bin.high,
                100.0 * bin.confidence,
                100.0 * bin.accuracy
            );
            // Rows spread over orders of magnitude: most are those of which a good model is sure.
            let strength = 0.25 + 0.75 * (1.0 + bin.rows as f64).ln() / (1.0 + most).ln();
            frame.picture.cell(strength, [from + 1.0, top, to - from - 2.0, bottom - top], &tip);
        }
        if let (Some(from), Some(to)) = (frame.point((0.0, 0.0)), frame.point((1.0, 1.0))) {
            frame.picture.line("guide", from, to);
        }
        frame.picture.svg(&self.title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_without_rows_are_not_drawn() {
        let bin = ReliabilityBin { low: 0.8, high: 0.9, rows: 20, confidence: 0.85, accuracy: 0.7 };
        let bins = vec![bin, ReliabilityBin { rows: 0, accuracy: f64::NAN, ..bin }];
        let svg = ReliabilityChart { title: "calibration".into(), bins }.svg();
        assert!(svg.contains("20 rows of which it was 80 to 90 % sure\nmean 85.0 %, right 70.0 %"), "{svg}");
        assert_eq!(svg.matches("data-tip").count(), 1);
    }
}
